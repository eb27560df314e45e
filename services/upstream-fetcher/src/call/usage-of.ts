import type { UsageOf } from '@weir/contracts';
import { newUuid } from '@weir/kernel';
import type { Attempt } from './attempt';
import type { Call } from './context';

type OfCall = Omit<UsageOf<'served'>, 'kind' | 'keyOwner' | 'cache' | 'upstreamCredits' | 'chargedCredits'>;
type OfAttempt = Omit<UsageOf<'held'>, 'kind' | 'upstreamCredits' | 'chargedCredits'>;

/** What all usage records of a call say. Records are classes and not objects spread into each other: two are made for every call. */
export class UsageOfCall implements OfCall {
  declare readonly eventId: OfCall['eventId'];
  declare readonly tenantId: OfCall['tenantId'];
  declare readonly projectId: OfCall['projectId'];
  declare readonly tokenId: OfCall['tokenId'];
  declare readonly requestId: OfCall['requestId'];
  declare readonly endpoint: OfCall['endpoint'];
  declare readonly priceVersion: OfCall['priceVersion'];
  declare readonly at: OfCall['at'];
  declare readonly mode: OfCall['mode'];
  declare readonly keyMode: OfCall['keyMode'];

  constructor(call: Call, at: number) {
    this.eventId = newUuid(at);
    this.tenantId = call.tenant.id;
    this.projectId = call.projectId;
    this.tokenId = call.tokenId;
    this.requestId = call.requestId;
    this.endpoint = call.endpoint.id;
    this.priceVersion = `${call.plan.id}@${call.plan.version}`;
    this.at = at;
    this.mode = call.mode;
    this.keyMode = call.tenant.keyMode;
  }
}

/** What all usage records of an attempt say. */
export class UsageOfAttempt extends UsageOfCall implements OfAttempt {
  declare readonly attempt: OfAttempt['attempt'];
  declare readonly purpose: OfAttempt['purpose'];
  declare readonly keyId: OfAttempt['keyId'];
  declare readonly keyVersion: OfAttempt['keyVersion'];
  declare readonly keyOwner: OfAttempt['keyOwner'];

  constructor({ call, number, candidate, keyVersion }: Attempt, at: number) {
    super(call, at);
    this.attempt = number;
    this.purpose = call.purpose;
    this.keyId = candidate.key.id;
    this.keyVersion = keyVersion;
    this.keyOwner = candidate.owner;
  }
}
