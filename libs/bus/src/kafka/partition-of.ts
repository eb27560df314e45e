import { Partitioners, type PartitionMetadata } from 'kafkajs';

const choose = Partitioners.DefaultPartitioner();

/** Where Kafka itself would put the key: murmur2 of its bytes, so that any other client finds it where we do. */
export const partitionOf = (key: string, partitions: number): number =>
  choose({ topic: '', partitionMetadata: new Array<PartitionMetadata>(partitions), message: { key, value: null } });
