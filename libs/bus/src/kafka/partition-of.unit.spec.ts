import fc from 'fast-check';
import { Partitioners, type PartitionMetadata } from 'kafkajs';
import { partitionOf } from './partition-of';

describe('the partition of a key', () => {
  // murmur2 of these is in Kafka's own tests (UtilsTest.testMurmur2)
  it.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ])('is that of the Java client: %s', (key, murmur2) => {
    for (const partitions of [1, 3, 6, 12, 1_000]) expect(partitionOf(key, partitions)).toBe((murmur2 & 0x7fffffff) % partitions);
  });

  it('is that of kafkajs, whatever the key', () => {
    const theirs = Partitioners.DefaultPartitioner();
    const partitionMetadata = new Array<PartitionMetadata>(97);
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), (key) => {
        expect(partitionOf(key, 97)).toBe(theirs({ topic: '', partitionMetadata, message: { key, value: null } }));
      }),
      { numRuns: 1_000 },
    );
  });
});
