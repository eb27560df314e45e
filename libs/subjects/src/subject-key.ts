import { randomBytes } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

/** Within the tenant's transaction: the key of its pseudonyms, made when there is none. */
export async function subjectKey(sql: Sql, tenant: TenantId): Promise<Buffer> {
  const read = () => sql.query<{ key: Buffer }>('select key from subject_keys where tenant_id = $1', [tenant]);
  const [known] = (await read()).rows;
  if (known !== undefined) return known.key;
  // of two who make one at once the second waits for the first here, and reads it
  await sql.query('insert into subject_keys (tenant_id, key) values ($1, $2) on conflict do nothing', [tenant, randomBytes(32)]);
  const [made] = (await read()).rows;
  if (made === undefined) throw new Error('the subject key that was just made is not there');
  return made.key;
}
