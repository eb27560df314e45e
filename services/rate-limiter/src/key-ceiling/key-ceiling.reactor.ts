import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BusRecord } from '@weir/bus';
import { SIGNAL_TOPIC, stateTopic, upstreamKeyState, upstreamSignal } from '@weir/contracts';
import type { KeyId, TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import { KeyCeilings } from './key-ceiling.service';
import { UpstreamRefusals } from './upstream-refusals.projection';

/**
 * Follows keys and what the upstream says of them. Consumers in a group: each key is one's work, and a new installation finds the keys
 * that were there before it, since their topic is compacted.
 */
@Controller()
export class KeyCeilingReactor {
  constructor(
    private readonly ceilings: KeyCeilings,
    private readonly refusals: UpstreamRefusals,
  ) {}

  @Consumes(stateTopic('upstream-key'), 'rate-limiter.key-ceilings')
  async onKeys(@Payload() records: readonly BusRecord[]): Promise<void> {
    for (const { key, value, headers } of records) {
      if (value !== null) {
        const { owner, upstream } = upstreamKeyState.schema.parse(JSON.parse(value.toString('utf8')));
        await this.ceilings.appeared(owner, key as KeyId, upstream);
      } else if (headers['weir-tenant'] !== undefined) {
        await this.ceilings.disappeared(headers['weir-tenant'] as TenantId, key as KeyId);
      }
    }
  }

  @Consumes(SIGNAL_TOPIC, 'rate-limiter.upstream-signals', { maxBatch: 100 })
  async onSignals(@Payload() records: readonly BusRecord[]): Promise<void> {
    const signals = records.map(({ value }) => upstreamSignal.schema.parse(JSON.parse(value?.toString('utf8') ?? 'null')));
    await this.refusals.remember(signals);
    for (const signal of signals) {
      if (signal.signal === 'rate-limited' || signal.statedPerMinute != null) await this.ceilings.learn(signal);
    }
  }
}
