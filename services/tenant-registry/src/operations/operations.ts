import { rfc3339, sleep, type CommandContext, type OperationId, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { EntitySql } from '@weir/entities';
import { operationNotFound } from '../errors';
import { OperationRow } from '../read-models';
import type { TenantService, TenantView } from '../tenant/tenant.service';

/** A step of work that outlives its request; whoever asks again sees how far it is. */
export interface OperationView {
  readonly id: string;
  readonly kind: OperationRow['kind'];
  readonly status: OperationRow['status'];
  readonly tenantId: string;
  readonly detail: string | null;
  readonly createdAt: string;
  readonly finishedAt: string | null;
  readonly tenant: TenantView | null;
}

export interface NewOperation {
  readonly id: OperationId;
  readonly tenantId: TenantId;
  readonly kind: OperationRow['kind'];
  /** All that carrying it out needs, after a crash too. */
  readonly command: unknown;
  readonly context: CommandContext;
}

/** Carries out what is on record; may be called again for the same one, from any point on. Answers what there is to say of it. */
export type Worker = (row: OperationRow) => Promise<string | null>;

/** Work that takes longer than a request: on record first, then carried out, taken up again by the next start after a crash. */
export class Operations {
  private readonly workers = new Map<OperationRow['kind'], Worker>();
  private running: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly work: UnitOfWork<EntitySql>,
    private readonly tenants: TenantService,
    private readonly onError: (error: Error) => void,
  ) {}

  handle(kind: OperationRow['kind'], worker: Worker): void {
    this.workers.set(kind, worker);
  }

  /** Once an id, whoever repeats the command; answers without waiting. */
  async begin(operation: NewOperation): Promise<OperationView> {
    await this.work.inControl((sql) => record(sql, operation));
    return this.carryOut(operation.id);
  }

  /** For an operation that is on record. */
  async carryOut(id: OperationId): Promise<OperationView> {
    void this.complete(id).catch(this.onError);
    return this.get(id);
  }

  /** Takes up what an earlier process left running. */
  async resume(): Promise<void> {
    const open = await this.work.inControl((sql) => sql.manager.findBy(OperationRow, { status: 'running' }));
    for (const { id } of open) await this.complete(id as OperationId).catch(this.onError);
  }

  async get(id: OperationId): Promise<OperationView> {
    const row = await this.row(id);
    const gone = row.kind === 'tenant.purge' || row.status !== 'succeeded';
    return toView(row, gone ? null : await this.tenants.get(row.tenantId as TenantId));
  }

  /** Waits until the operation has ended or `ms` have passed, whichever is first. */
  async wait(id: OperationId, ms: number): Promise<OperationView> {
    const deadline = Date.now() + ms;
    while (Date.now() < deadline) {
      if ((await this.row(id)).status !== 'running') break;
      await sleep(20);
    }
    return this.get(id);
  }

  /** Moves and purges one after the other: each takes several of the migrator's few sessions. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.running.then(work, work);
    this.running = result.catch(() => undefined);
    return result;
  }

  private async complete(id: OperationId): Promise<void> {
    const row = await this.row(id);
    const worker = this.workers.get(row.kind);
    if (row.status !== 'running' || worker === undefined) return;
    try {
      const detail = await worker(row);
      await this.work.inControl((sql) => finish(sql, id, 'succeeded', detail));
    } catch (error) {
      await this.work.inControl((sql) => finish(sql, id, 'failed', (error as Error).message));
      throw error;
    }
  }

  private async row(id: OperationId): Promise<OperationRow> {
    const row = await this.work.inControl((sql) => sql.manager.findOneBy(OperationRow, { id }));
    if (row === null) throw operationNotFound();
    return row;
  }
}

export async function record(sql: EntitySql, { id, tenantId, kind, command, context }: NewOperation): Promise<void> {
  await sql.query(
    `insert into operations (id, tenant_id, kind, status, command, created_at) values ($1, $2, $3, 'running', $4, $5) on conflict do nothing`,
    [id, tenantId, kind, JSON.stringify(command), context.at],
  );
}

const finish = (sql: EntitySql, id: OperationId, status: 'succeeded' | 'failed', detail: string | null) =>
  sql.manager.update(OperationRow, { id }, { status, detail, finishedAt: Date.now() });

const toView = (row: OperationRow, tenant: TenantView | null): OperationView => ({
  id: row.id,
  kind: row.kind,
  status: row.status,
  tenantId: row.tenantId,
  detail: row.detail,
  createdAt: rfc3339(row.createdAt),
  finishedAt: row.finishedAt === null ? null : rfc3339(row.finishedAt),
  tenant,
});
