import type { Scenario } from './scenario';
import { brokerAway } from './broker-away/broker-away';
import { brokers } from './brokers/brokers';
import { churn } from './churn/churn';
import { coalescing } from './coalescing/coalescing';
import { conflicts } from './conflicts/conflicts';
import { conservation } from './conservation/conservation';
import { fairness } from './fairness/fairness';
import { keyRotation } from './key-rotation/key-rotation';
import { oneShot } from './one-shot/one-shot';
import { quota } from './quota/quota';
import { rebuild } from './rebuild/rebuild';
import { redisAway } from './redis-away/redis-away';
import { soak } from './soak/soak';
import { tenancy } from './tenancy/tenancy';
import { trialToOwnKey } from './trial-to-own-key/trial-to-own-key';

/** Every scenario there is, in the order in which they are listed. */
export const SCENARIOS: readonly Scenario[] = [brokerAway, brokers, churn, coalescing, conflicts, conservation, fairness, keyRotation, oneShot, quota, rebuild, redisAway, soak, tenancy, trialToOwnKey];
