import { EVENTS, event, type EventContract } from '@weir/contracts';
import { fact, newId, type Aggregate, type CommandContext, type Fact, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import { freshDatabase, type TestDatabase } from '@weir/testing';
import type { Pool } from 'pg';
import { z } from 'zod';
import { eventLog } from './event-log';

let database: TestDatabase;
let pool: Pool;
let work: UnitOfWork;
let tenant: TenantId;

beforeAll(async () => {
  database = await freshDatabase();
  pool = createPool({ url: database.urlOf('tenant-registry'), name: 'spec', max: 5 });
  work = unitOfWork(pool, 'tenant-registry');
  const migrator = createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 1 });
  tenant = newId('ten');
  await provisioner(migrator, collectBundle()).provision(tenant, 'schema');
  await migrator.end();
});
afterAll(async () => {
  await pool.end();
  await database.drop();
});

const by = (commandId: string): CommandContext => ({ actor: { type: 'operator', id: 'op' }, commandId, at: Date.now(), action: 'spec' });

describe('a stream with a past', () => {
  const first = event('weir.tenant.events', 'spec.priced', 'A price in euros.', { price: z.number() });
  const second = event('weir.tenant.events', 'spec.priced', 'A price in minor units.', { minor: z.int() }, [({ price }) => ({ minor: Number(price) * 100 })]);
  const knowing = (contract: EventContract) => eventLog(work, new Map([...EVENTS, [contract.type, contract]]));
  const prices: Aggregate<unknown[], Fact> = { initial: [], evolve: (all, { data }) => [...all, data] };

  it('E11 is read by a new process as if it had been written today, and its bytes stay what they were', async () => {
    const [old, current] = [knowing(first), knowing(second)];
    await old.append({ tenant, stream: 'p/1', expected: 'none', events: [fact('spec.priced', { price: 12 })], context: by('1') });
    await current.append({ tenant, stream: 'p/1', expected: 1, events: [fact('spec.priced', { minor: 1250 })], context: by('2') });
    expect(await current.load(tenant, 'p/1', prices)).toEqual({ state: [{ minor: 1200 }, { minor: 1250 }], version: 2 });
    const stored = await current.read(tenant, { after: 0, limit: 10, stream: 'p/1' });
    expect(stored.map(({ schemaVersion, bytes }) => [schemaVersion, bytes])).toEqual([
      [1, '{"price":12}'],
      [2, '{"minor":1250}'],
    ]);
  });

  it('E11 is refused by an old process that cannot make sense of what a newer one wrote', async () => {
    await knowing(second).append({ tenant, stream: 'p/2', expected: 'none', events: [fact('spec.priced', { minor: 1 })], context: by('1') });
    await expect(knowing(first).load(tenant, 'p/2', prices)).rejects.toThrow(z.ZodError);
  });
});

describe('snapshots', () => {
  /** How many events were folded, to see that a snapshot was used. */
  let folded = 0;
  const names = (reducer: string, every = 3): Aggregate<string[], Fact<'tenant.renamed', { name: string }>> => ({
    initial: [],
    evolve: (all, { data }) => (folded++, [...all, data.name]),
    snapshots: { reducer, every, parse: (kept) => z.array(z.string()).parse(kept) },
  });
  const log = () => eventLog(work);
  const rename = (stream: string, name: string) =>
    log().append({ tenant, stream, expected: 'any', events: [fact('tenant.renamed', { name })], context: by(`${stream}/${name}`) });
  const load = async (stream: string, aggregate = names('names/1')) => {
    folded = 0;
    const { state, version } = await log().load(tenant, stream, aggregate);
    return { names: state.join(''), version, folded };
  };
  const tamper = (stream: string, change: string) =>
    work.inTenant(tenant, (sql) => sql.query(`update log_snapshots set ${change} where tenant_id = $1 and stream = $2`, [tenant, stream]));

  async function withSnapshot(stream: string): Promise<void> {
    for (const name of 'abcd') await rename(stream, name);
    await load(stream);
  }

  it('spare reading what they cover, and change nothing that is seen', async () => {
    for (const name of 'abcd') await rename('s/1', name);
    expect(await load('s/1')).toEqual({ names: 'abcd', version: 4, folded: 4 });
    expect(await load('s/1')).toEqual({ names: 'abcd', version: 4, folded: 0 });
    await rename('s/1', 'e');
    expect(await load('s/1')).toEqual({ names: 'abcde', version: 5, folded: 1 });
  });

  it('of another reducer are not read', async () => {
    await withSnapshot('s/2');
    expect(await load('s/2', names('names/2'))).toEqual({ names: 'abcd', version: 4, folded: 4 });
    expect(await load('s/2', names('names/1'))).toEqual({ names: 'abcd', version: 4, folded: 0 });
  });

  it.each([
    ['in another shape', `state = '{"a":1}'`],
    ['that are no JSON', `state = '['`],
    ['from beyond the end of the log', 'version = 9'],
    ['of another past', 'event_id = gen_random_uuid()'],
  ])('%s are not used: the log is the truth', async (what, change) => {
    const stream = `s/${what.replaceAll(' ', '-')}`;
    await withSnapshot(stream);
    await tamper(stream, change);
    expect(await load(stream)).toEqual({ names: 'abcd', version: 4, folded: 4 });
  });

  it('of another service are neither read nor written', async () => {
    await withSnapshot('s/3');
    const vault = createPool({ url: database.urlOf('key-vault'), name: 'spec/vault', max: 1 });
    const theirs = unitOfWork(vault, 'key-vault');
    const { rowCount } = await theirs.inTenant(tenant, (sql) => sql.query(`update log_snapshots set state = '[]'`));
    expect(rowCount).toBe(0);
    folded = 0;
    await eventLog(theirs).load(tenant, 's/3', names('names/1'));
    expect(folded).toBe(4);
    await vault.end();
  });
});
