import type { UpstreamSignal } from '@weir/contracts';
import { sleep, type CommandContext } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { activeVersion, deplete, replenish, type RegisteredKey } from './upstream-key';
import type { RefusalStorm } from './refusal-storm';
import type { Loaded, UpstreamKeyLog } from './upstream-key.log';
import type { UpstreamKeyService } from './upstream-key.service';

/** A key is invalid after two test calls of our own were refused; what a caller met is the occasion to make them. */
const TEST_CALLS = 2;

/** What fetchers hear of keys, judged once per signal. */
export class Signals {
  constructor(
    private readonly log: UpstreamKeyLog,
    private readonly keys: UpstreamKeyService,
    private readonly work: UnitOfWork,
    private readonly confirmAfterMs: number,
    private readonly storm: RefusalStorm,
  ) {}

  /** Of refusals, before and apart from judging them: while one waits for its confirmation, those of other keys are heard. */
  async hear(signals: readonly UpstreamSignal[]): Promise<void> {
    await this.storm.heard([...new Set(signals.filter(({ signal }) => signal === 'unauthorized').map(({ keyId }) => keyId))]);
  }

  async judge(signal: UpstreamSignal): Promise<void> {
    // the limiter's affair
    if (signal.signal === 'rate-limited') return;
    if (await this.judgedBefore(signal.eventId)) return;
    const { state } = await this.log.load(signal.owner, signal.keyId);
    if (state.is === 'registered' && activeVersion(state) === signal.keyVersion) await this.follow(signal, state);
    await this.remember(signal.eventId);
  }

  private async follow(signal: UpstreamSignal, key: RegisteredKey): Promise<void> {
    const { owner, keyId, keyVersion: version, eventId } = signal;
    switch (signal.signal) {
      case 'accepted':
        await this.log.decide({ owner, keyId, decide: replenish({ version }), context: contextOf(signal), signal: eventId });
        return;
      case 'depleted':
        await this.log.decide({ owner, keyId, decide: deplete({ version }), context: contextOf(signal), signal: eventId });
        return;
      case 'unauthorized':
        if (mayBeWrong(signal, key)) await this.confirm(signal);
    }
  }

  private async confirm(signal: UpstreamSignal): Promise<void> {
    const { owner, keyId, keyVersion } = signal;
    for (let call = 1; call <= TEST_CALLS; call++) {
      if (call > 1) await sleep(this.confirmAfterMs);
      // asked before the deciding call too: of a storm the first keys are heard before it is one
      if (await this.storm.rages()) return;
      const context = contextOf(signal);
      const judged = await this.keys.judge(owner, keyId, keyVersion, {
        ...context,
        commandId: `${context.commandId}/call-${call}`,
      });
      if (!refused(judged, keyVersion)) return;
    }
  }

  private async judgedBefore(eventId: string): Promise<boolean> {
    // beside the data of the tenant whose key it is about
    const found = await this.work.inEveryControl((sql) => sql.query('select 1 from signal_inbox where event_id = $1', [eventId]));
    return found.some(({ rows }) => rows.length > 0);
  }

  /** One that had no consequence is remembered too: it must have none when it comes again in other circumstances. */
  private async remember(eventId: string): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query('insert into signal_inbox (event_id) values ($1) on conflict do nothing', [eventId]),
    );
  }
}

/** Of a storm of refusals the first leads to a check; those from before it say nothing new. */
const mayBeWrong = (signal: UpstreamSignal, { status, lastCheck }: RegisteredKey): boolean =>
  (status === 'usable' || status === 'depleted') &&
  (lastCheck === undefined || lastCheck.version !== signal.keyVersion || lastCheck.at < signal.at);

const refused = ({ state }: Loaded, version: number): boolean =>
  state.is === 'registered' &&
  state.status !== 'invalid' &&
  state.lastCheck?.version === version &&
  state.lastCheck.outcome === 'unauthorized';

const contextOf = (signal: UpstreamSignal): CommandContext => ({
  actor: { type: 'service', id: 'key-vault' },
  commandId: `upstream-signal/${signal.eventId}`,
  at: signal.at,
  action: `upstream-signal ${signal.signal}`,
  causationId: signal.eventId,
  correlationId: signal.requestId,
});
