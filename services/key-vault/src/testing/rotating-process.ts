import { dirname, join } from 'node:path';
import { createEnvelope, fileShredKeys, localKeyEncryption, shreddable } from '@weir/envelope';
import { eventLog } from '@weir/event-store';
import { newId } from '@weir/kernel';
import { createPool, unitOfWork, type Sql, type UnitOfWork } from '@weir/tenancy';
import { KeyRotationService } from '../key-rotation/key-rotation.service';
import { ReportSigner } from '../key-rotation/report-signer';
import { RotationStore } from '../key-rotation/rotation-store';
import { TenantRotation } from '../key-rotation/tenant-rotation';
import { DataKeys } from '../sealing/data-keys';
import { UpstreamKeyLog } from '../upstream-key/upstream-key.log';

/** Carries rotations on in a process of its own, and dies by SIGKILL with the n-th statement that it was about to make: url, key file, n. */
async function main([url = '', keyFile = '', statements = '']: string[]): Promise<void> {
  const work = dyingAfter(Number(statements), unitOfWork(createPool({ url, name: 'spec/rotating', max: 8 }), 'key-vault'));
  const envelope = createEnvelope({
    keyEncryption: shreddable(localKeyEncryption({ keyFile }), fileShredKeys({ directory: join(dirname(keyFile), 'shred-keys') })),
    dataKeys: { maxEntries: 100, maxAgeMs: 60_000, maxUses: 10_000 },
  });
  const events = eventLog(work);
  const rotations = new KeyRotationService({
    // the dead process's turns are taken over at once
    store: new RotationStore(work, 100),
    tenants: new TenantRotation(work, envelope, new DataKeys(work, envelope, 1_000), new UpstreamKeyLog(events, work, 60_000, 86_400_000)),
    signer: new ReportSigner(work, envelope),
    envelope,
    events,
    retireAfterMs: 0,
  });
  const context = () => ({ actor: { type: 'service' as const, id: 'key-vault' }, commandId: newId('req'), at: Date.now(), action: 'spec' });
  for (;;) await rotations.carryOn(context, new AbortController().signal);
}

/** Every kind of statement but those that only begin and end transactions. */
function dyingAfter(statements: number, work: UnitOfWork): UnitOfWork {
  let left = statements;
  const counted = (sql: Sql): Sql =>
    new Proxy(sql, {
      get: (target, name) => {
        const member: unknown = Reflect.get(target, name);
        if (name !== 'query') return member;
        return (...query: Parameters<Sql['query']>) => {
          if (left-- <= 0) process.kill(process.pid, 'SIGKILL');
          return target.query(...query);
        };
      },
    });
  return {
    ...work,
    inTenant: (tenant, run) => work.inTenant(tenant, (sql) => run(counted(sql))),
    inControl: (run) => work.inControl((sql) => run(counted(sql))),
    leaveTenant: (sql) => work.leaveTenant(sql),
  };
}

void main(process.argv.slice(2));
