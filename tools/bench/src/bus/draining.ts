import type { Bus } from '@weir/bus';
import { sleep, type TenantId } from '@weir/kernel';
import { relayLag, startRelay } from '@weir/relay';
import type { UnitOfWork } from '@weir/tenancy';
import type { Side } from '../bench';
import type { Database } from '../event-store/tenants';

/** The relay over logs that are all unpublished, again and again: read, published, marked. */
export function draining(database: Database, relaying: UnitOfWork, bus: Bus, tenants: readonly TenantId[], events: number, against: string): Side {
  const unpublish = () =>
    database.admin.query(
      `with again as (update weir.relay_checkpoints set position = 0, epoch = epoch + 1 where tenant_id = any($1::text[]) returning tenant_id)
       insert into weir.news (tenant_id, mark) select tenant_id, nextval('weir.news_mark') from again on conflict (tenant_id) do nothing`,
      [tenants],
    );
  const drained = async () => {
    while ((await relayLag([database.work.direct])).tenants > 0) await sleep(25);
  };
  let published = 0;
  const counted: Bus = {
    ...bus,
    publish: async (records) => {
      await bus.publish(records);
      published += records.length;
    },
  };
  const start = () => startRelay({ work: relaying, bus: counted, onError: (error) => void process.stderr.write(`${error.stack}\n`) });
  return {
    name: `relay, ${tenants.length} tenants behind`,
    against,
    // whatever else is in the news is not to be measured
    before: async () => {
      const relay = start();
      await drained();
      await relay.stop();
    },
    async run(seconds) {
      published = 0;
      const begun = performance.now();
      const relay = start();
      let rounds = 0;
      for (; performance.now() - begun < seconds * 1_000; rounds++) {
        await unpublish();
        await drained();
      }
      const took = (performance.now() - begun) / 1_000;
      await relay.stop();
      if (published < rounds * tenants.length * events) throw new Error(`${published} events were published, and not ${rounds} times ${tenants.length * events}`);
      return { operations: published, seconds: took };
    },
  };
}
