import { AppError, type Clock } from '@weir/kernel';
import { deadlinePassed } from '../errors';
import { cacheName, type KeptAnswer, type ResponseCache } from './cache';
import type { AdmittedCall } from './context';
import type { Flights } from './flights';
import type { Lease, Leases } from './leases';
import type { Fetched } from './settle';

/** Where a call's answer came from; who else was served with it is not said here. */
export type Landed =
  | { readonly from: 'upstream'; readonly fetched: Fetched }
  /** `hit`: as young as asked for; `stale`: older, because the upstream failed; `coalesced`: another process had just fetched it. */
  | { readonly from: 'cache'; readonly how: 'hit' | 'stale' | 'coalesced'; readonly kept: KeptAnswer };

/** What a call gets out of it: of several identical ones the first fetches, and pays. */
export type Shared = Landed | { readonly from: 'flight'; readonly fetched: Fetched };

export interface ShareParts {
  readonly cache: ResponseCache;
  readonly flights: Flights<Landed>;
  readonly leases: Leases;
  /** Steps 5 to 9; see fetch.ts. */
  readonly fetch: (call: AdmittedCall) => Promise<Fetched>;
  readonly clock: Clock;
}

/** Longer than any call takes; those who wait see a holder's death long before. */
const LONGEST_FLIGHT_MS = 60_000;
/** Of the clocks of two processes. */
const CLOCKS_APART_MS = 1_000;

/**
 * Step 4: an answer that is there already, or on its way for somebody else, is not fetched again. Identical calls in flight become one, the
 * look into the cache included.
 */
export function createShare({ cache, flights, leases, fetch, clock }: ShareParts) {
  return function share(call: AdmittedCall, maxAgeMs: number | undefined): Promise<Shared> {
    const name = flightName(call, maxAgeMs);
    const flight = flights.join(name);
    return flight === undefined ? lead(call, name, maxAgeMs) : follow(call, name, maxAgeMs);
  };

  async function follow(call: AdmittedCall, name: string, maxAgeMs: number | undefined): Promise<Shared> {
    for (;;) {
      const flight = flights.join(name);
      if (flight === undefined) return lead(call, name, maxAgeMs);
      call.shown.cache = 'coalesced';
      try {
        const landed = await inTime(flight, call.deadline);
        return landed.from === 'upstream' ? { from: 'flight', fetched: landed.fetched } : landed;
      } catch (error) {
        if (!ofOneCaller(error) || clock() >= call.deadline) throw error;
        // the limit or the deadline of the one who led says nothing about this one: somebody else leads
      }
    }
  }

  function lead(call: AdmittedCall, name: string, maxAgeMs: number | undefined): Promise<Landed> {
    let lease: Lease | undefined;
    return flights.lead(
      name,
      () => fly(call, name, maxAgeMs, (taken) => (lease = taken)),
      (landed) => keep(call, landed),
      () => lease?.release(),
    );
  }

  function fly(call: AdmittedCall, name: string, maxAgeMs: number | undefined, hold: (lease: Lease) => void): Promise<Landed> {
    if (call.endpoint.lifetimeSeconds > 0 && !(cache.empty && leases.alone)) return lookFirst(call, name, maxAgeMs, hold);
    call.shown.cache = 'miss';
    return fetch(call).then(fromUpstream);
  }

  async function lookFirst(call: AdmittedCall, name: string, maxAgeMs: number | undefined, hold: (lease: Lease) => void): Promise<Landed> {
    const found = cache.empty ? undefined : await cache.read(call, maxAgeMs);
    if (found?.fresh === true) return { from: 'cache', how: 'hit', kept: found.kept };
    const elsewhere = leases.alone ? undefined : await turn(call, name, maxAgeMs, hold);
    if (elsewhere !== undefined) return { from: 'cache', how: 'coalesced', kept: elsewhere };
    call.shown.cache = 'miss';
    try {
      return { from: 'upstream', fetched: await fetch(call) };
    } catch (error) {
      if (found === undefined || !ofTheUpstream(error)) throw error;
      return { from: 'cache', how: 'stale', kept: found.kept };
    }
  }

  /** Resolves when it is this process's turn to fetch, or with what another one has brought meanwhile. */
  async function turn(
    call: AdmittedCall,
    name: string,
    maxAgeMs: number | undefined,
    hold: (lease: Lease) => void,
  ): Promise<KeptAnswer | undefined> {
    for (const askedAt = clock(); ;) {
      const lease = await leases.take(name);
      if (lease !== undefined) {
        hold(lease);
        return undefined;
      }
      await leases.ended(name, Math.min(LONGEST_FLIGHT_MS, call.deadline - clock()));
      if (clock() >= call.deadline) throw deadlinePassed();
      const found = await cache.read(call, undefined);
      if (found !== undefined && (found.kept.fetchedAt >= askedAt - CLOCKS_APART_MS || (maxAgeMs === undefined && found.fresh)))
        return found.kept;
    }
  }

  /** An answer on another's key than the cache was asked for is not kept under its name. */
  function keep(call: AdmittedCall, landed: Landed): Promise<void> | undefined {
    if (landed.from === 'cache' || !landed.fetched.good || landed.fetched.owner !== call.keys.owner) return undefined;
    return cache.keep(call, landed.fetched);
  }

  /** Whoever waits no longer leaves; the flight goes on. */
  async function inTime<T>(flight: Promise<T>, deadline: number): Promise<T> {
    if (deadline === Infinity) return flight;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(deadlinePassed()), Math.max(0, deadline - clock()));
    });
    try {
      return await Promise.race([flight, over]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const fromUpstream = (fetched: Fetched): Landed => ({ from: 'upstream', fetched });

/** What may never be kept is not shared either; those who accept another age ask for something else. */
function flightName(call: AdmittedCall, maxAgeMs: number | undefined): string {
  if (call.endpoint.lifetimeSeconds === 0) return call.requestId;
  return maxAgeMs === undefined ? cacheName(call) : `${cacheName(call)}#${maxAgeMs}`;
}

const ofOneCaller = (error: unknown): boolean =>
  error instanceof AppError && error.details['origin'] === 'weir' && error.details['limitedBy'] !== 'upstream-key';

const EXCUSED = new Set(['upstream-failed', 'upstream-timeout', 'upstream-unavailable']);

/** Trouble that an older answer stands in for. What is wrong with a tenant's own key, or a limit, is for the tenant to know. */
const ofTheUpstream = (error: unknown): boolean => error instanceof AppError && EXCUSED.has(error.code);
