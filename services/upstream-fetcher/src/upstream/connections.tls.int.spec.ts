import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates, type TLSSocket } from 'node:tls';
import { promisify } from 'node:util';
import { eventually } from '@weir/testing';
import { createUpstream, type Reply, type Upstream, type UpstreamOptions } from '../call/upstream';
import { selfSigned } from '../testing/self-signed';
import { whole, wireServer, type WireRequest, type WireServer } from '../testing/wire-server';

const run = promisify(execFile);
const OPTIONS = { connectTimeoutMs: 10_000, timeoutMs: 10_000, connections: 8, maxBodyBytes: 2_000_000 };

describe('connections to an upstream over TLS', () => {
  const trusted = getCACertificates('default');
  const ours = selfSigned('localhost', '127.0.0.1');
  const another = selfSigned('upstream.example');
  beforeAll(() => setDefaultCACertificates([...trusted, ours.cert, another.cert]));
  afterAll(() => setDefaultCACertificates(trusted));

  const closing: (() => Promise<void>)[] = [];
  afterEach(async () => {
    await Promise.all(closing.splice(0).map((close) => close()));
  });

  async function serve(answer: (request: WireRequest) => void, certificate = ours): Promise<WireServer> {
    const server = await wireServer(answer, '127.0.0.1', createTlsServer({ ...certificate, ALPNProtocols: ['h2', 'http/1.1'] }));
    closing.unshift(server.close);
    return server;
  }
  function upstreamAt(url: string, options: Partial<UpstreamOptions> = {}): Upstream {
    const upstream = createUpstream({ url, ...OPTIONS, ...options });
    closing.unshift(upstream.close);
    return upstream;
  }
  const get = (upstream: Upstream, path: string, withinMs?: number): Promise<Reply> =>
    upstream.send({ path, headers: [], withinMs });
  const saidTo = (reply: Reply): string => (reply.is === 'received' ? reply.body.toString() : reply.is);
  const echo = ({ socket, path }: WireRequest): void => void socket.write(whole(path));

  it.each([
    ['localhost', 'localhost'],
    ['127.0.0.1', false],
  ])('to %s are made where the certificate is trusted, with %j as the name asked for', async (host, name) => {
    const server = await serve(({ socket }) => {
      const { servername, alpnProtocol } = socket as TLSSocket & { servername: string | false };
      socket.write(whole(JSON.stringify([servername, alpnProtocol])));
    });
    const upstream = upstreamAt(`https://${host}:${server.port}`);
    for (let i = 0; i < 3; i++) expect(JSON.parse(saidTo(await get(upstream, '/')))).toEqual([name, 'http/1.1']);
    expect(server.connections.made).toBe(1);
  });

  it.each([
    ['signed by nobody who is trusted', selfSigned('localhost', '127.0.0.1'), 'localhost'],
    ['of another name', another, 'localhost'],
    ['of another name, asked by address', another, '127.0.0.1'],
  ])('are not made where the certificate is %s: nothing is sent', async (_, certificate, host) => {
    const server = await serve(echo, certificate);
    const upstream = upstreamAt(`https://${host}:${server.port}`, { connections: 1 });
    for (const reply of await Promise.all([get(upstream, '/a'), get(upstream, '/b')])) {
      expect(reply).toMatchObject({ is: 'not-sent', timedOut: false, why: expect.stringMatching(/certificate/i) });
    }
    expect(server.seen).toEqual([]);
  });

  it('are not made with a certificate that is not trusted whatever the environment says', async () => {
    const server = await serve(echo, selfSigned('localhost'));
    const url = `https://localhost:${server.port}`;
    const script = `
      const { createUpstream } = require(${JSON.stringify(join(__dirname, '../call/upstream.ts'))});
      const upstream = createUpstream(${JSON.stringify({ url, ...OPTIONS })});
      upstream.send({ path: '/', headers: [] }).then(({ is }) => { console.log(is); return upstream.close(); });
    `;
    // a process of its own, as Node reads the variable from its real environment, which jest hides
    const { stdout } = await run(
      process.execPath,
      ['--require', join(__dirname, '../../../../tools/build/register.cjs'), '-e', script],
      {
        env: { PATH: process.env['PATH'] ?? '', NODE_TLS_REJECT_UNAUTHORIZED: '0' },
      },
    );
    expect(stdout.trim()).toBe('not-sent');
    expect(server.seen).toEqual([]);
  });

  it('carry bodies of many records', async () => {
    const body = Array.from({ length: 100_000 }, (_, i) => i.toString(36)).join(' ');
    const server = await serve(({ socket }) => void socket.write(whole(body)));
    const upstream = upstreamAt(`https://localhost:${server.port}`);
    for (let i = 0; i < 2; i++) expect(saidTo(await get(upstream, '/')) === body).toBe(true);
    expect(server.connections.made).toBe(1);
  });

  it('that are cut amid an answer make it "cut", and the calls after it are answered', async () => {
    const server = await serve((request) => {
      if (request.connection === 1) request.socket.end('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf');
      else echo(request);
    });
    const upstream = upstreamAt(`https://localhost:${server.port}`, { connections: 1 });
    expect((await Promise.all(['/a', '/b'].map((path) => get(upstream, path)))).map(saidTo)).toEqual(['cut', '/b']);
  });

  it('that are never made fail in their time, and so does every call that waits for one', async () => {
    const mute = await wireServer(() => undefined);
    closing.unshift(mute.close);
    const upstream = upstreamAt(`https://127.0.0.1:${mute.port}`, { connections: 1, connectTimeoutMs: 50 });
    const replies = await Promise.all(['/a', '/b', '/c'].map((path) => get(upstream, path)));
    for (const reply of replies) expect(reply).toEqual({ is: 'not-sent', why: 'no connection within 50 ms', timedOut: false });
    await eventually(() => expect(mute.connections).toMatchObject({ made: 3, open: 0 }));
  });

  it('that are made too late for a call serve those that wait, and it is never sent', async () => {
    const server = await serve(echo);
    const held: Socket[] = [];
    const gate = createServer((socket) => void held.push(socket)).listen(0, '127.0.0.1');
    await once(gate, 'listening');
    closing.unshift(async () => void gate.close());
    const upstream = upstreamAt(`https://localhost:${(gate.address() as { port: number }).port}`, { connections: 1 });
    const next = Promise.all([get(upstream, '/late', 50), get(upstream, '/next')]);
    await eventually(() => expect(held).toHaveLength(1));
    expect(await get(upstream, '/waits', 60)).toMatchObject({ is: 'not-sent', timedOut: true });
    const through = connect(server.port, '127.0.0.1');
    held[0]?.pipe(through).pipe(held[0]);
    expect((await next).map(saidTo)).toEqual(['not-sent', '/next']);
    expect(server.seen).toEqual(['/next']);
    expect(held).toHaveLength(1);
  });
});
