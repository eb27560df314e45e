import { UPSTREAM_KEY_PURPOSE, type Envelope } from '@weir/envelope';
import type { EventLog } from '@weir/event-store';
import { AppError, fact, type CommandContext, type Fact, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { kmsKeyRefused, noKms } from '../errors';
import type { KeyRotationService, KeyRotationView } from '../key-rotation/key-rotation.service';
import { PARTS } from '../key-rotation/rotation';
import { ownKmsKey, setOwnKmsKey } from './own-kms-key.table';

export interface OwnKmsKeyPorts {
  readonly work: UnitOfWork;
  readonly envelope: Envelope;
  readonly events: EventLog;
  readonly rotations: KeyRotationService;
  /** Where the key-encryption key stands in a file there is no KMS to name a key of. */
  readonly kms: boolean;
}

export interface OwnKmsKeyView {
  readonly tenantId: TenantId;
  /** ARN; null: the platform's. */
  readonly kmsKeyId: string | null;
  /** That moves everything sealed for the tenant under it. */
  readonly rotation: KeyRotationView | null;
}

/** No data key has this version. */
const TRIAL = 0;

type KmsKeySet = Fact<'upstream-keys.kms-key-set', { tenantId: TenantId; kmsKeyId: string | null }>;

/** Tenants whose data keys are under a KMS key of their own: who takes that away stops their keys, and nobody else's. */
export class OwnKmsKeys {
  constructor(private readonly ports: OwnKmsKeyPorts) {}

  async get(tenant: TenantId): Promise<OwnKmsKeyView> {
    const kmsKeyId = await this.ports.work.inTenant(tenant, (sql) => ownKmsKey(sql, tenant));
    return { tenantId: tenant, kmsKeyId: kmsKeyId ?? null, rotation: null };
  }

  /**
   * Tried first; then new data keys go under it, and a rotation of this tenant seals everything anew under one of them.
   *
   * @param kmsKeyId null: back under the platform's
   * @throws AppError `no-kms`, `kms-key-refused`; `key-encryption-unavailable`
   */
  async set(tenant: TenantId, kmsKeyId: string | null, context: CommandContext): Promise<OwnKmsKeyView> {
    const { events, kms, rotations } = this.ports;
    if (!kms) throw noKms();
    if (kmsKeyId !== null) await this.tryOut(tenant, kmsKeyId);
    await events.decide<string | null, KmsKeySet>({
      tenant,
      stream: `kms-key/${tenant}`,
      aggregate: { initial: null, evolve: (_, { data }) => data.kmsKeyId },
      decide: (now) => (now === kmsKeyId ? [] : [fact('upstream-keys.kms-key-set', { tenantId: tenant, kmsKeyId })]),
      context,
      also: (sql) => setOwnKmsKey(sql, tenant, kmsKeyId),
    });
    return { tenantId: tenant, kmsKeyId, rotation: await rotations.request(PARTS, context, tenant) };
  }

  /** Whether the vault may make a data key under it and open it again. */
  private async tryOut(tenant: TenantId, kmsKeyId: string): Promise<void> {
    const { envelope } = this.ports;
    try {
      const made = await envelope.createDataKey(tenant, UPSTREAM_KEY_PURPOSE, TRIAL, kmsKeyId);
      await envelope.fingerprint('trial', made);
    } catch (error) {
      if (error instanceof AppError && error.code === 'key-encryption-refused') throw kmsKeyRefused(error);
      throw error;
    }
  }
}
