import type { StateTable } from '@weir/access';
import { stateTopic, type KeyCeilingEvent, type KeyCeilingState, type UpstreamSignal } from '@weir/contracts';
import type { EventLog } from '@weir/event-store';
import { AppError, type Clock, type CommandContext, type Decide, type KeyId, type TenantId } from '@weir/kernel';
import { tiklive, type Catalog } from '@weir/upstream-catalog';
import { keyNotFound } from '../errors';
import { appear, configure, drop, keyCeiling, learn, raise, toState, type Configured, type KeyCeiling } from './key-ceiling';

/** The ceiling of each upstream key: a stream in the log of the key's owner, and a record for those who decide. */
export class KeyCeilings {
  constructor(
    private readonly events: EventLog,
    private readonly ceilings: StateTable<KeyCeilingState>,
    private readonly clock: Clock,
    private readonly catalogs: readonly Catalog[],
  ) {}

  /** A key was heard of. @param upstream the catalog of its upstream; undefined: the first one */
  appeared(owner: TenantId, keyId: KeyId, upstream?: string): Promise<void> {
    return this.ofOwner(owner, keyId, appear(keyId, upstream, this.soldBy(upstream)), this.byItself(`${keyId}/appeared`, 'a key appeared'));
  }

  disappeared(owner: TenantId, keyId: KeyId): Promise<void> {
    return this.ofOwner(owner, keyId, drop(keyId), this.byItself(`${keyId}/disappeared`, 'a key is gone'));
  }

  async learn(signal: UpstreamSignal): Promise<void> {
    const { keyId, owner, eventId } = signal;
    await this.ofOwner(owner, keyId, learn(signal), this.byItself(`${eventId}/learned`, 'an upstream signal'));
  }

  /**
   * @param configured undefined: what its upstream sells every key
   * @throws AppError `not-found` for a key that nobody has heard of
   */
  async configure(keyId: KeyId, configured: Configured | undefined, context: CommandContext): Promise<KeyCeilingState> {
    const { owner } = this.of(keyId);
    const { state } = await this.decide(owner, keyId, configure(keyId, (upstream) => configured ?? this.soldBy(upstream)), context);
    return toState(keyId, owner, state) ?? this.of(keyId);
  }

  /** Raises those that were lowered and had a quiet minute. Several processes may do it at once: each step is taken once. */
  async raise(): Promise<void> {
    const now = this.clock();
    const lowered = [...this.ceilings.values()].filter(({ perMinute, configured }) => perMinute < configured.perMinute);
    for (const { keyId, owner } of lowered) {
      await this.ofOwner(owner, keyId, raise(keyId, now), this.byItself(`${keyId}/raised/${now}`, 'a quiet minute'));
    }
  }

  /** What a key gives before anybody said or learned anything of it; of an upstream that is not configured here, as the first one's. */
  private soldBy(upstream: string | undefined): Configured {
    const { keyRate } = this.catalogs.find(({ id }) => id === upstream) ?? tiklive;
    return { ...keyRate, concurrency: 0 };
  }

  private of(keyId: KeyId): KeyCeilingState {
    const ceiling = this.ceilings.get(keyId);
    if (ceiling === undefined) throw keyNotFound();
    return ceiling;
  }

  /** What nobody commanded: an owner that has been purged meanwhile needs no ceiling. */
  private async ofOwner(owner: TenantId, keyId: KeyId, decision: Decide<KeyCeiling, KeyCeilingEvent>, context: CommandContext) {
    try {
      await this.decide(owner, keyId, decision, context);
    } catch (error) {
      if (!(error instanceof AppError && error.code === 'not-found')) throw error;
    }
  }

  private decide(owner: TenantId, keyId: KeyId, decide: Decide<KeyCeiling, KeyCeilingEvent>, context: CommandContext) {
    return this.events.decide({
      tenant: owner,
      stream: `key-ceiling/${keyId}`,
      aggregate: keyCeiling,
      decide,
      context,
      states: (state) => [{ topic: stateTopic('key-ceiling'), key: keyId, body: toState(keyId, owner, state) }],
    });
  }

  private byItself = (commandId: string, action: string): CommandContext => ({
    actor: { type: 'service', id: 'rate-limiter' },
    commandId,
    at: this.clock(),
    action,
  });
}
