import type { ServiceDefinition } from '@weir/service-host';
import { EventSearch } from './events/event-search';
import { EventSearchConsumer, EventSearchIndex } from './events/event-search.projection';
import { EventsController } from './events/events.http';
import { ExportController } from './export/export.http';
import { LogExport } from './export/log-export';
import { Erasures } from './subjects/erasures.service';
import { ErasuresController } from './subjects/erasures.http';
import { VerificationController } from './verification/verification.http';
import { VerificationService } from './verification/verification.service';
import { Witness, WitnessConsumer } from './witness/witness';

class AuditLedgerModule {}

/** Reads every log and writes none but its own receipts, and tables to search the logs by: search, export, verification. */
export const definition: ServiceDefinition<object> = {
  name: 'audit-ledger',
  title: "search, export and verification of tenants' event logs",
  settings: {},
  create({ work, events, clock, onStop }) {
    const index = new EventSearchIndex(work);
    onStop(() => index.stop());
    const search = new EventSearch(work, index);
    const witness = new Witness(work);
    return {
      module: {
        module: AuditLedgerModule,
        controllers: [EventsController, ExportController, VerificationController, ErasuresController, WitnessConsumer, EventSearchConsumer],
        providers: [
          { provide: EventSearch, useValue: search },
          { provide: EventSearchIndex, useValue: index },
          { provide: Witness, useValue: witness },
          { provide: Erasures, useValue: new Erasures(work, events) },
          { provide: LogExport, useValue: new LogExport(work, search, witness, clock) },
          { provide: VerificationService, useValue: new VerificationService(work, events, search, witness) },
        ],
      },
    };
  },
};
