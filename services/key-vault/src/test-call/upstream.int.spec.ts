import { createServer } from 'node:http';
import { createServer as createTcpServer, type AddressInfo, type Server } from 'node:net';
import { tiklive } from '@weir/upstream-catalog';
import { TEST_KEY, startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { openUpstream, type Answer } from './upstream';

let simulator: Simulator;
beforeAll(async () => void (simulator = await startSimulator()));
afterAll(() => simulator.close());

async function call(url: string, timeoutMs = 5_000): Promise<Answer> {
  const upstream = openUpstream({ url, header: tiklive.auth.header, timeoutMs });
  try {
    return await upstream.call(tiklive.testCall, { key: TEST_KEY.key, requestId: 'req_1/1' });
  } finally {
    await upstream.close();
  }
}
async function listening(server: Server): Promise<{ url: string; close(): Promise<unknown> }> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () => new Promise((resolve) => server.close(resolve)),
  };
}

describe('a test call', () => {
  it('sends the key and the id of the attempt, below a base address with a path too', async () => {
    const seen: unknown[] = [];
    const server = createServer((request, response) => {
      seen.push(request.url, request.headers['x-api-key'], request.headers['x-request-id']);
      response.end('{"id":"107955"}');
    });
    const { url, close } = await listening(server);
    expect(await call(`${url}/v2`)).toMatchObject({ is: 'answered', status: 200, body: { id: '107955' } });
    expect(seen).toEqual(['/v2/userid/?username=tiktok', TEST_KEY.key, 'req_1/1']);
    await close();
  });

  it('was not sent when nobody listens there, or no such host is known', async () => {
    const { url, close } = await listening(createTcpServer());
    await close();
    expect(await call(url)).toEqual({ is: 'not-sent', code: 'ECONNREFUSED' });
    expect(await call('http://upstream.invalid')).toMatchObject({
      is: 'not-sent',
      code: expect.stringMatching(/^(ENOTFOUND|EAI_AGAIN)$/),
    });
  });

  it('may have been counted when the line is cut or the answer takes too long', async () => {
    simulator.faults.add({ kind: 'cut', times: 1 });
    expect(await call(simulator.url)).toMatchObject({ is: 'no-answer' });
    simulator.faults.add({ kind: 'slow', ms: 5_000, times: 1 });
    expect(await call(simulator.url, 100)).toMatchObject({ is: 'no-answer', code: 'timeout' });
  });

  it.each([
    ['is cut off', { kind: 'cut', at: 'in-body', times: 1 }],
    ['has no end', { kind: 'gzip-bomb', bytes: 2 ** 31, times: 1 }],
    ['is a page of HTML', { kind: 'html', times: 1 }],
  ] as const)('has an answer of that status, without a body, when the body %s', async (_, fault) => {
    simulator.faults.add(fault);
    const answer = await call(simulator.url);
    expect(answer).toMatchObject({ is: 'answered', status: 200 });
    expect((answer as { body: unknown }).body).toBeUndefined();
  });

  it('follows no redirection: the key goes where the settings say and nowhere else', async () => {
    const elsewhere: string[] = [];
    const other = await listening(createServer((request, response) => response.end(String(elsewhere.push(request.url ?? '')))));
    const first = await listening(
      createServer((_, response) => response.writeHead(302, { location: `${other.url}/steal` }).end()),
    );
    expect(await call(first.url)).toMatchObject({ is: 'answered', status: 302 });
    expect(elsewhere).toEqual([]);
    await Promise.all([first.close(), other.close()]);
  });
});
