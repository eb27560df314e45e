import { chainStart, follow, type StoredEvent } from '@weir/audit-format';
import { eventLog } from '@weir/event-store';
import { fact, isTransient, newId, sleep, type CommandContext, type TenantId } from '@weir/kernel';
import { mover, provisioner, sqlState, unitOfWork, type Placement } from '@weir/tenancy';
import { invariant, type Invariant } from '../scenario';
import { EU, type Ground } from './ground';

export interface Moving {
  readonly moves: readonly Placement[];
  readonly writers: number;
  /** Events that are there before the first move: enough of them, and the log is copied ahead. */
  readonly history: number;
  /** How likely a move's sessions are killed in the middle of it. */
  readonly kills: number;
  readonly random: () => number;
}

const RENAMED = (name: string) => fact('tenant.renamed', { name });
const context = (commandId: string): CommandContext => ({ actor: { type: 'service', id: 'chaos' }, commandId, at: Date.now(), action: 'chaos' });

/** R10: a tenant is moved from placement to placement while it is written, and the mover is killed at it. */
export async function moveUnderLoad(ground: Ground, { moves, writers, history, kills, random }: Moving): Promise<{ invariants: Invariant[]; figures: Record<string, number> }> {
  const tenant = newId('ten');
  const migrator = ground.migrator();
  await provisioner(migrator, ground.bundle).provision(tenant, 'pooled');
  const { move, settle } = mover(migrator, ground.bundle);

  // more than one process: none of them is told of a move
  const logs = [ground.service('tenant-registry'), ground.service('tenant-registry')].map((databases) => eventLog(unitOfWork(databases, 'tenant-registry')));
  await logs[0]?.append({ tenant, stream: 'history', expected: 'none', events: Array.from({ length: history }, (_, i) => RENAMED(`history ${i}`)), context: context('history') });
  const acknowledged: string[] = [];
  const failures: string[] = [];
  let refused = 0;
  let over = false;

  async function write(writer: number): Promise<void> {
    const log = logs[writer % logs.length] as (typeof logs)[number];
    for (let i = 0; !over; i++) {
      const command = `${writer}/${i}`;
      for (let done = false; !done;) {
        try {
          await log.append({ tenant, stream: `load/${writer}`, expected: 'any', events: [RENAMED(command)], context: context(command) });
          acknowledged.push(command);
          done = true;
        } catch (error) {
          refused++;
          if (!isTransient(error)) {
            failures.push(String(error));
            return;
          }
          await sleep(5);
        }
      }
    }
  }

  const load = Array.from({ length: writers }, (_, i) => write(i));
  const heads: { position: number; chainHash: string }[] = [];
  const held: number[] = [];
  let killed = 0;
  for (const to of moves) {
    await sleep(50);
    const kill = random() < kills ? sleep(random() * 150).then(() => ground.killMigrators()) : undefined;
    try {
      const moved = await move(tenant, to);
      if (moved !== undefined) {
        heads.push(moved);
        held.push(moved.heldMs);
      }
    } catch (error) {
      if (kill === undefined) failures.push(`move: ${String(error)}`);
      else killed++;
    }
    await kill;
    await untilSettled(settle);
  }
  await sleep(50);
  over = true;
  await Promise.all(load);

  const events = await readAll(logs[0] as (typeof logs)[number], tenant);
  const chain = follow(chainStart(tenant), events);
  const times = new Map<string, number>();
  for (const { commandId } of events.slice(history)) times.set(commandId, (times.get(commandId) ?? 0) + 1);
  const lost = acknowledged.filter((command) => !times.has(command));
  const changed = heads.filter(({ position, chainHash }) => position > 0 && events[position - 1]?.chainHash !== chainHash);
  return {
    invariants: [
      invariant('R10 nothing fails but for a moment', failures.length === 0, failures.slice(0, 3)),
      invariant('R10 no acknowledged event is lost', lost.length === 0, lost.slice(0, 5)),
      invariant('R10 none is there twice', [...times.values()].every((n) => n === 1)),
      invariant('R10 positions and chain go on over every move', chain.firstBreak === undefined && chain.position === events.length, chain.firstBreak),
      invariant('R10 the chain’s head was the same on both sides of each switch', changed.length === 0, changed),
      ...(await whatIsLeft(ground, tenant)),
    ],
    figures: { moves: heads.length, killed, events: events.length, 'writes refused meanwhile': refused, 'ms read only, longest': Math.round(Math.max(0, ...held)) },
  };
}

/** A killed session is news to its pool for a moment. */
async function untilSettled(settle: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await settle();
    } catch (error) {
      if (attempt === 20) throw error;
      await sleep(50);
    }
  }
}

async function readAll(log: ReturnType<typeof eventLog>, tenant: TenantId): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for (;;) {
    const page = await log.read(tenant, { after: events.length, limit: 5_000 });
    events.push(...page);
    if (page.length < 5_000) return events;
  }
}

/** In one place, whole, and nothing of it anywhere else; and who knocks at the other place is sent away. */
async function whatIsLeft({ admin, service }: Ground, tenant: TenantId): Promise<Invariant[]> {
  const schema = `t_${tenant.slice(4)}`;
  const { rows } = await admin.home.query<{ kind: string }>('select kind from weir.placements where tenant_id = $1', [tenant]);
  const kind = rows[0]?.kind;
  const found: string[] = [];
  for (const [at, pool] of [['home', admin.home] as const, ...admin.clusters]) {
    if ((await pool.query('select 1 from pg_namespace where nspname = $1', [schema])).rowCount) found.push(`${at} schema`);
    const pooled = await pool.query(`select 1 from pg_namespace where nspname = 'weir_pooled'`);
    if (pooled.rowCount && (await pool.query('select 1 from weir_pooled.events where tenant_id = $1 limit 1', [tenant])).rowCount) found.push(`${at} pooled`);
  }
  const expected = kind === 'database' ? 'eu schema' : `home ${kind}`;
  const other = service('metering', 1);
  const away = kind === EU.kind ? other.home : (other.clusters.get('eu') ?? other.home);
  const refusal = await away.query('select weir.enter($1)', [tenant]).then(() => 'it was let in', (error: unknown) => sqlState(error) ?? '');
  const moves = await admin.home.query('select 1 from weir.moves where tenant_id = $1', [tenant]);
  return [
    invariant('R10 the tenant is in one place and nothing of it in another', found.join() === expected && moves.rowCount === 0, { found, expected }),
    invariant('R10 the old place refuses', ['WR307', 'WR404'].includes(refusal), refusal),
  ];
}
