import { eventLog } from '@weir/event-store';
import { fact, newId, type TenantId } from '@weir/kernel';
import type { Database } from '../event-store/tenants';

export const STREAMS = 8;
const TOGETHER = 100;

/** 240 bytes of data, about what an event of ours has. */
const DATA = { name: 'x'.repeat(229) };
export const sample = () => fact('tenant.renamed', DATA);

export const context = () => ({ actor: { type: 'service' as const, id: 'bench' }, commandId: newId('op'), at: Date.now(), action: 'bench' });

/** Logs of so many events each, over a few streams. */
export async function fill(database: Database, tenants: readonly TenantId[], events: number): Promise<void> {
  const log = eventLog(database.work);
  await Promise.all(
    tenants.map(async (tenant) => {
      for (let n = 0; n < events; n += TOGETHER) {
        const batch = Array.from({ length: Math.min(TOGETHER, events - n) }, sample);
        await log.append({ tenant, stream: `tenant/${(n / TOGETHER) % STREAMS}`, expected: 'any', events: batch, context: context() });
      }
    }),
  );
}
