import { join } from 'node:path';
import { mintToken } from '@weir/access';
import { startDistributed, startParts, type Distributed } from '@weir/stack';
import type { ServiceName } from '@weir/tenancy';
import { operatorOf, until, type Operator } from './trial-to-own-key/operator';

export interface WholeOptions {
  readonly directory: string;
  /** Over what every service finds in this process's own. */
  readonly environment: Readonly<Record<string, string>>;
  readonly replicas: Partial<Record<ServiceName, number>>;
  readonly progress: (line: string) => void;
}

export interface Caller {
  readonly id: string;
  readonly slug: string;
  readonly token: string;
}

/** All of Weir, with what a scenario's tenants need: keys, plans, and that everybody has heard of them. */
export interface Whole {
  readonly weir: Distributed;
  readonly operator: Operator;
  /** An upstream key of the platform's, or of a tenant's, that gives what is said. */
  key(secret: string, ceiling: { perMinute: number; burst: number }, tenant?: string): Promise<void>;
  plan(id: string, terms: object): Promise<void>;
  /** Known to every fetcher when it is given back. */
  tenant(slug: string, plan: string, keyMode?: 'shared' | 'byo'): Promise<Caller>;
  /** The simulator's own way: `POST /_simulator/faults`. */
  readonly simulator: Operator;
  /** Attempts that reached the upstream with a key. */
  attempts(secret: string): Promise<number>;
  stop(): Promise<void>;
}

const START_TRIES = 3;

/** On a busy machine a service may not wait long enough for a broker that has only just begun. */
async function startPatiently(start: () => Promise<Distributed>, progress: (line: string) => void): Promise<Distributed> {
  for (let tries = 1; ; tries++) {
    try {
      return await start();
    } catch (error) {
      if (tries === START_TRIES) throw error;
      progress(`once more: ${(error as Error).message}`);
    }
  }
}

const FREE = { amount: '0', currency: 'EUR' };
const TERMS = {
  dailyCredits: null,
  monthlyCredits: null,
  bucket: { capacity: 1e5, refillPerSecond: 1e4 },
  endpointBuckets: {},
  weight: 1,
  concurrency: 20_000,
  maxWaitMs: 0,
  hitPrice: 0,
  coalescedPrice: 0,
  sharedCache: true,
  keyModes: ['shared', 'byo'],
  fallback: false,
  trialDays: null,
  includedCalls: 0,
  seats: null,
  placement: 'schema',
  billing: { model: 'free', perCredit: FREE, perSeat: FREE, perMonth: FREE },
};

export async function startWhole({ directory, environment, replicas, progress }: WholeOptions): Promise<Whole> {
  const all = { ...process.env, WEIR_DEMO: 'off', ...environment };
  const parts = await startParts({ dataDir: join(directory, 'parts'), environment: all, durable: false, progress });
  const operatorToken = mintToken({ mode: 'live' }).token;
  const weir = await startPatiently(() => startDistributed({ parts, dataDir: directory, environment: all, operatorToken, replicas, progress }), progress).catch(async (error: Error) => {
    await parts.stop();
    throw error;
  });
  const operator = operatorOf(weir.url, operatorToken);
  const simulator = operatorOf(weir.simulator.url, '');
  const limiters = (weir.services.get('rate-limiter') ?? []).map(({ url }) => operatorOf(url, operatorToken));
  // what was made a moment ago may not be known to every service yet
  const patient = (ask: () => Promise<unknown>) => until(() => ask().then(() => true, () => false), (done) => done);
  return {
    weir,
    operator,
    simulator,
    async key(secret, ceiling, tenant) {
      await simulator('POST', '/_simulator/keys', { key: secret, credits: null, perMinute: null, burst: 1e5, scopes: ['download'] });
      const { id } = await operator('POST', tenant === undefined ? '/v1/upstream-keys' : `/v1/tenants/${tenant}/upstream-keys`, { key: secret, label: 'chaos' });
      for (const limiter of limiters) await patient(() => limiter('PUT', `/v1/upstream-keys/${id}/ceiling`, { ...ceiling, concurrency: 0 }));
    },
    async plan(id, terms) {
      await operator('POST', '/v1/plans', { id, terms: { ...TERMS, ...terms } });
      await operator('POST', `/v1/plans/${id}/publish`, {});
    },
    async tenant(slug, plan, keyMode = 'shared') {
      const made = await operator('POST', '/v1/tenants', { slug, plan, keyMode }, { prefer: 'wait=30' });
      const id = made.tenantId as string;
      const { token } = await operator('POST', `/v1/tenants/${id}/tokens`, { role: 'owner', label: 'chaos' });
      // an endpoint that there is not is said to those alone who are known
      for (const { url } of weir.services.get('upstream-fetcher') ?? [])
        await until(() => fetch(`${url}/tiklive/nothing/`, { headers: { authorization: `Bearer ${token}` } }).then(({ status }) => status), (status) => status === 404);
      return { id, slug, token: token as string };
    },
    attempts: async (secret) => ((await simulator('GET', `/_simulator/ledger/totals?key=${secret}`)).data[0]?.attempts as number | undefined) ?? 0,
    async stop() {
      await weir.stop();
      await parts.stop();
    },
  };
}
