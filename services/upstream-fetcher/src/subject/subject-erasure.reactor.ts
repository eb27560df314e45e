import { Controller } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { fromRecord, type BusRecord } from '@weir/bus';
import { EVENTS, eventsTopic, readEvent, type SubjectEvent } from '@weir/contracts';
import type { TenantId } from '@weir/kernel';
import { Consumes } from '@weir/service-host';
import { Erasing } from './erasing';

type Requested = Extract<SubjectEvent, { type: 'subject.erasure-requested' }>['data'];
const REQUESTED = 'subject.erasure-requested';

@Controller()
export class SubjectErasureReactor {
  constructor(private readonly erasing: Erasing) {}

  @Consumes(eventsTopic('subject'), 'upstream-fetcher.erasures')
  async onEvents(@Payload() records: readonly BusRecord[]): Promise<void> {
    for (const record of records) {
      const event = fromRecord(record);
      const contract = EVENTS.get(REQUESTED);
      if (event?.type !== REQUESTED || contract === undefined) continue;
      const { erasureId, pseudonyms } = readEvent(contract, event.schemaVersion, JSON.parse(event.data.toString('utf8'))) as Requested;
      const context = {
        actor: { type: 'service', id: 'upstream-fetcher' },
        commandId: `subject-erasure/${erasureId}`,
        at: Date.parse(event.time),
        action: 'subject-erasure',
        causationId: event.id,
        correlationId: event.correlationId ?? undefined,
      } as const;
      await this.erasing.obey({ tenantId: event.tenantId as TenantId, erasureId, pseudonyms }, context);
    }
  }
}
