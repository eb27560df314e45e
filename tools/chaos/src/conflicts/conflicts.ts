import { chainStart, follow, type ChainState } from '@weir/audit-format';
import { eventLog, type Appended, type EventLog } from '@weir/event-store';
import { fact, newId, type CommandContext, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, loginOf, prepareDatabase, provisioner, unitOfWork, type ServiceName } from '@weir/tenancy';
import { startPostgres } from '@weir/stack';
import type { Pool } from 'pg';
import { join } from 'node:path';
import { invariant, type Invariant, type Scenario } from '../scenario';

const STREAMS = 5;
/** At once, of each process. */
const WRITERS = 64;
const SERVICES: readonly ServiceName[] = ['tenant-registry', 'key-vault', 'metering'];

/** Writers of three services at one tenant's few streams, most of them at a version that has passed. */
export const conflicts: Scenario = {
  name: 'conflicts',
  title: 'E1 to E3: a storm of appends at versions that have passed, among retries and appends that are right',
  times: 10_000,
  async run({ times, random, directory, progress }) {
    const server = await startPostgres({ dataDir: join(directory, 'postgres'), settings: { max_connections: 100 } });
    try {
      await prepareDatabase(server.adminUrl, collectBundle(), 'chaos');
      const open = (login: string) => createPool({ url: Object.assign(new URL(server.adminUrl), { username: login, password: 'chaos' }).href, name: 'chaos', max: 5 });
      const tenant = await provisioned(open('weir_migrator'));
      const pools = SERVICES.map((service) => open(loginOf(service)));
      const logs = pools.map((pool, index) => eventLog(unitOfWork(pool, SERVICES[index] as ServiceName)));
      const outcomes = await storm(logs, tenant, times, random, progress);
      const chain = await wholeChain(logs[0] as EventLog, tenant);
      await Promise.all(pools.map((pool) => pool.end()));
      return { invariants: judge(outcomes, chain), figures: count(outcomes) };
    } finally {
      await server.stop();
    }
  },
};

async function provisioned(migrator: Pool): Promise<TenantId> {
  const tenant = newId('ten');
  await provisioner(migrator, collectBundle()).provision(tenant, 'schema');
  await migrator.end();
  return tenant;
}

/** Until so many have conflicted. One in eight is right at any version, one in sixteen is sent again. */
async function storm(logs: readonly EventLog[], tenant: TenantId, times: number, random: () => number, progress: (line: string) => void): Promise<Appended[]> {
  const outcomes: Appended[] = [];
  let conflicted = 0;
  await Promise.all(
    logs.flatMap((log) =>
      Array.from({ length: WRITERS }, async () => {
        while (conflicted < times) {
          const expected = random() < 1 / 8 ? 'any' : Math.floor(random() * 3);
          const request = { tenant, stream: `s/${Math.floor(random() * STREAMS)}`, expected, events: [fact('tenant.renamed', { name: 'x' })], context: context() } as const;
          const outcome = await log.append(request);
          outcomes.push(outcome);
          if (outcome.outcome === 'conflict' && ++conflicted % 2_000 === 0) progress(`${conflicted} conflicts`);
          if (outcome.outcome === 'appended' && random() < 1 / 16) outcomes.push(await log.append(request));
        }
      }),
    ),
  );
  return outcomes;
}

const context = (): CommandContext => ({ actor: { type: 'service', id: 'chaos' }, commandId: newId('op'), at: Date.now(), action: 'chaos' });

async function wholeChain(log: EventLog, tenant: TenantId): Promise<ChainState> {
  for (let chain = chainStart(tenant); ;) {
    const events = await log.read(tenant, { after: chain.position, limit: 5_000 });
    if (events.length === 0) return chain;
    chain = follow(chain, events);
  }
}

function judge(outcomes: readonly Appended[], chain: ChainState): Invariant[] {
  const positions = outcomes.flatMap((one) => (one.outcome === 'appended' ? [one.first] : [])).sort((a, b) => a - b);
  const repeated = outcomes.filter(({ outcome }) => outcome === 'repeated');
  return [
    invariant('E2 the log has as many events as appends were told, and no gap', chain.firstBreak === undefined && chain.events === positions.length, { ...chain, appended: positions.length }),
    invariant('E1 no two appends were told the same position', positions.every((position, index) => position === index + 1), positions.length),
    invariant('E3 every retry learned a position that had been given', repeated.every((one) => 'first' in one && one.first <= chain.position) && repeated.length > 0, repeated.length),
  ];
}

function count(outcomes: readonly Appended[]): Record<string, number> {
  const of = (wanted: Appended['outcome']) => outcomes.filter(({ outcome }) => outcome === wanted).length;
  return { appended: of('appended'), conflicts: of('conflict'), repeated: of('repeated') };
}
