import type { Pool, PoolClient } from 'pg';
import { isUnanswered } from './transaction';

/** A session, for as long as something is under way on it. */
interface Line {
  readonly session: Promise<PoolClient>;
  underWay: number;
  broken?: Error;
  /** Unheard, a session that the server ends would end the process. */
  readonly onLost: (error: Error) => void;
}

const lines = new WeakMap<Pool, Map<string, Line>>();

/**
 * Work that would wait for its like in the database anyway, down one session: while one is under way, the next goes after it on the same
 * one, where the server finds it as soon as it has answered the first. On a session of its own it would wait for a lock, and when it got
 * that, take the processor from the answer to the first.
 *
 * @param name of those that go one after the other
 */
export async function inLine<T>(pool: Pool, name: string, work: (session: PoolClient) => Promise<T>): Promise<T> {
  const all = lines.get(pool) ?? new Map<string, Line>();
  lines.set(pool, all);
  const line = all.get(name) ?? open(pool, name, all);
  line.underWay++;
  try {
    return await work(await line.session);
  } catch (error) {
    if (isUnanswered(error)) leave(line, name, all, error);
    throw error;
  } finally {
    if (--line.underWay === 0) {
      leave(line, name, all, line.broken);
      void line.session.then((session) => pipelined(session, false).off('error', line.onLost).release(line.broken), () => undefined);
    }
  }
}

function open(pool: Pool, name: string, all: Map<string, Line>): Line {
  const session = pool.connect().then((client) => pipelined(client, true));
  const line: Line = { session, underWay: 0, onLost: (error) => leave(line, name, all, error) };
  all.set(name, line);
  line.session.then((session) => session.on('error', line.onLost), line.onLost);
  return line;
}

/** Whether the driver sends what is asked for without waiting for what was asked before; not the pool's for good, since it can then do no COPY. */
const pipelined = (session: PoolClient, on: boolean): PoolClient => Object.assign(session, { pipeline: on });

/** Whoever comes now opens another one. */
function leave(line: Line, name: string, all: Map<string, Line>, broken: Error | undefined): void {
  if (broken !== undefined) line.broken = broken;
  if (all.get(name) === line) all.delete(name);
}
