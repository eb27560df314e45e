import { limiterConformance } from './conformance';
import { memoryLimiterStore } from './memory-store';
import { NOON, tenantTake } from './samples';

describe('memory limiter store', () => {
  limiterConformance((clock) => memoryLimiterStore({ clock }));

  it('forgets tenants that came once, while others go on calling (L3)', async () => {
    let now = NOON;
    const store = memoryLimiterStore({ clock: () => now });
    for (let i = 0; i < 20_000; i++) await store.takeTenant(tenantTake({ tenant: `ten_${i}`, limits: { leaseMs: 1000 } }));
    expect(store.slots).toBe(20_000);
    now += 120_000;
    for (let i = 0; i < 12_000; i++) await store.takeTenant(tenantTake({ tenant: 'ten_busy' }));
    expect(store.slots).toBe(1);
    await store.close();
  });

  it('leaves nothing of a stranger who was refused', async () => {
    const store = memoryLimiterStore();
    await store.takeTenant(tenantTake({ limits: { bucket: { capacity: 0, refillPerSecond: 1 } } }));
    expect(store.slots).toBe(0);
    await store.close();
  });
});
