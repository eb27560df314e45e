import { setImmediate } from 'node:timers/promises';
import { EVENTS } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import { sqlState, type UnitOfWork } from '@weir/tenancy';
import { appendTogether, type Append, type Appended } from './append';
import type { Contracts } from './contracts';
import { encode, type Encoded } from './encoded';

/** Appends that wait while a statement is in flight go together in the next one, so many at most. */
const MOST = 128;

interface Waiting {
  /** Stream and command. */
  readonly command: string;
  readonly encoded: Encoded;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Appends with as few statements as the load asks for: one statement of a tenant is in flight at a time, and what arrives meanwhile
 * goes with the next. There is no timer, so that a lone writer waits for nobody: 64 writers on one tenant reach some five times what
 * they reach with a statement each, where they queue for its head row. A tenant whose log is held up by someone takes one connection
 * of the pool, however many wait.
 */
export function groupAppend(work: Pick<UnitOfWork, 'directIn'>, contracts: Contracts = EVENTS): (request: Append) => Promise<Appended> {
  const queues = new Map<TenantId, Waiting[]>();

  async function drain(tenant: TenantId, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      await send(tenant, takeGroup(queue));
      // those that were answered and write again at once go together, and not the first of them ahead of the others
      await setImmediate();
    }
    queues.delete(tenant);
  }

  async function send(tenant: TenantId, group: readonly Waiting[]): Promise<void> {
    try {
      const results = await appendTogether(work.directIn(tenant), tenant, group.map(({ encoded }) => encoded));
      group.forEach(({ resolve }, place) => resolve(results[place] as Appended));
    } catch (error) {
      // nothing of the group was written: whose fault it is shows when each goes alone
      if (group.length > 1 && isOfOne(error)) for (const one of group) await send(tenant, [one]);
      else for (const { reject } of group) reject(error);
    }
  }

  return (request) =>
    new Promise((resolve, reject) => {
      const { tenant, stream, context } = request;
      const waiting = { command: `${stream}\n${context.commandId}`, encoded: encode(request, contracts), resolve, reject };
      const queue = queues.get(tenant);
      if (queue !== undefined) return void queue.push(waiting);
      const opened = [waiting];
      queues.set(tenant, opened);
      void drain(tenant, opened);
    });
}

/** The first ones that are no retry of one among them: a retry learns its first result, so it goes after it. */
function takeGroup(queue: Waiting[]): Waiting[] {
  const commands = new Set<string>();
  const repeat = queue.findIndex(({ command }, index) => index === MOST || commands.size === commands.add(command).size);
  return queue.splice(0, repeat === -1 ? queue.length : repeat);
}

/** What the server says of data, keys, rights and sizes is about one append; of itself, the connection and the tenant, about all. */
const isOfOne = (error: unknown): boolean => /^(2[0-9]|4[0-4]|54|P0)/.test(sqlState(error) ?? '');
