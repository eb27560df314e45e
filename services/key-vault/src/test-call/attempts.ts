import type { Bus } from '@weir/bus';
import { USAGE_TOPIC, type KeyMode, type Usage } from '@weir/contracts';
import type { UpstreamKeyPlace } from '@weir/envelope';
import { PLATFORM, newUuid, type Clock, type TokenId } from '@weir/kernel';
import { creditsFor, saysOutOfCredits, type Catalog, type OwnCall } from '@weir/upstream-catalog';
import { notAccountable } from '../errors';
import type { Answer, Upstream } from './upstream';

/** On whose account a test call goes. */
export interface Account {
  readonly place: UpstreamKeyPlace;
  readonly requestId: string;
  readonly tokenId: TokenId | null;
  readonly keyMode: KeyMode;
}

/**
 * Test calls take credits of the key like any other, so each is an attempt on the record: held before it leaves, then settled with
 * what the upstream took and nothing charged, or released when nothing was sent. One whose fate is unknown stays held; metering calls it
 * unsettled in time, and reconciliation decides.
 */
export class Attempts {
  constructor(
    private readonly bus: Bus,
    private readonly upstream: Upstream,
    private readonly catalog: Catalog,
    private readonly clock: Clock,
    private readonly onError: (error: Error) => void,
  ) {}

  /** @throws AppError `not-accountable`: the hold was not stored, and no call was made */
  async call(account: Account, attempt: number, call: OwnCall, secret: Buffer): Promise<Answer> {
    const hold: Usage = {
      kind: 'held',
      ...this.common(account, attempt, call),
      upstreamCredits: call.endpoint.credits,
      chargedCredits: 0,
    };
    await this.publish(hold).catch((error: unknown) => {
      throw notAccountable(error);
    });

    const answer = await this.upstream.call(call, {
      key: secret.toString('latin1'),
      requestId: `${account.requestId}/${attempt}`,
    });
    const fate = fateOf(this.catalog, call, answer);
    // a settlement that is lost leaves the hold, which says so
    if (fate !== undefined)
      await this.publish({ ...this.common(account, attempt, call), ...fate }).catch((error: Error) => this.onError(error));
    return answer;
  }

  private common({ place, requestId, tokenId, keyMode }: Account, attempt: number, { endpoint }: OwnCall) {
    return {
      eventId: newUuid(this.clock()),
      tenantId: place.owner,
      projectId: null,
      tokenId,
      requestId,
      endpoint: endpoint.id,
      // whatever the plan says, a validation costs the tenant nothing
      priceVersion: 'validation',
      at: this.clock(),
      mode: 'live' as const,
      attempt,
      purpose: 'validation' as const,
      keyId: place.keyId,
      keyVersion: place.version,
      keyMode,
      keyOwner: place.owner === PLATFORM ? ('platform' as const) : ('own' as const),
    };
  }

  private publish(usage: Usage): Promise<void> {
    return this.bus.publish([
      {
        topic: USAGE_TOPIC,
        key: `${usage.tenantId}/${usage.requestId}`,
        value: Buffer.from(JSON.stringify(usage)),
        headers: { 'content-type': 'application/json' },
      },
    ]);
  }
}

/** Which record ends the hold, and with what; undefined while nobody can know. */
function fateOf(catalog: Catalog, call: OwnCall, answer: Answer) {
  if (answer.is === 'no-answer') return undefined;
  if (answer.is === 'not-sent') return { kind: 'released' as const, upstreamCredits: 0 as const, chargedCredits: 0 as const };
  const taken = saysOutOfCredits(catalog, answer.status, answer.body) ? 0 : creditsFor(call.endpoint, answer.status);
  return {
    kind: 'settled' as const,
    cache: 'miss' as const,
    upstreamStatus: answer.status,
    upstreamCredits: taken,
    chargedCredits: 0,
    difference: taken === 0 ? null : ('validation' as const),
  };
}
