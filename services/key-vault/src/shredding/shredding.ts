import { UPSTREAM_KEY_PURPOSE, type Envelope, type ShredKeys } from '@weir/envelope';
import type { EventLog } from '@weir/event-store';
import { AppError, PLATFORM, fact, rfc3339, type CommandContext, type Fact, type KeyId, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { noShredKeys } from '../errors';
import { remove } from '../upstream-key/upstream-key';
import type { UpstreamKeyLog } from '../upstream-key/upstream-key.log';

/** What stays of a tenant's keys. */
export interface ShreddingReceipt {
  readonly tenantId: TenantId;
  /** Keys that were removed, their sealed secrets deleted. */
  readonly keys: number;
  /** Data keys whose wrapped form was deleted here; every copy of it elsewhere lacks the shred key. */
  readonly dataKeys: number;
  readonly shredKey: { readonly kept: string; readonly destroyed: boolean };
  readonly at: string;
}

/**
 * The end of everything that was ever sealed for a tenant. The shred key goes first: from then on nothing opens, from whatever copy. Each step
 * may be done again; the receipt is written last and once.
 */
export class Shredding {
  constructor(
    private readonly shredKeys: ShredKeys | undefined,
    private readonly envelope: Envelope,
    private readonly keyLog: UpstreamKeyLog,
    private readonly events: EventLog,
    private readonly work: UnitOfWork,
  ) {}

  get possible(): boolean {
    return this.shredKeys !== undefined;
  }

  /** @throws AppError `no-shred-keys` where the settings have none */
  async shred(tenant: TenantId, context: CommandContext): Promise<ShreddingReceipt> {
    if (this.shredKeys === undefined) throw noShredKeys();
    const destroyed = await this.shredKeys.destroy(tenant);
    this.envelope.forgetDataKeys();
    const { keys, dataKeys } = await this.clear(tenant, context).catch(nothingLeft);
    const receipt: ShreddingReceipt = {
      tenantId: tenant,
      keys,
      dataKeys,
      shredKey: { kept: this.shredKeys.name, destroyed },
      at: rfc3339(context.at),
    };
    await this.keep(receipt, context);
    return receipt;
  }

  private async clear(tenant: TenantId, context: CommandContext): Promise<{ keys: number; dataKeys: number }> {
    const keyIds = await this.work.inTenant(tenant, async (sql) => {
      const { rows } = await sql.query<{ key_id: KeyId }>('select key_id from upstream_keys where tenant_id = $1', [tenant]);
      return rows.map(({ key_id }) => key_id);
    });
    for (const keyId of keyIds) {
      await this.keyLog.decide({ owner: tenant, keyId, decide: remove(), context: { ...context, commandId: `${context.commandId}/${keyId}` } });
    }
    const { rowCount } = await this.work.inTenant(tenant, (sql) =>
      sql.query(
        "update data_keys set wrapped = '', destroyed_at = now() where tenant_id = $1 and purpose = $2 and destroyed_at is null",
        [tenant, UPSTREAM_KEY_PURPOSE],
      ),
    );
    return { keys: keyIds.length, dataKeys: rowCount ?? 0 };
  }

  /** In the platform's log: the tenant's own may be gone. Once a command. */
  private async keep({ tenantId, keys, dataKeys, shredKey, at }: ShreddingReceipt, context: CommandContext): Promise<void> {
    await this.events.decide({
      tenant: PLATFORM,
      stream: `shredding/${tenantId}`,
      aggregate: { initial: 0, evolve: (seen: number, _: Fact) => seen + 1 },
      decide: () => [
        fact('upstream-keys.shredded', { tenantId, keys, dataKeys, keptIn: shredKey.kept, shredKeyDestroyed: shredKey.destroyed, at: Date.parse(at) }),
      ],
      context: { ...context, commandId: `${context.commandId}/shredded` },
    });
  }
}

/** Of a tenant that has been purged the shred key was all there was. */
function nothingLeft(error: unknown): { keys: number; dataKeys: number } {
  if (error instanceof AppError && error.category === 'not-found') return { keys: 0, dataKeys: 0 };
  throw error;
}
