import { Controller } from '@nestjs/common';
import type { BusRecord } from '@weir/bus';
import { SIGNAL_TOPIC, upstreamSignal } from '@weir/contracts';
import { Consumes } from '@weir/service-host';
import { Signals } from './signals';

@Controller()
export class UpstreamKeyReactor {
  constructor(private readonly signals: Signals) {}

  @Consumes(SIGNAL_TOPIC, 'key-vault.signals')
  async onSignals(records: readonly BusRecord[]): Promise<void> {
    for (const { value } of records) {
      if (value !== null) await this.signals.judge(upstreamSignal.schema.parse(JSON.parse(value.toString('utf8'))));
    }
  }
}
