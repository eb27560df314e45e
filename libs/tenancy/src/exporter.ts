import type { Pool } from 'pg';
import { rfc3339, type TenantId } from '@weir/kernel';
import { ARCHIVE, chained, partOf, type ArchiveHead, type ArchiveManifest } from './archive';
import { Whereabouts, databasesOf, type Databases } from './clusters';
import { currentPlace } from './place';
import { copiedLines, fingerprint, plainText, speakFor, carriedTables, travellingTables, type Fingerprint } from './tenant-rows';

const PART_BYTES = 256 * 1024;

/**
 * A tenant as an archive, from one snapshot of its database, part by part: the memory that it takes does not grow with the tenant. A
 * reader that stops early ends the transaction.
 */
export async function* exportTenant(pools: Pool | Databases, tenant: TenantId, about: ArchiveHead['about'], now: number): AsyncGenerator<Buffer> {
  const { home, clusters } = databasesOf(pools);
  const place = await currentPlace(home, tenant);
  const client = await new Whereabouts(home, clusters).of(place.at).connect();
  let finished = false;
  // a session that ends between two statements is heard at the next one; a reader may take its time there
  const onLost = () => undefined;
  client.on('error', onLost);
  try {
    await client.query('begin isolation level repeatable read read only');
    await plainText(client);
    await speakFor(client, tenant);
    const { rows } = await client.query<{ applied: string[] }>('select applied from weir.homes where schema_name = $1', [place.home]);
    const head: ArchiveHead = { ...ARCHIVE, tenant, exportedAt: rfc3339(now), applied: rows[0]?.applied ?? [], about };
    yield line(head);

    let part = 0;
    let sum = '';
    const tables = await carriedTables(client, place.home);
    // the relay's own of the tenant say how far a bus has heard: another bus has heard nothing
    const beside = (await travellingTables(client)).filter(({ schema }) => schema !== 'weir');
    for (const table of [...tables, ...beside]) {
      for await (const lines of copiedLines(client, table, tenant, PART_BYTES)) {
        const described = partOf(++part, table.schema === place.home ? null : table.schema, table, lines);
        sum = chained(sum, described.sha256);
        yield Buffer.concat([line(described), lines]);
      }
    }
    const fingerprints: Fingerprint[] = [];
    for (const table of tables) fingerprints.push(await fingerprint(client, table, tenant));
    const end = await client.query<{ position: string; hash: string }>(`select position, encode(chain_hash, 'hex') as hash from "${place.home}".log_heads where tenant_id = $1`, [tenant]);
    await client.query('commit');
    finished = true;
    const manifest: ArchiveManifest = { parts: part, position: Number(end.rows[0]?.position ?? 0), chainHash: end.rows[0]?.hash ?? '', tables: fingerprints, sha256: sum };
    yield line({ manifest });
  } finally {
    // in the middle of a COPY a session is good for nothing else
    client.off('error', onLost);
    client.release(!finished);
  }
}

const line = (value: object): Buffer => Buffer.from(`${JSON.stringify(value)}\n`);
