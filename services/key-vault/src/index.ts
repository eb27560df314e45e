import { PLATFORM, newId, type CommandContext } from '@weir/kernel';
import { openCatalogs, openEnvelope, openShredKeys, type ServiceDefinition } from '@weir/service-host';
import { Counter, Gauge } from 'prom-client';
import { PLATFORM_KEY_SECRET, settings, type VaultConfig } from './config';
import { startKeyJobs } from './jobs/key-jobs';
import { KeyRotationService, startRotations } from './key-rotation/key-rotation.service';
import { KeyRotationsController } from './key-rotation/key-rotations.http';
import { ReportSigner } from './key-rotation/report-signer';
import { RotationStore } from './key-rotation/rotation-store';
import { TenantRotation } from './key-rotation/tenant-rotation';
import { DataKeys } from './sealing/data-keys';
import { SealedVersions } from './sealing/sealed-versions';
import { OwnKmsKeys } from './own-kms-key/own-kms-key';
import { OwnKmsKeyController } from './own-kms-key/own-kms-key.http';
import { CreditWatch } from './platform-pool/credit-watch';
import { DemandProjection } from './platform-pool/demand.projection';
import { PlatformPool } from './platform-pool/platform-pool';
import { poolMetrics } from './platform-pool/pool-metrics';
import { seedPlatformKeys } from './platform-pool/seeding';
import { Shredding } from './shredding/shredding';
import { ShreddingController } from './shredding/shredding.http';
import { ShreddingReactor } from './shredding/shredding.reactor';
import { Attempts } from './test-call/attempts';
import { Examiner } from './test-call/examiner';
import { KeyUpstreams } from './test-call/key-upstreams';
import { openUpstream } from './test-call/upstream';
import { KeyTransfers } from './transfer/key-transfers';
import { KeyTransfersController } from './transfer/key-transfers.http';
import { PlatformKeysController } from './upstream-key/platform-keys.http';
import { RefusalStorm } from './upstream-key/refusal-storm';
import { Signals } from './upstream-key/signals';
import { TenantKeysController } from './upstream-key/tenant-keys.http';
import { UpstreamKeyLog } from './upstream-key/upstream-key.log';
import { UpstreamKeyReactor } from './upstream-key/upstream-key.reactor';
import { UpstreamKeyService } from './upstream-key/upstream-key.service';

class KeyVaultModule {}

const namesIn = ({ platformKeySecrets, keyEncryption }: VaultConfig): string[] =>
  (platformKeySecrets ?? (keyEncryption === 'kms' ? PLATFORM_KEY_SECRET : '')).split(',').map((name) => name.trim()).filter((name) => name !== '');

function creditsIn(body: unknown, field: string): number | undefined {
  const value = field.split('.').reduce<unknown>((inside, member) => (inside as Record<string, unknown> | null | undefined)?.[member], body);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

const serviceContext = (job: string, at: number): CommandContext => ({
  actor: { type: 'service', id: 'key-vault' },
  commandId: newId('req', at),
  at,
  action: job,
  requestId: newId('req', at),
});

/** Upstream keys, the platform's and the tenants' own: sealed, tried, rotated, destroyed. */
export const definition: ServiceDefinition<VaultConfig> = {
  name: 'key-vault',
  title: 'upstream keys: sealing, validation, rotation, destruction',
  settings,
  create(runtime, config) {
    const { bus, clock, common, events, log, work } = runtime;
    const envelope = openEnvelope({ ...config, dataDir: common.dataDir });
    const shredKeys = openShredKeys({ ...config, dataDir: common.dataDir });
    const clients = openCatalogs(config, config.upstreamUrl).map(({ catalog, url }) => ({
      catalog,
      upstream: openUpstream({ url, header: catalog.auth.header, timeoutMs: config.testCallTimeoutMs }),
    }));
    runtime.onStop(async () => {
      await Promise.all(clients.map(({ upstream }) => upstream.close()));
      envelope.close();
      shredKeys?.close();
    });

    const unsettled = (error: Error) => log.warn({ err: error }, 'a test call was not settled; its hold stays');
    const upstreams = new KeyUpstreams(
      clients.map(({ catalog, upstream }) => {
        const { path, field } = catalog.balance;
        const ask = async (secret: Buffer) => creditsIn(await upstream.read(path, secret.toString('latin1')), field);
        const attempts = new Attempts(bus, upstream, catalog, clock, unsettled);
        return { catalog, ask, examiner: new Examiner(attempts, catalog, clock, { ask, floor: config.creditFloor }) };
      }),
    );
    const keyLog = new UpstreamKeyLog(events, work, config.recheckMs, config.checkEveryMs);
    const dataKeys = new DataKeys(work, envelope, config.dataKeyMaxSeals);
    const secrets = new SealedVersions(work, envelope, dataKeys);
    const keys = new UpstreamKeyService({
      log: keyLog,
      secrets,
      upstreams,
      tenants: runtime.access.tenants,
      drainMs: config.drainMs,
    });
    const storms = new Counter({
      name: 'weir_vault_refusal_storm_signals_total',
      help: 'Refusals that were not followed since those of many keys came at once',
      registers: [runtime.metrics],
    });
    const witness = () => keys.witness(PLATFORM, serviceContext('refusal-storm', clock())).catch(() => undefined);
    const storm = new RefusalStorm(work, { keys: config.stormKeys, windowMs: config.stormWindowMs }, witness, (refused) => {
      storms.inc();
      log.warn({ refused }, "the upstream refuses the keys of many: taken for its own trouble, no key's status changes");
    }, clock);
    const pool = new PlatformPool(keyLog, work, clock);
    const credits = new CreditWatch({
      log: keyLog,
      secrets,
      pool,
      work,
      clock,
      upstreams,
      alertBeforeMs: config.creditAlertDays * 86_400_000,
    });
    const tenantRotation = new TenantRotation(work, envelope, dataKeys, keyLog);
    const rotations = new KeyRotationService({
      store: new RotationStore(work, config.rotationTurnMs),
      tenants: tenantRotation,
      signer: new ReportSigner(work, envelope),
      envelope,
      events,
      retireAfterMs: config.retireAfterMs,
    });
    const kmsKeyId = config.keyEncryption === 'kms' ? config.kmsKeyId : undefined;
    const transfers = new KeyTransfers({ envelope, dataKeys, tenants: tenantRotation, events, kmsKeyId });
    const ownKmsKeys = new OwnKmsKeys({ work, envelope, events, rotations, kms: kmsKeyId !== undefined });
    poolMetrics(work, clock, runtime.metrics);
    new Gauge({
      name: 'weir_vault_data_keys',
      help: 'Data keys held in plaintext in memory',
      registers: [runtime.metrics],
      collect() {
        this.set(envelope.stats().entries);
      },
    });

    const jobs = common.roles.includes('jobs');
    return {
      module: {
        module: KeyVaultModule,
        controllers: [
          TenantKeysController,
          PlatformKeysController,
          KeyRotationsController,
          ShreddingController,
          OwnKmsKeyController,
          KeyTransfersController,
          ...(jobs ? [UpstreamKeyReactor, ShreddingReactor, DemandProjection] : []),
        ],
        providers: [
          { provide: UpstreamKeyService, useValue: keys },
          { provide: PlatformPool, useValue: pool },
          { provide: KeyRotationService, useValue: rotations },
          { provide: OwnKmsKeys, useValue: ownKmsKeys },
          { provide: KeyTransfers, useValue: transfers },
          { provide: Shredding, useValue: new Shredding(shredKeys, envelope, keyLog, events, work) },
          { provide: Signals, useValue: new Signals(keyLog, keys, work, config.confirmAfterMs, storm) },
        ],
      },
      start: async () => {
        if (!jobs) return;
        const { jobsEveryMs: everyMs, recheckMs } = config;
        const running = startKeyJobs({
          log: keyLog,
          keys,
          work,
          clock,
          storm,
          credits,
          seed: () => seedPlatformKeys(namesIn(config), keys, work, clock),
          balanceEveryMs: config.balanceEveryMs,
          context: () => serviceContext('credit-watch', clock()),
          everyMs,
          recheckMs,
          onError: (error) => log.warn({ err: error }, 'key jobs'),
        });
        runtime.onStop(() => running.stop());
        const rotating = startRotations({
          rotations,
          everyMs,
          context: () => serviceContext('key-rotation', clock()),
          onError: (error) => log.warn({ err: error }, 'key rotation'),
        });
        runtime.onStop(() => rotating.stop());
      },
    };
  },
};
