import type { Pool, PoolClient } from 'pg';
import { AppError, notFound, type TenantId } from '@weir/kernel';
import { ARCHIVE, chained, damaged, readPart, type ArchiveHead, type ArchiveManifest, type ArchivePart } from './archive';
import type { Bundle } from './bundle';
import { TenantSchema, ensureHome, lockHome } from './home';
import { schemaOf } from './names';
import type { Sql } from './sql';
import { assertEqual, columnList, fingerprint, plainText, qualified, speakFor, carriedTables, travellingTables, withoutForcedSecurity, writeLines, type TenantTable } from './tenant-rows';
import { transaction } from './transaction';

/**
 * Takes an archive in, in requests as small as its parts: begin, the parts in order, complete. Nobody sees the tenant before it is complete
 * and equal to what was exported; what was cut off goes on with the next part. It goes to a schema of its own at home.
 */
export interface Importer {
  /** @returns the last part that is in already */
  begin(head: ArchiveHead): Promise<{ lastPart: number }>;
  /** @param bytes the part's line and its rows */
  add(tenant: TenantId, bytes: Buffer): Promise<{ lastPart: number }>;
  complete(tenant: TenantId, manifest: ArchiveManifest): Promise<void>;
  /** Takes away what has come so far. */
  abandon(tenant: TenantId): Promise<void>;
}

interface Progress {
  readonly lastPart: number;
  readonly sha256: string;
}

export function importer(pool: Pool, bundle: Bundle): Importer {
  const schema = new TenantSchema(bundle);

  return {
    async begin(head) {
      assertReadable(head, schema);
      const { tenant } = head;
      const home = schemaOf(tenant);
      return transaction(pool, async (client) => {
        await lockHome(client, home);
        const running = await progressOf(client, tenant);
        if (running !== undefined) return { lastPart: running.lastPart };
        const { rows } = await client.query('select 1 from weir.placements where tenant_id = $1', [tenant]);
        if (rows.length > 0) throw new AppError('tenant-exists', 'conflict', `The tenant ${tenant} is here already.`);
        await ensureHome(client, home, schema);
        await client.query(`insert into weir.placements (tenant_id, kind, state, schema_name) values ($1, 'schema', 'arriving', $2)`, [tenant, home]);
        await client.query('insert into weir.imports (tenant_id) values ($1)', [tenant]);
        return { lastPart: 0 };
      });
    },

    async add(tenant, bytes) {
      const { part, lines } = readPart(bytes);
      return transaction(pool, async (client) => {
        await lockHome(client, schemaOf(tenant));
        const progress = await progressOf(client, tenant);
        if (progress === undefined) throw notFound('import');
        // sent again because the answer was lost
        if (part.part <= progress.lastPart) return { lastPart: progress.lastPart };
        if (part.part !== progress.lastPart + 1) throw new AppError('part-missing', 'conflict', `Part ${progress.lastPart + 1} is next, and this is ${part.part}.`, { details: { lastPart: progress.lastPart } });
        const table = await tableOf(client, tenant, part);
        await plainText(client);
        await speakFor(client, tenant);
        await (part.schema === null ? withoutForcedSecurity(client, [table], () => writeLines(client, table, lines)) : addMissing(client, schemaOf(tenant), table, lines));
        await client.query('update weir.imports set last_part = $2, sha256 = $3 where tenant_id = $1', [tenant, part.part, chained(progress.sha256, part.sha256)]);
        return { lastPart: part.part };
      });
    },

    async complete(tenant, manifest) {
      const home = schemaOf(tenant);
      await transaction(pool, async (client) => {
        await lockHome(client, home);
        const progress = await progressOf(client, tenant);
        if (progress === undefined) throw notFound('import');
        if (progress.lastPart !== manifest.parts || progress.sha256 !== manifest.sha256) throw damaged(`its manifest speaks of ${manifest.parts} parts, and ${progress.lastPart} came, or others`);
        await plainText(client);
        await speakFor(client, tenant);
        const found = [];
        for (const table of await carriedTables(client, home)) found.push(await fingerprint(client, table, tenant));
        assertEqual(manifest.tables, found);
        const { rows } = await client.query(
          `select 1 from "${home}".log_heads where tenant_id = $1 and position = $2 and encode(chain_hash, 'hex') = $3
             and ($2 = 0 or exists (select 1 from "${home}".events e where e.tenant_id = $1 and e.position = $2 and encode(e.chain_hash, 'hex') = $3))`,
          [tenant, manifest.position, manifest.chainHash],
        );
        if (rows.length === 0) throw damaged('its log does not end as its manifest says');
        await client.query(`update "${home}".log_heads set frozen = false where tenant_id = $1`, [tenant]);
        await client.query('select weir.mark_news()');
        await client.query(`update weir.placements set state = 'open' where tenant_id = $1`, [tenant]);
        await client.query('delete from weir.imports where tenant_id = $1', [tenant]);
      });
    },

    async abandon(tenant) {
      await transaction(pool, async (client) => {
        const home = schemaOf(tenant);
        await lockHome(client, home);
        if ((await progressOf(client, tenant)) === undefined) throw notFound('import');
        await client.query(`drop schema "${home}" cascade`);
        for (const table of await travellingTables(client)) await client.query(`delete from ${qualified(table)} where tenant_id = $1`, [tenant]);
        for (const table of ['imports', 'placements']) await client.query(`delete from weir.${table} where tenant_id = $1`, [tenant]);
        await client.query('delete from weir.homes where schema_name = $1', [home]);
      });
    },
  };
}

function assertReadable(head: ArchiveHead, schema: TenantSchema): void {
  if (head.format !== ARCHIVE.format || head.version !== ARCHIVE.version) throw damaged(`it is ${head.format} ${head.version}, and this release reads ${ARCHIVE.format} ${ARCHIVE.version}`);
  const missing = schema.missing(head.applied);
  const unknown = head.applied.filter((id) => !schema.release.includes(id));
  if (missing.length + unknown.length > 0) {
    throw new AppError('release-differs', 'conflict', 'The archive is of another release: export and import with the same, and migrate before or after.', { details: { missing, unknown } });
  }
}

/** What a purge leaves behind, such as accounts with the upstream, is here already when the tenant comes back, and no older than the archive. */
async function addMissing(client: PoolClient, home: string, table: TenantTable, lines: Buffer): Promise<void> {
  // temporary tables are nobody's right here
  const incoming = { schema: home, name: 'incoming_rows', columns: table.columns };
  await client.query(`create table ${qualified(incoming)} (like ${qualified(table)} including defaults)`);
  await writeLines(client, incoming, lines);
  await client.query(`insert into ${qualified(table)} (${columnList(table)}) select ${columnList(table)} from ${qualified(incoming)} on conflict do nothing`);
  await client.query(`drop table ${qualified(incoming)}`);
}

async function progressOf(sql: Sql, tenant: TenantId): Promise<Progress | undefined> {
  const { rows } = await sql.query<Progress>('select last_part as "lastPart", sha256 from weir.imports where tenant_id = $1', [tenant]);
  return rows[0];
}

/** By what the database has and not by what the archive says: names from outside are compared, never used. */
async function tableOf(sql: Sql, tenant: TenantId, part: ArchivePart): Promise<TenantTable> {
  const tables = part.schema === null ? await carriedTables(sql, schemaOf(tenant)) : await travellingTables(sql);
  const found = tables.find(({ schema, name }) => name === part.table && (part.schema === null || schema === part.schema) && schema !== 'weir');
  if (found === undefined || found.columns.join() !== part.columns.join()) throw damaged(`there is no table ${part.table} with the columns of part ${part.part}`);
  return found;
}
