import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { kafkaBus, type BusRecord } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { Client } from 'pg';

/** A place where a process may have left something, and all that stands there. */
export interface Trace {
  readonly where: string;
  readonly text: string;
}

export const logsIn = (dir: string): Trace[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.log'))
    .map((entry) => ({ where: `log ${entry.name}`, text: readFileSync(join(entry.parentPath, entry.name), 'utf8') }));

/** Every row of every table, as text. */
export async function tablesOf(url: string): Promise<Trace[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const traces: Trace[] = [];
    for (const { name } of rows) {
      const { rows: found } = await client.query<{ text: string | null }>(`select string_agg(t::text, E'\\n') as text from ${name} t`);
      traces.push({ where: `table ${name}`, text: found[0]?.text ?? '' });
    }
    return traces;
  } finally {
    await client.end();
  }
}

/** Every record of every topic: keys, headers and values. */
export async function topicsOf(brokers: string, prefix: string): Promise<Trace[]> {
  const bus = kafkaBus({ brokers: brokers.split(','), clientId: 'journey', prefix });
  const heard = new Map<string, string[]>(TOPICS.map(({ name }) => [name, []]));
  const hear = ({ topic, key, headers, value }: BusRecord) => heard.get(topic)?.push(`${key} ${JSON.stringify(headers)} ${value?.toString('latin1') ?? ''}`);
  const following = await bus.follow({ topics: [...heard.keys()], apply: hear });
  await following.caughtUp();
  await following.stop();
  await bus.close();
  return [...heard].map(([topic, records]) => ({ where: `topic ${topic}`, text: records.join('\n') }));
}
