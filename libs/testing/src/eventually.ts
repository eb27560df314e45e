import { sleep } from '@weir/kernel';

/**
 * Tries an assertion until it holds; what it threw last is thrown when `withinMs` have passed. For what happens by itself and
 * soon, such as a record that is on its way: it waits for no fixed time.
 */
export async function eventually<T>(assertion: () => T | Promise<T>, withinMs = 10_000): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    try {
      return await assertion();
    } catch (error) {
      if (Date.now() >= deadline) throw error;
    }
    await sleep(20);
  }
}
