import { hostname } from 'node:os';
import type { Bus } from '@weir/bus';
import { newUuid, sleep, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { Checkpoints } from './checkpoints';
import { LeaseLost, type Lease } from './lease';
import { Leases } from './leases';
import { takeTurn } from './turn';

export interface RelayOptions {
  /** Of the database whose tenants it publishes. */
  readonly work: UnitOfWork;
  readonly bus: Bus;
  readonly onError: (error: Error, tenant?: TenantId) => void;
  /** ms between looks for news while there is little of it. */
  readonly lookMs?: number;
  readonly batch?: number;
  readonly leaseMs?: number;
  /** Tenants in hand at once: one whose schema or partition stalls takes one of these places. */
  readonly atOnce?: number;
}

export interface Relay {
  /** Ends the batches in hand, gives the leases back. */
  stop(): Promise<void>;
}

const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 5_000;

/**
 * Publishes logs. A look finds tenants with news and leases them, one turn each; turns of many tenants run at once and none waits for
 * another's. Several relays share the tenants. Published twice after a crash, never skipped: ids are those of the log.
 */
export function startRelay({ work, bus, onError, lookMs = 10, batch = 500, leaseMs = 5_000, atOnce = 32 }: RelayOptions): Relay {
  const leases = new Leases(work.direct, `${hostname()}/${process.pid}/${newUuid()}`, leaseMs);
  const checkpoints = new Checkpoints(work.direct);
  const stopping = new AbortController();
  const turns = new Set<Promise<void>>();
  const failures = new Map<TenantId, number>();
  let look: () => void = () => undefined;

  async function turn(lease: Lease): Promise<void> {
    try {
      const drained = await takeTurn(lease, { work, bus, checkpoints, batch, stopping: stopping.signal });
      failures.delete(lease.tenant);
      if (!drained) look();
    } catch (error) {
      onError(error as Error, lease.tenant);
      await failed(lease, error as Error).catch((second: Error) => onError(second, lease.tenant));
    } finally {
      leases.ended(lease);
    }
  }

  async function failed(lease: Lease, error: Error): Promise<void> {
    if (error instanceof LeaseLost || !lease.held) return lease.saidStates ? sayAgain(lease) : undefined;
    const before = failures.get(lease.tenant) ?? 0;
    failures.set(lease.tenant, before + 1);
    await leases.release(lease, Math.min(FIRST_PAUSE_MS * 2 ** before, LONGEST_PAUSE_MS));
  }

  async function sayAgain(lease: Lease): Promise<void> {
    for (let said = false; !said && !stopping.signal.aborted;) {
      said = await leases.sayAgain(lease).then(() => true, (error: Error) => (onError(error, lease.tenant), false));
      if (!said) await sleep(LONGEST_PAUSE_MS, stopping.signal);
    }
  }

  /** @returns whether there may be more to take as soon as there is a place */
  async function takeSome(): Promise<boolean> {
    const places = atOnce - turns.size;
    if (places === 0) return true;
    const taken = await leases.take(places);
    for (const lease of taken) {
      const running = turn(lease).finally(() => turns.delete(running));
      turns.add(running);
    }
    return taken.length === places;
  }

  async function run(): Promise<void> {
    let pauseMs = lookMs;
    while (!stopping.signal.aborted) {
      const asked = new Promise<void>((resolve) => (look = resolve));
      try {
        const more = await takeSome();
        pauseMs = lookMs;
        const pause = sleep(lookMs, stopping.signal).then(() => false, () => false);
        if (!more) await Promise.race([asked, pause]);
        // a look for each place that becomes free would read the whole table of news a thousand times
        else for (let busy = true; busy && turns.size > atOnce * 0.75;) busy = await Promise.race([pause, ...[...turns].map((one) => one.then(() => true))]);
      } catch (error) {
        onError(error as Error);
        await sleep((pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)), stopping.signal);
      }
    }
    await Promise.all(turns);
  }

  const renewing = setInterval(() => void leases.renew().catch(onError), leaseMs / 3);
  const running = run();
  return {
    stop: async () => {
      stopping.abort();
      await running;
      clearInterval(renewing);
    },
  };
}
