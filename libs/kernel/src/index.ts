export {
  PLATFORM,
  idFrom,
  idTimeMs,
  newId,
  newUuid,
  parseId,
  uuidFrom,
  type Id,
  type KeyId,
  type MemberId,
  type OperationId,
  type PlanId,
  type ProjectId,
  type RequestId,
  type TenantId,
  type TokenId,
  type Uuid,
} from './ids';
export { type Clock, rfc3339, sleep, systemClock, TooLate, utcDay, utcMonth, within } from './clock';
export { andThen, type Eventually } from './eventually';
export {
  AppError,
  httpStatus,
  invalid,
  isConnectionTrouble,
  isTransient,
  notFound,
  unavailable,
  versionConflict,
  type Category,
  type ErrorOptions,
} from './errors';
export { fact, unreachable, type Actor, type Aggregate, type CommandContext, type Decide, type Fact, type Snapshots } from './decisions';
export { canonicalJson } from './canonical-json';
export { WEIR_VERSION } from './version';
