export { failoverStore } from './away/failover-store';
export { createAdmission, type Admissions, type KeyStep, type Pass } from './admission';
export { rateLimitHeaders, retryAfterSeconds } from './headers';
export { memoryLimiterStore } from './memory-store';
export {
  type Admission,
  type Admitted,
  type Bucket,
  type Budget,
  type KeyLimits,
  type KeyTake,
  type Ledger,
  type LimitedBy,
  type LimiterStore,
  type LimitName,
  type Priority,
  type Refused,
  type Share,
  type Slot,
  type SlotRef,
  type Standing,
  type KeyRef,
  type TakeRef,
  type TenantRef,
  type TenantLimits,
  type TenantTake,
} from './port';
export { redisLimiterStore } from './redis-store';
export { budgetLimits, ledgerOf, tightestBudgets } from './budgets';
export { activeOverrides, names, overrideOf } from './overrides';
export { keyLimits, shadowOf, tenantPolicies, type TenantPolicies } from './tenant-limits';
