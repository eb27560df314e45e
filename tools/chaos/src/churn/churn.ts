import { join } from 'node:path';
import { kafkaBus, postgresBus, type Bus, type Consumption } from '@weir/bus';
import { sleep } from '@weir/kernel';
import { startKafkaCluster, startPostgres } from '@weir/stack';
import { collectBundle, createPool, loginOf, prepareDatabase } from '@weir/tenancy';
import type { Pool } from 'pg';
import { TOPIC, Writers } from '../brokers/writers';
import { invariant, type Outcome, type Scenario } from '../scenario';
import { Effects } from './effects';

const GROUP = 'weir.chaos.churn';
const PARTITIONS = 6;
const MOST_MEMBERS = 4;
const BATCH = 50;
/** A batch is held up so long at most, so that most changes of the group come amid some. */
const HELD_UP_MS = 150;
const WRITERS_PAUSE_MS = 150;
const DRAINED_WITHIN_MS = 60_000;
const EVERY_MS = 5_000;
const MORE_MS = 30_000;

/** A group whose members come and go amid their batches: on Kafka, and on the bus in Postgres. */
export const churn: Scenario = {
  name: 'churn',
  title: 'E9 members of a consumer group come and go every 5 s amid their batches, on Kafka and on Postgres; so many seconds each',
  times: 1,
  seconds: 120,
  async run({ seconds, random, directory, progress }) {
    const [cluster, server] = await Promise.all([
      startKafkaCluster({ brokers: 1, dataDir: join(directory, 'kafka'), environment: process.env, progress }),
      startPostgres({ dataDir: join(directory, 'postgres'), settings: { max_connections: 100 } }),
    ]);
    await prepareDatabase(server.adminUrl, collectBundle(), 'chaos');
    const admin = createPool({ url: server.adminUrl, name: 'chaos/admin', max: 8 });
    const url = Object.assign(new URL(server.adminUrl), { username: loginOf('metering'), password: 'chaos' }).href;
    const own = createPool({ url, name: 'chaos', max: 10 });
    const rounds: Outcome[] = [];
    try {
      const buses = { Kafka: () => kafkaBus({ brokers: [cluster.brokers], clientId: 'chaos' }), Postgres: () => postgresBus({ pool: own, directUrl: url }) };
      for (const [name, open] of Object.entries(buses)) {
        rounds.push(await churned({ name, open, effects: admin, forMs: seconds * 1_000, everyMs: EVERY_MS, random, progress }));
        await admin.query('drop table chaos_effects, chaos_sums');
      }
    } finally {
      await Promise.all([admin.end(), own.end()]);
      await Promise.all([cluster.stop(), server.stop()]);
    }
    return { invariants: rounds.flatMap(({ invariants }) => invariants), figures: Object.assign({}, ...rounds.map(({ figures }) => figures)) as Outcome['figures'] };
  },
};

export interface Churning {
  readonly name: string;
  /** A bus of its own for each member, as another process has one. */
  readonly open: () => Bus;
  /** Where tables for what members do may be made. */
  readonly effects: Pool;
  readonly forMs: number;
  readonly everyMs: number;
  /** Records; it goes on for longer where there are fewer, or nobody has left amid a batch. */
  readonly atLeast?: number;
  readonly random: () => number;
  progress(line: string): void;
}

interface Member {
  readonly name: string;
  readonly bus: Bus;
  readonly consumption: Consumption;
}

export async function churned({ name, open, effects: pool, forMs, everyMs, atLeast = 0, random, progress }: Churning): Promise<Outcome> {
  const effects = await Effects.open(pool);
  const publisher = open();
  await publisher.ensureTopics([{ name: TOPIC, partitions: PARTITIONS, cleanup: 'delete', retentionMs: -1, minInsyncReplicas: 1 }]);
  const members: Member[] = [];
  let [joined, left, amid] = [0, 0, 0];

  const join = async (): Promise<void> => {
    const member = `member-${++joined}`;
    const bus = open();
    members.push({ name: member, bus, consumption: await bus.consume({ group: GROUP, topics: [TOPIC], maxBatch: BATCH, handle: effects.by(member, () => random() * HELD_UP_MS) }) });
  };
  const leave = async (): Promise<void> => {
    const [gone] = members.splice(Math.floor(random() * members.length), 1);
    if (gone === undefined) return;
    if (effects.inHand(gone.name)) amid++;
    left++;
    await gone.consumption.stop();
    await gone.bus.close();
  };

  await join();
  const writers = new Writers(publisher, WRITERS_PAUSE_MS);
  // a busy machine takes longer until there is something to look at
  const enough = () => amid > 0 && writers.total >= atLeast;
  for (const begun = performance.now(); performance.now() - begun < forMs || (!enough() && performance.now() - begun < forMs + MORE_MS); await sleep(everyMs)) {
    await (members.length === 1 || (members.length < MOST_MEMBERS && random() < 0.5) ? join() : leave());
    progress(`${name}: ${members.length} members, ${writers.total} acknowledged, ${await effects.count()} done`);
  }
  await writers.stop();
  for (const end = performance.now() + DRAINED_WITHIN_MS; performance.now() < end && (await effects.count()) < writers.total; ) await sleep(50);
  const { skipped, twice, outOfOrder } = await effects.findings(writers.acknowledged);
  while (members.length > 0) await leave();
  await publisher.close();
  return {
    invariants: [
      invariant(`E9 ${name}: no record is skipped`, skipped.length === 0, skipped.slice(0, 20)),
      invariant(`E9 ${name}: none takes effect twice`, twice.length === 0, twice.slice(0, 20)),
      invariant(`E9 ${name}: each key takes effect in its order`, outOfOrder.length === 0, outOfOrder.slice(0, 20)),
      invariant(`${name}: members left amid their batches`, amid > 0, `${left} left, none amid a batch`),
    ],
    figures: { [`${name}: records`]: writers.total, [`${name}: members that came`]: joined, [`${name}: that left`]: left, [`${name}: amid a batch`]: amid, [`${name}: records handed over again`]: effects.again },
  };
}
