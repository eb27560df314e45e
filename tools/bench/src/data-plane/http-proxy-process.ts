import fastifyHttpProxy from '@fastify/http-proxy';
import fastify from 'fastify';

/** @fastify/http-proxy with what the nginx has too: a token looked up in a table, a bucket a tenant, the key put in. */
async function main({ upstreamPort, tokens }: { upstreamPort: number; tokens: readonly string[] }): Promise<void> {
  const tenants = new Map(tokens.map((token) => [token, { left: 1e6, at: Date.now(), key: 'a-key-of-the-platform' }]));
  const app = fastify();
  await app.register(fastifyHttpProxy, {
    upstream: `http://127.0.0.1:${upstreamPort}`,
    undici: { connections: 1_000, pipelining: 1 },
    preHandler: (request, reply, done) => {
      const tenant = tenants.get(String(request.headers['x-api-key']));
      if (tenant === undefined) return void reply.code(401).send();
      const now = Date.now();
      tenant.left = Math.min(1e6, tenant.left + (now - tenant.at) * 1e3);
      tenant.at = now;
      if (tenant.left < 1) return void reply.code(429).send();
      tenant.left--;
      done();
    },
    replyOptions: { rewriteRequestHeaders: (_, headers) => ({ ...headers, 'x-api-key': 'a-key-of-the-platform' }) },
  });
  await app.listen({ port: 0, host: '127.0.0.1' });
  process.send?.({ port: (app.server.address() as { port: number }).port });
}

void main(JSON.parse(process.argv[2] ?? '') as { upstreamPort: number; tokens: string[] });
