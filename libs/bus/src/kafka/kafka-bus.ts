import type { Bus, ParkingLot } from '../port';

export interface KafkaBusOptions {
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Without one a bad message is tried for ever and its partition waits. */
  readonly parking?: ParkingLot;
  readonly onError?: (error: Error) => void;
  /** Put before topic and group names and taken off what is handed out: several installations, or tests, on one cluster. */
  readonly prefix?: string;
}

export function kafkaBus(_options: KafkaBusOptions): Bus {
  throw new Error('being written');
}
