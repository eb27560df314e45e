import type { Access } from '@weir/access';
import { AppError, PLATFORM, type Clock, type RequestId } from '@weir/kernel';
import type { Catalog, Query } from '@weir/upstream-catalog';
import { simulatorMissing } from '../errors';
import type { UserSnapshots } from '../snapshot/user-snapshot';
import type { Tables } from '../tables';
import type { Journal } from '../usage/journal';
import { identify, type Caller } from './access';
import type { Admission } from './admission';
import type { Answer, Shown } from './answer';
import { cacheName, type KeptAnswer, type ResponseCache } from './cache';
import { recognise } from './catalog';
import type { AdmittedCall } from './context';
import type { Fetched } from './settle';
import type { Flights } from './flights';
import { chooseKeys, type KeyChoice } from './key-choice';
import { served } from './fate';
import { SIMULATOR_CHOICE } from './simulator-key';

export interface CallRequest {
  readonly requestId: RequestId;
  /** Below the catalog's base path, with its leading slash. */
  readonly path: string;
  readonly query: Query;
  /** How old an answer from the cache may be; undefined: as old as the catalog lets it be. */
  readonly maxAgeMs: number | undefined;
  /** How long to be held instead of refused; the plan has the last word. */
  readonly maxWaitMs: number;
}

/** Whatever a plan says: a slot is not held longer than its lease. */
export const LONGEST_WAIT_MS = 30_000;

/** What a flight brings: an answer that the cache had, or one that was fetched. */
export type Landed =
  { readonly from: 'cache'; readonly kept: KeptAnswer } | { readonly from: 'upstream'; readonly fetched: Fetched };

export interface CallParts {
  readonly access: Access;
  readonly tables: Tables;
  readonly catalog: Catalog;
  readonly admission: Admission;
  readonly cache: ResponseCache;
  readonly flights: Flights<Landed>;
  /** Steps 5 to 9; see fetch.ts. */
  readonly fetch: (call: AdmittedCall) => Promise<Fetched>;
  readonly journal: Journal;
  readonly snapshots: UserSnapshots;
  readonly simulator: boolean;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onError: (error: Error) => void;
}

export interface DataPlane {
  /** @param token as the client sent it */
  call(token: string | undefined, request: CallRequest, shown: Shown): Promise<Answer>;
  /** A call that nobody is waiting at the door for: a job's. It goes the same way from step 2 on. */
  callFor(caller: Caller, request: CallRequest, shown: Shown): Promise<Answer>;
}

/**
 * The way of one call, from a tenant's request to the answer. The steps are the files beside this one, by their names.
 *
 * A call that has left is finished, settled and kept even when its client has gone: the credit is spent, and the next one who asks has
 * the answer from the cache.
 */
export function createCall(parts: CallParts): DataPlane {
  const { access, tables, catalog, admission, cache, flights, journal, clock } = parts;

  return {
    // 1 access
    call: async (token, request, shown) => callFor(identify(access, tables, token), request, shown),
    callFor,
  };

  async function callFor(caller: Caller, request: CallRequest, shown: Shown): Promise<Answer> {
    // 2 catalog
    const asked = recognise(catalog, request.path, request.query);
    shown.endpoint = asked.endpoint.id;
    const keys = keysOf(caller);
    shown.key = keys.owner;
    journal.assertAccountable();

    // 3 admission
    const waitUntil = clock() + Math.min(request.maxWaitMs, caller.plan.terms.maxWaitMs, LONGEST_WAIT_MS);
    const admitted = await admission.enter({ ...caller, ...asked, requestId: request.requestId, keys, shown, waitUntil });
    try {
      return await share(admitted, request.maxAgeMs);
    } catch (error) {
      end(admitted.sent ? admission.settle(admitted, 0) : admission.giveBack(admitted));
      throw error;
    }
  }

  function keysOf({ tenant, plan, mode }: Caller): KeyChoice {
    if (mode === 'test') {
      if (!parts.simulator) throw simulatorMissing();
      return SIMULATOR_CHOICE;
    }
    return chooseKeys({
      mode: tenant.keyMode,
      fallback: plan.terms.fallback,
      trialEndsAt: tenant.trialEndsAt,
      own: tables.keysOf(tenant.id),
      platform: tables.keysOf(PLATFORM),
      now: clock(),
      random: parts.random,
    });
  }

  /**
   * Identical calls in flight become one, the look into the cache included: the first makes it and pays for it, the others are served
   * with its answer.
   */
  async function share(call: AdmittedCall, maxAgeMs: number | undefined): Promise<Answer> {
    const name = flightName(call, maxAgeMs);
    for (;;) {
      const flight = flights.join(name);
      if (flight === undefined) return lead(call, name, maxAgeMs);
      call.shown.cache = 'coalesced';
      try {
        const landed = await flight;
        if (landed.from === 'cache') return serve(call, landed.kept, 'hit', call.keys.owner, call.plan.terms.hitPrice);
        const { fetched } = landed;
        const price = fetched.chargedCredits === 0 ? 0 : call.plan.terms.coalescedPrice;
        return serve(call, fetched, 'coalesced', fetched.owner, price);
      } catch (error) {
        // a limit of the leader's tenant says nothing about this one: somebody else leads
        if (!ofOneTenant(error)) throw error;
      }
    }
  }

  async function lead(call: AdmittedCall, name: string, maxAgeMs: number | undefined): Promise<Answer> {
    const landed = await flights.lead(
      name,
      () => fly(call, maxAgeMs),
      (landed) => keep(call, landed),
    );
    if (landed.from === 'cache') return serve(call, landed.kept, 'hit', call.keys.owner, call.plan.terms.hitPrice);
    const { fetched } = landed;
    end(admission.settle(call, fetched.chargedCredits));
    call.shown.credits = fetched.chargedCredits;
    call.shown.key = fetched.owner;
    keepSnapshot(call, fetched);
    return fetched;
  }

  async function fly(call: AdmittedCall, maxAgeMs: number | undefined): Promise<Landed> {
    // 4 cache
    const kept = await cache.read(call, maxAgeMs);
    if (kept !== undefined) return { from: 'cache', kept };
    call.shown.cache = 'miss';
    // 5 admission, 6 key, 7 hold, 8 upstream, 9 settle
    return { from: 'upstream', fetched: await parts.fetch(call) };
  }

  /** An answer on another's key than the cache was asked for is not kept under its name. */
  function keep(call: AdmittedCall, landed: Landed): Promise<void> | undefined {
    if (landed.from === 'cache' || !landed.fetched.good || landed.fetched.owner !== call.keys.owner) return undefined;
    return cache.keep(call, landed.fetched);
  }

  function serve(
    call: AdmittedCall,
    kept: KeptAnswer,
    how: 'hit' | 'coalesced',
    keyOwner: 'platform' | 'own',
    price: number,
  ): Answer {
    const { shown } = call;
    journal.write(served(call, clock(), { cache: how, keyOwner, chargedCredits: price }));
    end(admission.settle(call, price));
    shown.cache = how;
    shown.credits = price;
    shown.key = keyOwner;
    shown.fetchedAt = kept.fetchedAt;
    keepSnapshot(call, kept);
    return kept;
  }

  function keepSnapshot({ tenant, endpoint, mode }: AdmittedCall, { user, body, fetchedAt }: KeptAnswer): void {
    if (user === undefined || mode === 'test' || endpoint.snapshotLifetimeSeconds === undefined) return;
    parts.snapshots.keep({ tenantId: tenant.id, ...user, body, fetchedAt, lifetimeMs: endpoint.snapshotLifetimeSeconds * 1_000 });
  }

  /** What the limiter is told afterwards is not waited for; what it does not hear ends with its lease. */
  function end(telling: Promise<void>): void {
    telling.catch((error: Error) => parts.onError(error));
  }
}

/** What may never be kept is not shared either; those who accept another age ask for something else. */
function flightName(call: AdmittedCall, maxAgeMs: number | undefined): string {
  if (call.endpoint.lifetimeSeconds === 0) return call.requestId;
  return maxAgeMs === undefined ? cacheName(call) : `${cacheName(call)}#${maxAgeMs}`;
}

const ofOneTenant = (error: unknown): boolean =>
  error instanceof AppError && error.details['origin'] === 'weir' && error.details['limitedBy'] !== 'upstream-key';
