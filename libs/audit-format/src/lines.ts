const LONGEST = 16 * 1024 * 1024;
const NEWLINE = 0x0a;

/** A line with its newline; `whole` is false for one that is longer than any event (its first bytes) or that the file ends in the middle of. */
export interface Line {
  readonly bytes: Buffer;
  readonly whole: boolean;
}

/** Lines of bytes as they come, one in memory at a time however the chunks are cut. */
export async function* linesOf(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Line> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let bytes: Buffer = rest.length === 0 ? Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength) : Buffer.concat([rest, chunk]);
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE)) {
      yield { bytes: bytes.subarray(0, end + 1), whole: true };
      bytes = bytes.subarray(end + 1);
    }
    if (bytes.length > LONGEST) return yield { bytes: bytes.subarray(0, LONGEST), whole: false };
    rest = bytes;
  }
  if (rest.length > 0) yield { bytes: rest, whole: false };
}
