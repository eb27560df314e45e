import { integer, type Settings } from '@weir/service-host';

export interface SnapshotConfig {
  readonly snapshotDays: number;
  readonly snapshotQueueBytes: number;
}

export const snapshotSettings: Settings<SnapshotConfig> = {
  snapshotDays: integer('WEIR_SNAPSHOT_DAYS', 'Days that snapshots of profiles and posts are kept', 400, { min: 1 }),
  snapshotQueueBytes: integer('WEIR_SNAPSHOT_QUEUE_BYTES', 'Answers that wait to be stored as snapshots, in bytes at most; past them one is left out', 33_554_432, { min: 1_048_576 }),
};
