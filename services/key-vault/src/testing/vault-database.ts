import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createEnvelope, fileShredKeys, localKeyEncryption, shreddable, type Envelope, type ShredKeys } from '@weir/envelope';
import { newId, type TenantId } from '@weir/kernel';
import { collectBundle, createPool, provisioner, unitOfWork, type UnitOfWork } from '@weir/tenancy';
import { freshDatabase } from '@weir/testing';
import { Client } from 'pg';

/** A prepared database with the vault's login and a local key, for specs of parts that need no running vault. */
export interface VaultDatabase {
  readonly work: UnitOfWork;
  /** As a superuser, for looking behind. */
  readonly admin: Client;
  readonly shredKeys: ShredKeys;
  newEnvelope(): Envelope;
  newTenant(): Promise<TenantId>;
  close(): Promise<void>;
}

export async function vaultDatabase(): Promise<VaultDatabase> {
  const database = await freshDatabase();
  const dir = mkdtempSync(join(tmpdir(), 'weir-vault-'));
  const pools = [createPool({ url: database.urlOf('key-vault'), name: 'spec/vault', max: 8 }), createPool({ url: database.migratorUrl, name: 'spec/migrator', max: 2 })] as const;
  const admin = new Client({ connectionString: database.adminUrl });
  await admin.connect();
  const shredKeys = fileShredKeys({ directory: join(dir, 'shred-keys') });
  const envelopes: Envelope[] = [];
  return {
    work: unitOfWork(pools[0], 'key-vault'),
    admin,
    shredKeys,
    newEnvelope() {
      const keyEncryption = shreddable(localKeyEncryption({ keyFile: join(dir, 'key-encryption.key') }), shredKeys);
      const envelope = createEnvelope({ keyEncryption, dataKeys: { maxEntries: 100, maxAgeMs: 60_000, maxUses: 10_000 } });
      envelopes.push(envelope);
      return envelope;
    },
    async newTenant() {
      const id = newId('ten');
      await provisioner(pools[1], collectBundle()).provision(id, 'schema');
      return id;
    },
    async close() {
      for (const envelope of envelopes) envelope.close();
      await Promise.all([...pools.map((pool) => pool.end()), admin.end()]);
      await database.drop();
      rmSync(dir, { recursive: true });
    },
  };
}
