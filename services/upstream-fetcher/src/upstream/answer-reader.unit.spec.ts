import fc from 'fast-check';
import { AnswerReader, TooLarge, WireError, type WireAnswer } from './answer-reader';

/** As a connection does: every piece comes in the same memory, which the next one overwrites. */
function read(pieces: readonly Buffer[], { ended = false, maxBodyBytes = 1_000_000 } = {}): WireAnswer | undefined {
  const reader = new AnswerReader(maxBodyBytes);
  const memory = Buffer.alloc(Math.max(0, ...pieces.map(({ length }) => length)));
  let answer: WireAnswer | undefined;
  for (const piece of pieces) {
    expect(answer).toBeUndefined();
    piece.copy(memory);
    answer = reader.feed(memory.subarray(0, piece.length));
    memory.fill('#');
  }
  return ended ? reader.end() : answer;
}

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
const bytewise = (raw: Buffer): Buffer[] => [...raw].map((byte) => Buffer.from([byte]));
const wire = (...lines: string[]): string => lines.join('\r\n');
const OK = 'HTTP/1.1 200 OK';

describe('an answer on the wire', () => {
  const answers: [string, string, Partial<Omit<WireAnswer, 'body'>> & { body: string; ended?: boolean }][] = [
    [
      'with a length',
      wire(OK, 'Content-Type: text/plain', 'Content-Length: 5', '', 'hello'),
      { body: 'hello', headers: { 'content-type': 'text/plain', 'content-length': '5' } },
    ],
    ['without a body', wire(OK, 'content-length:0', '', ''), { body: '' }],
    ['in chunks', wire(OK, 'Transfer-Encoding: Chunked', '', '3;ext="a b"', 'hel', '002 ', 'lo', '0', '', ''), { body: 'hello' }],
    [
      'in chunks that look like answers',
      wire(OK, 'transfer-encoding: chunked', '', '10', 'HTTP/1.1 200 OK\n', '2', '\r\n', '0', '', ''),
      { body: 'HTTP/1.1 200 OK\n\r\n' },
    ],
    [
      'with trailers',
      wire(OK, 'transfer-encoding: chunked', '', '1', 'x', '00', 'Content-Length: 9', 'x-end: yes', '', ''),
      { body: 'x', headers: { 'transfer-encoding': 'chunked' } },
    ],
    ['until the end', wire(OK, '', 'hello'), { body: 'hello', idleMs: 0, ended: true }],
    [
      'after early hints',
      wire('HTTP/1.1 100 Continue', '', 'HTTP/1.1 103 Early Hints', 'link: </a>', '', OK, 'content-length: 2', '', 'ok'),
      { body: 'ok' },
    ],
    ['of no content', wire('HTTP/1.1 204 No Content', '', ''), { status: 204, body: '', idleMs: 4_000 }],
    ['without a reason', wire('HTTP/1.1 404', 'content-length: 1', '', '!'), { status: 404, body: '!' }],
    ['of the old kind', wire('HTTP/1.0 200 OK', 'content-length: 2', '', 'ok'), { body: 'ok', idleMs: 0 }],
    [
      'with a header twice',
      wire(OK, 'a: 1', 'A:\t2 \t', 'content-length: 0', '', ''),
      { body: '', headers: { a: '1, 2', 'content-length': '0' } },
    ],
    ['with names that objects have', wire(OK, '__proto__: 1', 'constructor: 2', 'content-length: 0', '', ''), { body: '' }],
  ];

  it.each(answers)('%s is read the same wherever it is split', (_, text, { body, ended, ...rest }) => {
    const raw = latin(text);
    const meant = read([raw], { ended: ended === true });
    expect(meant).toMatchObject(rest);
    expect(meant?.body.toString('latin1')).toBe(body);
    for (let i = 1; i < raw.length; i++)
      expect(read([raw.subarray(0, i), raw.subarray(i)], { ended: ended === true })).toEqual(meant);
    expect(read(bytewise(raw), { ended: ended === true })).toEqual(meant);
  });

  it('is what was meant, whatever its status, headers, chunks and pieces', () => {
    const name = fc.stringMatching(/^x-[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/);
    const value = fc.stringMatching(/^([\x21-\x7e\x80-\xff]([\t\x20-\x7e\x80-\xff]{0,20}[\x21-\x7e\x80-\xff])?)?$/);
    const answer = fc.record({
      status: fc.integer({ min: 200, max: 599 }).filter((status) => status !== 204 && status !== 304),
      headers: fc.uniqueArray(fc.tuple(name, value), { selector: ([one]) => one.toLowerCase(), maxLength: 5 }),
      chunks: fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { maxLength: 6 }),
      framing: fc.constantFrom('length', 'chunks', 'end'),
      cuts: fc.array(fc.nat({ max: 400 }), { maxLength: 6 }),
    });
    fc.assert(
      fc.property(answer, ({ status, headers, chunks, framing, cuts }) => {
        const body = Buffer.concat(chunks);
        const ended = framing === 'end';
        const framed = ended ? [] : framing === 'length' ? [`content-length: ${body.length}`] : ['transfer-encoding: chunked'];
        const head = latin(
          wire(`HTTP/1.1 ${status} Reason`, ...headers.map(([one, its]) => `${one}: ${its}`), ...framed, '', ''),
        );
        const packed = chunks.flatMap((chunk) => [latin(`${chunk.length.toString(16)}\r\n`), Buffer.from(chunk), latin('\r\n')]);
        const raw = Buffer.concat([head, ...(framing === 'chunks' ? [...packed, latin('0\r\n\r\n')] : [body])]);
        const at = [0, ...cuts.map((cut) => Math.min(cut, raw.length)).toSorted((a, b) => a - b), raw.length];
        const pieces = at.slice(1).map((end, i) => raw.subarray(at[i], end));
        const got = read(
          pieces.filter(({ length }) => length > 0),
          { ended },
        );
        expect(got?.status).toBe(status);
        expect(got?.body.equals(body)).toBe(true);
        for (const [one, its] of headers) expect(got?.headers[one.toLowerCase()]).toBe(its);
      }),
    );
  });

  it.each([
    ['another protocol', wire('SSH-2.0-x', '', '')],
    ['another version', wire('HTTP/2.0 200 OK', '', '')],
    ['an empty line first', wire('', '', OK, 'content-length: 0', '', '')],
    ['a status of two digits', wire('HTTP/1.1 20 OK', '', '')],
    ['a change of protocol', wire('HTTP/1.1 101 Switching Protocols', '', '')],
    ['a body before the answer', wire('HTTP/1.1 100 Continue', 'content-length: 3', '', '')],
    ['a length beside chunks', wire(OK, 'content-length: 3', 'transfer-encoding: chunked', '', '')],
    ['chunks beside a length', wire(OK, 'transfer-encoding: chunked', 'content-length: 3', '', '')],
    ['two lengths', wire(OK, 'content-length: 3', 'Content-Length: 4', '', '')],
    ['the same length twice', wire(OK, 'content-length: 3', 'content-length: 3', '', '')],
    ['a list of lengths', wire(OK, 'content-length: 3, 3', '', '')],
    ['a length with a sign', wire(OK, 'content-length: +3', '', '')],
    ['a length below nothing', wire(OK, 'content-length: -3', '', '')],
    ['a length that is not decimal', wire(OK, 'content-length: 0x3', '', '')],
    ['no length where it is said', wire(OK, 'content-length:', '', '')],
    ['a length beyond all numbers', wire(OK, 'content-length: 99999999999999999999', '', '')],
    ['a length after a form feed', wire(OK, 'content-length: \f3', '', '')],
    ['a length after a space that is none', wire(OK, 'content-length: \xa03', '', '')],
    ['a coding after a vertical tab', wire(OK, 'transfer-encoding: \vchunked', '', '')],
    ['two codings', wire(OK, 'transfer-encoding: gzip, chunked', '', '')],
    ['chunks twice', wire(OK, 'transfer-encoding: chunked', 'transfer-encoding: chunked', '', '')],
    ['a coding that is none', wire(OK, 'transfer-encoding: identity', '', '')],
    ['chunks of the old kind', wire('HTTP/1.0 200 OK', 'transfer-encoding: chunked', '', '')],
    ['a folded line', wire(OK, 'a: 1', ' content-length: 3', '', '')],
    ['a space before the colon', wire(OK, 'content-length : 3', '', '')],
    ['a header without a colon', wire(OK, 'content-length', '', '')],
    ['a header without a name', wire(OK, ': 3', '', '')],
    ['a bare line feed', wire(OK, 'a: 1\ncontent-length: 3', '', '')],
    ['a bare line feed at the end of a line', wire(OK, 'a: 1\n', '', '')],
    ['a bare line feed after the status', wire(`${OK}\ncontent-length: 3`, '', '')],
    ['a bare carriage return', wire(OK, 'content-length: 3\r', '', '')],
    ['a NUL', wire(OK, 'a: \0', '', '')],
    ['a chunk without a size', wire(OK, 'transfer-encoding: chunked', '', '', '')],
    ['a chunk size with a sign', wire(OK, 'transfer-encoding: chunked', '', '+3', 'abc')],
    ['a chunk size after a space', wire(OK, 'transfer-encoding: chunked', '', ' 3', 'abc')],
    ['a chunk size with a prefix', wire(OK, 'transfer-encoding: chunked', '', '0x3', 'abc')],
    ['a chunk size beyond all numbers', wire(OK, 'transfer-encoding: chunked', '', 'fffffffffffffffff', 'abc')],
    ['a line feed in a chunk extension', wire(OK, 'transfer-encoding: chunked', '', '3;a\n3', 'abc')],
    ['a chunk that is longer than it says', wire(OK, 'transfer-encoding: chunked', '', '3', 'abcd', '')],
    ['a chunk that ends in a bare line feed', wire(OK, 'transfer-encoding: chunked', '', '3', 'abc\n0', '', '')],
    ['a trailer with a bare line feed', wire(OK, 'transfer-encoding: chunked', '', '0', 'a: 1\n', '', '')],
    ['a trailer without a name', wire(OK, 'transfer-encoding: chunked', '', '0', 'nothing', '', '')],
  ])('is refused for %s, whole and byte by byte', (_, text) => {
    expect(() => read([latin(text)])).toThrow(WireError);
    expect(() => read(bytewise(latin(text)))).toThrow(WireError);
  });

  it.each([
    ['a head', `${OK}\r\n`, 'a: b\r\n'],
    ['a line', `${OK}\r\na: `, 'bbbb'],
    ['what comes before it', '', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ['a chunk extension', `${OK}\r\ntransfer-encoding: chunked\r\n\r\n3;`, 'bbbb'],
    ['trailers', `${OK}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n`, 'a: b\r\n'],
  ])('is refused when %s goes on for ever', (_, start, more) => {
    const reader = new AnswerReader(1_000_000);
    const endless = (): void => {
      reader.feed(latin(start));
      for (let i = 0; i < 100; i++) reader.feed(latin(more.repeat(60)));
    };
    expect(endless).toThrow(WireError);
  });

  it.each([
    ['by its length, before any of it has come', wire(OK, 'content-length: 11', '', '')],
    ['by the size of a chunk, before any of it has come', wire(OK, 'transfer-encoding: chunked', '', 'b', '')],
    ['by its chunks together', wire(OK, 'transfer-encoding: chunked', '', '6', '123456', '5', '')],
    ['by what has come', wire(OK, '', '12345678901')],
  ])('is too large %s', (_, text) => {
    expect(() => read([latin(text)], { maxBodyBytes: 10 })).toThrow(TooLarge);
    expect(() => read(bytewise(latin(text)), { maxBodyBytes: 10 })).toThrow(expect.objectContaining({ status: 200 }));
  });

  it('may be as large as it may be', () => {
    expect(read([latin(wire(OK, 'content-length: 10', '', '1234567890'))], { maxBodyBytes: 10 })?.body.toString()).toBe(
      '1234567890',
    );
    expect(read([latin(wire(OK, '', '1234567890'))], { maxBodyBytes: 10, ended: true })?.body.toString()).toBe('1234567890');
  });

  it('takes no more memory than its body, be it in ever so small chunks', () => {
    const body = read([latin(`${wire(OK, 'transfer-encoding: chunked', '', '')}${'1\r\nx\r\n'.repeat(50_000)}0\r\n\r\n`)])?.body;
    expect(body?.toString()).toBe('x'.repeat(50_000));
    expect(body?.buffer.byteLength).toBeLessThanOrEqual(50_000);
  });

  it.each([
    ['nothing', ''],
    ['a part of the head', wire(OK, 'content-le')],
    ['a head', wire(OK, 'content-length: 5', '', '')],
    ['a part of the body', wire(OK, 'content-length: 5', '', 'hell')],
    ['no last chunk', wire(OK, 'transfer-encoding: chunked', '', '5', 'hello', '')],
    ['half of the last chunk', wire(OK, 'transfer-encoding: chunked', '', '5', 'hello', '0', '')],
  ])('is none when the connection ends after %s', (_, text) => {
    expect(() => read([latin(text)], { ended: true })).toThrow('ended amid the call');
  });
});

describe('how long a connection may wait for its next call', () => {
  const idleMsAfter = (text: string): number | undefined => read([latin(text)])?.idleMs;
  const empty = (...headers: string[]): string => wire(OK, ...headers, 'content-length: 0', '', '');

  it.each([
    [4_000, []],
    [4_000, ['connection: keep-alive']],
    [4_000, ['connection: close-not, x']],
    [3_500, ['keep-alive: timeout=5, max=100']],
    [598_500, ['keep-alive: timeout=999999']],
    [0, ['keep-alive: timeout=1']],
    [0, ['keep-alive: timeout=0']],
    [0, ['connection: close']],
    [0, ['connection: x, \tCLOSE']],
    [0, ['connection: keep-alive', 'connection: close', 'keep-alive: timeout=5']],
  ])('is %d ms after %j', (idleMs, headers) => expect(idleMsAfter(empty(...headers))).toBe(idleMs));

  it.each([
    [0, ['connection: not-keep-alive']],
    [4_000, ['connection: Keep-Alive']],
  ])('is %d ms after an answer of the old kind with %j', (idleMs, headers) => {
    expect(idleMsAfter(empty(...headers).replace('HTTP/1.1', 'HTTP/1.0'))).toBe(idleMs);
  });

  it.each([
    ['after an answer with something behind it', `${empty()}H`],
    ['after chunks with something behind them', wire(OK, 'transfer-encoding: chunked', '', '0', '', 'H')],
    ['where no content is told to have some', wire('HTTP/1.1 204 No Content', 'content-length: 5', '', '')],
    ['where no content is told to come in chunks', wire('HTTP/1.1 304 Not Modified', 'transfer-encoding: chunked', '', '')],
  ])('is nothing %s', (_, text) => expect(idleMsAfter(text)).toBe(0));
});
