import type { IHeaders, KafkaMessage } from 'kafkajs';
import type { BusRecord } from '../port';

/** `topic` is ours, without the prefix. Values stay the bytes they are; headers are text by agreement. */
export const toBusRecord = (topic: string, partition: number, message: KafkaMessage): BusRecord => ({
  topic,
  partition,
  offset: message.offset,
  key: message.key?.toString('utf8') ?? '',
  value: message.value ?? null,
  headers: toText(message.headers ?? {}),
  timestamp: Number(message.timestamp),
});

function toText(headers: IHeaders): Record<string, string> {
  const text: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    const first = Array.isArray(value) ? value[0] : value;
    if (first !== undefined) text[name] = first.toString();
  }
  return text;
}
