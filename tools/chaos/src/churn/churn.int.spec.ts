import { kafkaBus, postgresBus } from '@weir/bus';
import { freshDatabase, freshPrefix, servers, type TestDatabase } from '@weir/testing';
import { Pool } from 'pg';
import { seeded } from '../scenario';
import { churned, type Churning } from './churn';

let database: TestDatabase;
let [admin, own]: Pool[] = [];

beforeEach(async () => {
  database = await freshDatabase();
  [admin, own] = [new Pool({ connectionString: database.adminUrl, max: 8 }), new Pool({ connectionString: database.urlOf('metering'), max: 10 })];
}, 60_000);
afterEach(async () => {
  await Promise.all([admin?.end(), own?.end()]);
  await database.drop();
});

const buses: readonly (readonly [name: string, opener: () => Churning['open']])[] = [
  ['Kafka', () => ((prefix) => () => kafkaBus({ brokers: servers().kafkaBrokers.split(','), clientId: 'chaos', prefix }))(freshPrefix())],
  ['Postgres', () => () => postgresBus({ pool: own as Pool, directUrl: database.urlOf('metering') })],
];

it.each(buses)('E9 on %s no record is skipped, none takes effect twice and each key keeps its order, while members come and go amid their batches', async (name, opener) => {
  const { invariants, figures } = await churned({ name, open: opener(), effects: admin as Pool, forMs: 3_000, everyMs: 300, atLeast: 500, random: seeded(9), progress: () => undefined });
  expect(invariants.filter(({ holds }) => !holds)).toEqual([]);
  expect(figures[`${name}: records`]).toBeGreaterThanOrEqual(500);
}, 120_000);
