import type { UnitOfWork } from '@weir/tenancy';
import { Counter, Gauge, type Registry } from 'prom-client';
import type { Finding } from '../reconciliation/compare';
import type { Check } from './checking';

export interface MeteringMetrics {
  checked(check: Check): void;
  found(finding: Finding): void;
}

/** What is watched of counting; alarms are set on these (docs/metering.md). */
export function meteringMetrics(registry: Registry, work: UnitOfWork): MeteringMetrics {
  const registers = [registry];
  const holds = (name: string, help: string, condition: string) =>
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        const counts = await work.inEveryControl((sql) => sql.query<{ n: string }>(`select count(*) as n from open_holds where unsettled_at is ${condition}`));
        this.set(counts.reduce((sum, { rows }) => sum + Number(rows[0]?.n ?? 0), 0));
      },
    });
  holds('weir_metering_open_holds', 'Attempts whose settlement has not come yet', 'null');
  holds('weir_metering_unsettled_holds', 'Attempts that nobody settled in time, and nothing has decided yet', 'not null');
  const discrepancies = new Counter({ name: 'weir_metering_discrepancies_total', help: 'Differences between our records and the upstream’s account, by class', labelNames: ['class'], registers });
  const checks = new Counter({ name: 'weir_metering_rollup_checks_total', help: 'Tenants whose sums were compared with their records', registers });
  const drift = new Gauge({ name: 'weir_metering_rollup_drift_rows', help: 'Rows of sums that are not what the records add up to, by the last look at each tenant', registers });

  const drifted = new Map<string, number>();
  return {
    checked({ tenantId, rows }) {
      checks.inc();
      if (rows === 0) drifted.delete(tenantId);
      else drifted.set(tenantId, rows);
      drift.set([...drifted.values()].reduce((sum, one) => sum + one, 0));
    },
    found: (finding) => discrepancies.inc({ class: finding.class }),
  };
}
