import type { KeyLimits, KeyRef, KeyTake, TenantLimits, TenantRef, TenantTake } from './port';

/** 2026-11-24T12:00:00Z, in ms: the middle of a day, for tests that own the time. */
export const NOON = Date.UTC(2026, 10, 24, 12);

export const LEDGER = { day: '2026-11-24', dayCredits: 0, month: '2026-11', monthCredits: 0 } as const;

const ROOMY: TenantLimits = { bucket: { capacity: 1000, refillPerSecond: 100 }, leaseMs: 10_000 };
const ROOMY_KEY: KeyLimits = { bucket: { capacity: 50, refillPerSecond: 200 / 60 }, leaseMs: 10_000 };

let takes = 0;

export const tenantTake = ({
  limits,
  ...rest
}: Partial<Omit<TenantTake, 'limits'>> & { limits?: Partial<TenantLimits> } = {}): TenantTake => ({
  tenant: 'ten_a',
  project: 'default',
  takeId: `t${++takes}`,
  endpoint: 'userinfo-by-username',
  cost: 1,
  ledger: LEDGER,
  ...rest,
  limits: { ...ROOMY, ...limits },
});

export const keyTake = ({
  limits,
  ...rest
}: Partial<Omit<KeyTake, 'limits'>> & { limits?: Partial<KeyLimits> } = {}): KeyTake => ({
  keyId: 'key_a',
  tenant: 'ten_a',
  project: 'default',
  takeId: `k${++takes}`,
  ...rest,
  limits: { ...ROOMY_KEY, ...limits },
});

export const ofTenant = ({ tenant, project, takeId }: TenantTake): TenantRef => ({ slot: 'tenant', tenant, project, takeId });
export const ofKey = ({ keyId, tenant, takeId }: KeyTake): KeyRef => ({ slot: 'key', keyId, tenant, takeId });
