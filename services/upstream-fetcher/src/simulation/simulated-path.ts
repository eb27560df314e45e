import type { OutgoingRecord } from '@weir/bus';
import { usage, USAGE_TOPIC, type PlanState, type QuotaState, type TenantState, type UpstreamKeyState, type Usage } from '@weir/contracts';
import type { Access } from '@weir/access';
import { sleep, type Clock, type TenantId } from '@weir/kernel';
import { createAdmission, memoryLimiterStore } from '@weir/limiter';
import { tiklive, type Endpoint } from '@weir/upstream-catalog';
import { Registry } from 'prom-client';
import { createAdmissionSteps } from '../call/admission';
import { nothingShown } from '../call/answer';
import { createResponseCache } from '../call/cache';
import { createCall, LONGEST_WAIT_MS, type DataPlane } from '../call/call';
import type { Keys } from '../call/key';
import { createFetch, type FetchParts } from '../call/fetch';
import { createFlights } from '../call/flights';
import { noLeases } from '../call/leases';
import type { Landed } from '../call/share';
import type { Upstream } from '../call/upstream';
import { createQuote, type Backlog, type Quote, type QuoteRequest } from '../jobs/quote';
import { createMetrics } from '../metrics';
import type { Snapshots } from '../snapshot/snapshots';
import type { Tables } from '../tables';
import { createBreaker } from '../upstream/breaker';
import { keyRest } from '../upstream/key-rest';
import { retryBudget } from '../upstream/retry-budget';
import { statedRates } from '../upstream/stated-rates';
import { countDemand } from '../usage/demand';
import { createJournal } from '../usage/journal';

export interface SimulatedPathOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly tenants: ReadonlyMap<TenantId, TenantState>;
  readonly plans: ReadonlyMap<string, PlanState>;
  readonly keys: readonly UpstreamKeyState[];
  /** Of an answer of the upstream. */
  readonly latencyMs: () => number;
  readonly body: (endpoint: Endpoint, query: string) => Buffer;
  /** Items of one job at once. */
  readonly concurrency: number;
  /** What waits: for quotes. */
  readonly backlogs: () => readonly Backlog[];
  /** Profiles and posts as they would be stored. */
  readonly captured: (tenant: TenantId, endpoint: Endpoint, query: string, at: number) => void;
}

/** The way of a call as a process has it, with nothing around it: no bus, no database, no network, on a clock of somebody's own. */
export interface SimulatedPath {
  readonly dataPlane: DataPlane;
  readonly quote: (request: QuoteRequest) => Promise<Quote>;
  /** Attempts that the upstream answered, by key: its own ledger. */
  readonly ledger: ReadonlyMap<string, { attempts: number; credits: number }>;
  /** What went to the bus. */
  readonly usage: (listener: (record: Usage) => void) => void;
  close(): Promise<void>;
}

export function openSimulatedPath(options: SimulatedPathOptions): SimulatedPath {
  const { clock, random, tenants, plans, latencyMs, body } = options;
  const onError = (error: unknown) => {
    throw error;
  };
  const day = new Map<TenantId, QuotaState>();
  const listeners: ((record: Usage) => void)[] = [];
  const publish = async (records: readonly OutgoingRecord[]) => {
    for (const { topic, value } of records) {
      if (topic !== USAGE_TOPIC || value === null) continue;
      const record = usage.schema.parse(JSON.parse(value.toString('utf8')));
      for (const listener of listeners) listener(record);
    }
  };
  const ledger = new Map<string, { attempts: number; credits: number }>();
  const upstream: Upstream = {
    async send({ path, headers }) {
      await sleep(latencyMs());
      const [at = '', query = ''] = path.split('?');
      const endpoint = tiklive.byPath.get(at) as Endpoint;
      const key = headers[headers.indexOf(tiklive.auth.header) + 1] ?? '';
      const entry = ledger.get(key) ?? { attempts: 0, credits: 0 };
      ledger.set(key, entry);
      entry.attempts++;
      entry.credits += endpoint.credits;
      return { is: 'received', status: 200, contentType: 'application/json', retryAfter: undefined, body: body(endpoint, query) };
    },
    close: async () => undefined,
  };
  const tables = tablesOf(options, day);
  const metrics = createMetrics(new Registry(), { waiting: () => 0, flights: () => 0 });
  const journal = createJournal({ bus: { publish }, holdTimeoutMs: 2_000, backlog: 50_000, onError });
  const demand = countDemand(journal, clock, 60_000);
  const store = memoryLimiterStore({ clock });
  const admission = createAdmissionSteps({
    admissions: createAdmission(store),
    tables,
    endpoints: tiklive.endpoints.map(({ id }) => id),
    demand,
    clock,
    stopping: new AbortController().signal,
    leaseMs: 40_000 + LONGEST_WAIT_MS,
  });
  const keys: Keys = { opened: ({ id }) => ({ version: 1, secret: id }), open: async ({ id }) => ({ version: 1, secret: id }) };
  const fetch = createFetch({
    admission,
    keys,
    journal,
    upstreams: new Map([[tiklive.id, { live: upstream, test: upstream }]]),
    timeoutMs: 10_000,
    breaker: createBreaker(clock),
    rest: keyRest(clock),
    rates: statedRates(),
    pauseKey: () => undefined,
    drift: { look: () => undefined, tell: () => undefined },
    budget: retryBudget(),
    metrics,
    clock,
    random,
  } satisfies FetchParts);
  const cache = createResponseCache({ clock, prefix: 'simulated', redis: undefined, maxBytes: 256_000_000, staleIfErrorMs: 0, onError });
  const snapshots = {
    keep: ({ tenantId, endpoint, query, fetchedAt }: Parameters<Snapshots['keep']>[0]) => options.captured(tenantId, endpoint, query, fetchedAt),
  } as unknown as Snapshots;
  const dataPlane = createCall({
    access: undefined as unknown as Access,
    tables,
    catalog: tiklive,
    admission,
    cache,
    leases: noLeases,
    flights: createFlights<Landed>(),
    fetch,
    journal,
    snapshots,
    suppressed: { assertAllowed: () => undefined, known: () => false },
    once: () => Promise.reject(new Error('nobody asks for it')),
    simulator: false,
    clock,
    random,
    onError,
  });
  listeners.push((record) => {
    if (record.kind !== 'settled' && record.kind !== 'served') return;
    const before = tables.quotas.get(record.tenantId);
    if (before !== undefined) day.set(record.tenantId, { ...before, dayCredits: before.dayCredits + record.chargedCredits, monthCredits: before.monthCredits + record.chargedCredits });
  });
  const quote = createQuote({
    tables,
    keysOf: dataPlane.keysOf,
    cachedAt: async (caller, catalog, choice, { endpoint, query }) => {
      const at = clock();
      const call = { ...caller, catalog, endpoint, query, keys: choice, requestId: 'req_quote', priority: 'batch', shown: nothingShown(), waitUntil: at, deadline: at } as const;
      const found = await cache.read(call as unknown as Parameters<typeof cache.read>[0], undefined);
      return found?.fresh === true ? found.kept.fetchedAt : undefined;
    },
    backlogs: async () => options.backlogs(),
    concurrency: options.concurrency,
    clock,
  });
  return {
    dataPlane,
    quote,
    ledger,
    usage: (listener) => void listeners.push(listener),
    close: async () => {
      demand.stop();
      await cache.close();
      await store.close();
    },
  };

  function tablesOf({ keys }: SimulatedPathOptions, counted: ReadonlyMap<TenantId, QuotaState>): Tables {
    const began = clock();
    const zeros = new Map<TenantId, QuotaState>([...tenants.keys()].map((tenantId) => [tenantId, emptyQuota(tenantId, began)]));
    const none = { get: () => undefined } as never;
    const owned = new Map<TenantId, UpstreamKeyState[]>();
    for (const key of keys) owned.set(key.owner, [...(owned.get(key.owner) ?? []), key]);
    return {
      quotas: { get: (id: TenantId) => counted.get(id) ?? zeros.get(id) } as Tables['quotas'],
      budgets: none,
      policies: none,
      ceilings: none,
      tenant: (id) => tenants.get(id) as TenantState,
      plan: ({ id, version }) => plans.get(`${id}@${version}`) as PlanState,
      keysOf: (owner) => owned.get(owner) ?? [],
    };
  }
}

const emptyQuota = (tenantId: TenantId, now: number): QuotaState => {
  const text = new Date(now).toISOString();
  return { tenantId, day: text.slice(0, 10), dayCredits: 0, month: text.slice(0, 7), monthCredits: 0 };
};

