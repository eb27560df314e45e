export { commonSettings, type CommonConfig } from './config';
export { catalogSettings, openCatalogs, type CatalogConfig, type ConfiguredUpstream } from './catalogs';
export { Consumes, type ConsumesOptions } from './consumes';
export { AccessGuard, Needs, assertOneAuthorization } from './guard';
export { Health, type Check, type CheckResult } from './health';
export { startManagement, type Management } from './management';
export { startHost, type Host, type HostOptions } from './host';
export { IdempotencyInterceptor, NotReplayable } from './idempotency';
export { keyEncryptionSettings, openEnvelope, openShredKeys, type KeyEncryptionConfig } from './key-encryption';
export { assertListenable } from './listening';
export { limiterSettings, openLimiterStore, openRedis, type LimiterConfig } from './limiter-store';
export { Describes, openApiDocument, type RouteDocs } from './openapi';
export { decodeCursor, encodeCursor, listed, page, parse, type Listed, type Page } from './parse';
export { Durations } from './durations';
export { ProblemFilter, problemAnswer, sendProblem, toAppError, toProblem, type Problem } from './problem';
export { By, Command, IfMatch, Tenant, principalOf, tenantOf, type WeirRequest } from './request';
export { runMain, runService, startService } from './run-service';
export { createLogger, createProcess, createRuntime, openBus, openPool, type Process, type ServiceRuntime } from './runtime';
export type { ServiceDefinition, ServiceParts } from './service';
export {
  choice,
  choices,
  databases,
  describeSettings,
  integer,
  optionalText,
  optionalUrl,
  parseSettings,
  text,
  url,
  type Environment,
  type Setting,
  type Settings,
} from './settings';
export { tokenSetting } from './token-setting';
