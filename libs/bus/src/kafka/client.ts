import { Kafka, logLevel, type LogEntry, type RetryOptions } from 'kafkajs';

/** Some 10 s: bridges a broker's restart, then gives up and says so. kafkajs cannot be stopped while it tries. */
export const RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 12 };
const SAME_LINE_EVERY_MS = 10_000;
const MOST_LINES = 200;

export function createClient(brokers: readonly string[], clientId: string, onError: (error: Error) => void): Kafka {
  const isNews = onceInAWhile();
  return new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: RETRY,
    logLevel: logLevel.ERROR,
    logCreator: () => (entry) => {
      const line = `kafkajs ${entry.namespace}: ${entry.log.message}${causeOf(entry)}`;
      if (!isOrdinary(entry) && isNews(line)) onError(new Error(line));
    },
  });
}

// a rebalance is no error, though kafkajs logs each heartbeat and commit that it refuses as one
const isOrdinary = ({ log }: LogEntry) => /rebalanc/i.test(`${log.message} ${String(log['error'] ?? '')}`);
const causeOf = ({ log }: LogEntry) => (log['error'] === undefined ? '' : `: ${String(log['error'])}`);

/** While a broker is away every connection says so several times a second. */
function onceInAWhile(): (line: string) => boolean {
  const saidAt = new Map<string, number>();
  return (line) => {
    const now = performance.now();
    if (now - (saidAt.get(line) ?? -Infinity) < SAME_LINE_EVERY_MS) return false;
    if (saidAt.size >= MOST_LINES) saidAt.clear();
    saidAt.set(line, now);
    return true;
  };
}
