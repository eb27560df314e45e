import { FollowAge } from './follow-age';

describe('the age of followed topics', () => {
  it('begins when everything has been read that the bus had when it was asked, and not before (E14)', () => {
    const next = new Map([['a/0', 3]]);
    const age = new FollowAge((partition) => next.get(partition) ?? 0);
    const askedAt = performance.now();
    expect(age.ageMs()).toBe(Infinity);
    age.answered(
      askedAt,
      new Map([
        ['a/0', 3],
        ['a/1', 2],
      ]),
    );
    expect(age.ageMs()).toBe(Infinity);
    next.set('a/1', 2);
    age.check();
    expect(age.ageMs()).toBeLessThan(1_000);
  });

  it('is not renewed by records that arrive, only by an answer of the bus', () => {
    const age = new FollowAge(() => 10);
    age.answered(performance.now() - 5_000, new Map([['a/0', 5]]));
    age.check();
    expect(age.ageMs()).toBeGreaterThanOrEqual(5_000);
  });

  it('is confirmed by the older answer when records never cease', () => {
    let read = 5;
    const age = new FollowAge(() => read);
    const first = performance.now() - 200;
    age.answered(first, new Map([['a/0', 10]]));
    age.answered(performance.now(), new Map([['a/0', 20]]));
    read = 10;
    age.check();
    expect(age.ageMs()).toBeGreaterThanOrEqual(200);
    expect(age.ageMs()).toBeLessThan(5_000);
  });

  it('asks again when the answer that was on its way is to an older question', async () => {
    const age = new FollowAge(() => 10);
    let asked = 0;
    const older = performance.now() - 50;
    const ask = async () => age.answered(++asked === 1 ? older : performance.now(), new Map([['a/0', 10]]));
    await age.caughtUp(ask, () => undefined, new AbortController().signal);
    expect(asked).toBe(2);
  });
});
