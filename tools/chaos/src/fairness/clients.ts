import type { Admission } from '@weir/limiter';
import type { World } from './world';

/** What a tenant does. Who comes back does so at Retry-After, with its ticket. */
export type Behaviour =
  /** So many clients, each with its next call as soon as one was admitted. */
  | { readonly kind: 'backlogged'; readonly clients: number }
  /** A call each so many ms, half to one and a half of it at random; comes back when refused. */
  | { readonly kind: 'polite'; readonly everyMs: number }
  /** Never comes back; `onMs` and `offMs`: by turns. */
  | { readonly kind: 'flood'; readonly perSecond: number; readonly onMs?: number; readonly offMs?: number }
  /** So many calls at once, once; each comes back until it is admitted. */
  | { readonly kind: 'burst'; readonly calls: number };

export interface Member {
  readonly name: string;
  readonly weight: number;
  readonly behaviour: Behaviour;
  /** From the beginning. */
  readonly fromMs?: number;
  /** Upstream calls each call takes. */
  readonly calls?: number;
}

/** What a member met, from the time on from which it is counted. */
export interface Tally {
  asked: number;
  /** Upstream calls. */
  admitted: number;
  refused: number;
  /** Refusals of calls that came for the first time. */
  refusedFresh: number;
  fresh: number;
  /** Refusals that promised a slot, and of those whose ticket was brought in time, how many were kept. */
  promised: number;
  due: number;
  kept: number;
  /** ms from the first time that a call came until it was admitted. */
  readonly waits: number[];
  /** When calls were admitted; ms. */
  readonly times: number[];
}

export type Ask = (member: Member, ticket: string | undefined) => Promise<Admission>;

export interface Crowd {
  readonly world: World;
  readonly members: readonly Member[];
  readonly ask: Ask;
  readonly random: () => number;
  /** ms; what happens before is not counted. */
  readonly countFrom: number;
}

/** Lets all of them loose; their tallies, in their order, grow from then on. */
export function letLoose(crowd: Crowd): readonly Tally[] {
  return crowd.members.map((member) => {
    const tally: Tally = { asked: 0, admitted: 0, refused: 0, refusedFresh: 0, fresh: 0, promised: 0, due: 0, kept: 0, waits: [], times: [] };
    begin(crowd, member, tally);
    return tally;
  });
}

function begin(crowd: Crowd, member: Member, tally: Tally): void {
  const { world, random } = crowd;
  const { behaviour, fromMs = 0 } = member;
  const again = (firstMs: number, everyMs: () => number, call: (at: number) => Promise<unknown>) => {
    const next = async () => {
      world.after(everyMs(), next);
      await call(world.now());
    };
    world.after(firstMs, next);
  };
  switch (behaviour.kind) {
    case 'backlogged':
      for (let i = 0; i < behaviour.clients; i++) {
        const next = async () => void (await insist(crowd, member, tally, () => world.after(1, next)));
        world.after(fromMs + random() * 500, next);
      }
      return;
    case 'burst':
      for (let i = 0; i < behaviour.calls; i++) world.after(fromMs, async () => void (await insist(crowd, member, tally, () => undefined)));
      return;
    case 'polite':
      return again(fromMs + random() * behaviour.everyMs, () => behaviour.everyMs * (0.5 + random()), () => insist(crowd, member, tally, () => undefined));
    case 'flood': {
      const { perSecond, onMs = Infinity, offMs = 0 } = behaviour;
      const begun = world.now() + fromMs;
      const on = (at: number) => onMs === Infinity || (at - begun) % (onMs + offMs) < onMs;
      return again(fromMs + (random() * 1_000) / perSecond, () => ((0.5 + random()) * 1_000) / perSecond, async (at) => on(at) && one(crowd, member, tally, {}));
    }
  }
}

/** Calls until it is admitted. */
async function insist(crowd: Crowd, member: Member, tally: Tally, done: () => void, before: Before = {}): Promise<void> {
  const first = before.first ?? crowd.world.now();
  const answer = await one(crowd, member, tally, before);
  if (answer.admitted) {
    if (crowd.world.now() >= crowd.countFrom) tally.waits.push(crowd.world.now() - first);
    return done();
  }
  const { retryAfterMs, slot } = answer;
  const next: Before = { first, ticket: slot?.ticket, promised: slot?.promised };
  crowd.world.after((retryAfterMs ?? 1_000) + crowd.world.earlyMs, () => insist(crowd, member, tally, done, next));
}

interface Before {
  readonly first?: number | undefined;
  readonly ticket?: string | undefined;
  readonly promised?: boolean | undefined;
}

async function one({ world, ask, countFrom }: Crowd, member: Member, tally: Tally, { first, ticket, promised }: Before): Promise<Admission> {
  const answer = await ask(member, ticket);
  const now = world.now();
  if (now < countFrom) return answer;
  tally.asked += 1;
  if (first === undefined) tally.fresh += 1;
  if (promised) tally.due += 1;
  if (answer.admitted) {
    tally.admitted += member.calls ?? 1;
    tally.times.push(now);
    if (promised) tally.kept += 1;
  } else {
    tally.refused += 1;
    if (first === undefined) tally.refusedFresh += 1;
    if (answer.slot?.promised) tally.promised += 1;
  }
  return answer;
}
