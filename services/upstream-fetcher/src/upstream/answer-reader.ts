/** An answer as it came over the wire, its body whole and still packed. */
export interface WireAnswer {
  readonly status: number;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** How long the connection may wait for its next call, in ms; 0: it ends with this answer. */
  readonly idleMs: number;
}

/** What came is no HTTP/1.1, or may be read in two ways: nothing of it can be trusted, and the connection ends. */
export class WireError extends Error {}
/** More than the caller takes. */
export class TooLarge extends WireError {
  constructor(
    readonly status: number,
    maxBodyBytes: number,
  ) {
    super(`more than ${maxBodyBytes} bytes`);
  }
}

/** Of what is not body: the answer's head, those of 1xx before it, and the trailers. */
const MOST_HEAD = 16_384;
const MOST_CHUNK_LINE = 1_024;
/** Of a server that does not say how long it keeps a connection. */
const IDLE_MS = 4_000;
const LONGEST_IDLE_MS = 600_000;
/** Ended this much before the server would: a call on its way to a connection that ends is one whose fate nobody knows. */
const IDLE_SLACK_MS = 1_500;

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?$/;
const NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const LENGTH = /^\d{1,15}$/;
const CHUNK_SIZE = /^([0-9a-f]{1,12})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?$/i;

/** How the end of a body is known. */
type Framing = { readonly by: 'length'; readonly bytes: number } | { readonly by: 'chunks' } | { readonly by: 'end' };

interface Head {
  readonly status: number;
  readonly headers: Fields;
  readonly framing: Framing;
  readonly idleMs: number;
}

/**
 * Reads the one answer to a GET that comes next on a connection (RFC 9112, sections 4 to 6), stricter than the standard asks where the lenient
 * reading is how answers get mixed up: no folded lines, no bare line feeds, no length beside chunks, no two lengths.
 */
export class AnswerReader {
  private pending: Buffer = NOTHING;
  private head: Head | undefined;
  private headBytes = 0;
  /** Grows: of a body in tiny pieces a list of them would be many times as large. */
  private body: Buffer = NOTHING;
  private bodyBytes = 0;
  /** Of chunks: what is left of the one that is being read; undefined: its size comes next. */
  private chunkLeft: number | undefined;
  private inTrailers = false;

  constructor(private readonly maxBodyBytes: number) {}

  /**
   * @param bytes read again for the next answers: what is kept of them is copied
   * @returns the answer when it is whole; bytes after it are nobody's, and end the connection
   * @throws WireError, TooLarge
   */
  feed(bytes: Buffer): WireAnswer | undefined {
    let rest = this.pending.length === 0 ? bytes : Buffer.concat([this.pending, bytes]);
    this.pending = NOTHING;
    while (this.head === undefined) {
      const end = rest.indexOf('\r\n\r\n');
      this.assertHead(end < 0 ? rest.length : end);
      if (end < 0) return this.later(rest);
      this.headBytes += end + 4;
      const head = readHead(rest.toString('latin1', 0, end));
      rest = rest.subarray(end + 4);
      // 100 and 103 come before the answer and are none
      if (head.status >= 200) this.head = head;
      else if (head.status === 101) throw new WireError('a change of protocol that nobody asked for');
    }
    const { framing } = this.head;
    if (framing.by === 'chunks') return this.chunks(rest);
    if (framing.by === 'end') {
      this.take(rest);
      return undefined;
    }
    const lacking = framing.bytes - this.bodyBytes;
    this.assertBody(lacking);
    this.take(rest.length > lacking ? rest.subarray(0, lacking) : rest);
    return rest.length < lacking ? undefined : this.whole(rest.length > lacking);
  }

  /** The connection has ended. @returns the answer, where that is its end. @throws WireError */
  end(): WireAnswer {
    if (this.head?.framing.by !== 'end') throw new WireError('the connection ended amid the call');
    return this.whole(true);
  }

  private later(rest: Buffer): undefined {
    this.pending = Buffer.from(rest);
  }

  private assertHead(more: number): void {
    if (this.headBytes + more > MOST_HEAD) throw new WireError('a head that does not end');
  }

  /** Of what comes next. */
  private assertBody(more: number): void {
    if (this.bodyBytes + more > this.maxBodyBytes) throw new TooLarge(this.head?.status ?? 0, this.maxBodyBytes);
  }

  private take(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.assertBody(bytes.length);
    if (this.bodyBytes === 0) this.body = Buffer.from(bytes);
    else {
      this.grow(this.bodyBytes + bytes.length);
      bytes.copy(this.body, this.bodyBytes);
    }
    this.bodyBytes += bytes.length;
  }

  private grow(needed: number): void {
    if (needed <= this.body.length) return;
    const framing = this.head?.framing;
    const most = framing?.by === 'length' ? framing.bytes : this.maxBodyBytes;
    const larger = Buffer.allocUnsafeSlow(Math.min(2 * needed, most));
    this.body.copy(larger, 0, 0, this.bodyBytes);
    this.body = larger;
  }

  private chunks(from: Buffer): WireAnswer | undefined {
    let rest = from;
    for (;;) {
      if (this.chunkLeft !== undefined) {
        const piece = rest.subarray(0, this.chunkLeft);
        this.take(piece);
        rest = rest.subarray(piece.length);
        this.chunkLeft -= piece.length;
        if (this.chunkLeft > 0) return undefined;
        if (rest.length < 2) return this.later(rest);
        if (rest[0] !== CR || rest[1] !== LF) throw new WireError('a chunk that is longer than it says');
        rest = rest.subarray(2);
        this.chunkLeft = undefined;
      }
      const end = rest.indexOf('\r\n');
      const length = end < 0 ? rest.length : end;
      if (this.inTrailers) this.assertHead(length);
      else if (length > MOST_CHUNK_LINE) throw new WireError('a line that does not end');
      if (end < 0) return this.later(rest);
      const line = rest.toString('latin1', 0, end);
      rest = rest.subarray(end + 2);
      if (this.inTrailers) {
        if (line === '') return this.whole(rest.length > 0);
        this.headBytes += end + 2;
        // checked and left: nothing that a trailer says is believed
        readField(line, noFields());
        continue;
      }
      const size = CHUNK_SIZE.exec(line)?.[1];
      if (size === undefined) throw new WireError('a chunk without a size');
      const bytes = parseInt(size, 16);
      this.assertBody(bytes);
      if (bytes === 0) this.inTrailers = true;
      else this.chunkLeft = bytes;
    }
  }

  private whole(more: boolean): WireAnswer {
    const { status, headers, idleMs } = this.head!;
    const body = this.body.length === this.bodyBytes ? this.body : Buffer.from(this.body.subarray(0, this.bodyBytes));
    return { status, headers, body, idleMs: more ? 0 : idleMs };
  }
}

const NOTHING = Buffer.alloc(0);
const CR = 0x0d;
const LF = 0x0a;

type Fields = Record<string, string>;

const noFields = (): Fields => Object.create(null) as Fields;

function readHead(text: string): Head {
  const lines = text.split('\r\n');
  const [, minor, code] = STATUS_LINE.exec(lines[0] ?? '') ?? [];
  if (code === undefined) throw new WireError('no HTTP/1.1');
  const headers = noFields();
  for (let i = 1; i < lines.length; i++) readField(lines[i] ?? '', headers);
  const status = Number(code);
  const old = minor === '0';
  return { status, headers, framing: framingOf(status, old, headers), idleMs: idleMsOf(status, old, headers) };
}

function readField(line: string, into: Fields): void {
  const colon = line.indexOf(':');
  const name = line.slice(0, Math.max(0, colon)).toLowerCase();
  if (!NAME.test(name)) throw new WireError('a header without a name');
  const value = unpadded(line, colon + 1);
  if (!VALUE.test(value)) throw new WireError('a header with a line break or another control character in it');
  const before = into[name];
  if (before !== undefined && name === 'content-length') throw new WireError('two lengths');
  into[name] = before === undefined ? value : `${before}, ${value}`;
}

/** Without spaces and tabs alone: `trim` takes what others would read as a part of the value, line breaks among it. */
function unpadded(line: string, start: number): string {
  let from = start;
  let to = line.length;
  while (from < to && isPadding(line.charCodeAt(from))) from++;
  while (to > from && isPadding(line.charCodeAt(to - 1))) to--;
  return line.slice(from, to);
}

const isPadding = (code: number): boolean => code === 0x20 || code === 0x09;

function framingOf(status: number, old: boolean, headers: Readonly<Fields>): Framing {
  const coding = headers['transfer-encoding'];
  const length = headers['content-length'];
  if (length !== undefined && !LENGTH.test(length)) throw new WireError('a length that is no number');
  if (coding !== undefined) {
    if (length !== undefined) throw new WireError('a length beside chunks');
    if (old || coding.toLowerCase() !== 'chunked') throw new WireError('a transfer encoding that was not asked for');
  }
  if (status < 200 && (coding !== undefined || Number(length) > 0)) throw new WireError('a body before the answer');
  if (isBodiless(status)) return { by: 'length', bytes: 0 };
  if (coding !== undefined) return { by: 'chunks' };
  return length === undefined ? { by: 'end' } : { by: 'length', bytes: Number(length) };
}

const isBodiless = (status: number): boolean => status < 200 || status === 204 || status === 304;

function idleMsOf(status: number, old: boolean, headers: Readonly<Fields>): number {
  // where a body is told of that cannot be, who knows whether one follows
  if (isBodiless(status) && (headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0)) return 0;
  const connection = headers['connection'];
  if (connection === undefined ? old : connection !== 'keep-alive') {
    const options = (connection ?? '').toLowerCase().split(/[ \t]*,[ \t]*/);
    if (options.includes('close') || (old && !options.includes('keep-alive'))) return 0;
  }
  const seconds = /(?:^|[\s,;])timeout=(\d{1,6})/i.exec(headers['keep-alive'] ?? '')?.[1];
  if (seconds === undefined) return IDLE_MS;
  return Math.max(0, Math.min(Number(seconds) * 1_000, LONGEST_IDLE_MS) - IDLE_SLACK_MS);
}
