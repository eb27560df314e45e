import type { Bus, BusRecord, FollowSpec, OutgoingRecord } from '@weir/bus';

/** A bus within the process: state records reach those who follow them, all others are taken and counted. */
export interface SinkBus extends Bus {
  readonly taken: number;
}

export function sinkBus(): SinkBus {
  const kept: BusRecord[] = [];
  const followers: FollowSpec[] = [];
  let taken = 0;

  function keep(record: OutgoingRecord): void {
    const whole: BusRecord = { ...record, partition: 0, offset: String(kept.length), timestamp: Date.now() };
    kept.push(whole);
    for (const { topics, apply } of followers) if (topics.includes(whole.topic)) apply(whole);
  }

  return {
    get taken() {
      return taken;
    },
    publish(records) {
      taken += records.length;
      for (const record of records) if (record.topic.endsWith('.state')) keep(record);
      return Promise.resolve();
    },
    follow(spec) {
      followers.push(spec);
      for (const record of kept) if (spec.topics.includes(record.topic)) spec.apply(record);
      return Promise.resolve({ caughtUp: () => Promise.resolve(), ageMs: () => 0, stop: () => Promise.resolve() });
    },
    consume: () => Promise.resolve({ stop: () => Promise.resolve(), pause: () => undefined, resume: () => undefined, lag: () => Promise.resolve([]) }),
    ensureTopics: () => Promise.resolve({ created: [], different: [] }),
    checkTopics: () => Promise.resolve([]),
    ping: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
