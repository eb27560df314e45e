import { createServer } from 'node:http';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { eventually } from '@weir/testing';
import { createUpstream, type Reply, type Upstream, type UpstreamOptions } from '../call/upstream';
import { whole, wireServer, type WireRequest, type WireServer } from '../testing/wire-server';

const OPTIONS = { connectTimeoutMs: 10_000, timeoutMs: 10_000, connections: 8, maxBodyBytes: 100_000 };

describe('connections to the upstream', () => {
  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });

  async function serve(answer: (request: WireRequest) => void, host?: string): Promise<WireServer> {
    const server = await wireServer(answer, host);
    closing.unshift(server.close);
    return server;
  }
  function upstreamAt(url: string, options: Partial<UpstreamOptions> = {}): Upstream {
    const upstream = createUpstream({ url, ...OPTIONS, ...options });
    closing.unshift(upstream.close);
    return upstream;
  }
  const get = (upstream: Upstream, path: string, withinMs?: number): Promise<Reply> =>
    upstream.send({ path, headers: ['accept', 'x/y'], withinMs });
  /** What was received, or what came of it else. */
  const saidTo = (reply: Reply): string => (reply.is === 'received' ? reply.body.toString() : reply.is);
  const echo = ({ socket, path }: WireRequest): void => void socket.write(whole(path));

  it('carry a request as it was meant', async () => {
    let head = '';
    const server = await serve((request) => {
      head = request.head;
      echo(request);
    });
    const upstream = upstreamAt(`${server.url}/v1/`);
    await upstream.send({
      path: '/a?b=%20c',
      headers: ['x-api-key', 's3cret', 'accept', 'application/json'],
      withinMs: undefined,
    });
    const host = `127.0.0.1:${server.port}`;
    expect(head.split('\r\n')).toEqual([
      'GET /v1/a?b=%20c HTTP/1.1',
      `host: ${host}`,
      'connection: keep-alive',
      'x-api-key: s3cret',
      'accept: application/json',
    ]);
  });

  it('name an IPv6 host as a URL does', async () => {
    const server = await serve(({ socket, head }) => void socket.write(whole(/host: (.*)/.exec(head)?.[1] ?? '')), '::1');
    expect(saidTo(await get(upstreamAt(server.url), '/'))).toBe(`[::1]:${server.port}`);
  });

  it.each([
    ['a line break in a path', '/a\r\nx: y', 'accept', 'x'],
    ['a space in a path', '/a b', 'accept', 'x'],
    ['a path that begins anywhere', 'a', 'accept', 'x'],
    ['a fragment', '/a#b', 'accept', 'x'],
    ['a line break in a value', '/a', 'accept', 'x\r\nx: y'],
    ['a line feed in a value', '/a', 'accept', 'x\nx: y'],
    ['a value that is not ASCII', '/a', 'accept', 'ĊĊ'],
    ['a colon in a name', '/a', 'x: y\r\naccept', 'x'],
    ['no name', '/a', '', 'x'],
  ])('carry nothing with %s', async (_, path, name, value) => {
    const server = await serve(echo);
    const reply = await upstreamAt(server.url).send({ path, headers: ['a', 'b', name, value], withinMs: undefined });
    expect(reply).toMatchObject({ is: 'not-sent', timedOut: false });
    expect(server.connections.made).toBe(0);
  });

  it('are used again', async () => {
    const server = await serve(echo);
    const upstream = upstreamAt(server.url);
    for (let i = 0; i < 20; i++) expect(saidTo(await get(upstream, `/${i}`))).toBe(`/${i}`);
    expect(server.connections.made).toBe(1);
  });

  it('are no more than they may be, however many calls there are', async () => {
    const waiting: WireRequest[] = [];
    const server = await serve((request) => void waiting.push(request));
    const upstream = upstreamAt(server.url, { connections: 3 });
    const replies = Promise.all(Array.from({ length: 12 }, (_, i) => get(upstream, `/${i}`)));
    for (let turn = 0; turn < 4; turn++) {
      await eventually(() => expect(waiting).toHaveLength(3));
      waiting.splice(0).forEach(echo);
    }
    expect((await replies).map(saidTo)).toEqual(Array.from({ length: 12 }, (_, i) => `/${i}`));
    expect(server.connections.made).toBe(3);
  });

  it('carry calls in the order in which they came, leaving out those that wait no longer', async () => {
    const waiting: WireRequest[] = [];
    const server = await serve((request) => void waiting.push(request));
    const upstream = upstreamAt(server.url, { connections: 1 });
    const replies = [0, 1, 2, 3, 4].map((i) => get(upstream, `/${i}`, i === 2 ? 50 : undefined));
    expect(await replies[2]).toEqual({ is: 'not-sent', why: 'no connection in time', timedOut: true });
    for (const i of [0, 1, 3, 4]) {
      await eventually(() => expect(waiting).toHaveLength(1));
      waiting.splice(0).forEach(echo);
      expect(saidTo(await replies[i]!)).toBe(`/${i}`);
    }
    expect(server.seen).toEqual(['/0', '/1', '/3', '/4']);
  });

  it('that the server has ended are not used again, and no call fails of it', async () => {
    const sockets: WireRequest[] = [];
    const server = await serve((request) => {
      sockets.push(request);
      echo(request);
    });
    const upstream = upstreamAt(server.url);
    await Promise.all([get(upstream, '/a'), get(upstream, '/b')]);
    for (const { socket } of sockets) socket.end();
    await eventually(() => expect(server.connections.open).toBe(0));
    expect(saidTo(await get(upstream, '/c'))).toBe('/c');
    expect(server.connections.made).toBe(3);
  });

  it.each([
    ['says so', 'connection: close'],
    ['would end them in a moment', 'keep-alive: timeout=1'],
  ])('end with an answer when the server %s', async (_, header) => {
    const server = await serve(({ socket, path }) => void socket.write(whole(path, header)));
    const upstream = upstreamAt(server.url);
    for (const path of ['/a', '/b']) expect(saidTo(await get(upstream, path))).toBe(path);
    await eventually(() => expect(server.connections).toMatchObject({ made: 2, open: 0 }));
  });

  it('end when the server answers twice, and nobody gets the second answer', async () => {
    const server = await serve(({ socket, path, connection }) => {
      socket.write(connection === 1 ? whole(path) + whole('somebody else’s') : whole(path));
    });
    const upstream = upstreamAt(server.url, { connections: 1 });
    const replies = await Promise.all(['/a', '/b', '/c'].map((path) => get(upstream, path)));
    expect(replies.map(saidTo)).toEqual(['/a', '/b', '/c']);
    expect(server.connections.made).toBe(2);
  });

  it('end when the server says something while they wait', async () => {
    const sockets: WireRequest[] = [];
    const server = await serve((request) => {
      sockets.push(request);
      echo(request);
    });
    const upstream = upstreamAt(server.url);
    await get(upstream, '/a');
    sockets[0]?.socket.write(whole('nobody’s'));
    await eventually(() => expect(server.connections.open).toBe(0));
    expect(saidTo(await get(upstream, '/b'))).toBe('/b');
  });

  const head = 'HTTP/1.1 200 OK\r\n';
  it.each<[string, Reply['is'], (request: WireRequest) => void]>([
    ['before an answer', 'cut', ({ socket }) => void socket.end()],
    ['by force before an answer', 'cut', ({ socket }) => void socket.resetAndDestroy()],
    ['amid a head', 'cut', ({ socket }) => void socket.end(`${head}content-le`)],
    ['amid a body', 'cut', ({ socket }) => void socket.end(`${head}content-length: 9\r\n\r\nhalf`)],
    ['amid chunks', 'cut', ({ socket }) => void socket.end(`${head}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n`)],
    [
      'by force where its end is the end of the body',
      'cut',
      ({ socket }) => void socket.write(`${head}\r\nhalf`, () => socket.resetAndDestroy()),
    ],
    ['where its end is the end of the body', 'received', ({ socket }) => void socket.end(`${head}\r\nall`)],
    ['after an answer', 'received', ({ socket }) => void socket.end(whole('all', 'connection: close'))],
    ['after no HTTP', 'cut', ({ socket }) => void socket.end('SSH-2.0-x\r\n\r\n')],
    [
      'after an answer of two lengths',
      'cut',
      ({ socket }) => void socket.write(`${head}content-length: 1\r\ncontent-length: 2\r\n\r\nab`),
    ],
  ])('that are cut %s make it "%s", and the calls after it are answered', async (_, is, first) => {
    const server = await serve((request) => (request.connection === 1 ? first(request) : echo(request)));
    const upstream = upstreamAt(server.url, { connections: 1 });
    const replies = await Promise.all(['/a', '/b', '/c'].map((path) => get(upstream, path)));
    expect(replies[0]?.is).toBe(is);
    expect(replies.slice(1).map(saidTo)).toEqual(['/b', '/c']);
    expect(server.connections.made).toBe(2);
  });

  it.each<[string, string]>([
    ['says nothing', ''],
    ['never ends its head', head],
    ['never ends its body', `${head}content-length: 9\r\n\r\nhalf`],
    ['never ends its connection', `${head}\r\nhalf`],
    ['only says that it will answer', 'HTTP/1.1 100 Continue\r\n\r\n'],
  ])('end when the time of a call is over and the server %s', async (_, said) => {
    const late: WireRequest[] = [];
    const server = await serve((request) => {
      if (request.path !== '/late') return echo(request);
      late.push(request);
      request.socket.write(said);
    });
    const upstream = upstreamAt(server.url, { connections: 1 });
    // withinMs begins only when the request is on its way for sure
    await get(upstream, '/first');
    const [reply, next] = await Promise.all([get(upstream, '/late', 100), get(upstream, '/next')]);
    late[0]?.socket.write(whole('too late'));
    expect(reply).toEqual({ is: 'timeout' });
    expect(saidTo(next)).toBe('/next');
    await eventually(() => expect(server.connections).toMatchObject({ made: 2, open: 1 }));
  });

  it('end where the upstream has its own time for a call, too', async () => {
    const server = await serve(() => undefined);
    expect(await get(upstreamAt(server.url, { timeoutMs: 200 }), '/a')).toEqual({ is: 'timeout' });
    await eventually(() => expect(server.connections.open).toBe(0));
  });

  it('that are refused make every call "not sent", those that wait, too', async () => {
    const server = await wireServer(echo);
    await server.close();
    const upstream = upstreamAt(server.url, { connections: 2 });
    const replies = await Promise.all(Array.from({ length: 20 }, (_, i) => get(upstream, `/${i}`)));
    for (const reply of replies) expect(reply).toMatchObject({ is: 'not-sent', timedOut: false });
  });

  it.each([
    ['says so', `${head}content-length: 101\r\n\r\n`],
    ['does not say so', `${head}\r\n${'x'.repeat(101)}`],
    ['sends it in chunks', `${head}transfer-encoding: chunked\r\n\r\n40\r\n${'x'.repeat(64)}\r\n40\r\n${'x'.repeat(64)}\r\n`],
  ])('end when an answer is too large and the server %s', async (_, said) => {
    const server = await serve((request) => (request.path === '/large' ? void request.socket.write(said) : echo(request)));
    const upstream = upstreamAt(server.url, { maxBodyBytes: 100, connections: 1 });
    const [large, next] = await Promise.all([get(upstream, '/large'), get(upstream, '/next')]);
    expect(large).toEqual({ is: 'unusable', status: 200, why: 'more than 100 bytes' });
    expect(saidTo(next)).toBe('/next');
    await eventually(() => expect(server.connections).toMatchObject({ made: 2, open: 1 }));
  });

  it.each<[string, string, Buffer, string]>([
    ['packed', 'gzip', gzipSync('hello'), 'hello'],
    ['packed, in capitals', 'GZIP', gzipSync('hello'), 'hello'],
    ['not packed', 'identity', Buffer.from('hello'), 'hello'],
    ['packed, and nothing', 'gzip', Buffer.alloc(0), ''],
    ['packed badly', 'gzip', Buffer.from('hello'), 'unusable'],
    ['packed and cut', 'gzip', gzipSync('hello').subarray(0, -3), 'unusable'],
    ['packed, and too large without', 'gzip', gzipSync('x'.repeat(100_001)), 'unusable'],
    ['packed in a way that was not asked for', 'br', brotliCompressSync('hello'), 'unusable'],
    ['packed twice', 'gzip, gzip', gzipSync(gzipSync('hello')), 'unusable'],
  ])('carry what is %s', async (_, encoding, body, said) => {
    const server = await serve(({ socket }) => {
      socket.write(`${head}content-encoding: ${encoding}\r\ncontent-length: ${body.length}\r\n\r\n`);
      socket.write(body);
    });
    expect(saidTo(await get(upstreamAt(server.url), '/'))).toBe(said);
  });

  it('give each of 1,000 calls its own answer, whatever becomes of the others', async () => {
    const server = createServer((request, response) => {
      const path = request.url ?? '';
      const i = Number(path.slice(1));
      const body = path.repeat(1 + (i % 50) * (i % 7));
      if (i % 41 === 0) return void request.socket.destroy();
      if (i % 13 === 0) response.setHeader('connection', 'close');
      if (i % 3 === 0) return void response.setHeader('content-encoding', 'gzip').end(gzipSync(body));
      if (i % 5 === 0) response.setHeader('content-length', body.length);
      response.write(body.slice(0, i % 11));
      setImmediate(() => response.end(body.slice(i % 11)));
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    closing.unshift(async () => void server.close());
    const { port } = server.address() as { port: number };
    let most = 0;
    let open = 0;
    server.on('connection', (socket) => {
      most = Math.max(most, ++open);
      socket.on('close', () => open--);
    });
    const upstream = upstreamAt(`http://127.0.0.1:${port}`);
    const replies = await Promise.all(Array.from({ length: 1_000 }, (_, i) => get(upstream, `/${i}`)));
    replies.forEach((reply, i) => expect(saidTo(reply)).toBe(i % 41 === 0 ? 'cut' : `/${i}`.repeat(1 + (i % 50) * (i % 7))));
    expect(most).toBeGreaterThan(1);
  });

  it('leave nobody waiting when they are closed', async () => {
    const server = await serve(() => undefined);
    const upstream = upstreamAt(server.url, { connections: 1 });
    const replies = Promise.all([get(upstream, '/a'), get(upstream, '/b')]);
    await eventually(() => expect(server.seen).toEqual(['/a']));
    await upstream.close();
    expect((await replies).map(({ is }) => is)).toEqual(['cut', 'not-sent']);
    expect((await get(upstream, '/c')).is).toBe('not-sent');
    await eventually(() => expect(server.connections.open).toBe(0));
  });
});
