import type { Clock } from '@weir/kernel';
import type { Admission, KeyTake, LimiterStore, LimitName, Priority, Refused, Standing } from './port';
import { keyTake, LEDGER, NOON, ofKey, ofTenant, tenantTake } from './samples';

const HOUR = 3_600_000;

/** What every limiter store guarantees. `open` makes an empty store whose time is the clock's. */
export function limiterConformance(open: (clock: Clock) => LimiterStore): void {
  let now = NOON;
  let store: LimiterStore;
  beforeEach(() => {
    now = NOON;
    store = open(() => now);
  });
  afterEach(() => store.close());

  const one = { bucket: { capacity: 1, refillPerSecond: 0.5 } };

  describe('buckets', () => {
    it('admits its capacity at once and no call more (L4)', async () => {
      const limits = { bucket: { capacity: 100, refillPerSecond: 1 } };
      const answers = await Promise.all(Array.from({ length: 1000 }, () => store.takeTenant(tenantTake({ limits }))));
      expect(answers.filter(({ admitted }) => admitted)).toHaveLength(100);
    });

    it('gives 10 a second as one call each 100 ms, and none between (L2)', async () => {
      const limits = { bucket: { capacity: 1, refillPerSecond: 10 } };
      const admitted: number[] = [];
      for (let i = 0; i < 200; i++, now += 50)
        if ((await store.takeTenant(tenantTake({ limits }))).admitted) admitted.push(now - NOON);
      expect(admitted).toEqual(Array.from({ length: 100 }, (_, i) => i * 100));
    });

    it('admits exactly capacity plus refill over a long run at an odd rate', async () => {
      const limits = { bucket: { capacity: 7, refillPerSecond: 200 / 60 } };
      let admitted = 0;
      for (let i = 0; i <= 600; i++, now += 100) if ((await store.takeTenant(tenantTake({ limits }))).admitted) admitted++;
      expect(admitted).toBe(7 + 200);
    });

    it('says when to come back, to the millisecond: refused just before, admitted then (L9)', async () => {
      await store.takeTenant(tenantTake({ limits: one }));
      now += 300.25;
      const refusal = refused(await store.takeTenant(tenantTake({ limits: one })));
      expect(refusal).toMatchObject({ limitedBy: 'tenant-bucket', policy: 'tenant-bucket', retryAfterMs: 1700 });
      now += 1699;
      expect((await store.takeTenant(tenantTake({ limits: one }))).admitted).toBe(false);
      now += 1;
      expect((await store.takeTenant(tenantTake({ limits: one }))).admitted).toBe(true);
    });

    it('limits an endpoint beside the tenant, and a refusal by it spends nothing of the tenant', async () => {
      const limits = { endpointBuckets: { 'user-posts': { capacity: 1, refillPerSecond: 1 } } };
      await store.takeTenant(tenantTake({ limits, endpoint: 'user-posts' }));
      const refusal = refused(await store.takeTenant(tenantTake({ limits, endpoint: 'user-posts' })));
      expect(refusal).toMatchObject({ limitedBy: 'tenant-bucket', policy: 'endpoint-bucket', retryAfterMs: 1000 });
      expect(find(refusal.limits, 'tenant-bucket').used).toBe(1);
      expect((await store.takeTenant(tenantTake({ limits, endpoint: 'userid' }))).admitted).toBe(true);
    });

    it('is closed for good at a capacity of 0', async () => {
      const limits = { bucket: { capacity: 0, refillPerSecond: 1 } };
      expect(refused(await store.takeTenant(tenantTake({ limits }))).retryAfterMs).toBeNull();
    });

    it('goes on when the clock is set back, with a Retry-After that is true', async () => {
      await store.takeTenant(tenantTake({ limits: one }));
      now -= HOUR;
      const { retryAfterMs } = refused(await store.takeTenant(tenantTake({ limits: one })));
      expect(retryAfterMs).toBe(2000);
      now += retryAfterMs ?? 0;
      expect((await store.takeTenant(tenantTake({ limits: one }))).admitted).toBe(true);
    });
  });

  describe('quotas', () => {
    it('counts credits by UTC day, refuses what would pass the quota, and begins anew at midnight', async () => {
      const limits = { dailyCredits: 10 };
      const cost = 4;
      await store.takeTenant(tenantTake({ limits, cost }));
      await store.takeTenant(tenantTake({ limits, cost }));
      const refusal = refused(await store.takeTenant(tenantTake({ limits, cost })));
      expect(refusal).toMatchObject({ limitedBy: 'daily-quota', retryAfterMs: 12 * HOUR });
      expect(find(refusal.limits, 'daily-quota')).toMatchObject({
        limit: 10,
        used: 8,
        remaining: 2,
        resetMs: 12 * HOUR,
        policyWindow: 86_400,
      });
      now += 12 * HOUR - 1;
      expect((await store.takeTenant(tenantTake({ limits, cost }))).admitted).toBe(false);
      now += 1;
      expect((await store.takeTenant(tenantTake({ limits, cost }))).admitted).toBe(true);
    });

    it.each(['2024-02-29T10:00Z', '2026-12-31T23:59Z', '2027-01-01T00:00Z', '2100-02-28T05:00Z', '2096-02-29T05:00Z'])(
      'ends the month of %s at the first instant of the next',
      async (text) => {
        now = Date.parse(text);
        const limits = { monthlyCredits: 1 };
        const ledger = { day: text.slice(0, 10), dayCredits: 0, month: text.slice(0, 7), monthCredits: 1 };
        const refusal = refused(await store.takeTenant(tenantTake({ limits, ledger })));
        const date = new Date(now);
        expect(now + (refusal.retryAfterMs ?? 0)).toBe(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1));
        expect(refusal.limitedBy).toBe('monthly-quota');
      },
    );

    it('names, of several limits, the one that takes longest, so that the wait is true', async () => {
      const limits = { ...one, dailyCredits: 1, budgets: [{ credits: 1, period: 'month' as const }] };
      await store.takeTenant(tenantTake({ limits }));
      expect(refused(await store.takeTenant(tenantTake({ limits })))).toMatchObject({ limitedBy: 'budget', policy: 'budget' });
    });

    it('says that no wait helps when a call costs more than the whole quota', async () => {
      expect(refused(await store.takeTenant(tenantTake({ cost: 11, limits: { dailyCredits: 10 } }))).retryAfterMs).toBeNull();
    });

    it('admits what costs nothing when the quota is used up', async () => {
      const limits = { dailyCredits: 1 };
      await store.takeTenant(tenantTake({ limits }));
      expect((await store.takeTenant(tenantTake({ limits, cost: 0 }))).admitted).toBe(true);
    });

    it('raises a counter to what the ledger says, and never lowers it', async () => {
      const limits = { dailyCredits: 100 };
      const used = async (dayCredits: number) => {
        const answer = await store.takeTenant(tenantTake({ limits, cost: 0.5, ledger: { ...LEDGER, dayCredits } }));
        return find(answer.limits, 'daily-quota').used;
      };
      expect([await used(20), await used(3), await used(60)]).toEqual([20.5, 21, 60.5]);
    });

    it('refuses while nobody knows what was used, and goes on with its own count once it has one', async () => {
      const limits = { dailyCredits: 100 };
      const unknown = () => store.takeTenant(tenantTake({ limits, ledger: undefined }));
      expect(refused(await unknown())).toMatchObject({ limitedBy: 'unknown-ledger', policy: null, retryAfterMs: 1000 });
      await store.takeTenant(tenantTake({ limits }));
      expect((await unknown()).admitted).toBe(true);
    });

    it('takes a ledger of yesterday for nothing used today, and one of tomorrow for no knowledge', async () => {
      const limits = { dailyCredits: 10 };
      const of = (day: string) =>
        store.takeTenant(tenantTake({ limits, tenant: day, ledger: { ...LEDGER, day, dayCredits: 10 } }));
      expect((await of('2026-11-23')).admitted).toBe(true);
      expect(refused(await of('2026-11-25')).limitedBy).toBe('unknown-ledger');
    });

    it('does not bring a used quota back when the clock is set back over midnight', async () => {
      const limits = { dailyCredits: 1 };
      await store.takeTenant(tenantTake({ limits }));
      now -= 13 * HOUR;
      expect(refused(await store.takeTenant(tenantTake({ limits })))).toMatchObject({
        limitedBy: 'daily-quota',
        retryAfterMs: 25 * HOUR,
      });
    });
  });

  describe('concurrency', () => {
    it('admits as many calls as there are slots, and another one for each that ends', async () => {
      const limits = { concurrency: 2 };
      const first = tenantTake({ limits });
      await store.takeTenant(first);
      now += 1000;
      await store.takeTenant(tenantTake({ limits }));
      expect(refused(await store.takeTenant(tenantTake({ limits })))).toMatchObject({
        limitedBy: 'concurrency',
        retryAfterMs: 9000,
      });
      await store.settle(ofTenant(first), 1);
      expect((await store.takeTenant(tenantTake({ limits }))).admitted).toBe(true);
    });

    it('frees a slot that nobody gave back when its lease ends', async () => {
      const limits = { concurrency: 1, leaseMs: 500 };
      await store.takeTenant(tenantTake({ limits }));
      now += 499;
      expect(refused(await store.takeTenant(tenantTake({ limits }))).retryAfterMs).toBe(1);
      now += 1;
      expect((await store.takeTenant(tenantTake({ limits }))).admitted).toBe(true);
    });

    it('frees it a sixteenth of the lease later at most, when it says', async () => {
      const limits = { concurrency: 3, leaseMs: 1_000 };
      now += 0.001;
      for (let i = 0; i < 3; i++, now += 7.5) await store.takeTenant(tenantTake({ limits }));
      const { retryAfterMs } = refused(await store.takeTenant(tenantTake({ limits })));
      const first = NOON + 1_000 - now;
      expect(retryAfterMs).toBeGreaterThanOrEqual(first);
      expect(retryAfterMs).toBeLessThanOrEqual(first + 1_000 / 16 + 1);
      now += retryAfterMs ?? 0;
      expect((await store.takeTenant(tenantTake({ limits }))).admitted).toBe(true);
    });

    it('gives the place of a call back that others have followed, of whatever leases', async () => {
      const takes = [5_000, 400, 90_000, 400].map((leaseMs) => tenantTake({ limits: { concurrency: 4, leaseMs } }));
      for (const take of takes) await store.takeTenant(take);
      for (const [i, take] of takes.entries()) {
        await store.settle(ofTenant(take), 1);
        expect(find(await store.inspectTenant(take), 'concurrency').used).toBe(3 - i);
      }
    });
  });

  describe('takes', () => {
    it('knows one for as long as its lease, whatever names come after it', async () => {
      const limits = { bucket: { capacity: 100, refillPerSecond: 0.001 }, leaseMs: 300_000 };
      const takes = ['zzz', 'mmm', '000'].map((takeId) => tenantTake({ takeId, limits }));
      for (const take of takes) await store.takeTenant(take);
      for (let i = 0; i < 14; i++, now += 20_000) await store.takeTenant(tenantTake({ takeId: `n${i}`, limits: { ...limits, leaseMs: 1_000 } }));
      const used = async () => find(await store.inspectTenant(tenantTake({ limits })), 'tenant-bucket').used;
      const before = await used();
      for (const take of takes) expect((await store.takeTenant(take)).admitted).toBe(true);
      expect(await used()).toBe(before);
      for (const take of takes) await store.giveBack(ofTenant(take));
      expect(await used()).toBe(before - 3);
    });

    it('answers a repeated take as the first and takes nothing again', async () => {
      const take = tenantTake({ limits: { ...one, dailyCredits: 5, concurrency: 1 } });
      const first = await store.takeTenant(take);
      expect(await store.takeTenant(take)).toEqual(first);
    });

    it('takes the difference alone when asked again at a higher cost, and nothing when that is refused', async () => {
      const take = tenantTake({ limits: { ...one, dailyCredits: 5 }, cost: 1 });
      await store.takeTenant(take);
      const refusal = refused(await store.takeTenant({ ...take, cost: 6 }));
      expect(find(refusal.limits, 'daily-quota').used).toBe(1);
      const raised = await store.takeTenant({ ...take, cost: 5 });
      expect(raised.admitted).toBe(true);
      expect([find(raised.limits, 'daily-quota').used, find(raised.limits, 'tenant-bucket').used]).toEqual([5, 1]);
      await store.giveBack(ofTenant(take));
      expect(find(await store.inspectTenant(take), 'daily-quota').used).toBe(0);
    });

    it('gives everything back, once, however often it is told', async () => {
      const limits = { bucket: { capacity: 5, refillPerSecond: 0.001 }, dailyCredits: 50, concurrency: 5 };
      const [kept, returned] = [tenantTake({ limits, cost: 3 }), tenantTake({ limits, cost: 7 })];
      await store.takeTenant(kept);
      const before = await store.inspectTenant(kept);
      await store.takeTenant(returned);
      await store.giveBack(ofTenant(returned));
      await store.giveBack(ofTenant(returned));
      await store.settle(ofTenant(returned), 9);
      expect(await store.inspectTenant(kept)).toEqual(before);
    });

    it('settles at what the call really cost, once, and keeps the call counted in the bucket', async () => {
      const take = tenantTake({ limits: { ...one, dailyCredits: 50, monthlyCredits: 50, concurrency: 1 }, cost: 3 });
      await store.takeTenant(take);
      await store.settle(ofTenant(take), 4.25);
      await store.settle(ofTenant(take), 1);
      await store.giveBack(ofTenant(take));
      const used = (await store.inspectTenant(take)).map(({ name, used }) => [name, used]);
      expect(used).toEqual([
        ['tenant-bucket', 1],
        ['daily-quota', 4.25],
        ['monthly-quota', 4.25],
        ['concurrency', 0],
      ]);
    });

    it('leaves the new day alone when a take of yesterday is settled or returned', async () => {
      const limits = { dailyCredits: 50, monthlyCredits: 50, leaseMs: 24 * HOUR };
      const [settled, returned] = [tenantTake({ limits, cost: 3 }), tenantTake({ limits, cost: 3 })];
      await store.takeTenant(settled);
      await store.takeTenant(returned);
      now += 12 * HOUR;
      await store.takeTenant(tenantTake({ limits, cost: 10 }));
      await store.settle(ofTenant(settled), 1);
      await store.giveBack(ofTenant(returned));
      const standing = await store.inspectTenant(tenantTake({ limits }));
      expect([find(standing, 'daily-quota').used, find(standing, 'monthly-quota').used]).toEqual([10, 11]);
    });

    it('refuses to open a closed take again, and forgets it later', async () => {
      const take = tenantTake();
      await store.takeTenant(take);
      await store.giveBack(ofTenant(take));
      await expect(store.takeTenant(take)).rejects.toMatchObject({ code: 'take-closed', status: 409 });
      now += HOUR;
      expect((await store.takeTenant(take)).admitted).toBe(true);
    });

    it('knows nothing of another tenant, another project or an unknown take', async () => {
      const take = tenantTake({ limits: one });
      await store.takeTenant(take);
      await store.giveBack(ofTenant({ ...take, tenant: 'ten_b' }));
      await store.giveBack({ slot: 'tenant', tenant: 'ten_a', project: 'default', takeId: 'never' });
      expect((await store.takeTenant({ ...take, takeId: 'other' })).admitted).toBe(false);
      expect((await store.takeTenant({ ...take, takeId: 'other', tenant: 'ten_b' })).admitted).toBe(true);
      expect((await store.takeTenant({ ...take, takeId: 'other', project: 'second' })).admitted).toBe(true);
    });
  });

  describe('upstream keys', () => {
    it('limits a key over all tenants, and names it', async () => {
      const limits = { bucket: { capacity: 2, refillPerSecond: 200 / 60 } };
      for (const tenant of ['ten_a', 'ten_b']) await store.takeKey(keyTake({ limits, tenant }));
      expect(refused(await store.takeKey(keyTake({ limits })))).toMatchObject({ limitedBy: 'upstream-key', retryAfterMs: 300 });
      expect((await store.takeKey(keyTake({ limits, keyId: 'key_b' }))).admitted).toBe(true);
    });

    it('limits the calls in flight on a key and frees the slot of one that ended', async () => {
      const limits = { concurrency: 1 };
      const take = keyTake({ limits });
      await store.takeKey(take);
      expect(refused(await store.takeKey(keyTake({ limits })))).toMatchObject({
        limitedBy: 'upstream-key',
        policy: 'upstream-key-concurrency',
      });
      await store.settle(ofKey(take), 0);
      expect(find(await store.inspectKey(take), 'upstream-key-concurrency').used).toBe(0);
      expect((await store.takeKey(keyTake({ limits }))).admitted).toBe(true);
    });

    it.each([
      ['its own', {}],
      ['shared', { share: { weight: 1, priority: 'interactive' as const } }],
    ])('lets nobody call with a key of %s kind that the upstream has refused, until the pause that ends last is over', async (_, of) => {
      expect((await store.takeKey(keyTake(of))).admitted).toBe(true);
      await store.pause('key_a', 2_000);
      await store.pause('key_a', 500);
      const refusal = refused(await store.takeKey(keyTake({ ...of, tenant: 'ten_b' })));
      expect(refusal).toMatchObject({ limitedBy: 'upstream', policy: null, retryAfterMs: 2_000, slot: null });
      now += 1_999;
      expect((await store.takeKey(keyTake(of))).admitted).toBe(false);
      now += 1;
      expect((await store.takeKey(keyTake(of))).admitted).toBe(true);
    });

    it("keeps one tenant from ending another's attempt of the same id", async () => {
      const take = keyTake({ limits: { concurrency: 1 } });
      await store.takeKey(take);
      await store.giveBack(ofKey({ ...take, tenant: 'ten_b' }));
      expect(find(await store.inspectKey(take), 'upstream-key-concurrency').used).toBe(1);
    });
  });

  describe('shared keys', () => {
    /** Two a second, two at once: after the first two calls, others wait. */
    const limits = { bucket: { capacity: 2, refillPerSecond: 2 } };
    const share = (weight = 1, priority: Priority = 'interactive') => ({ weight, priority });
    const ask = (tenant: string, more: Partial<KeyTake> = {}) => store.takeKey(keyTake({ share: share(), ...more, tenant, limits }));
    const exhaust = async (tenant: string) => {
      while ((await ask(tenant)).admitted);
    };
    const slotOf = (answer: Admission) => {
      const { slot, retryAfterMs } = refused(answer);
      if (!slot || retryAfterMs === null) throw new Error(`no slot: ${JSON.stringify(answer)}`);
      return { ...slot, retryAfterMs };
    };

    it('gives a tenant who is alone all there is (L11)', async () => {
      let admitted = 0;
      for (let i = 0; i < 600; i++, now += 100) if ((await ask('ten_a')).admitted) admitted += 1;
      expect(admitted).toBeGreaterThanOrEqual(120);
      expect(admitted).toBeLessThanOrEqual(122);
    });

    it('admits nobody beyond capacity and refill, whoever calls', async () => {
      let admitted = 0;
      for (let i = 0; i < 300; i++, now += 200)
        for (const tenant of ['ten_a', 'ten_b', 'ten_c']) if ((await ask(tenant)).admitted) admitted += 1;
      expect(admitted).toBeGreaterThanOrEqual(118);
      expect(admitted).toBeLessThanOrEqual(122);
    });

    it('keeps a slot for a refused call: refused just before Retry-After, admitted then, whatever others do meanwhile', async () => {
      await exhaust('ten_a');
      const slot = slotOf(await ask('ten_b', { takeId: 'first' }));
      expect(slot).toMatchObject({ ticket: 'first', promised: true, graceMs: 2000 });
      await exhaust('ten_c');
      now += slot.retryAfterMs - 1;
      expect(slotOf(await ask('ten_b', { ticket: slot.ticket }))).toMatchObject({ ticket: 'first', retryAfterMs: 1 });
      await exhaust('ten_c');
      now += 1;
      expect(await ask('ten_b', { ticket: slot.ticket })).toMatchObject({ admitted: true, by: 'slot' });
    });

    it('names the fair share when others want the key too, and the key when nobody does (L9)', async () => {
      await exhaust('ten_a');
      expect(refused(await ask('ten_a'))).toMatchObject({ limitedBy: 'upstream-key', policy: 'upstream-key' });
      const refusal = refused(await ask('ten_b'));
      expect(refusal).toMatchObject({ limitedBy: 'fair-share', policy: 'fair-share' });
      expect(find(refusal.limits, 'fair-share')).toMatchObject({ limit: 60, unit: 'calls', policyWindow: 60 });
    });

    it('divides a key by weight among those who always want more', async () => {
      const of = { bucket: { capacity: 10, refillPerSecond: 2 } };
      const admitted = { ten_a: 0, ten_b: 0 };
      for (let i = 0; i < 600; i++, now += 250)
        for (const [tenant, weight] of [
          ['ten_a', 1],
          ['ten_b', 3],
        ] as const) {
          if ((await store.takeKey(keyTake({ tenant, share: share(weight), limits: of }))).admitted) admitted[tenant] += 1;
        }
      expect(admitted.ten_a + admitted.ten_b).toBeGreaterThan(290);
      expect(admitted.ten_b / admitted.ten_a).toBeGreaterThan(2.4);
      expect(admitted.ten_b / admitted.ten_a).toBeLessThan(3.2);
    });

    it('refuses no call of a tenant below its share beside one that calls a hundred times as often (L10)', async () => {
      const roomy = { bucket: { capacity: 50, refillPerSecond: 10 } };
      let refusals = 0;
      for (let i = 0; i < 1500; i++, now += 10) {
        await store.takeKey(keyTake({ share: share(), tenant: 'ten_loud', limits: roomy }));
        if (i % 100 === 50 && !(await store.takeKey(keyTake({ share: share(), tenant: 'ten_quiet', limits: roomy }))).admitted) refusals += 1;
      }
      expect(refusals).toBe(0);
    });

    it("gives a batch call's earlier slot to its tenant's interactive call, and the batch call the later one", async () => {
      await exhaust('ten_a');
      const batch = slotOf(await ask('ten_b', { takeId: 'batch', share: share(1, 'batch') }));
      const interactive = slotOf(await ask('ten_b', { takeId: 'interactive' }));
      expect(batch.promised).toBe(false);
      expect(interactive).toMatchObject({ promised: true, retryAfterMs: batch.retryAfterMs });
      now += batch.retryAfterMs;
      const moved = slotOf(await ask('ten_b', { ticket: 'batch', share: share(1, 'batch') }));
      expect(moved.ticket).toBe('batch');
      expect((await ask('ten_b', { ticket: 'interactive' })).admitted).toBe(true);
      now += moved.retryAfterMs;
      expect((await ask('ten_b', { ticket: 'batch', share: share(1, 'batch') })).admitted).toBe(true);
    });

    it("lets an interactive call without a ticket have its tenant's due batch slot", async () => {
      await exhaust('ten_a');
      const batch = slotOf(await ask('ten_b', { share: share(1, 'batch') }));
      now += batch.retryAfterMs;
      expect(await ask('ten_b')).toMatchObject({ admitted: true, by: 'slot' });
    });

    it('lets a call without a ticket have the slot of its tenant that brings none', async () => {
      await exhaust('ten_a');
      const { retryAfterMs } = slotOf(await ask('ten_b'));
      now += retryAfterMs + 300;
      expect(await ask('ten_b')).toMatchObject({ admitted: true, by: 'slot' });
    });

    it('leaves nothing of a slot that was dropped: the next one comes at the time that was its', async () => {
      await exhaust('ten_a');
      const first = slotOf(await ask('ten_b'));
      await store.drop({ keyId: 'key_a', tenant: 'ten_b', ticket: first.ticket });
      await store.drop({ keyId: 'key_a', tenant: 'ten_b', ticket: first.ticket });
      expect(slotOf(await ask('ten_c')).retryAfterMs).toBe(first.retryAfterMs);
    });

    it('gives to others what nobody came for within the grace', async () => {
      await exhaust('ten_a');
      const missed = slotOf(await ask('ten_b'));
      now += missed.retryAfterMs + missed.graceMs + 1;
      await exhaust('ten_c');
      expect((await ask('ten_b', { ticket: missed.ticket })).admitted).toBe(false);
    });

    it('answers a repeated take as the first, refused or admitted, and gives no second slot for it', async () => {
      await exhaust('ten_a');
      const take = keyTake({ tenant: 'ten_b', share: share(), limits });
      const first = await store.takeKey(take);
      expect(await store.takeKey(take)).toEqual(first);
      now += slotOf(first).retryAfterMs;
      expect((await store.takeKey({ ...take, ticket: take.takeId })).admitted).toBe(true);
      expect((await store.takeKey(take)).admitted).toBe(true);
    });

    it('gives the call and the share of an attempt back that was never sent', async () => {
      const takes = [keyTake({ share: share(), limits }), keyTake({ share: share(), limits })];
      for (const take of takes) expect((await store.takeKey(take)).admitted).toBe(true);
      for (const take of takes) await store.giveBack(ofKey(take));
      for (const take of [keyTake({ share: share(), limits }), keyTake({ share: share(), limits })])
        expect((await store.takeKey(take)).admitted).toBe(true);
    });

    it('promises nothing where concurrency refuses, and keeps the slot of who meets it with a ticket', async () => {
      const one = { ...limits, concurrency: 1, leaseMs: 1500 };
      const of = (tenant: string, more: Partial<KeyTake> = {}) => store.takeKey(keyTake({ share: share(), ...more, tenant, limits: one }));
      await exhaust('ten_a');
      const slot = slotOf(await of('ten_b'));
      now += slot.retryAfterMs;
      expect((await ask('ten_c', { takeId: 'other', limits: one })).admitted).toBe(false);
      const holder = keyTake({ tenant: 'ten_b', share: share(), limits: one, ticket: slot.ticket });
      expect((await store.takeKey(holder)).admitted).toBe(true);
      expect(refused(await of('ten_d'))).toMatchObject({ policy: 'upstream-key-concurrency', slot: null });
    });

    it('moves a slot that the key cannot pay any more, when its ceiling was lowered, instead of losing it', async () => {
      await exhaust('ten_a');
      const [first, second, third] = [slotOf(await ask('ten_b')), slotOf(await ask('ten_c')), slotOf(await ask('ten_d'))];
      const slow = { bucket: { capacity: 2, refillPerSecond: 0.1 } };
      const claim = (tenant: string, ticket: string) => store.takeKey(keyTake({ tenant, ticket, share: share(), limits: slow }));
      now += first.retryAfterMs;
      expect((await claim('ten_b', first.ticket)).admitted).toBe(true);
      now += second.retryAfterMs - first.retryAfterMs;
      await claim('ten_c', second.ticket);
      now += third.retryAfterMs - second.retryAfterMs;
      const later = slotOf(await claim('ten_d', third.ticket));
      expect(later).toMatchObject({ ticket: third.ticket, promised: true });
      now += later.retryAfterMs;
      expect((await claim('ten_d', third.ticket)).admitted).toBe(true);
    });

    it('goes on when the clock is set back, and tickets are good as long after it as before', async () => {
      await exhaust('ten_a');
      const slot = slotOf(await ask('ten_b'));
      now -= HOUR;
      expect(slotOf(await ask('ten_b', { ticket: slot.ticket })).retryAfterMs).toBe(slot.retryAfterMs);
      now += slot.retryAfterMs;
      expect((await ask('ten_b', { ticket: slot.ticket })).admitted).toBe(true);
    });

    it("knows no other tenant's ticket", async () => {
      await exhaust('ten_a');
      const { ticket, retryAfterMs } = slotOf(await ask('ten_b'));
      now += retryAfterMs;
      expect((await ask('ten_c', { ticket })).admitted).toBe(false);
      await store.drop({ keyId: 'key_a', tenant: 'ten_c', ticket });
      expect((await ask('ten_b', { ticket })).admitted).toBe(true);
    });

    it.each([0, -1, NaN, Infinity, 0.0001, 1e7])('rejects a weight of %p', async (weight) => {
      await expect(ask('ten_a', { share: share(weight) })).rejects.toMatchObject({ code: 'invalid-request' });
    });
    it.each([0, 1.5, -1, 1001])('rejects %p calls', async (calls) => {
      await expect(ask('ten_a', { calls })).rejects.toMatchObject({ code: 'invalid-request' });
    });
  });

  describe('tickets on the tenant’s slot', () => {
    const limits = { bucket: { capacity: 1, refillPerSecond: 0.1 }, dailyCredits: 10, concurrency: 1 };
    const spent = async () => find(await store.inspectTenant(tenantTake({ limits })), 'daily-quota').used;

    it('keeps what a call took of bucket and quota for who brings the ticket, and frees its place in flight', async () => {
      const first = tenantTake({ limits, cost: 3 });
      await store.takeTenant(first);
      await store.keep(ofTenant(first), 'ticket', 5000);
      expect(refused(await store.takeTenant(tenantTake({ limits }))).policy).toBe('tenant-bucket');
      const second = tenantTake({ limits, cost: 4, ticket: 'ticket' });
      expect((await store.takeTenant(second)).admitted).toBe(true);
      expect(await spent()).toBe(4);
      await store.settle(ofTenant(second), 2.5);
      expect(await spent()).toBe(2.5);
    });

    it('is good once, and in its time', async () => {
      const first = tenantTake({ limits });
      await store.takeTenant(first);
      await store.keep(ofTenant(first), 'ticket', 5000);
      const second = tenantTake({ limits, ticket: 'ticket' });
      await store.takeTenant(second);
      await store.settle(ofTenant(second), 1);
      expect(refused(await store.takeTenant(tenantTake({ limits, ticket: 'ticket' }))).policy).toBe('tenant-bucket');
    });

    it('gives the credits back when nobody comes for them', async () => {
      const first = tenantTake({ limits, cost: 3 });
      await store.takeTenant(first);
      await store.keep(ofTenant(first), 'ticket', 5000);
      now += 20_000;
      await store.takeTenant(tenantTake({ limits, cost: 1 }));
      expect(await spent()).toBe(1);
      await expect(store.takeTenant(first)).rejects.toMatchObject({ code: 'take-closed' });
    });

    it('does not spare a call the bucket of another endpoint', async () => {
      const endpointBuckets = { posts: { capacity: 1, refillPerSecond: 0.1 } };
      const roomy = { bucket: { capacity: 10, refillPerSecond: 1 }, endpointBuckets };
      const first = tenantTake({ limits: roomy, endpoint: 'userid' });
      await store.takeTenant(tenantTake({ limits: roomy, endpoint: 'posts' }));
      await store.takeTenant(first);
      await store.keep(ofTenant(first), 'ticket', 5000);
      expect(refused(await store.takeTenant(tenantTake({ limits: roomy, endpoint: 'posts', ticket: 'ticket' }))).policy).toBe('endpoint-bucket');
    });
  });

  describe('limits in shadow mode', () => {
    it('are decided and counted, spend what they would, and refuse nobody', async () => {
      const limits = { ...one, dailyCredits: 1, concurrency: 1, shadow: ['tenant-bucket', 'daily-quota', 'concurrency'] as const };
      expect((await store.takeTenant(tenantTake({ limits }))).shadowed).toEqual([]);
      const second = await store.takeTenant(tenantTake({ limits }));
      expect(second).toMatchObject({ admitted: true, shadowed: ['tenant-bucket', 'daily-quota', 'concurrency'] });
      expect([find(second.limits, 'tenant-bucket').used, find(second.limits, 'concurrency').used]).toEqual([1, 1]);
      // credits are spent whoever counts them
      expect(find(second.limits, 'daily-quota').used).toBe(2);
      now += 2000;
      expect((await store.takeTenant(tenantTake({ limits }))).shadowed).toEqual(['daily-quota', 'concurrency']);
    });

    it('leaves the other limits in force', async () => {
      const limits = { ...one, dailyCredits: 1, shadow: ['daily-quota'] as const };
      await store.takeTenant(tenantTake({ limits }));
      expect(refused(await store.takeTenant(tenantTake({ limits })))).toMatchObject({ policy: 'tenant-bucket', shadowed: ['daily-quota'] });
    });

    it('does not refuse for a ledger that nobody knows', async () => {
      const limits = { dailyCredits: 1, shadow: ['daily-quota'] as const };
      expect((await store.takeTenant(tenantTake({ limits, ledger: undefined }))).admitted).toBe(true);
    });
  });

  describe('limits that change while in use (L5)', () => {
    const bucket = (capacity: number, refillPerSecond: number) => ({ bucket: { capacity, refillPerSecond } });

    it('clamps a bucket to a lower capacity: the first call comes back after one refill, and none is owed for ever', async () => {
      for (let i = 0; i < 100; i++) await store.takeTenant(tenantTake({ limits: bucket(100, 1) }));
      const refusal = refused(await store.takeTenant(tenantTake({ limits: bucket(5, 1) })));
      expect(refusal.retryAfterMs).toBe(1000);
      expect(find(refusal.limits, 'tenant-bucket')).toMatchObject({ limit: 5, used: 5, remaining: 0 });
    });

    it('tells a true wait when a limit is lowered while it is in use: what was used above it is forgiven once, and for good (L5, L9)', async () => {
      const limits = (capacity: number, refillPerSecond: number) => ({ bucket: { capacity, refillPerSecond } });
      for (let i = 0; i < 100; i++) await store.takeTenant(tenantTake({ limits: limits(300, 5) }));
      const refusal = refused(await store.takeTenant(tenantTake({ limits: limits(2, 0.5) })));
      expect(refusal.retryAfterMs).toBe(2_000);
      now += 1_999;
      expect((await store.takeTenant(tenantTake({ limits: limits(2, 0.5) }))).admitted).toBe(false);
      now += 1;
      expect((await store.takeTenant(tenantTake({ limits: limits(2, 0.5) }))).admitted).toBe(true);
    });

    it('keeps the calls that were used when the rate changes', async () => {
      for (let i = 0; i < 60; i++) await store.takeTenant(tenantTake({ limits: bucket(100, 10) }));
      const answer = await store.takeTenant(tenantTake({ limits: bucket(100, 0.5) }));
      expect(find(answer.limits, 'tenant-bucket')).toMatchObject({ used: 61, remaining: 39 });
    });

    it('shows a quota below its use as overdrawn, with nothing remaining, and admits again when it is raised', async () => {
      await store.takeTenant(tenantTake({ limits: { dailyCredits: 10, concurrency: 2 }, cost: 8 }));
      const refusal = refused(await store.takeTenant(tenantTake({ limits: { dailyCredits: 5, concurrency: 1 } })));
      expect(find(refusal.limits, 'daily-quota')).toMatchObject({ limit: 5, used: 8, remaining: 0 });
      expect((await store.takeTenant(tenantTake({ limits: { dailyCredits: 9 } }))).admitted).toBe(true);
    });
  });

  describe('bad numbers (L5)', () => {
    it.each([NaN, -1, -0.001, Infinity, 1e300, 1e6 + 1])('rejects a cost of %p before anything is counted', async (cost) => {
      const take = tenantTake({ limits: { dailyCredits: 10 } });
      await expect(store.takeTenant({ ...take, cost })).rejects.toMatchObject({ code: 'invalid-request', status: 400 });
      await expect(store.settle(ofTenant(take), cost)).rejects.toMatchObject({ code: 'invalid-request' });
      expect(find(await store.inspectTenant(take), 'daily-quota').used).toBe(0);
    });

    it.each([
      { bucket: { capacity: 1.5, refillPerSecond: 1 } },
      { bucket: { capacity: -1, refillPerSecond: 1 } },
      { bucket: { capacity: 1, refillPerSecond: 0 } },
      { bucket: { capacity: 1, refillPerSecond: NaN } },
      { bucket: { capacity: 1, refillPerSecond: Infinity } },
      { bucket: { capacity: 1e9, refillPerSecond: 0.001 } },
      { dailyCredits: NaN },
      { concurrency: 0.5 },
      { leaseMs: 0 },
    ])('rejects the limits %j', async (limits) => {
      await expect(store.takeTenant(tenantTake({ limits }))).rejects.toMatchObject({ code: 'invalid-request' });
    });

    it.each(['', '{a}', 'a b', 'x'.repeat(201)])('rejects the name %p', async (tenant) => {
      await expect(store.takeTenant(tenantTake({ tenant }))).rejects.toMatchObject({ code: 'invalid-request' });
    });
  });
}

function refused(answer: Admission): Refused {
  if (answer.admitted) throw new Error(`admitted: ${JSON.stringify(answer)}`);
  return answer;
}

function find(standings: readonly Standing[], name: LimitName): Standing {
  const found = standings.find((standing) => standing.name === name);
  if (!found) throw new Error(`no ${name} among ${JSON.stringify(standings)}`);
  return found;
}
