import type { Access } from '@weir/access';
import type { Priority } from '@weir/limiter';
import { PLATFORM, type Eventually, type RequestId } from '@weir/kernel';
import type { Catalog, Query } from '@weir/upstream-catalog';
import { simulatorMissing } from '../errors';
import type { Snapshots } from '../snapshot/snapshots';
import type { Suppressed } from '../subject/suppressed';
import type { Tables } from '../tables';
import type { Journal } from '../usage/journal';
import { usageRecord } from '../usage/records';
import { identify, type Caller } from './access';
import { NOTHING, type Admission } from './admission';
import type { Answer, Shown } from './answer';
import type { KeptAnswer } from './cache';
import { recognise } from './catalog';
import type { AdmittedCall } from './context';
import { chooseKeys, type KeyChoice, type KeyOwner } from './key-choice';
import type { Fetched } from './settle';
import { Served } from './fate';
import type { Once } from './once';
import type { Replay } from './replays';
import { createShare, type Shared, type ShareParts } from './share';
import { SIMULATOR_CHOICE } from './simulator-key';
import { ticketFirst, type Ticket } from './ticket';

export interface CallRequest {
  readonly requestId: RequestId;
  /** Unsaid: the first one. */
  readonly catalog?: Catalog;
  /** Below the catalog's base path, with its leading slash. */
  readonly path: string;
  readonly query: Query;
  /** How old an answer from the cache may be; undefined: as old as the catalog lets it be. */
  readonly maxAgeMs: number | undefined;
  /** How long to be held instead of refused; the plan has the last word, unless it is patient. */
  readonly maxWaitMs: number;
  /** Held whatever the plan says of callers at the door: no client's connection waits with it. */
  readonly patient?: boolean | undefined;
  /** Of an earlier refusal. */
  readonly ticket?: Ticket | undefined;
  /** Aborted when the caller has gone. */
  readonly gone?: (() => AbortSignal) | undefined;
  /** Whether somebody is waiting for it; undefined: yes. */
  readonly priority?: Priority | undefined;
  /** The client's Idempotency-Key. */
  readonly idempotencyKey?: string | undefined;
  /** After that long the caller waits no longer; undefined: for ever. */
  readonly timeoutMs?: number | undefined;
}

/** Whatever a plan says: a slot is not held longer than its lease. */
export const LONGEST_WAIT_MS = 30_000;

export interface CallParts extends ShareParts {
  readonly access: Access;
  readonly tables: Tables;
  /** The one that is meant where none is named. */
  readonly catalog: Catalog;
  readonly admission: Admission;
  readonly journal: Journal;
  readonly snapshots: Snapshots;
  readonly suppressed: Suppressed;
  readonly once: Once;
  readonly simulator: boolean;
  readonly random: () => number;
  readonly onError: (error: Error) => void;
}

export interface DataPlane {
  /** @param token as the client sent it. @throws at once what step 1 throws; what comes later rejects */
  call(token: string | undefined, request: CallRequest, shown: Shown): Promise<Answer>;
  /** A call that nobody is waiting at the door for: a job's. It goes the same way from step 2 on. */
  callFor(caller: Caller, request: CallRequest, shown: Shown): Promise<Answer>;
  /** Whose keys such a call would use now. @throws AppError `trial-ended`, `upstream-key-missing`, `simulator-missing` */
  keysOf(caller: Caller, of?: Catalog): KeyChoice;
}

/**
 * The way of one call, from a tenant's request to the answer. The steps are the files beside this one, by their names.
 *
 * A call that has left is finished, settled and kept even when its client has gone: the credit is spent, and the next one who asks has
 * the answer from the cache.
 */
export function createCall(parts: CallParts): DataPlane {
  const { access, tables, catalog, admission, journal, clock } = parts;
  const share = createShare(parts);

  return {
    // 1 access
    call: (token, request, shown) => callFor(identify(access, tables, token), request, shown),
    callFor,
    keysOf,
  };

  async function callFor(caller: Caller, request: CallRequest, shown: Shown): Promise<Answer> {
    // 2 catalog
    const asked = recognise(request.catalog ?? catalog, request.path, request.query);
    shown.endpoint = asked.endpoint.id;
    const allowed = parts.suppressed.assertAllowed(caller.tenant.id, asked.endpoint, asked.query);
    if (allowed !== undefined) await allowed;
    const { ticket, gone, priority = 'interactive' } = request;
    const keys = ticketFirst(keysOf(caller, asked.catalog), ticket);
    shown.key = keys.owner;
    journal.assertAccountable();

    // 3 admission
    const now = clock();
    const deadline = now + (request.timeoutMs ?? Infinity);
    const ofPlan = request.patient === true ? Infinity : caller.plan.terms.maxWaitMs;
    const waitUntil = now + Math.min(request.maxWaitMs, request.timeoutMs ?? Infinity, ofPlan, LONGEST_WAIT_MS);
    // every member is named, and none spread: it is made for every call
    const admitted: AdmittedCall = {
      tenant: caller.tenant,
      plan: caller.plan,
      tokenId: caller.tokenId,
      projectId: caller.projectId,
      mode: caller.mode,
      purpose: caller.purpose,
      catalog: asked.catalog,
      endpoint: asked.endpoint,
      query: asked.query,
      requestId: request.requestId,
      keys,
      priority,
      ticket,
      gone,
      waitUntil,
      deadline,
      shown,
      pass: NOTHING,
      sent: false,
      slot: undefined,
      againAt: undefined,
      heldMs: 0,
      shadow: undefined,
      charges: undefined,
    };
    const entering = admission.enter(admitted);
    if (entering instanceof Promise) await entering;
    try {
      const answering =
        request.idempotencyKey === undefined
          ? answerWith(admitted, await share(admitted, request.maxAgeMs))
          : underKey(admitted, request.maxAgeMs, request.idempotencyKey);
      const answer = answering instanceof Promise ? await answering : answering;
      end(() => admission.settle(admitted, shown.credits));
      return answer;
    } catch (error) {
      end(() => (admitted.sent ? admission.settle(admitted, 0) : admission.giveBack(admitted)));
      throw error;
    }
  }

  function keysOf({ tenant, plan, mode }: Caller, of: Catalog = catalog): KeyChoice {
    if (mode === 'test') {
      // only the first catalog's upstream has one
      if (!parts.simulator || of !== catalog) throw simulatorMissing();
      return SIMULATOR_CHOICE;
    }
    return chooseKeys({
      mode: tenant.keyMode,
      fallback: plan.terms.fallback,
      trialEndsAt: tenant.trialEndsAt,
      own: tables.keysOf(tenant.id, of.id),
      platform: tables.keysOf(PLATFORM, of.id),
      now: clock(),
      random: parts.random,
    });
  }

  async function underKey(call: AdmittedCall, maxAgeMs: number | undefined, idempotencyKey: string): Promise<Answer> {
    const made = await parts.once(call, idempotencyKey, async () => answerWith(call, await share(call, maxAgeMs)));
    return 'answer' in made ? made.answer : replay(call, made.replay);
  }

  function answerWith(call: AdmittedCall, shared: Shared): Answer | Promise<Answer> {
    const { hitPrice, coalescedPrice } = call.plan.terms;
    switch (shared.from) {
      case 'upstream':
        return charge(call, shared.fetched);
      case 'flight':
        return serve(call, shared.fetched, 'coalesced', shared.fetched.owner, shared.fetched.chargedCredits === 0 ? 0 : coalescedPrice);
      case 'cache':
        return serve(call, shared.kept, shared.how, call.keys.owner, shared.how === 'coalesced' ? coalescedPrice : hitPrice);
    }
  }

  function charge(call: AdmittedCall, fetched: Fetched): Answer {
    call.shown.credits = fetched.chargedCredits;
    call.shown.key = fetched.owner;
    keepSnapshot(call, fetched);
    return fetched;
  }

  async function serve(
    call: AdmittedCall,
    kept: KeptAnswer,
    how: 'hit' | 'coalesced' | 'stale',
    keyOwner: KeyOwner,
    price: number,
  ): Promise<Answer> {
    const { shown } = call;
    const record = new Served(call, clock(), how, keyOwner, price);
    if (call.charges !== undefined) call.charges.push({ charged: record, free: { ...record, chargedCredits: 0 } });
    else if (price === 0) journal.write(usageRecord(record));
    // a charge is on the record before its answer leaves; a bus that is slow gets it later
    else await journal.recorded(usageRecord(record));
    shown.cache = how;
    shown.credits = price;
    shown.key = keyOwner;
    shown.fetchedAt = kept.fetchedAt;
    keepSnapshot(call, kept);
    return kept;
  }

  function replay(call: AdmittedCall, kept: Replay): Answer {
    const { shown } = call;
    journal.write(usageRecord(new Served(call, clock(), 'hit', kept.keyOwner, 0)));
    shown.cache = 'hit';
    shown.key = kept.keyOwner;
    shown.fetchedAt = kept.fetchedAt;
    shown.replayed = true;
    return kept;
  }

  function keepSnapshot({ tenant, endpoint, query, mode }: AdmittedCall, { status, body, fetchedAt }: KeptAnswer): void {
    if (status !== 200 || mode === 'test' || endpoint.snapshotLifetimeSeconds === undefined) return;
    parts.snapshots.keep({ tenantId: tenant.id, endpoint, query, body, fetchedAt });
  }

  /** What the limiter is told afterwards is not waited for; what it does not hear ends with its lease. */
  function end(tell: () => Eventually<void>): void {
    try {
      const telling = tell();
      if (telling instanceof Promise) telling.catch((error: Error) => parts.onError(error));
    } catch (error) {
      parts.onError(error as Error);
    }
  }
}
