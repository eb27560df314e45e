import type { Sql } from '@weir/tenancy';
import { Gauge, type Registry } from 'prom-client';

/** What waits for an operator, by consumer group; asked when somebody looks. */
export function parkedMetrics(sql: Sql, registry: Registry): void {
  let asking: Promise<void> | undefined;
  const collect = () => (asking ??= ask().finally(() => (asking = undefined)));
  const gauge = (name: string, help: string) => new Gauge({ name, help, labelNames: ['group'] as const, registers: [registry], collect });
  const messages = gauge('weir_parked_messages', 'Messages that are parked, or released and not handled yet');
  const oldest = gauge('weir_parked_oldest_seconds', 'How long ago the first of them was parked');

  async function ask(): Promise<void> {
    const { rows } = await sql.query<{ group: string; count: number; seconds: number }>(
      `select grp as group, count(*)::int as count, extract(epoch from now() - min(parked_at))::float8 as seconds
       from weir.parked_messages where state in ('parked', 'released') group by grp`,
    );
    messages.reset();
    oldest.reset();
    for (const { group, count, seconds } of rows) {
      messages.set({ group }, count);
      oldest.set({ group }, seconds);
    }
  }
}
