import { Client } from 'pg';
import { PLATFORM } from '@weir/kernel';
import { bootstrap } from './bootstrap';
import type { Bundle } from './bundle';
import { MIGRATOR } from './names';
import { createPool } from './pool';
import { provisioner } from './provisioning';
import { identifier } from './sql';

/**
 * Brings a database to a release: logins, control schemas, the platform's own log, every tenant's schema. Idempotent.
 *
 * @param adminUrl see {@link bootstrap}
 * @returns what was applied now
 */
export async function prepareDatabase(
  adminUrl: string,
  bundle: Bundle,
  password: string | undefined,
  progress?: (done: number, of: number) => void,
): Promise<{ control: string[]; schemas: number }> {
  const control = await bootstrap(adminUrl, bundle, password);
  const pool = createPool({ url: adminUrl, name: 'weir/prepare', max: 2 }, { options: `-c role=${MIGRATOR}` });
  try {
    const { provision, migrateAll } = provisioner(pool, bundle);
    await provision(PLATFORM, 'schema');
    return { control, schemas: await migrateAll(progress) };
  } finally {
    await pool.end();
  }
}

/** Makes the database where it is missing; answers `serverUrl` with its name. */
export async function ensureDatabase(serverUrl: string, name: string): Promise<string> {
  const client = new Client({ connectionString: serverUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name]);
    if (rowCount === 0) await client.query(`create database ${identifier(name)}`);
  } finally {
    await client.end();
  }
  const url = new URL(serverUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}
