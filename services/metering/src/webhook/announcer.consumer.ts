import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { fromRecord, type BusRecord } from '@weir/bus';
import { eventsTopic } from '@weir/contracts';
import { PLATFORM, parseId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import { WEBHOOK_TYPES, Webhooks } from './webhooks';

const TOLD = new Set<string>(WEBHOOK_TYPES);

/** What webhooks are told of, as it comes over the bus. */
@Controller()
export class WebhookAnnouncer {
  constructor(private readonly webhooks: Webhooks) {}

  @Consumes(eventsTopic('budget'), 'metering.webhooks-of-budgets')
  budgets(@Payload() batch: readonly BusRecord[]): Promise<void> {
    return this.announce(batch);
  }

  @Consumes(eventsTopic('billing'), 'metering.webhooks-of-billing')
  billing(@Payload() batch: readonly BusRecord[]): Promise<void> {
    return this.announce(batch);
  }

  /** A tenant's own keys: invalid, depleted, usable again. */
  @Consumes(eventsTopic('upstream-key'), 'metering.webhooks-of-keys')
  keys(@Payload() batch: readonly BusRecord[]): Promise<void> {
    return this.announce(batch);
  }

  private async announce(batch: readonly BusRecord[]): Promise<void> {
    for (const record of batch) {
      const event = fromRecord(record);
      const tenant = event === undefined ? undefined : parseId('ten', event.tenantId);
      if (event === undefined || tenant === undefined || tenant === PLATFORM || !TOLD.has(event.type)) continue;
      await this.webhooks.announce(tenant, { id: event.id, type: event.type, time: event.time, data: JSON.parse(event.data.toString('utf8')) });
    }
  }
}
