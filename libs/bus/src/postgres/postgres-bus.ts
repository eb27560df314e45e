import type { Pool } from 'pg';
import { busUnavailable } from '../errors';
import type { Bus, ConsumerSpec, FollowSpec, ParkingLot } from '../port';
import { ReleaseWatch } from '../release-watch';
import { PostgresConsumption } from './consumption';
import { Ends } from './ends';
import { PostgresFollower } from './follower';
import { GroupSession } from './group-session';
import { Listener } from './listener';
import { Publisher } from './publisher';
import { checkTopics, ensureTopics, partitionCounts } from './topics';
import { Trimming } from './trimming';

export interface PostgresBusOptions {
  readonly pool: Pool;
  /** Past the pooler: LISTEN and the session's lock need a connection of their own. */
  readonly directUrl: string;
  /** Without one a bad message is tried for ever and its partition waits. */
  readonly parking?: ParkingLot;
  readonly onError?: (error: Error) => void;
}

/**
 * The bus in a Postgres database (schema `weir_bus`). While nothing happens it costs a connection and two small statements every
 * two seconds, whatever the number of readers; a published record reaches them by a notification.
 */
export function postgresBus({ pool, directUrl, parking, onError = () => undefined }: PostgresBusOptions): Bus {
  const publisher = new Publisher(pool);
  const ends: Ends = new Ends(pool, () => listener.connected, onError);
  const session: GroupSession = new GroupSession(pool, () => listener.connected, onError);
  const releases = new ReleaseWatch(parking, onError);
  const trimming = new Trimming(pool, onError);
  const listener: Listener = new Listener({
    url: directUrl,
    sessionId: session.id,
    onEnd: (topic, partition, end) => ends.heard(topic, partition, end),
    onGroup: (group) => session.changed(group),
    onConnected: () => {
      void ends.poll().catch(onError);
      session.changed();
    },
    onError,
  });
  const open = new Set<{ stop(): Promise<void> }>();
  let listening: Promise<void> | undefined;
  const startReading = async (topics: readonly string[]) => {
    const counts = await partitionCounts(pool, topics);
    trimming.start();
    await (listening ??= listener.start());
    return counts;
  };

  return {
    publish: (records) => publisher.publish(records),

    async consume(spec: ConsumerSpec) {
      const counts = await startReading(spec.topics);
      const consumption = new PostgresConsumption(spec, counts, { pool, ends, session, releases, parking, onError });
      open.add(consumption);
      await consumption.start();
      return consumption;
    },

    async follow(spec: FollowSpec) {
      const follower = new PostgresFollower(pool, spec, ends, await startReading(spec.topics), onError);
      follower.start();
      open.add(follower);
      return follower;
    },

    ensureTopics: (topics) => ensureTopics(pool, topics),
    checkTopics: (topics) => checkTopics(pool, topics),

    async ping() {
      await pool.query('select 1 from weir_bus.topics limit 1').catch((error: unknown) => {
        throw busUnavailable(error);
      });
    },

    async close() {
      await Promise.all([...open].map((reader) => reader.stop()));
      await publisher.drained();
      await trimming.stop();
      await session.close().catch(onError);
      await listener.stop();
    },
  };
}
