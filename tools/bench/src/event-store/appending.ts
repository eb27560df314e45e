import { eventLog, type EventLog } from '@weir/event-store';
import { fact, newId, type TenantId } from '@weir/kernel';
import type { Side } from '../bench';
import type { Database } from './tenants';
import { closedLoop } from './writers';

interface Appending {
  readonly writers: number;
  readonly tenants: number;
  readonly kind: 'schema' | 'pooled';
  readonly against: string;
  readonly data: object;
}

/** Streams over all tenants: each writer has its own, and goes from one to the next. */
const STREAMS = 2_000;

/** Appends at the exact version, role and search_path of the tenant included, as a service does it. */
export function appending(database: Database, { writers, tenants, kind, against, data }: Appending): Side {
  const log = eventLog(database.work);
  let ids: TenantId[] = [];
  let versions: number[] = [];
  return {
    name: `append, ${writers} writer${writers === 1 ? '' : 's'}, ${tenants === 1 ? 'one tenant' : `${tenants} tenants`}, ${kind}`,
    against,
    async before() {
      if (tenants === 1 || ids.length === 0) {
        ids = await database.newTenants(tenants, kind);
        versions = Array.from({ length: STREAMS }, () => 0);
      }
      await database.admin.query('checkpoint');
    },
    run: (seconds) =>
      closedLoop(writers, seconds, async (writer, turn) => {
        const own = Math.floor((STREAMS - 1 - writer) / writers) + 1;
        const stream = writer + writers * (turn % own);
        const { outcome } = await log.append({
          tenant: ids[stream % tenants] as TenantId,
          stream: `stream/${stream}`,
          expected: versions[stream] === 0 ? 'none' : (versions[stream] as number),
          events: [fact('tenant.renamed', data)],
          context: { actor: { type: 'service', id: 'bench' }, commandId: newId('op'), at: Date.now(), action: 'bench' },
        });
        if (outcome !== 'appended') throw new Error(`an append ended as ${outcome}`);
        versions[stream] = (versions[stream] as number) + 1;
      }),
    check: async () => {
      for (const tenant of ids.slice(0, 5)) await assertWhole(log, tenant);
    },
  };
}

async function assertWhole(log: EventLog, tenant: TenantId): Promise<void> {
  for (let after = 0; ;) {
    const events = await log.read(tenant, { after, limit: 5_000 });
    for (const { position } of events) if (position !== ++after) throw new Error(`the log of ${tenant} has a gap before ${position}`);
    if (events.length === 0) return;
  }
}
