import { setImmediate } from 'node:timers/promises';
import { EVENTS } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import { sqlState, type UnitOfWork } from '@weir/tenancy';
import { appendTogether, type Append, type Appended } from './append';
import type { Contracts } from './contracts';
import { encode, type Encoded } from './encoded';

/** Appends that wait while a statement is in flight go together in the next one, so many at most. */
const MOST = 128;
/** So many are worth a second statement beside the one in flight. */
const MANY = 16;

interface Waiting {
  /** Stream and command. */
  readonly command: string;
  readonly encoded: Encoded;
  readonly resolve: (appended: Appended) => void;
  readonly reject: (error: unknown) => void;
}

/** A tenant's appends: those that wait, and those in flight with how many statements. */
interface Lane {
  readonly waiting: Waiting[];
  flying: number;
  statements: number;
}

/**
 * Appends with as few statements as the load asks for: while a tenant's statement is in flight, what arrives goes with the next. There
 * is no timer, so that a lone writer waits for nobody. Where many write, a second statement waits behind the first one, on the same
 * session, so that the server has work while this process tells one half and encodes what it writes next. A tenant whose log is held up
 * by someone takes one connection of the pool, however many wait.
 */
export function groupAppend(work: Pick<UnitOfWork, 'directIn'>, contracts: Contracts = EVENTS): (request: Append) => Promise<Appended> {
  const lanes = new Map<TenantId, Lane>();

  function go(tenant: TenantId, lane: Lane): void {
    while (lane.statements === 0 ? lane.waiting.length > 0 : lane.statements === 1 && lane.waiting.length >= MANY) void fly(tenant, lane);
    if (lane.statements === 0 && lanes.get(tenant) === lane) lanes.delete(tenant);
  }

  async function fly(tenant: TenantId, lane: Lane): Promise<void> {
    const all = lane.waiting.length + lane.flying;
    const group = takeGroup(lane.waiting, all < 2 * MANY ? MOST : Math.min(MOST, Math.ceil(all / 2)));
    lane.statements++;
    lane.flying += group.length;
    const tell = await send(tenant, group);
    const alone = group.length === 1 && lane.waiting.length === 0;
    // those that are answered and write again at once go together, and not the first of them ahead of the others
    if (!alone) {
      tell();
      await setImmediate();
    }
    lane.statements--;
    lane.flying -= group.length;
    go(tenant, lane);
    if (alone) tell();
  }

  /** @returns what tells each of them how it ended */
  async function send(tenant: TenantId, group: readonly Waiting[]): Promise<() => void> {
    try {
      const results = await appendTogether(work.directIn(tenant).prepared, tenant, group.map(({ encoded }) => encoded));
      return () => group.forEach(({ resolve }, place) => resolve(results[place] as Appended));
    } catch (error) {
      if (group.length === 1 || !isOfOne(error)) return () => group.forEach(({ reject }) => reject(error));
      // nothing of the group was written: whose fault it is shows when each goes alone
      for (const one of group) (await send(tenant, [one]))();
      return () => undefined;
    }
  }

  return (request) =>
    new Promise((resolve, reject) => {
      const { tenant, stream, context } = request;
      const waiting = { command: `${stream}\n${context.commandId}`, encoded: encode(request, contracts), resolve, reject };
      const lane = lanes.get(tenant);
      if (lane === undefined) {
        const opened = { waiting: [waiting], flying: 0, statements: 0 };
        lanes.set(tenant, opened);
        return go(tenant, opened);
      }
      // when the last of those that come at once has come
      if (lane.waiting.push(waiting) === MANY) void setImmediate().then(() => go(tenant, lane));
    });
}

/** The first ones that are no retry of one among them: a retry learns its first result, so it goes after it. */
function takeGroup(queue: Waiting[], most: number): Waiting[] {
  const commands = new Set<string>();
  const repeat = queue.findIndex(({ command }, index) => index === most || commands.size === commands.add(command).size);
  return queue.splice(0, repeat === -1 ? queue.length : repeat);
}

/** What the server says of data, keys, rights and sizes is about one append; of itself, the connection and the tenant, about all. */
const isOfOne = (error: unknown): boolean => /^(2[0-9]|4[0-4]|54|P0)/.test(sqlState(error) ?? '');
