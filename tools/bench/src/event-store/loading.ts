import { eventLog } from '@weir/event-store';
import { fact, newId, type Aggregate, type CommandContext, type Fact, type TenantId } from '@weir/kernel';
import type { Side } from '../bench';
import type { Database } from './tenants';
import { closedLoop } from './writers';

const EVENTS = 1_000;
const STREAM = 'stream/long';

/** Loading a stream of a thousand events: from its first one, and from a snapshot that is 10 events old. */
export function loading({ work, newTenants }: Database): Side[] {
  const log = eventLog(work);
  const counted: Aggregate<number, Fact> = { initial: 0, evolve: (n) => n + 1 };
  // never due again: the snapshot stays as old as it is
  const kept = (every: number): Aggregate<number, Fact> => ({ ...counted, snapshots: { reducer: 'bench/1', every, parse: Number } });
  let tenant: Promise<TenantId> | undefined;

  async function prepare(): Promise<TenantId> {
    const [id] = (await newTenants(1, 'schema')) as [TenantId];
    const append = (events: number) =>
      log.append({ tenant: id, stream: STREAM, expected: 'any', events: Array.from({ length: events }, () => fact('tenant.renamed', { name: 'x' })), context: context() });
    await append(EVENTS - 10);
    await log.load(id, STREAM, kept(1));
    await append(10);
    return id;
  }

  const side = (name: string, aggregate: Aggregate<number, Fact>, against?: string): Side => ({
    name,
    ...(against === undefined ? {} : { against }),
    before: async () => void (await (tenant ??= prepare())),
    run: async (seconds) => {
      const id = await (tenant as Promise<TenantId>);
      return closedLoop(1, seconds, async () => {
        const { state } = await log.load(id, STREAM, aggregate);
        if (state !== EVENTS) throw new Error(`loading gave ${state} of ${EVENTS} events`);
      });
    },
  });

  const whole = `load ${EVENTS} events`;
  return [side(whole, counted), side(`${whole}, snapshot`, kept(Infinity), whole)];
}

const context = (): CommandContext => ({ actor: { type: 'service', id: 'bench' }, commandId: newId('op'), at: Date.now(), action: 'bench' });
