/** Each in turn, whatever comes of those before it: what is on its way to the bus must get there although a cache did not say good-bye. */
export async function stopEach(stops: readonly (() => Promise<unknown> | void)[]): Promise<void> {
  const failures: unknown[] = [];
  for (const stop of stops) {
    try {
      await stop();
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
}
