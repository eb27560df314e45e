import type { Sample } from '../bench';

/** Batches after each other, so many at once, for so many seconds or until `once` answers that it did nothing; an operation is what it answers. */
export async function batches(seconds: number, atOnce: number, once: () => Promise<number>): Promise<Sample> {
  const begun = performance.now();
  const end = begun + seconds * 1_000;
  let operations = 0;
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (performance.now() < end) {
        const done = await once();
        if (done === 0) return;
        operations += done;
      }
    }),
  );
  return { operations, seconds: (performance.now() - begun) / 1_000 };
}
