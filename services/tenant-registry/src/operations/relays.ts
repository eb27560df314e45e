import { startRelay } from '@weir/relay';
import type { ServiceRuntime } from '@weir/service-host';
import { HOME, createPool, openClusters, unitOfWork } from '@weir/tenancy';

/** Of each database. Reads and checkpoints are short, and a locked schema holds one for two seconds. */
const SESSIONS = 6;
/** A backend keeps 60 KiB of catalog for each tenant that it has visited, and these visit all of them. */
const LIFETIME_S = 600;

/**
 * A relay for each database: each has its own news and checkpoints. They have sessions of their own, so that requests do not keep them
 * waiting nor they the requests.
 */
export function startRelays({ common, bus, log, onStop, pool, name }: ServiceRuntime): void {
  const own = {
    url: common.postgresUrl,
    name: `${name}/relay`,
    max: Math.min(SESSIONS, pool.options.max ?? SESSIONS),
    onError: (error: Error) => log.warn({ err: error }, 'an idle connection of the relay was lost'),
  };
  const databases = openClusters(createPool(own, { maxLifetimeSeconds: LIFETIME_S }), common.clusters, own);
  const work = unitOfWork(databases, name);
  const relays = [HOME, ...databases.clusters.keys()].map((cluster) =>
    startRelay({ work: work.of(cluster), bus, onError: (error, tenant) => log.warn({ err: error, tenant, cluster }, 'relay') }),
  );
  onStop(async () => {
    await Promise.all(relays.map((relay) => relay.stop()));
    await Promise.all([databases.home, ...databases.clusters.values()].map((one) => one.end()));
  });
}
