import { Client } from 'pg';

/** What comes and goes by itself: leases, marks of what is under way, answers kept for retries, demand, use and balances of platform keys, which are told in their own time, and what the upstream says. */
const VOLATILE = [/^weir\.(news|relay_checkpoints|idempotency_keys)$/, /^weir_rate_limiter\.demand$/, /_key_(use|balances)$/, /^weir_metering\.(statement_sources|statement_lines|reconciliations|discrepancies)$/, /^weir_bus\./];

/** Every row of every table of a database, as text, in an order that depends on nothing but the rows. */
export async function everyRow(databaseUrl: string): Promise<Map<string, string[]>> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows: tables } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname like 'weir%' or schemaname like 't\\_%' order by 1`,
    );
    const dump = new Map<string, string[]>();
    for (const { name } of tables.filter((table) => !VOLATILE.some((pattern) => pattern.test(table.name)))) {
      const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t order by 1`);
      dump.set(name, rows.map(({ row }) => row));
    }
    return dump;
  } finally {
    await client.end();
  }
}
