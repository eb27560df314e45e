import type { Pool, PoolClient } from 'pg';

/** The client gave up waiting (`answerWithinMs`): what the server says after that would be taken for the answer to something else. */
export const isUnanswered = (error: unknown): error is Error => error instanceof Error && error.message === 'Query read timeout';

/** One transaction; a session that was lost in it does not go back to the pool. */
export async function transaction<T>(pool: Pool, work: (client: PoolClient) => Promise<T>): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // a session that the server ends between two statements tells the client alone; unheard, that would end the process
  const onLost = (error: Error) => (broken = error);
  client.on('error', onLost);
  try {
    await client.query('begin');
    const result = await work(client);
    await client.query('commit');
    return result;
  } catch (error) {
    // a session that did not answer would not answer this either
    if (isUnanswered(error)) broken = error;
    else await client.query('rollback').catch(onLost);
    throw error;
  } finally {
    client.off('error', onLost);
    client.release(broken);
  }
}
