import { PLATFORM, type Clock, type CommandContext } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import type { SealedVersions } from '../sealing/sealed-versions';
import type { KeyUpstreams } from '../test-call/key-upstreams';
import { activeVersion, forecastCredits, type RegisteredKey } from '../upstream-key/upstream-key';
import type { UpstreamKeyLog } from '../upstream-key/upstream-key.log';
import { forecast } from './forecast';
import { BALANCES_KEPT_MS, type PlatformPool } from './platform-pool';

/** What a key's own upstream says is left; undefined: it did not say. */
export type AskBalance = (secret: Buffer) => Promise<number | undefined>;

export interface CreditWatchPorts {
  readonly log: UpstreamKeyLog;
  readonly secrets: SealedVersions;
  readonly pool: PlatformPool;
  readonly work: UnitOfWork;
  readonly upstreams: KeyUpstreams;
  readonly clock: Clock;
  /** ms before the end from which on it is an event. */
  readonly alertBeforeMs: number;
}

/** Asks for the credits left of each of the platform's keys that calls may use, and tells when they will end soon. */
export class CreditWatch {
  constructor(private readonly ports: CreditWatchPorts) {}

  async look(context: () => CommandContext): Promise<void> {
    const { log, work, clock } = this.ports;
    for (const { state } of await log.page(PLATFORM, { limit: 1_000, after: undefined })) {
      const version = state.is === 'registered' && state.status !== 'invalid' ? activeVersion(state) : undefined;
      if (state.is === 'registered' && version !== undefined) await this.lookAt(state, version, context());
    }
    await work.inControl((sql) => sql.query('delete from platform_key_balances where at < $1', [clock() - BALANCES_KEPT_MS]));
  }

  private async lookAt({ keyId, upstream }: RegisteredKey, version: number, context: CommandContext): Promise<void> {
    const { log, secrets, pool, work, upstreams, clock, alertBeforeMs } = this.ports;
    const credits = await secrets.opened({ owner: PLATFORM, keyId, version }, upstreams.of(upstream).ask);
    if (credits === undefined) return;
    const at = clock();
    await work.inControl((sql) =>
      sql.query('insert into platform_key_balances (key_id, at, credits) values ($1, $2, $3) on conflict do nothing', [keyId, at, credits]),
    );
    const endsAt = forecast(await pool.balances(keyId))?.endsAt;
    if (endsAt == null || endsAt > at + alertBeforeMs) return;
    await log.decide({ owner: PLATFORM, keyId, decide: forecastCredits({ credits, endsAt }), context });
  }
}
