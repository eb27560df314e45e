import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { fromRecord, type BusRecord, type CloudEvent } from '@weir/bus';
import { eventsTopic } from '@weir/contracts';
import { invalid, parseId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import { Tenants } from './tenants';
import { z } from 'zod';

const member = z.object({ memberId: z.string() });
const planned = z.object({ plan: z.object({ id: z.string(), version: z.number().int() }) });

/** What metering must know of tenants' lives: that they are there, which plan they are on, and how many seats they have. */
@Controller()
export class TenantConsumer {
  constructor(private readonly tenants: Tenants) {}

  @Consumes(eventsTopic('tenant'), 'metering.tenants')
  async follow(@Payload() batch: readonly BusRecord[]): Promise<void> {
    for (const record of batch) {
      const event = fromRecord(record);
      if (event !== undefined) await this.apply(event);
    }
  }

  private async apply(event: CloudEvent): Promise<void> {
    switch (event.type) {
      case 'tenant.registered':
        await this.tenants.welcome(tenantOf(event));
        return this.tenants.plan(tenantOf(event), event.id, Date.parse(event.time), planOf(event));
      case 'tenant.plan-changed':
        return this.tenants.plan(tenantOf(event), event.id, Date.parse(event.time), planOf(event));
      case 'member.added':
      case 'member.removed':
        return this.tenants.seat(tenantOf(event), memberOf(event), event.type === 'member.added', Date.parse(event.time));
      default:
        return undefined;
    }
  }
}

function tenantOf({ tenantId, id }: CloudEvent) {
  const tenant = parseId('ten', tenantId);
  if (tenant === undefined) throw invalid(`The event ${id} names no tenant.`);
  return tenant;
}

const memberOf = (event: CloudEvent): string => member.parse(JSON.parse(event.data.toString('utf8'))).memberId;
const planOf = (event: CloudEvent) => planned.parse(JSON.parse(event.data.toString('utf8'))).plan;
