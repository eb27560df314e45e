import { Controller } from '@nestjs/common';
import type { BusRecord } from '@weir/bus';
import { SIGNAL_TOPIC, upstreamSignal, type UpstreamSignal } from '@weir/contracts';
import { Consumes } from '@weir/service-host';
import { Signals } from './signals';

@Controller()
export class UpstreamKeyReactor {
  constructor(private readonly signals: Signals) {}

  /** A group of its own: it has no other key's confirmation to wait for. */
  @Consumes(SIGNAL_TOPIC, 'key-vault.refusals', { maxBatch: 500 })
  async onRefusals(records: readonly BusRecord[]): Promise<void> {
    await this.signals.hear(records.flatMap(({ value }) => (value === null ? [] : [signalOf(value)])));
  }

  @Consumes(SIGNAL_TOPIC, 'key-vault.signals')
  async onSignals(records: readonly BusRecord[]): Promise<void> {
    for (const { value } of records) {
      if (value !== null) await this.signals.judge(signalOf(value));
    }
  }
}

const signalOf = (value: Buffer): UpstreamSignal => upstreamSignal.schema.parse(JSON.parse(value.toString('utf8')));
