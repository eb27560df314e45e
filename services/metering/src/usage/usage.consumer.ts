import { setImmediate } from 'node:timers/promises';
import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import type { BusRecord } from '@weir/bus';
import { USAGE_TOPIC, type Usage } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import { readUsage } from './entry';
import { KeptMonths } from './kept-months';
import { UsageLedger } from './ledger';

/** Transactions of one batch at a time: each is another tenant's, so that they do not wait for each other. */
const LANES = 4;
/** Between so many another batch's answers from the database are heard: it waits for them with its tenant's lock. */
const READ_AT_ONCE = 100;

@Controller()
export class UsageConsumer {
  constructor(
    private readonly ledger: UsageLedger,
    private readonly kept: KeptMonths,
  ) {}

  /** Each tenant's records are one transaction; a batch that comes again is counted once. */
  @Consumes(USAGE_TOPIC, 'metering.usage', { maxBatch: 2_000 })
  async ingest(@Payload() batch: readonly BusRecord[]): Promise<void> {
    const waiting = [...Map.groupBy(await this.read(batch), (usage) => usage.tenantId)];
    const outcomes = await Promise.allSettled(Array.from({ length: LANES }, () => this.drain(waiting)));
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  private async read(batch: readonly BusRecord[]): Promise<Usage[]> {
    const leastId = this.kept.leastId();
    const read: Usage[] = [];
    for (let from = 0; from < batch.length; from += READ_AT_ONCE) {
      for (const record of batch.slice(from, from + READ_AT_ONCE)) read.push(readUsage(record, leastId));
      await setImmediate();
    }
    return read;
  }

  private async drain(waiting: [TenantId, Usage[]][]): Promise<void> {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) await this.ledger.record(...next);
  }
}
