import { createAdmission, type Pass } from './admission';
import { memoryLimiterStore } from './memory-store';
import type { KeyTake, Refused, TenantTake } from './port';
import { keyTake, NOON, tenantTake } from './samples';

const admitted = (answer: Pass | Refused): Pass => {
  if (!answer.admitted) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer;
};

describe('admission in two steps', () => {
  const store = memoryLimiterStore({ clock: () => NOON });
  const admission = createAdmission(store);
  afterAll(() => store.close());
  let tenants = 0;
  const limits = { dailyCredits: 10, concurrency: 2 };
  const freshTake = (cost = 0) => tenantTake({ tenant: `ten_${++tenants}`, cost, limits });
  const freshKey = (tenant: string, capacity = 5) =>
    keyTake({ keyId: `key_${tenant}`, tenant, limits: { bucket: { capacity, refillPerSecond: 1 }, concurrency: 1 } });
  const usedBy = async (take: ReturnType<typeof freshTake>, key: ReturnType<typeof freshKey>) =>
    Object.fromEntries(
      [...(await store.inspectTenant(take)), ...(await store.inspectKey(key))].map(({ name, used }) => [name, used]),
    );

  it('lets a call in at the price of a hit, takes the rest on the key, and settles at what it cost', async () => {
    const take = freshTake(0.5);
    const key = freshKey(take.tenant);
    const pass = admitted(await admission.forKey(admitted(await admission.enter(take)), { key, cost: 3 }));
    expect(pass.limits.map(({ name }) => name)).toEqual([
      'tenant-bucket',
      'daily-quota',
      'concurrency',
      'upstream-key',
      'upstream-key-concurrency',
    ]);
    expect(await usedBy(take, key)).toMatchObject({ 'daily-quota': 3, 'upstream-key': 1, concurrency: 1 });
    await admission.settle(pass, 2);
    expect(await usedBy(take, key)).toEqual({
      'tenant-bucket': 1,
      'daily-quota': 2,
      concurrency: 0,
      'upstream-key': 1,
      'upstream-key-concurrency': 0,
    });
  });

  it('returns step 1 when the key refuses: the call has spent nothing (L9)', async () => {
    const take = freshTake(1);
    const key = freshKey(take.tenant, 0);
    const answer = await admission.forKey(admitted(await admission.enter(take)), { key, cost: 3 });
    expect(answer).toMatchObject({ admitted: false, limitedBy: 'upstream-key' });
    expect(answer.limits.map(({ name }) => name)).toContain('daily-quota');
    expect(await usedBy(take, key)).toMatchObject({ 'tenant-bucket': 0, 'daily-quota': 0, concurrency: 0 });
  });

  it('never touches the key for a tenant without the credits, and returns step 1', async () => {
    const take = freshTake(1);
    const key = freshKey(take.tenant);
    const answer = await admission.forKey(admitted(await admission.enter(take)), { key, cost: 11 });
    expect(answer).toMatchObject({ admitted: false, limitedBy: 'daily-quota', retryAfterMs: null });
    expect(await usedBy(take, key)).toMatchObject({ 'tenant-bucket': 0, 'daily-quota': 0, 'upstream-key': 0 });
  });

  it('gives both steps back when nothing was sent', async () => {
    const take = freshTake(1);
    const key = freshKey(take.tenant);
    await admission.giveBack(admitted(await admission.forKey(admitted(await admission.enter(take)), { key, cost: 3 })));
    expect(Object.values(await usedBy(take, key))).toEqual([0, 0, 0, 0, 0]);
  });

  it('ends the first attempt before a retry, and leaves step 1 to the caller when the key refuses that', async () => {
    const take = freshTake(1);
    const key = freshKey(take.tenant, 2);
    const first = admitted(await admission.forKey(admitted(await admission.enter(take)), { key, cost: 3 }));
    const second = admitted(await admission.forKey(first, { key: { ...key, takeId: 'second' }, cost: 3 }));
    expect(await admission.forKey(second, { key: { ...key, takeId: 'third' }, cost: 3 })).toMatchObject({
      limitedBy: 'upstream-key',
    });
    expect(await usedBy(take, key)).toMatchObject({
      'daily-quota': 3,
      concurrency: 1,
      'upstream-key': 2,
      'upstream-key-concurrency': 0,
    });
  });

  it('returns what it can when the store fails in step 2, and tells that failure', async () => {
    const take = freshTake(1);
    const key = freshKey(take.tenant);
    const failing = createAdmission({ ...store, atOnce: undefined, takeKey: () => Promise.reject(new Error('gone')) });
    await expect(failing.forKey(admitted(await failing.enter(take)), { key, cost: 3 })).rejects.toThrow('gone');
    expect(await usedBy(take, key)).toMatchObject({ 'tenant-bucket': 0, 'daily-quota': 0, concurrency: 0 });
  });
});

describe('admission on a shared key', () => {
  let now = NOON;
  const store = memoryLimiterStore({ clock: () => now });
  const admission = createAdmission(store);
  afterAll(() => store.close());
  let keys = 0;
  const share = { weight: 1, priority: 'interactive' as const };
  /** A key of one call a second, and that one taken. */
  const busyKey = async () => {
    const keyId = `key_${++keys}`;
    const of = (tenant: string, more: Partial<KeyTake> = {}) =>
      keyTake({ keyId, tenant, share, limits: { bucket: { capacity: 1, refillPerSecond: 1 } }, ...more });
    await store.takeKey(of('ten_first'));
    return of;
  };
  const limits = { bucket: { capacity: 1, refillPerSecond: 0.001 }, dailyCredits: 10, concurrency: 1 };
  const usedOf = async (take: TenantTake) => Object.fromEntries((await store.inspectTenant(take)).map(({ name, used }) => [name, used]));

  it('keeps what step 1 took for the ticket of a refusal, so that the call at Retry-After is admitted by both', async () => {
    const of = await busyKey();
    const take = tenantTake({ tenant: 'ten_ticket', cost: 1, limits });
    const refusal = await admission.forKey(admitted(await admission.enter(take)), { key: of('ten_ticket'), cost: 3 });
    if (refusal.admitted || !refusal.slot) throw new Error('no slot');
    expect(await usedOf(take)).toMatchObject({ 'tenant-bucket': 1, 'daily-quota': 3, concurrency: 0 });
    now += refusal.retryAfterMs ?? 0;
    const { ticket } = refusal.slot;
    const again = admitted(await admission.enter(tenantTake({ tenant: 'ten_ticket', cost: 1, limits, ticket })));
    expect(admitted(await admission.forKey(again, { key: of('ten_ticket', { ticket }), cost: 3 })).by).toBe('slot');
    expect(await usedOf(take)).toMatchObject({ 'tenant-bucket': 1, 'daily-quota': 3, concurrency: 1 });
  });
});
