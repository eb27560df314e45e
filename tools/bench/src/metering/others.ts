import { pipeline } from 'node:stream/promises';
import { newId, utcDay, type TenantId } from '@weir/kernel';
import type { Usage } from '@weir/contracts';
import { Client } from 'pg';
import { from as copyFrom } from 'pg-copy-streams';
import { DataSource, EntitySchema } from 'typeorm';
import type { Side } from '../bench';
import { batches } from './batches';
import type { Database } from './database';
import { take, usageOf } from './records';

/** What usage_events keeps of a record, in a table beside it: for those who only store. */
const COLUMNS = {
  tenant_id: 'text', event_id: 'uuid', kind: 'text', request_id: 'text', attempt: 'int', at: 'bigint', day: 'date', mode: 'text', endpoint: 'text', project_id: 'text',
  token_id: 'text', price_version: 'text', purpose: 'text', key_owner: 'text', key_id: 'text', key_version: 'int', key_mode: 'text', cache: 'text', status: 'int',
  upstream_credits: 'bigint', charged_credits: 'bigint', difference: 'text',
} as const;
type Row = Record<keyof typeof COLUMNS, string | number>;

const NAMES = Object.keys(COLUMNS) as (keyof Row)[];
const table = (name: string, key: string) => `create table ${name} (${NAMES.map((column) => `${column} ${COLUMNS[column]} not null`).join(', ')}${key})`;

const REPEATED = 50_000;

/** COPY of the same rows into a table without a key, each batch a transaction: nothing looks whether a record was there before. */
export function copying(database: Database, batch: number): Side {
  // it looks at no key, so that the same ones may come again
  const records = take(usageOf(newId('ten')), REPEATED);
  let at = 0;
  return {
    name: 'COPY, no key, nothing counted',
    async before() {
      await database.admin.query('drop table if exists bare');
      await database.admin.query(table('bare', ''));
      await database.settle();
    },
    async run(seconds) {
      const client = new Client({ connectionString: database.clientUrl });
      await client.connect();
      const sample = await batches(seconds, 1, async () => {
        at = (at + batch) % REPEATED;
        const lines = records.slice(at, at + batch).map((record) => Object.values(rowOf(record)).join('\t')).join('\n');
        await pipeline([Buffer.from(`${lines}\n`)], client.query(copyFrom(`copy bare (${NAMES.join(', ')}) from stdin`)));
        return batch;
      });
      await client.end();
      return sample;
    },
  };
}

/** `save(batch)` of a TypeORM repository, whose key is that of usage_events. */
export function saving(database: Database, batch: number): Side {
  const entity = new EntitySchema<Row>({
    name: 'saved',
    columns: Object.fromEntries(NAMES.map((name) => [name, { type: COLUMNS[name], primary: name === 'tenant_id' || name === 'event_id' }])) as never,
  });
  const stream = usageOf(newId('ten') as TenantId);
  return {
    name: 'TypeORM save(batch), nothing counted',
    async before() {
      await database.admin.query('drop table if exists saved');
      await database.admin.query(table('saved', ', primary key (tenant_id, event_id)'));
      await database.settle();
    },
    async run(seconds) {
      const source = await new DataSource({ type: 'postgres', url: database.clientUrl, entities: [entity], extra: { max: 1 } }).initialize();
      const repository = source.getRepository(entity);
      const sample = await batches(seconds, 1, async () => (await repository.save(take(stream, batch).map(rowOf))).length);
      await source.destroy();
      return sample;
    },
  };
}

function rowOf(record: Usage): Row {
  const attempt = record.kind === 'served' ? undefined : record;
  return {
    tenant_id: record.tenantId,
    event_id: record.eventId,
    kind: record.kind,
    request_id: record.requestId,
    attempt: attempt?.attempt ?? 0,
    at: record.at,
    day: utcDay(record.at),
    mode: record.mode,
    endpoint: record.endpoint,
    project_id: record.projectId ?? '',
    token_id: record.tokenId ?? '',
    price_version: record.priceVersion,
    purpose: attempt?.purpose ?? '',
    key_owner: record.keyOwner,
    key_id: attempt?.keyId ?? '',
    key_version: attempt?.keyVersion ?? 0,
    key_mode: record.keyMode,
    cache: record.kind === 'served' ? record.cache : 'miss',
    status: record.kind === 'settled' ? (record.upstreamStatus ?? 0) : 0,
    upstream_credits: record.upstreamCredits,
    charged_credits: record.chargedCredits,
    difference: '',
  };
}
