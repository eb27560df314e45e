import type { Bus } from '@weir/bus';
import { Counter, type Registry } from 'prom-client';

/** The same bus, counting what goes out and comes in by topic. */
export function countedBus(bus: Bus, registry: Registry): Bus {
  const registers = [registry];
  const labelNames = ['topic'] as const;
  // added up between two looks: a counter with labels sorts and joins them at each step
  const sent = new Map<string, number>();
  new Counter({
    name: 'weir_bus_published_records_total',
    help: 'Records that the bus has acknowledged',
    labelNames,
    registers,
    collect() {
      for (const [topic, count] of sent) this.inc({ topic }, count);
      sent.clear();
    },
  });
  const consumed = new Counter({ name: 'weir_bus_consumed_records_total', help: 'Records handled by consumers of this process', labelNames, registers });
  const followed = new Counter({ name: 'weir_bus_followed_records_total', help: 'Records of state topics read into tables', labelNames, registers });

  return {
    publish: async (records) => {
      await bus.publish(records);
      for (const { topic } of records) sent.set(topic, (sent.get(topic) ?? 0) + 1);
    },
    consume: (spec) =>
      bus.consume({
        ...spec,
        handle: async (batch) => {
          await spec.handle(batch);
          for (const { topic } of batch) consumed.inc({ topic });
        },
      }),
    follow: (spec) =>
      bus.follow({
        ...spec,
        apply: (record) => {
          followed.inc({ topic: record.topic });
          spec.apply(record);
        },
      }),
    ensureTopics: (topics) => bus.ensureTopics(topics),
    checkTopics: (topics) => bus.checkTopics(topics),
    ping: () => bus.ping(),
    close: () => bus.close(),
  };
}
