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
  type Refused,
  type Standing,
  type TakeRef,
  type TenantLimits,
  type TenantTake,
} from './port';
export { redisLimiterStore } from './redis-store';
export { activeOverrides, keyLimits, tenantLimits, type TenantPolicy } from './tenant-limits';
