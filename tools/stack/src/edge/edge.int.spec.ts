import { createServer, request, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startEdge, type Edge } from './edge';

/** A replica that tells what it was sent. */
interface Replica {
  readonly url: string;
  readonly seen: IncomingMessage[];
  close(): Promise<void>;
}

const open: { close(): Promise<unknown> }[] = [];
afterEach(async () => void (await Promise.all(open.splice(0).map((it) => it.close()))));

async function replica(name: string, onRequest?: (message: IncomingMessage) => void): Promise<Replica> {
  const seen: IncomingMessage[] = [];
  const server: Server = createServer((message, response) => {
    seen.push(message);
    if (onRequest !== undefined) return onRequest(message);
    if (message.url === '/v1/openapi.json') return void response.end(JSON.stringify({ openapi: '3.1.0', info: { title: name }, paths: { [`/v1/${name}`]: {} } }));
    const chunks: Buffer[] = [];
    message.on('data', (chunk: Buffer) => chunks.push(chunk));
    message.on('end', () => {
      response.writeHead(201, ['x-replica', name, 'x-twice', '1', 'x-twice', '2']);
      response.end(`${message.method} ${message.url} ${Buffer.concat(chunks).toString()}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  const made = { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, seen, close };
  open.push(made);
  return made;
}

async function edge(...vaults: Replica[]): Promise<Edge> {
  const made = await startEdge({ host: '127.0.0.1', port: 0, replicas: new Map([['key-vault', vaults.map(({ url }) => url)]]) });
  open.push(made);
  return made;
}

describe('the edge', () => {
  it('passes method, path, query, body and repeated headers on as they came', async () => {
    const vault = await replica('a');
    const { url } = await edge(vault);
    const text = await new Promise<string>((resolve, reject) => {
      const { host } = new URL(url);
      const headers = ['host', host, 'authorization', 'one', 'authorization', 'two', 'content-length', '4'];
      const asked = request(`${url}/v1/upstream-keys?a=1&a=2`, { method: 'POST', headers }, (answer) => {
        expect(answer.statusCode).toBe(201);
        expect(answer.headers['x-twice']).toBe('1, 2');
        answer.setEncoding('utf8').once('data', resolve);
      });
      asked.once('error', reject).end('body');
    });
    expect(text).toBe('POST /v1/upstream-keys?a=1&a=2 body');
    expect(vault.seen[0]?.rawHeaders.filter((name) => name === 'authorization')).toHaveLength(2);
  });

  it('takes replicas in turn, and passes over one that takes no connection', async () => {
    const [a, b] = [await replica('a'), await replica('b')];
    const { url } = await edge(a, b);
    const ask = async () => (await fetch(`${url}/v1/upstream-keys`)).headers.get('x-replica');
    expect(new Set([await ask(), await ask()])).toEqual(new Set(['a', 'b']));
    await a.close();
    expect([await ask(), await ask(), await ask()]).toEqual(['b', 'b', 'b']);
  });

  it('answers 503 with a problem and Retry-After when no replica takes connections', async () => {
    const a = await replica('a');
    const { url } = await edge(a);
    await a.close();
    const response = await fetch(`${url}/v1/upstream-keys`);
    expect([response.status, response.headers.get('content-type'), response.headers.get('retry-after')]).toEqual([503, 'application/problem+json', '1']);
    expect(await response.json()).toMatchObject({ code: 'service-unavailable', status: 503, requestId: expect.any(String) });
  });

  it('answers 502 when a replica breaks off, and does not send the call to another', async () => {
    const [a, b] = [await replica('a', ({ socket }) => socket.destroy()), await replica('b', ({ socket }) => socket.destroy())];
    const { url } = await edge(a, b);
    const response = await fetch(`${url}/v1/upstream-keys`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(502);
    expect(await response.json()).toMatchObject({ code: 'service-failed' });
    expect(a.seen.length + b.seen.length).toBe(1);
  });

  it('knows no other paths, and takes no body past its bound', async () => {
    const { url } = await edge(await replica('a'));
    expect((await fetch(`${url}/nothing`)).status).toBe(404);
    expect((await fetch(`${url}/v1/upstream-keys`, { method: 'POST', body: Buffer.alloc(3 * 1_048_576) })).status).toBe(413);
  });

  it('serves one document of all services', async () => {
    const { url } = await edge(await replica('a'));
    expect(await (await fetch(`${url}/v1/openapi.json`)).json()).toMatchObject({ info: { title: 'Weir' }, paths: { '/v1/a': {} } });
  });
});
