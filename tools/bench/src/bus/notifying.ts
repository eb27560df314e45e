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
  let body = '';
  const define = (sql: string) =>
    database.admin.query(
      `create or replace function weir.mark_news(p_position bigint default null) returns void language sql security definer set search_path = weir, pg_temp as $$ ${sql} $$`,
    );
  return [
    plain,
    {
      name: 'the same with NOTIFY',
      against: plain.name,
      async before() {
        await other.before?.();
        const { rows } = await database.admin.query<{ prosrc: string }>(`select prosrc from pg_proc where oid = 'weir.mark_news(bigint)'::regprocedure`);
        body = rows[0]?.prosrc ?? '';
        await define(`${body}; select pg_notify('weir_news', '');`);
        listener = new Client({ connectionString: database.admin.options.connectionString });
        await listener.connect();
        await listener.query('listen weir_news');
      },
      run: (seconds) => other.run(seconds),
      async check() {
        await define(body);
        await listener?.end();
      },
    },
  ];
}
