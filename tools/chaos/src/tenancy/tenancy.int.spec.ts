import { LOGIN_PASSWORD, freshDatabase, type TestDatabase } from '@weir/testing';
import { seeded, type Outcome } from '../scenario';
import { EU, openGround, type Ground } from './ground';
import { interleave } from './interleaving';
import { migrateThroughKills } from './migrating';
import { moveUnderLoad } from './moving';

// What `npm run chaos -- tenancy` does at full numbers, at a scale of seconds.
let databases: TestDatabase[];
let ground: Ground;

beforeAll(async () => {
  databases = [await freshDatabase(), await freshDatabase()];
  const [home, eu] = databases as [TestDatabase, TestDatabase];
  ground = await openGround({ home: home.adminUrl, eu: eu.adminUrl, password: LOGIN_PASSWORD });
});
afterAll(async () => {
  await ground.close();
  for (const database of databases) await database.drop();
});

const holds = ({ invariants }: Pick<Outcome, 'invariants'>) => expect(invariants.filter((one) => !one.holds)).toEqual([]);

it('R10 moves a tenant pooled → schema → another database and back under load: no event lost, the old place refuses, chain heads equal', async () => {
  const outcome = await moveUnderLoad(ground, { moves: [{ kind: 'schema' }, EU, { kind: 'pooled' }], writers: 4, history: 1_200, kills: 0, random: seeded(1) });
  holds(outcome);
  expect(outcome.figures['moves']).toBe(3);
});

it('R10 a mover that is killed on the way leaves the tenant where it was or where it was to go, whole', async () => {
  const outcome = await moveUnderLoad(ground, { moves: [{ kind: 'schema' }, EU, { kind: 'schema' }], writers: 2, history: 10, kills: 1, random: seeded(2) });
  holds(outcome);
});

it('R3 1,000 interleaved transactions of 8 tenants on 5 connections, a fifth cancelled: no wrong row', async () => {
  holds(await interleave(ground, { transactions: 1_000, tenants: 8, random: seeded(3) }));
});

it('R9 a migrator killed half way through resumes, while tenants are served by old code and new; a hand-altered column is drift', async () => {
  holds(await migrateThroughKills(ground, { schemas: 12, kills: 1, random: seeded(4) }));
});
