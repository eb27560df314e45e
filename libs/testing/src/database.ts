import { randomBytes } from 'node:crypto';
import { postgresBus } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { collectBundle, createPool, loginOf, MIGRATOR, prepareDatabase, type ServiceName } from '@weir/tenancy';
import { Client } from 'pg';
import { servers } from './servers';

/** A database of a spec's own, prepared as a release prepares it. Logins belong to the cluster and have one password everywhere. */
export interface TestDatabase {
  readonly name: string;
  /** A superuser's: for looking behind what a service may see. */
  readonly adminUrl: string;
  readonly migratorUrl: string;
  urlOf(service: ServiceName): string;
  drop(): Promise<void>;
}

/** Logins belong to the cluster: every database of a test run has the same. */
export const LOGIN_PASSWORD = 'weir-test';

export async function freshDatabase(): Promise<TestDatabase> {
  const { postgresUrl } = servers();
  const name = `weir_test_${process.env['JEST_WORKER_ID'] ?? '0'}_${randomBytes(6).toString('hex')}`;
  await onServer(postgresUrl, `create database ${name}`);
  const adminUrl = urlOf(postgresUrl, name);
  await prepareDatabase(adminUrl, collectBundle(), LOGIN_PASSWORD);
  await ensureTopics(urlOf(postgresUrl, name, MIGRATOR));
  return {
    name,
    adminUrl,
    migratorUrl: urlOf(postgresUrl, name, MIGRATOR),
    urlOf: (service) => urlOf(postgresUrl, name, loginOf(service)),
    drop: () => onServer(postgresUrl, departed(name), `drop database ${name} with (force)`),
  };
}

/** Of the bus in this database, as weir-migrate makes them in Kafka. */
async function ensureTopics(url: string): Promise<void> {
  const pool = createPool({ url, name: 'spec/topics', max: 1 });
  await postgresBus({ pool, directUrl: url }).ensureTopics(TOPICS);
  await pool.end();
}

function urlOf(server: string, database: string, login?: string): string {
  const url = new URL(server);
  url.pathname = `/${database}`;
  if (login !== undefined) Object.assign(url, { username: login, password: LOGIN_PASSWORD });
  return url.href;
}

/** Waits for sessions that have said goodbye: one cut off on its way out is an error in whose pool it was. What stays longer is forced. */
const departed = (name: string): string => `do $$ begin
  for i in 1 .. 100 loop
    exit when not exists (select from pg_stat_activity where datname = '${name}');
    perform pg_sleep(0.01), pg_stat_clear_snapshot();
  end loop;
end $$`;

async function onServer(url: string, ...statements: string[]): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}
