export { CONTRACTS, EVENTS } from './catalogue';
export { describeEvents } from './describe-events';
export { event, readEvent, record, type Contract, type EventContract, type FactOf, type Upcaster } from './contract';
export { fieldsOf, personal, plain, type FieldPrivacy } from './privacy';
export { DEMAND_TOPIC, SIGNAL_TOPIC, TOPICS, USAGE_TOPIC, eventsTopic, stateTopic, type Thing, type TopicDeclaration } from './topics';
export { KEY_MODES, PLACEMENTS, ROLES, type KeyMode, type PlanRef, type Role } from './fields';
export { tenantState, type TenantEvent, type TenantState } from './tenant';
export { apiTokenState, type ApiTokenEvent, type ApiTokenState } from './api-token';
export { money, planState, planTerms, type Money, type PlanEvent, type PlanState, type PlanTerms } from './plan';
export {
  keyCheck,
  upstreamKeyState,
  wrappedDataKey,
  type KeyCheck,
  type Rejection,
  type UpstreamKeyEvent,
  type UpstreamKeyState,
} from './upstream-key';
export {
  LIMIT_NAMES,
  keyCeilingState,
  limitOverride,
  limitPolicyState,
  quotaState,
  type KeyCeilingState,
  type LimitName,
  type LimitOverride,
  type LimitPolicyEvent,
  type LimitPolicyState,
  type QuotaState,
} from './limits';
export {
  demand,
  upstreamSignal,
  usage,
  type Demand,
  type UpstreamSignal,
  type Usage,
  type UsageOf,
} from './usage';
export { type BillingEvent, type BillingException } from './billing';
export { type AuditEvent } from './audit';
