import { fromRecord, type Bus } from '@weir/bus';
import { eventLog } from '@weir/event-store';
import { fact, newId, sleep, uuidFrom, type TenantId } from '@weir/kernel';
import { startRelay } from '@weir/relay';
import type { UnitOfWork } from '@weir/tenancy';
import type { Side } from '../bench';
import type { Database } from '../event-store/tenants';
import { context } from './logs';

/** How long the relay took to have read what was committed. */
export const RELAY_P95 = 'to relay p95 ms';
const ARRIVES_WITHIN_MS = 5_000;

export interface Latency {
  readonly database: Database;
  readonly relaying: UnitOfWork;
  readonly bus: Bus;
  readonly topic: string;
  readonly tenants: readonly TenantId[];
  readonly appendsASecond: number;
}

/** From the commit of an append, as its caller hears of it, to the relay that has read it, and to the consumer that is given it, with so many tenants, of which any may be next. */
export function latency({ database, relaying, bus, topic, tenants, appendsASecond }: Latency): Side {
  const log = eventLog(database.work);
  return {
    name: `commit → consumer, ${tenants.length} tenants, ${appendsASecond} appends/s`,
    async run(seconds) {
      const committed = new Map<string, number>();
      const read = new Map<string, number>();
      const published = new Map<string, number>();
      const arrived = new Map<string, number>();
      const consumption = await bus.consume({
        group: `weir.bench.${Math.random().toString(36).slice(2)}`,
        topics: [topic],
        handle: async (batch) => {
          const at = performance.now();
          for (const record of batch) arrived.set(fromRecord(record)?.id ?? '', at);
        },
      });
      while ((await consumption.lag()).some(({ lag }) => lag > 0)) await sleep(50);
      const told: Bus = {
        ...bus,
        publish: async (records) => {
          for (const { headers } of records) read.set(headers['ce_id'] ?? '', performance.now());
          await bus.publish(records);
          for (const { headers } of records) published.set(headers['ce_id'] ?? '', performance.now());
        },
      };
      const relay = startRelay({ work: relaying, bus: told, onError: (error) => void process.stderr.write(`${error.stack}\n`) });
      const begun = performance.now();
      const appends: Promise<void>[] = [];
      for (let n = 0; performance.now() - begun < seconds * 1_000; n++) {
        await sleep(begun + (n * 1_000) / appendsASecond - performance.now());
        appends.push(append(tenants[Math.floor(Math.random() * tenants.length)] as TenantId));
      }
      await Promise.all(appends);
      const took = (performance.now() - begun) / 1_000;
      for (const end = performance.now() + ARRIVES_WITHIN_MS; performance.now() < end && [...committed.keys()].some((id) => !arrived.has(id));) await sleep(10);
      await relay.stop();
      await consumption.stop();

      async function append(tenant: TenantId): Promise<void> {
        const by = context();
        await log.append({ tenant, stream: 'api-token/x', expected: 'any', events: [fact('api-token.revoked', { tokenId: newId('tok') })], context: by });
        committed.set(uuidFrom(`${tenant}/api-token/x/${by.commandId}/0`, by.at), performance.now());
      }
      const since = (then: ReadonlyMap<string, number>) => sorted([...committed].map(([id, at]) => (then.get(id) ?? Infinity) - at));
      const [toRelay, toBus, toConsumer] = [since(read), since(published), since(arrived)];
      if (toConsumer.at(-1) === Infinity) throw new Error('an event did not arrive');
      return {
        operations: committed.size,
        seconds: took,
        figures: { [RELAY_P95]: share(toRelay, 0.95), 'to relay p99 ms': share(toRelay, 0.99), 'to bus p95 ms': share(toBus, 0.95), 'p50 ms': share(toConsumer, 0.5), 'p95 ms': share(toConsumer, 0.95), 'p99 ms': share(toConsumer, 0.99) },
      };
    },
  };
}

const sorted = (values: number[]) => values.sort((a, b) => a - b);
const share = (values: readonly number[], of: number) => values[Math.floor(values.length * of)] ?? NaN;
