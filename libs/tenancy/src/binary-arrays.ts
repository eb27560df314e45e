/**
 * Arrays as PostgreSQL reads them in binary, of one dimension that starts at 1: nothing to escape here, nothing to parse there. The statement
 * must name the type (`$1::uuid[]`), since the server does not look at a binary value to find out.
 */

const OID = { bool: 16, bytea: 17, int8: 20, int4: 23, text: 25, timestamptz: 1184, uuid: 2950 } as const;
const HEADER = 20;
const UUID_BYTES = 16;

export function textArray(texts: readonly (string | null)[]): Buffer {
  const sizes = texts.map((text) => (text === null ? 0 : Buffer.byteLength(text)));
  const buffer = arrayOf(OID.text, texts.length, sizes.reduce((sum, size) => sum + size, 0));
  let at = HEADER;
  texts.forEach((text, index) => {
    at = buffer.writeInt32BE(text === null ? -1 : (sizes[index] as number), at);
    if (text !== null) at += buffer.write(text, at);
  });
  return buffer;
}

export function bytesArray(values: readonly Buffer[]): Buffer {
  const buffer = arrayOf(OID.bytea, values.length, values.reduce((sum, { length }) => sum + length, 0));
  let at = HEADER;
  for (const value of values) {
    at = buffer.writeInt32BE(value.length, at);
    at += value.copy(buffer, at);
  }
  return buffer;
}

/** @param uuids as text, with hyphens */
export const uuidArray = (uuids: readonly string[]): Buffer =>
  fixed(OID.uuid, UUID_BYTES, uuids, (uuid, buffer, at) => {
    if (buffer.write(uuid.replaceAll('-', ''), at, UUID_BYTES, 'hex') !== UUID_BYTES) throw new TypeError(`${uuid} is no UUID`);
  });

export const int4Array = (numbers: readonly number[]): Buffer => fixed(OID.int4, 4, numbers, (number, buffer, at) => buffer.writeInt32BE(number, at));

/** @param numbers safe integers */
export const int8Array = (numbers: readonly number[]): Buffer =>
  fixed(OID.int8, 8, numbers, writeInt8);

const Y2000 = Date.UTC(2000, 0, 1);

/** @param times whole ms since 1970 */
export const timestamptzArray = (times: readonly number[]): Buffer =>
  fixed(OID.timestamptz, 8, times, (ms, buffer, at) => writeInt8((ms - Y2000) * 1_000, buffer, at));

export const boolArray = (values: readonly boolean[]): Buffer => fixed(OID.bool, 1, values, (value, buffer, at) => buffer.writeUInt8(value ? 1 : 0, at));

function fixed<T>(type: number, size: number, values: readonly T[], write: (value: T, buffer: Buffer, at: number) => void): Buffer {
  const buffer = arrayOf(type, values.length, size * values.length);
  let at = HEADER;
  for (const value of values) {
    buffer.writeInt32BE(size, at);
    write(value, buffer, at + 4);
    at += 4 + size;
  }
  return buffer;
}

function writeInt8(number: number, buffer: Buffer, at: number): void {
  buffer.writeInt32BE(Math.floor(number / 2 ** 32), at);
  buffer.writeUInt32BE(number >>> 0, at + 4);
}

/** With its head written, and room for so many elements of so many bytes together. */
function arrayOf(type: number, length: number, bytes: number): Buffer {
  const buffer = Buffer.allocUnsafe(HEADER + 4 * length + bytes);
  [1, 1, type, length, 1].forEach((value, index) => buffer.writeInt32BE(value, 4 * index));
  return buffer;
}
