import { join } from 'node:path';
import { limitPolicyState, planState, quotaState } from '@weir/contracts';
import { closeDataSources, entityWork, openDataSources } from '@weir/entities';
import { eventLog } from '@weir/event-store';
import { PLATFORM } from '@weir/kernel';
import type { ServiceDefinition, ServiceRuntime } from '@weir/service-host';
import { BillingController } from './billing/billing.http';
import { BillingService } from './billing/billing.service';
import { PriceExceptionRow } from './billing/read-model';
import { BudgetController } from './budget/budget.http';
import { BudgetService } from './budget/budget.service';
import { BudgetRow } from './budget/read-model';
import { CLOCK } from './clock';
import { settings, type MeteringConfig } from './config';
import { InvoiceDesk } from './invoice/invoice-desk';
import { InvoiceMaker } from './invoice/invoice-run';
import { InvoiceController } from './invoice/invoice.http';
import { InvoiceService } from './invoice/invoice.service';
import { ENTITIES } from './invoice/read-models';
import { QuotaController } from './quota/quota.http';
import { QuotaService } from './quota/quota.service';
import { HoldDecisions } from './reconciliation/decide';
import { Reconciler } from './reconciliation/reconciler';
import { ReconciliationService } from './reconciliation/reconciliation.service';
import { ReconciliationController } from './reconciliation/reconciliations.http';
import { upstreamLedger } from './reconciliation/upstream-ledger';
import { TenantConsumer } from './tenant/tenant.consumer';
import { Tenants } from './tenant/tenants';
import { RollupChecks } from './usage/checking';
import { UsageChecksController } from './usage/checks.http';
import { KeptMonths } from './usage/kept-months';
import { UsageLedger } from './usage/ledger';
import { meteringMetrics } from './usage/metrics';
import { UnsettledHolds } from './usage/unsettled';
import { UsageUpkeep } from './usage/upkeep';
import { UsageConsumer } from './usage/usage.consumer';
import { UsageController } from './usage/usage.http';
import { UsageService } from './usage/usage.service';
import { WebhookAnnouncer } from './webhook/announcer.consumer';
import { WebhookSender } from './webhook/sender';
import { WebhookSigner } from './webhook/signature';
import { openSigningKey } from './webhook/signing-key';
import { Webhooks } from './webhook/webhooks';
import { WebhooksController } from './webhook/webhooks.http';

// for what measures and breaks it
export { KeptMonths, RollupChecks, UnsettledHolds, UsageConsumer, UsageLedger };

/** Months are made two before they come. */
const UPKEEP_EVERY_MS = 6 * 3_600_000;

class MeteringModule {}

/** Counts every credit once: usage, quotas, what each call cost and what a month will. */
export const definition: ServiceDefinition<MeteringConfig> = {
  name: 'metering',
  title: 'usage, quotas, unsettled credits, billing terms, invoices, the ledger',
  settings,
  async create(runtime, config) {
    const { work, clock, states, access, common, log } = runtime;
    const ledger = new UsageLedger(work, clock);
    const tenants = new Tenants(work, clock);
    const sources = await openDataSources(common, [...ENTITIES, BudgetRow, PriceExceptionRow]);
    runtime.onStop(() => closeDataSources(sources));
    const entities = entityWork('metering', sources, work, runtime.needs);
    const events = eventLog(entities);
    const billing = new BillingService(events, entities, access.tenants, states.table(planState), clock);
    const invoices = new InvoiceService(entities, billing);
    const quotas = states.table(quotaState);
    const signer = new WebhookSigner(openSigningKey({ key: config.webhookKey, file: config.webhookKeyFile ?? join(common.dataDir, 'webhook.key') }));
    const privateToo = config.webhookAddresses === 'any';
    const sender = new WebhookSender(work, signer, clock, { privateToo, everyMs: config.webhooksEveryMs, onError: (error) => log.warn({ err: error }, 'webhooks') });
    const holds = new UnsettledHolds(work, ledger, config.unsettledAfterMs, (error, tenant) =>
      log.error({ err: error, tenant }, 'unsettled holds'),
    );

    const metrics = meteringMetrics(runtime.metrics, work);
    const kept = new KeptMonths(clock, config.usageKeptMonths);
    const everyTenant = () => [PLATFORM, ...[...access.tenants.values()].map(({ id }) => id)];
    const checks = new RollupChecks({
      work,
      clock,
      kept,
      tenants: everyTenant,
      onChecked: (check) => {
        metrics.checked(check);
        if (check.rows > 0) log.error({ tenant: check.tenantId, rows: check.rows, shown: check.shown }, 'sums of usage are not what its records add up to');
      },
      onError: (error, tenant) => log.error({ err: error, tenant }, 'check of sums'),
    });
    const upkeep = new UsageUpkeep({ work, kept, largeRows: config.usageLargeRows, tenants: everyTenant, onError: (error) => log.error({ err: error }, 'upkeep of usage') });
    const reconciler = new Reconciler({
      work,
      holds: new HoldDecisions(work, ledger, (error, tenant) => log.error({ err: error, tenant }, 'deciding holds')),
      ledger: config.upstreamLedgerUrl === undefined ? undefined : upstreamLedger(config.upstreamLedgerUrl),
      clock,
      settledWithinMs: config.unsettledAfterMs,
      compareAfterMs: config.reconcileAfterMs,
      everyMs: config.reconcileEveryMs,
      onFinding: (source, finding) => {
        metrics.found(finding);
        log.warn({ source, ...finding }, 'our records and the upstream’s account differ');
      },
      onError: (error) => log.error({ err: error }, 'reconciliation'),
    });

    return {
      module: {
        module: MeteringModule,
        controllers: [ReconciliationController, UsageChecksController, UsageController, QuotaController, BillingController, InvoiceController, BudgetController, WebhooksController, WebhookAnnouncer, UsageConsumer, TenantConsumer],
        providers: [
          { provide: CLOCK, useValue: clock },
          { provide: UsageLedger, useValue: ledger },
          { provide: KeptMonths, useValue: kept },
          { provide: RollupChecks, useValue: checks },
          { provide: ReconciliationService, useValue: new ReconciliationService(work) },
          { provide: Tenants, useValue: tenants },
          { provide: UsageService, useValue: new UsageService(work) },
          { provide: QuotaService, useValue: new QuotaService(work, billing, states.table(limitPolicyState), clock) },
          { provide: BillingService, useValue: billing },
          { provide: InvoiceService, useValue: invoices },
          { provide: Webhooks, useValue: new Webhooks(work, signer, clock, privateToo) },
          { provide: BudgetService, useValue: new BudgetService(events, entities, clock) },
          {
            provide: InvoiceDesk,
            useValue: new InvoiceDesk(events, entities, new InvoiceMaker(events, entities, invoices), access.tenants, config.invoiceGraceMs),
          },
        ],
      },
      start: async () => {
        for (const { id } of access.tenants.values()) {
          if (quotas.get(id) === undefined)
            await tenants.welcome(id).catch((error: Error) => log.error({ err: error, tenant: id }, 'quota'));
        }
        if (!common.roles.includes('jobs')) return;
        inBackground(runtime, (signal) => holds.run(config.unsettledEveryMs, signal));
        inBackground(runtime, (signal) => reconciler.run(signal));
        inBackground(runtime, (signal) => checks.run(config.usageCheckEveryMs, signal));
        inBackground(runtime, (signal) => upkeep.run(UPKEEP_EVERY_MS, signal));
        inBackground(runtime, (signal) => sender.run(signal));
      },
    };
  },
};

function inBackground(runtime: ServiceRuntime, run: (signal: AbortSignal) => Promise<void>): void {
  const stopping = new AbortController();
  const running = run(stopping.signal);
  runtime.onStop(async () => {
    stopping.abort();
    await running;
  });
}
