import { Kafka, logLevel, type LogEntry, type RetryOptions } from 'kafkajs';

/** Bridges a broker's restart (some 5 s), then gives up and says so. */
export const RETRY: RetryOptions = { initialRetryTime: 100, maxRetryTime: 1_000, retries: 12 };

export function createClient(brokers: readonly string[], clientId: string, onError: (error: Error) => void): Kafka {
  return new Kafka({
    brokers: [...brokers],
    clientId,
    connectionTimeout: 3_000,
    requestTimeout: 15_000,
    retry: RETRY,
    logLevel: logLevel.ERROR,
    logCreator: () => (entry) => {
      if (!isOrdinary(entry)) onError(new Error(`kafkajs ${entry.namespace}: ${entry.log.message}${causeOf(entry)}`));
    },
  });
}

// a rebalance is no error, though kafkajs logs each heartbeat and commit that it refuses as one
const isOrdinary = ({ log }: LogEntry) => /rebalanc/i.test(`${log.message} ${String(log['error'] ?? '')}`);
const causeOf = ({ log }: LogEntry) => (log['error'] === undefined ? '' : `: ${String(log['error'])}`);
