import { createAdmission, type LimiterStore } from '@weir/limiter';
import { openCatalogs, openEnvelope, type ServiceDefinition } from '@weir/service-host';
import { tiklive } from '@weir/upstream-catalog';
import { createAdmissionSteps } from './call/admission';
import { LONGEST_WAIT_MS, createCall } from './call/call';
import { createCallRoute } from './call/call.http';
import { createFetch } from './call/fetch';
import { createFlights } from './call/flights';
import { createKeys } from './call/key';
import { createOnce } from './call/once';
import { openApiPaths } from './call/openapi';
import type { Landed } from './call/share';
import { Replays } from './call/replays';
import { createSubjectsOf } from './call/subjects';
import { openSharing } from './call/sharing';
import { openUpstreams } from './call/upstreams';
import { CatalogController, Catalogs } from './catalog.http';
import { settings, type FetcherConfig } from './config';
import { openLimiter } from './limits/open-limiter';
import { createMetrics } from './metrics';
import { takeJobBodies } from './jobs/fetch-jobs.http';
import { openJobs } from './jobs/open-jobs';
import { SnapshotHistory } from './snapshot/snapshot-history';
import { PROFILE } from './snapshot/snapshot-rows';
import { Snapshots } from './snapshot/snapshots';
import { SnapshotClock, SnapshotsController } from './snapshot/snapshots.http';
import { guardedCache } from './subject/guarded-cache';
import { openErasure, openSuppressed } from './subject/open-erasure';
import { SubjectKeys } from './subject/subject-keys';
import { openTables } from './tables';
import { createBreaker } from './upstream/breaker';
import { createDriftWatch } from './upstream/drift-watch';
import { keyRest } from './upstream/key-rest';
import { restAsHeard } from './limits/rest-as-heard';
import { statedRates } from './upstream/stated-rates';
import { retryBudget } from './upstream/retry-budget';
import { countDemand } from './usage/demand';
import { createJournal } from './usage/journal';
import { openUsageBus } from './usage/usage-bus';

class UpstreamFetcherModule {}

/** What another process's definition may bring: standalone counts all limits in one store. */
export interface FetcherPorts {
  readonly limiter?: LimiterStore;
}

/** Time for what is under way at the end: calls that have left, then what is on its way to the bus. */
const DRAIN_MS = 10_000;
const SNAPSHOT_DRAIN_MS = 2_000;
const DAY_MS = 86_400_000;
/** Attempts, their pauses and a little more: no slot ends under a call that is alive. */
const ATTEMPTS_AT_MOST = 4;
const LEASE_SLACK_MS = 15_000;

/** The call itself: the data plane, its cache and its snapshots. */
export const define = (ports: FetcherPorts = {}): ServiceDefinition<FetcherConfig> => ({
  name: 'upstream-fetcher',
  title: 'calls to the upstream: the data plane, cache, snapshots',
  settings,
  create(runtime, config) {
    const { access, bus, clock, log, metrics: registry, onStop } = runtime;
    const onError = (error: unknown) => log.warn({ err: error }, 'upstream fetcher');
    const random = Math.random;
    const stopping = new AbortController();

    const tables = openTables(runtime.states, access);
    const envelope = openEnvelope({ ...config, dataDir: runtime.common.dataDir });
    const limiter = openLimiter(runtime, config, ports.limiter);
    const sharing = openSharing({ config, shared: ports.limiter === undefined, away: limiter.away, clock, onError });

    const usageBus = openUsageBus({ bus, config, health: runtime.health, registry, onError });
    const journal = createJournal({ bus: usageBus, holdTimeoutMs: config.holdTimeoutMs, backlog: config.usageBacklog, onError });
    const demand = countDemand(journal, clock, config.demandEveryMs);
    const flights = createFlights<Landed>();
    const metrics = createMetrics(registry, { waiting: () => journal.waiting, flights: () => flights.size });

    const configured = openCatalogs(config, config.upstreamUrl);
    const catalogs = configured.map(({ catalog }) => catalog);
    const upstreams = openUpstreams(configured, config);

    const admission = createAdmissionSteps({
      admissions: createAdmission(limiter.store),
      tables,
      endpoints: catalogs.flatMap((catalog) => catalog.endpoints.map(({ id }) => id)),
      demand,
      clock,
      stopping: stopping.signal,
      leaseMs: config.upstreamTimeoutMs * ATTEMPTS_AT_MOST + LONGEST_WAIT_MS + LEASE_SLACK_MS,
    });
    const rest = keyRest(clock);
    restAsHeard(tables.ceilings, rest, clock);
    const fetch = createFetch({
      admission,
      keys: createKeys(envelope, clock),
      journal,
      upstreams: upstreams.byCatalog,
      timeoutMs: config.upstreamTimeoutMs,
      breaker: createBreaker(clock),
      rest,
      rates: statedRates(),
      // the slot of the key tells all processes at once; its ceiling's record says it again
      pauseKey: (keyId, ms) => void limiter.store.pause(keyId, ms).catch(onError),
      drift: createDriftWatch({
        journal,
        clock,
        count: (endpoint) => metrics.drift.inc({ endpoint }),
        warn: (endpoint, differences) => log.warn({ endpoint, differences }, 'answers of the upstream differ from the catalog'),
      }),
      budget: retryBudget(),
      metrics,
      clock,
      random,
    });
    const subjectKeys = new SubjectKeys(runtime.work);
    const keepMs = config.snapshotDays * DAY_MS;
    const snapshots = new Snapshots({ work: runtime.work, subjectKeys, keepMs, maxBytes: config.snapshotQueueBytes, onError });
    const suppressed = openSuppressed(runtime, subjectKeys);
    const dataPlane = createCall({
      access,
      tables,
      catalog: tiklive,
      admission,
      cache: guardedCache(sharing.cache, suppressed),
      leases: sharing.leases,
      flights,
      fetch,
      journal,
      snapshots,
      suppressed,
      once: createOnce({ replays: new Replays(runtime.work), journal, clock, subjectsOf: createSubjectsOf(subjectKeys), onError }),
      simulator: config.simulatorUrl !== undefined,
      clock,
      random,
      onError,
    });

    const profile = tiklive.endpoints.find(({ id }) => id === PROFILE) ?? { snapshotLifetimeSeconds: undefined };
    const erasure = openErasure({ runtime, catalogs, cache: sharing.cache, subjectKeys });
    const bulk = openJobs({ runtime, config, tables, catalogs, dataPlane, cache: sharing.cache, subjectKeys, random, onError });

    // snapshots alone are lost and missed without it
    runtime.health.tolerate(`database ${runtime.name}`);
    runtime.health.add('usage', () =>
      journal.away
        ? { state: 'degraded', detail: 'the bus takes no usage records: calls are answered 503 not-accountable' }
        : { state: 'ok' },
    );
    onStop(async () => {
      await flights.landed();
      demand.stop();
      const left = await journal.drain(DRAIN_MS);
      if (left > 0)
        log.error({ records: left }, 'usage records could not be published before the end; their holds become unsettled');
      await usageBus.close();
      const unstored = await snapshots.drain(SNAPSHOT_DRAIN_MS);
      if (unstored > 0) log.warn({ snapshots: unstored }, 'snapshots could not be stored before the end; the next calls bring them again');
      await Promise.all([upstreams.close(), sharing.close(), limiter.close()]);
      envelope.close();
    });

    const route = createCallRoute({ call: dataPlane.call, catalogs, metrics, clock, log });
    return {
      module: {
        module: UpstreamFetcherModule,
        controllers: [CatalogController, SnapshotsController, ...bulk.controllers, ...erasure.controllers],
        providers: [{ provide: Catalogs, useValue: new Catalogs(catalogs) }, { provide: SnapshotHistory, useValue: new SnapshotHistory(runtime.work, profile) }, { provide: SnapshotClock, useValue: new SnapshotClock(clock) }, ...bulk.providers, ...erasure.providers],
      },
      routes: (fastify) => {
        fastify.addHook('preClose', async () => stopping.abort());
        takeJobBodies(fastify);
        route.routes(fastify);
      },
      direct: route.direct,
      paths: Object.assign({}, ...catalogs.map(openApiPaths)) as ReturnType<typeof openApiPaths>,
      start: async () => {
        limiter.start();
        if (runtime.common.roles.includes('jobs')) bulk.start();
      },
    };
  },
});

export const definition = define();
