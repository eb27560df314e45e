import type { UnitOfWork } from '@weir/tenancy';
import { Gauge, type Registry } from 'prom-client';
import { forecast, type Balance } from './forecast';
import { BALANCES_KEPT_MS } from './platform-pool';

interface Row {
  key_id: string;
  balances: Balance[];
}

/** How long the platform's keys last, asked when somebody looks. A key that was not asked for an hour is not among them. */
export function poolMetrics(work: UnitOfWork, clock: () => number, registry: Registry): void {
  let asking: Promise<void> | undefined;
  const collect = () => (asking ??= ask().finally(() => (asking = undefined)));
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['key'] as const, registers: [registry], collect });
  const left = gauge('weir_platform_key_credits_left', 'Credits that the upstream said are left');
  const end = gauge('weir_platform_key_credits_end_seconds', 'How long they last at the rate of the last days; absent where they do not end');

  async function ask(): Promise<void> {
    const now = clock();
    const { rows } = await work.inControl((sql) =>
      sql.query<Row>(
        `select key_id, jsonb_agg(jsonb_build_object('at', at, 'credits', credits) order by at) as balances
         from platform_key_balances where at > $1 group by key_id having max(at) > $2`,
        [now - BALANCES_KEPT_MS, now - 3_600_000],
      ),
    );
    left.reset();
    end.reset();
    for (const { key_id: key, balances } of rows) {
      const found = forecast(balances);
      if (found === undefined) continue;
      left.set({ key }, found.left);
      if (found.endsAt !== null) end.set({ key }, Math.max(0, (found.endsAt - now) / 1_000));
    }
  }
}
