import { execFile } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '@weir/kernel';
import type { Pool } from 'pg';
import type { Sample, Side } from '../bench';

const run = promisify(execFile);

/** What PostgreSQL itself takes to keep an event: one INSERT, prepared, into a table with the two keys that any log has. */
const TABLE = `create table plain (
  position bigserial primary key, stream text collate "C" not null, version int not null, type text not null, data text not null,
  at timestamptz not null default now(), unique (stream, version));
create sequence plain_version`;

const SCRIPT = (data: string) => `\\set s random(1, 2000)
insert into plain (stream, version, type, data) values ('stream/' || :s, nextval('plain_version'), 'tenant.renamed', '${data}');
`;

/** pgbench's INSERT of the same data with so many clients. */
export async function pgbenchInsert(admin: Pool, url: string, directory: string, data: string): Promise<(clients: number) => Side> {
  const pgbench = findPgbench();
  await admin.query(TABLE);
  const script = join(directory, 'insert.sql');
  writeFileSync(script, SCRIPT(data));
  return (clients) => ({
    name: `pgbench INSERT, ${clients} client${clients === 1 ? '' : 's'}`,
    before: async () => {
      await admin.query('truncate plain');
      await admin.query('checkpoint');
    },
    run: async (seconds): Promise<Sample> => {
      const args = ['-n', '-M', 'prepared', '-j', '1', '-c', String(clients), '-T', String(Math.ceil(seconds)), '-f', script, url];
      const { stdout } = await run(pgbench, args, { env: { PATH: process.env['PATH'] } });
      const read = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1]);
      const operations = read(/transactions actually processed: (\d+)/);
      return {
        operations,
        seconds: operations / read(/^tps = ([\d.]+)/m),
        figures: { 'mean ms': read(/latency average = ([\d.]+)/) },
      };
    },
  });
}

export function findPgbench(): string {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [...(process.env['PATH'] ?? '').split(':'), ...versions.map((version) => join(debian, version, 'bin'))];
  const found = candidates.map((dir) => join(dir, 'pgbench')).find(existsSync);
  if (found === undefined) throw new AppError('pgbench-missing', 'invalid', 'this bench compares with pgbench, which is not on the PATH: apt-get install postgresql');
  return found;
}
