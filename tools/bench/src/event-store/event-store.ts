import { ratioGate, type Bench } from '../bench';
import { appending } from './appending';
import { loading } from './loading';
import { pgbenchInsert } from './pgbench';
import { openDatabase } from './tenants';

/** 240 bytes of data, about what an event of ours has. */
const DATA = { name: 'x'.repeat(229) };

export const eventStore: Bench = {
  name: 'event-store',
  title: "appending to logs, pgbench's INSERT with as many clients = 1",
  async open(ground) {
    const database = await openDatabase(ground);
    const insert = await pgbenchInsert(database.admin, database.clientUrl, ground.directory, JSON.stringify(DATA));
    const [one, many] = [insert(1), insert(64)];
    const alone = appending(database, { writers: 1, tenants: 1, kind: 'schema', against: one.name, data: DATA });
    const together = appending(database, { writers: 64, tenants: 1, kind: 'schema', against: many.name, data: DATA });
    return {
      sides: [
        one,
        alone,
        many,
        together,
        appending(database, { writers: 64, tenants: 200, kind: 'schema', against: many.name, data: DATA }),
        appending(database, { writers: 64, tenants: 200, kind: 'pooled', against: many.name, data: DATA }),
        ...loading(database),
      ],
      gates: [ratioGate(alone.name, 0.4), ratioGate(together.name, 2)],
      close: () => database.close(),
    };
  },
};
