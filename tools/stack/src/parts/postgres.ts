import { join } from 'node:path';
import { startPostgres } from '../postgres';
import { given, type PartContext, type Running } from './part';

export interface PostgresAddress {
  /** A superuser, or a login that may create roles, databases and schemas. */
  readonly adminUrl: string;
}

// a test's database need not survive a power cut
const THROWN_AWAY = { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' };

export async function startPostgresPart({ environment, dataDir, durable }: PartContext): Promise<Running<PostgresAddress>> {
  const elsewhere = environment['WEIR_POSTGRES_ADMIN_URL'];
  if (elsewhere) return given({ adminUrl: elsewhere });
  return startPostgres({
    dataDir: join(dataDir, 'postgres'),
    // schemas by the hundred are looked at in one transaction when a release is applied
    settings: { max_connections: 300, max_locks_per_transaction: 512, ...(durable ? {} : THROWN_AWAY) },
  });
}
