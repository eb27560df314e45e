import { Client } from 'pg';
import type { Side } from '../bench';
import { appending } from '../event-store/appending';
import type { Database } from '../event-store/tenants';

/** What it would cost appends to wake the relay by NOTIFY: the same appends without and with it, and somebody who listens. */
export function notifying(database: Database): Side[] {
  const options = { writers: 64, tenants: 200, kind: 'schema' as const, data: { name: 'x'.repeat(229) } };
  const without = appending(database, { ...options, against: '' });
  const plain: Side = { name: 'append, 64 writers, 200 tenants', run: (seconds) => without.run(seconds), before: () => without.before?.() ?? Promise.resolve() };
  const other = appending(database, { ...options, against: '' });
  let listener: Client | undefined;
  let definition = '';
  return [
    plain,
    {
      name: 'the same with NOTIFY',
      against: plain.name,
      async before() {
        await other.before?.();
        const { rows } = await database.admin.query<{ definition: string }>(`select pg_get_functiondef('weir.mark_news(bigint)'::regprocedure) as definition`);
        definition = rows[0]?.definition ?? '';
        await database.admin.query(definition.replace(/\bEND\s*$/, "SELECT pg_notify('weir_news', ''); END"));
        listener = new Client({ connectionString: database.admin.options.connectionString });
        await listener.connect();
        await listener.query('listen weir_news');
      },
      run: (seconds) => other.run(seconds),
      async check() {
        await database.admin.query(definition);
        await listener?.end();
      },
    },
  ];
}
