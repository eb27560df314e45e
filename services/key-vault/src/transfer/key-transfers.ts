import { createHash } from 'node:crypto';
import { createEnvelope, handedKeyEncryption, upstreamKeyContext, type Envelope, type Recipient, type WrappedDataKey } from '@weir/envelope';
import type { EventLog } from '@weir/event-store';
import { AppError, canonicalJson, fact, idFrom, rfc3339, type CommandContext, type Fact, type TenantId } from '@weir/kernel';
import { badTransferKey, noKms, otherTenantsKeys } from '../errors';
import type { OpenBlob, TenantRotation } from '../key-rotation/tenant-rotation';
import type { DataKeys } from '../sealing/data-keys';
import { handedKeys, transferKeyBytes, type KeyPackage } from './key-package';

export interface KeyTransferPorts {
  readonly envelope: Envelope;
  readonly dataKeys: DataKeys;
  readonly tenants: TenantRotation;
  readonly events: EventLog;
  /** Id of the KMS key that this installation seals under; undefined: it holds its own in a file. */
  readonly kmsKeyId: string | undefined;
}

export interface TakenOver {
  readonly tenantId: TenantId;
  /** Sealed anew under a data key of this installation. */
  readonly secrets: number;
  /** Those that no data key of the package opens: they are handed in anew. */
  readonly unreadable: number;
  readonly at: string;
}

/**
 * A tenant's upstream keys between installations. What an archive has of them is sealed under data keys that open here alone; handing over wraps
 * those for the other side, and taking over seals everything anew, so that afterwards neither side has a key of the other's.
 */
export class KeyTransfers {
  constructor(private readonly ports: KeyTransferPorts) {}

  /** @throws AppError `no-kms`, `key-shredded`; `key-encryption-refused` when the KMS key's policy does not let the vault wrap under it */
  async handOver(tenant: TenantId, to: { kmsKeyId: string } | { transferKey: string }, context: CommandContext): Promise<KeyPackage> {
    const { dataKeys, envelope, kmsKeyId } = this.ports;
    if ('kmsKeyId' in to && kmsKeyId === undefined) throw noKms();
    const recipient: Recipient = 'kmsKeyId' in to ? to : { transferKey: transferKeyBytes(to.transferKey) };
    try {
      const handed: WrappedDataKey[] = [];
      for (const dataKey of await dataKeys.live(tenant)) handed.push(await envelope.handOver(dataKey, recipient));
      // of a tenant without a data key there is nothing to open
      const named = handed[0]?.kekId ?? 'nobody';
      await this.say(tenant, fact('upstream-keys.handed-over', { tenantId: tenant, dataKeys: handed.length, recipient: named, at: context.at }), context);
      return {
        format: 'weir-key-package/1',
        tenantId: tenant,
        recipient: named,
        dataKeys: handed.map(({ version, wrapped }) => ({ version, wrapped: wrapped.toString('base64') })),
      };
    } finally {
      if ('transferKey' in recipient) recipient.transferKey.fill(0);
    }
  }

  /** Again for the same package changes nothing more. @throws AppError `other-tenants-keys`, `bad-transfer-key`, `key-encryption-refused` */
  async takeOver(tenant: TenantId, keys: KeyPackage, transferKey: string | undefined, context: CommandContext): Promise<TakenOver> {
    if (keys.tenantId !== tenant) throw otherTenantsKeys();
    if (keys.dataKeys.length === 0) return { tenantId: tenant, secrets: 0, unreadable: 0, at: rfc3339(context.at) };
    const handed = handedKeys(keys);
    const theirs = this.envelopeOf(keys, transferKey);
    const ours = this.ports.tenants.ours(tenant);
    const open: OpenBlob = (blob) => {
      const dataKey = handed.get(blob.dataKey.version);
      // sealed here since
      if (dataKey === undefined) return ours(blob);
      return theirs.open(blob.sealed, { ...upstreamKeyContext({ owner: tenant, keyId: blob.keyId, version: blob.version }), dataKey }).catch(unlessDamaged);
    };
    try {
      // the same package leads to the same data key, however often it comes
      const id = idFrom('op', `key-package/${createHash('sha256').update(canonicalJson(keys)).digest('hex')}`, 0);
      const { secrets, unreadable } = await this.ports.tenants.renewDataKey(id, tenant, open);
      await this.say(tenant, fact('upstream-keys.taken-over', { tenantId: tenant, secrets, unreadable, recipient: keys.recipient, at: context.at }), context);
      return { tenantId: tenant, secrets, unreadable, at: rfc3339(context.at) };
    } finally {
      theirs.close();
    }
  }

  private envelopeOf({ recipient }: KeyPackage, transferKey: string | undefined): Envelope {
    const forKms = recipient.startsWith('arn:');
    if (!forKms && transferKey === undefined) throw badTransferKey();
    return createEnvelope({
      keyEncryption: handedKeyEncryption(forKms ? { kms: { keyId: recipient } } : { transferKey: transferKeyBytes(transferKey ?? '') }),
      dataKeys: { maxEntries: 100, maxAgeMs: 60_000, maxUses: 100_000 },
    });
  }

  /** In the tenant's own log. */
  private async say(tenant: TenantId, event: Fact, context: CommandContext): Promise<void> {
    await this.ports.events.decide({
      tenant,
      stream: `key-transfer/${tenant}`,
      aggregate: { initial: 0, evolve: (seen: number, _: Fact) => seen + 1 },
      decide: () => [event],
      context,
    });
  }
}

function unlessDamaged(error: unknown): undefined {
  if (error instanceof AppError && error.code === 'unreadable-secret') return undefined;
  throw error;
}
