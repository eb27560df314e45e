import { join } from 'node:path';
import { kafkaBus } from '@weir/bus';
import { TOPICS, eventsTopic } from '@weir/contracts';
import { eventLog, type EventLog } from '@weir/event-store';
import { fact, newId, sleep, type TenantId } from '@weir/kernel';
import { relayLag, startRelay, type RelayLag } from '@weir/relay';
import { startKafkaCluster, startPostgres } from '@weir/stack';
import { MIGRATOR, collectBundle, createPool, loginOf, prepareDatabase, provisioner, unitOfWork } from '@weir/tenancy';
import { Readings } from '../brokers/readings';
import { invariant, type Outcome, type Scenario } from '../scenario';

const TENANTS = 12;
const TOPIC = eventsTopic('tenant');
const PASSWORD = 'chaos';
const BEFORE_MS = 2_000;
const PAUSE_MS = 100;
/** As long again, and some. */
const DRAINS_WITHIN_MS = 120_000;

/** The relay's way out of the database, with nobody at its other end for a long time. */
export const brokerAway: Scenario = {
  name: 'broker-away',
  title: 'E7 the broker is killed and stays away while tenants go on; so many seconds',
  times: 1,
  seconds: 600,
  async run({ seconds, directory, progress }) {
    const [kafka, server] = await Promise.all([
      startKafkaCluster({ brokers: 1, dataDir: join(directory, 'kafka'), environment: process.env, progress }),
      startPostgres({ dataDir: join(directory, 'postgres'), settings: { max_connections: 100 } }),
    ]);
    await prepareDatabase(server.adminUrl, collectBundle(), PASSWORD);
    const open = (login: string) => createPool({ url: Object.assign(new URL(server.adminUrl), { username: login, password: PASSWORD }).href, name: 'chaos', max: 10 });
    const [migrator, own, relays] = [open(MIGRATOR), open(loginOf('tenant-registry')), open(loginOf('tenant-registry'))];
    const bus = kafkaBus({ brokers: [kafka.brokers], clientId: 'chaos' });
    try {
      const provision = provisioner(migrator, collectBundle());
      const tenants = Array.from({ length: TENANTS }, () => newId('ten'));
      for (const [n, tenant] of tenants.entries()) await provision.provision(tenant, n % 2 === 0 ? 'schema' : 'pooled');
      await bus.ensureTopics(TOPICS.filter(({ name }) => name === TOPIC));
      const work = unitOfWork(relays, 'tenant-registry');
      const relay = startRelay({ work, bus, onError: () => undefined });
      const outcome = await outage({
        bus,
        log: eventLog(unitOfWork(own, 'tenant-registry')),
        tenants,
        lag: () => relayLag([work.direct]),
        forMs: seconds * 1_000,
        progress,
        kill: () => kafka.kill(1),
        start: () => kafka.start(1),
      });
      await relay.stop();
      return outcome;
    } finally {
      await bus.close();
      await Promise.all([migrator, own, relays].map((pool) => pool.end()));
      await Promise.all([kafka.stop(), server.stop()]);
    }
  },
};

interface Outage {
  readonly bus: ReturnType<typeof kafkaBus>;
  readonly log: EventLog;
  readonly tenants: readonly TenantId[];
  readonly lag: () => Promise<RelayLag>;
  readonly forMs: number;
  progress(line: string): void;
  kill(): Promise<void>;
  start(): Promise<void>;
}

async function outage({ bus, log, tenants, lag, forMs, progress, kill, start }: Outage): Promise<Outcome> {
  const consumed = new Readings();
  // an event's tenant is its key here, and its name its number
  await bus.consume({
    group: 'weir.chaos.away',
    topics: [TOPIC],
    handle: async (batch) => batch.forEach((record) => consumed.see({ ...record, key: record.headers['ce_weirtenant'] ?? '', value: Buffer.from((JSON.parse(String(record.value)) as { name: string }).name) })),
  });
  const tenantsAtWork = tenants.map((tenant) => new Tenant(log, tenant));
  const appended = () => tenantsAtWork.reduce((sum, { done }) => sum + done, 0);
  await sleep(BEFORE_MS);

  await kill();
  const [killedAt, before] = [performance.now(), appended()];
  const standing = new Map(tenantsAtWork.map((one) => [one, one.done]));
  // what was acknowledged just before is marked just after
  await sleep(Math.min(1_000, forMs / 2));
  let deepest = await lag();
  const smaller: number[] = [];
  for (let saidAt = killedAt; performance.now() - killedAt < forMs; await sleep(500)) {
    const now = await lag();
    if (now.events < deepest.events) smaller.push(now.events);
    deepest = now;
    if (performance.now() - saidAt < 10_000) continue;
    saidAt = performance.now();
    progress(`away for ${Math.round((saidAt - killedAt) / 1_000)} s: ${now.events} events of ${now.tenants} tenants wait, for ${Math.round(now.seconds)} s`);
  }
  const [awayMs, whileAway] = [performance.now() - killedAt, appended() - before];
  const stood = [...standing].filter(([one, done]) => one.done === done).map(([one]) => one.tenant);

  const back = performance.now();
  await start();
  while (performance.now() - back < forMs + DRAINS_WITHIN_MS && (await lag()).events > whileAway / 10) await sleep(50);
  // the tail is drained while tenants still go on
  const drainedMs = performance.now() - back;
  await Promise.all(tenantsAtWork.map((one) => one.stop()));
  const acknowledged = new Map(tenantsAtWork.map(({ tenant, done }) => [tenant as string, done]));
  while (performance.now() - back < forMs + DRAINS_WITHIN_MS && !(consumed.has(acknowledged) && (await lag()).tenants === 0)) await sleep(50);
  const rest = await lag();
  const failures = tenantsAtWork.flatMap(({ failures: failed }) => failed);
  return {
    invariants: [
      invariant('E7 commands go on, of every tenant, and none fails', whileAway > 0 && stood.length === 0 && failures.length === 0, { stood, failures: failures.slice(0, 5) }),
      invariant('E7 the lag shows: it grows with what is appended, and says for how long', smaller.length === 0 && deepest.tenants === tenants.length && deepest.events >= whileAway * 0.9 && deepest.seconds * 1_000 >= awayMs * 0.8, { deepest, whileAway, awayMs, smaller: smaller.slice(0, 5) }),
      invariant('E7 all of it is drained when the broker is back', rest.tenants === 0 && consumed.has(acknowledged), { rest, missing: consumed.missing(acknowledged) }),
      invariant('E7 the drain keeps the order of each tenant', consumed.outOfOrder.length === 0, consumed.outOfOrder.slice(0, 10)),
    ],
    figures: {
      'seconds away': Math.round(awayMs / 1_000),
      'appended meanwhile': whileAway,
      'seconds until nine tenths were drained, the broker’s start included': Number((drainedMs / 1_000).toFixed(1)),
      'slowest append, ms': Math.round(Math.max(...tenantsAtWork.map(({ slowestMs }) => slowestMs))),
      'events in all': appended(),
      'handed over again': consumed.repeated,
      'heap, MiB': Math.round(process.memoryUsage().heapUsed / 1_048_576),
    },
  };
}

/** Appends an event after the other, each with the next number. */
class Tenant {
  done = 0;
  slowestMs = 0;
  readonly failures: string[] = [];
  private stopping = false;
  private readonly running: Promise<void>;

  constructor(
    private readonly log: EventLog,
    readonly tenant: TenantId,
  ) {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping = true;
    await this.running;
  }

  private async run(): Promise<void> {
    while (!this.stopping) {
      const begun = performance.now();
      await this.append().then(
        () => this.done++,
        (error: Error) => this.failures.push(error.message),
      );
      this.slowestMs = Math.max(this.slowestMs, performance.now() - begun);
      await sleep(PAUSE_MS);
    }
  }

  private async append(): Promise<void> {
    await this.log.append({
      tenant: this.tenant,
      stream: 'tenant/x',
      expected: 'any',
      events: [fact('tenant.renamed', { name: String(this.done) })],
      context: { actor: { type: 'operator', id: 'op' }, commandId: newId('op'), at: Date.now(), action: 'chaos' },
    });
  }
}
