import type { Contract, EventContract } from './contract';
import * as apiToken from './api-token';
import * as audit from './audit';
import * as billing from './billing';
import * as budget from './budget';
import * as catalogDrift from './catalog-drift';
import * as demand from './demand';
import * as fetchJob from './fetch-job';
import * as keyCeiling from './key-ceiling';
import * as limitPolicy from './limit-policy';
import * as plan from './plan';
import * as presence from './presence';
import * as quota from './quota';
import * as reconciliation from './reconciliation';
import * as subject from './subject';
import * as tenant from './tenant';
import * as upstreamKey from './upstream-key';
import * as usage from './usage';

const modules: Record<string, unknown>[] = [tenant, apiToken, plan, upstreamKey, limitPolicy, keyCeiling, quota, usage, demand, presence, catalogDrift, billing, budget, reconciliation, audit, fetchJob, subject];

const isContract = (value: unknown): value is Contract =>
  typeof value === 'object' && value !== null && 'schema' in value && 'topic' in value && 'type' in value;

/** Every contract there is, for fixtures, docs/events.md and checks. */
export const CONTRACTS: readonly Contract[] = modules.flatMap((module) => Object.values(module).filter(isContract));

export const EVENTS: ReadonlyMap<string, EventContract> = new Map(
  CONTRACTS.filter((contract): contract is EventContract => 'kind' in contract).map((contract) => [contract.type, contract]),
);
