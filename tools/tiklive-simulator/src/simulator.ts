import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Admin, ADMIN_PREFIX } from './admin';
import { Faults } from './faults';
import { newKey, type Keys, type NewKey } from './keys';
import type { Ledger } from './ledger';
import { openState } from './state';
import { Upstream } from './upstream';

export interface SimulatorOptions {
  /** 0, the default: any free one. */
  readonly port?: number;
  readonly host?: string;
  /** Median latency in milliseconds; 0, the default here: none. */
  readonly latencyP50Ms?: number;
  readonly latencySigma?: number;
  /** Keeps keys, balances and the ledger over restarts and SIGKILL; without it they are gone with the process. */
  readonly stateFile?: string;
  /** Made at the start where the state file does not know them. */
  readonly keys?: readonly NewKey[];
  /** How many entries the ledger lists at most; totals count on. */
  readonly ledgerLimit?: number;
}

export interface Simulator {
  /** The address to give Weir as WEIR_UPSTREAM_URL or WEIR_SIMULATOR_URL. */
  readonly url: string;
  readonly keys: Keys;
  readonly ledger: Ledger;
  readonly faults: Faults;
  /** Cuts what is open; calls that were not answered yet are not charged. */
  close(): Promise<void>;
}

const KEEP_ALIVE_MS = 65_000;

/** @throws Error `EADDRINUSE` and its kind, or naming a broken line of the state file */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const state = await openState(options.stateFile, options.ledgerLimit ?? 1_000_000, () => performance.now());
  for (const key of options.keys ?? []) if (state.keys.find(key.key) === undefined) state.keys.set(newKey.parse(key));

  const faults = new Faults();
  const latency = { latencyP50Ms: options.latencyP50Ms ?? 0, latencySigma: options.latencySigma ?? 0.35 };
  const running = new AbortController();
  const upstream = new Upstream(state, faults, latency, running.signal);
  const admin = new Admin(state, faults, latency);

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
    if (!request.url?.startsWith(ADMIN_PREFIX)) return upstream.handle(request, response);
    admin.handle(request, response).catch((error: Error) => response.destroy(error));
  });
  const url = await listen(server, options.host ?? '127.0.0.1', options.port ?? 0);

  return {
    url,
    keys: state.keys,
    ledger: state.ledger,
    faults,
    close: async () => {
      running.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      server.closeAllConnections();
      await closed;
      state.journal.close();
    },
  };
}

async function listen(server: Server, host: string, port: number): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return `http://${address.family === 'IPv6' ? `[${address.address}]` : address.address}:${address.port}`;
}
