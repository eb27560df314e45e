import { Controller } from '@nestjs/common';
import type { BusRecord } from '@weir/bus';
import { DEMAND_TOPIC, demand } from '@weir/contracts';
import { Consumes } from '@weir/service-host';
import { PlatformPool } from './platform-pool';

@Controller()
export class DemandProjection {
  constructor(private readonly pool: PlatformPool) {}

  @Consumes(DEMAND_TOPIC, 'key-vault.demand', { maxBatch: 500 })
  async onDemand(records: readonly BusRecord[]): Promise<void> {
    await this.pool.used(records.flatMap(({ value }) => (value === null ? [] : [demand.schema.parse(JSON.parse(value.toString('utf8')))])));
  }
}
