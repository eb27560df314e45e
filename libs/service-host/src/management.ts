import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Registry } from 'prom-client';
import type { Health } from './health';

export interface Management {
  readonly url: string;
  close(): Promise<void>;
}

/** /livez, /readyz and /metrics on a port of their own, away from tenants. */
export async function startManagement(options: { host: string; port: number; health: Health; metrics: Registry }): Promise<Management> {
  const { health, metrics } = options;

  async function answer(path: string, response: ServerResponse): Promise<void> {
    if (path === '/livez') return json(response, 200, { live: true });
    if (path === '/readyz') {
      const report = await health.report();
      return json(response, report.ready ? 200 : 503, report);
    }
    if (path === '/metrics') {
      response.writeHead(200, { 'content-type': metrics.contentType });
      response.end(await gathered(metrics));
      return;
    }
    json(response, 404, { detail: 'There are /livez, /readyz and /metrics here.' });
  }

  const server: Server = createServer((request, response) => {
    answer((request.url ?? '/').split('?')[0] ?? '/', response).catch((error: Error) => (response.headersSent ? response.destroy() : json(response, 500, { detail: error.message })));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${options.host}:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** What asks a database fails when that is away, which is when all the others are looked at: it is left out, and counted. */
async function gathered(metrics: Registry): Promise<string> {
  const names = metrics.getMetricsAsArray().map(({ name }) => name);
  const texts = await Promise.allSettled(names.map((name) => metrics.getSingleMetricAsString(name)));
  const failed = texts.filter(({ status }) => status === 'rejected').length;
  const told = texts.flatMap((text) => (text.status === 'fulfilled' ? [text.value] : []));
  return [...told, `# HELP weir_metrics_failed Metrics that could not be had now\n# TYPE weir_metrics_failed gauge\nweir_metrics_failed ${failed}`, ''].join('\n\n');
}

function json(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
