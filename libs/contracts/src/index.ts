export { CONTRACTS, EVENTS } from './catalogue';
export { describeEvents } from './describe-events';
export { event, readEvent, record, type Contract, type EventContract, type FactOf, type Upcaster } from './contract';
export { fieldsOf, personal, plain, type FieldPrivacy } from './privacy';
export { DEMAND_TOPIC, PRESENCE_TOPIC, DRIFT_TOPIC, SIGNAL_TOPIC, TOPICS, USAGE_TOPIC, eventsTopic, stateTopic, type Thing, type TopicDeclaration } from './topics';
export { KEY_MODES, PLACEMENTS, ROLES, type KeyMode, type PlanRef, type Role } from './fields';
export { tenantState, type TenantEvent, type TenantState } from './tenant';
export { apiTokenState, type ApiTokenEvent, type ApiTokenState } from './api-token';
export { billingFault, money, planState, planTerms, type Money, type PlanEvent, type PlanState, type PlanTerms } from './plan';
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
  limitOverride,
  limitPolicyState,
  type LimitName,
  type LimitOverride,
  type LimitPolicyEvent,
  type LimitPolicyState,
} from './limit-policy';
export { keyCeilingState, type KeyCeilingEvent, type KeyCeilingState } from './key-ceiling';
export { quotaState, type QuotaState } from './quota';
export { budgetState, type BudgetAlarm, type BudgetEvent, type BudgetState, type BudgetThreshold, type BudgetUse } from './budget';
export { presence, type Presence } from './presence';
export { demand, type Demand } from './demand';
export { upstreamSignal, usage, type UpstreamSignal, type Usage, type UsageOf } from './usage';
export { type BillingEvent, type BillingException, type InvoiceLine, type InvoicingEvent } from './billing';
export { type ReconciliationEvent } from './reconciliation';
export { type AuditEvent } from './audit';
export { type FetchJobEvent, type RefreshScheduleEvent } from './fetch-job';
export { catalogDrift, type CatalogDrift } from './catalog-drift';
export { subjectSuppressionState, type SubjectEvent, type SubjectSuppressionState } from './subject';
