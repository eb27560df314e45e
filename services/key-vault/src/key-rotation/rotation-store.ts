import type { OperationId, TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import type { Found, Part, Rotation } from './rotation';

const LONGEST_WAIT_MS = 60_000;

export interface StoredRotation {
  readonly id: OperationId;
  readonly of: readonly Part[];
  /** null: all tenants */
  readonly tenantId: TenantId | null;
  readonly kekId: string | null;
  readonly startedAt: string;
  readonly finishedAt: string | null;
  readonly report: string | null;
  readonly signature: Buffer | null;
  readonly retiredAt: string | null;
  readonly tenants: number;
  readonly done: number;
  /** Of tenants whose turn failed and is to come again. */
  readonly troubles: readonly { readonly tenantId: TenantId; readonly tries: number; readonly error: string }[];
}

export interface Turn {
  readonly rotation: Rotation;
  readonly tenant: TenantId;
}

const rfc = (column: string): string => `to_char(${column} at time zone 'utc', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')`;

/** How far rotations are: in the vault's control schema of the home database. */
export class RotationStore {
  constructor(
    private readonly work: UnitOfWork,
    /** Longer than a tenant's turn takes; a process that died in one is followed by another after it. */
    private readonly turnMs: number,
  ) {}

  /** Once an id. */
  add(id: OperationId, of: readonly Part[], tenant: TenantId | null): Promise<unknown> {
    return this.work.inControl((sql) => sql.query('insert into key_rotations (id, of, tenant_id) values ($1, $2, $3) on conflict do nothing', [id, of, tenant]));
  }

  get(id: OperationId): Promise<StoredRotation | undefined> {
    return this.work.inControl(async (sql) => (await read(sql, 'r.id = $1', [id]))[0]);
  }

  /** Newest first. */
  list(limit: number): Promise<StoredRotation[]> {
    return this.work.inControl((sql) => read(sql, 'true', [], `limit ${limit}`));
  }

  /** Those with work left, oldest first. */
  open(): Promise<StoredRotation[]> {
    return this.work.inControl(async (sql) => (await read(sql, 'r.retired_at is null', [])).reverse());
  }

  /** Says under which key-encryption key everything is to be; the first word stays. */
  begin(id: OperationId, kekId: string): Promise<unknown> {
    return this.work.inControl((sql) => sql.query('update key_rotations set kek_id = $2 where id = $1 and kek_id is null', [id, kekId]));
  }

  /** Tenants that it does not know yet; again at the end, since some came meanwhile. @returns how many */
  async enlist(id: OperationId): Promise<number> {
    const { rowCount } = await this.work.inControl((sql) =>
      sql.query(
        `insert into key_rotation_tenants (rotation_id, tenant_id)
         select id, tenant_id from key_rotations where id = $1 and tenant_id is not null
         union all
         select r.id, p.tenant_id from key_rotations r, weir.placements p where r.id = $1 and r.tenant_id is null
         on conflict do nothing`,
        [id],
      ),
    );
    return rowCount ?? 0;
  }

  /** The next tenant of a rotation that has begun; of several processes one takes each. */
  async take(id: OperationId): Promise<TenantId | undefined> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ tenant_id: TenantId }>(
        `update key_rotation_tenants t set tries = t.tries + 1, due_at = now() + $2 * interval '1 ms'
         from (select tenant_id from key_rotation_tenants
               where rotation_id = $1 and done_at is null and due_at <= now() order by due_at limit 1 for update skip locked) due
         where t.rotation_id = $1 and t.tenant_id = due.tenant_id returning t.tenant_id`,
        [id, this.turnMs],
      ),
    );
    return rows[0]?.tenant_id;
  }

  async done({ rotation, tenant }: Turn, found: Found | null): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query(
        'update key_rotation_tenants set done_at = now(), found = $3, last_error = null where rotation_id = $1 and tenant_id = $2 and done_at is null',
        [rotation.id, tenant, found === null ? null : JSON.stringify(found)],
      ),
    );
  }

  /** Its turn comes again: after a second, then twice as long each time. */
  async failed({ rotation, tenant }: Turn, error: string): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query(
        `update key_rotation_tenants set last_error = $3, due_at = now() + least(500 * power(2, least(tries, 10)), $4) * interval '1 ms'
         where rotation_id = $1 and tenant_id = $2 and done_at is null`,
        [rotation.id, tenant, error, LONGEST_WAIT_MS],
      ),
    );
  }

  /** Who had something to rotate, in the order of their ids; undefined while a turn is outstanding. */
  async findings(id: OperationId): Promise<{ tenants: ({ tenantId: TenantId } & Found)[]; finishedAt: string } | undefined> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ tenant_id: TenantId; done: string | null; found: Found | null }>(
        `select tenant_id, ${rfc('done_at')} as done, found from key_rotation_tenants where rotation_id = $1 order by tenant_id collate "C"`,
        [id],
      ),
    );
    if (rows.length === 0 || rows.some(({ done }) => done === null)) return undefined;
    return {
      tenants: rows.flatMap(({ tenant_id: tenantId, found }) => (found === null ? [] : [{ tenantId, ...found }])),
      finishedAt: rows.map(({ done }) => done ?? '').sort().at(-1) ?? '',
    };
  }

  async finish(id: OperationId, finishedAt: string, report: string, signature: Buffer): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query('update key_rotations set finished_at = $2, report = $3, signature = $4 where id = $1 and finished_at is null', [
        id,
        finishedAt,
        report,
        signature,
      ]),
    );
  }

  async retired(id: OperationId): Promise<void> {
    await this.work.inControl((sql) => sql.query('update key_rotations set retired_at = now() where id = $1', [id]));
  }
}

async function read(sql: Sql, where: string, values: readonly unknown[], limit = ''): Promise<StoredRotation[]> {
  const { rows } = await sql.query<StoredRotation>(
    `select r.id, r.of, r.tenant_id as "tenantId", r.kek_id as "kekId", ${rfc('r.started_at')} as "startedAt", ${rfc('r.finished_at')} as "finishedAt",
            r.report, r.signature, ${rfc('r.retired_at')} as "retiredAt",
            (select count(*)::int from key_rotation_tenants t where t.rotation_id = r.id) as tenants,
            (select count(*)::int from key_rotation_tenants t where t.rotation_id = r.id and done_at is not null) as done,
            coalesce((select jsonb_agg(jsonb_build_object('tenantId', tenant_id, 'tries', tries, 'error', last_error) order by tenant_id)
                      from (select * from key_rotation_tenants t where t.rotation_id = r.id and last_error is not null limit 100) t), '[]') as troubles
     from key_rotations r where ${where} order by r.started_at desc, r.id desc ${limit}`,
    values as unknown[],
  );
  return rows;
}
