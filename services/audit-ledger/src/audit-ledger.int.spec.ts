import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { chainStart, contentHash, follow, verifyExport } from '@weir/audit-format';
import type { EventLog } from '@weir/event-store';
import { WEIR_VERSION, fact, newId, type CommandContext } from '@weir/kernel';
import type { Host } from '@weir/service-host';
import { schemaOf } from '@weir/tenancy';
import {
  client,
  eventually,
  freshDatabase,
  startTestPlatform,
  startTestService,
  type Client,
  type TestDatabase,
  type TestPlatform,
  type TestTenant,
} from '@weir/testing';
import { Client as Postgres } from 'pg';
import { definition } from './index';

const NDJSON = { accept: 'application/x-ndjson' };
const VERIFIER = join(__dirname, '../fixtures/verify-export.py');

/** Another value of each type that an event's columns have. */
const FORGED: Record<string, string> = {
  text: "'forged'",
  integer: '99',
  uuid: 'gen_random_uuid()',
  'timestamp with time zone': "'2020-01-01'",
};

let database: TestDatabase;
let platform: TestPlatform;
let host: Host;
let operator: Client;
let log: EventLog;
let superuser: Postgres;

beforeAll(async () => {
  database = await freshDatabase();
  platform = await startTestPlatform(database);
  host = await startTestService(definition, { database, environment: { WEIR_OPERATOR_TOKEN: platform.operatorToken } });
  operator = client(host.url, platform.operatorToken);
  log = platform.logOf('tenant-registry');
  superuser = new Postgres({ connectionString: database.adminUrl });
  await superuser.connect();
  // whoever edits a log is someone whom no trigger stops
  await superuser.query("set session_replication_role = 'replica'");
});
afterAll(async () => {
  await superuser.end();
  await host.stop();
  await platform.stop();
  await database.drop();
});

const by = (commandId: string, actor: CommandContext['actor'] = { type: 'operator', id: 'op-1' }): CommandContext => ({
  actor,
  commandId,
  at: Date.now(),
  action: 'spec',
});

/** A tenant whose log has `events` events and has been seen on the bus to its end. */
async function tenantWith(events: number): Promise<TestTenant> {
  const tenant = await platform.newTenant();
  const names = Array.from({ length: events - 2 }, (_, n) => fact('tenant.renamed', { name: `name ${n} – ü` }));
  await log.append({
    tenant: tenant.id,
    stream: `tenant/${tenant.id}`,
    expected: 'exists',
    events: names,
    context: by('rename'),
  });
  await seen(tenant, events);
  const asAuditor = client(host.url, tenant.tokens.auditor);
  await eventually(async () => expect((await asAuditor('GET', `/v1/tenants/${tenant.id}/events?limit=1`)).status).toBe(200));
  return tenant;
}

const seen = (tenant: TestTenant, position: number) =>
  eventually(async () => {
    const { rows } = await superuser.query(
      'select 1 from weir_audit_ledger.witnessed_heads where tenant_id = $1 and position = $2',
      [tenant.id, position],
    );
    expect(rows).toHaveLength(1);
  });

const verify = async (tenant: TestTenant) =>
  (await client(host.url, tenant.tokens.auditor)('POST', `/v1/tenants/${tenant.id}/audit/verify`)).body;
const tamper = (tenant: TestTenant, sql: string, values: unknown[] = []) =>
  superuser.query(
    sql.replaceAll('events', `${schemaOf(tenant.id)}.events`).replaceAll('log_', `${schemaOf(tenant.id)}.log_`),
    values,
  );

describe('verification', () => {
  it('finds an untouched log intact, and leaves a receipt in it each time', async () => {
    const tenant = await tenantWith(6);
    const chain = follow(chainStart(tenant.id), await log.read(tenant.id, { after: 0, limit: 10 }));
    expect(await verify(tenant)).toEqual({
      result: 'intact',
      events: 6,
      position: 6,
      head: chain.head,
      firstBreak: null,
      because: null,
      witnessed: { position: 6, at: expect.any(String) },
      receipt: { log: 'own', position: 7 },
    });
    expect(await verify(tenant)).toMatchObject({ result: 'intact', events: 7, receipt: { position: 8 } });
    const [receipt] = await log.read(tenant.id, { after: 6, limit: 1 });
    expect(receipt).toMatchObject({
      type: 'audit.verified',
      author: 'weir_audit_ledger',
      actor: { type: 'token' },
      data: { result: 'intact', events: 6, position: 6, head: chain.head, firstBreak: null },
    });
  });

  it('stays right while others append', async () => {
    const tenant = await tenantWith(3);
    const rename = (n: number) =>
      log.append({
        tenant: tenant.id,
        stream: `tenant/${tenant.id}`,
        expected: 'any',
        events: [fact('tenant.renamed', { name: 'x' })],
        context: by(`r${n}`),
      });
    const [results] = await Promise.all([
      Promise.all(Array.from({ length: 8 }, () => verify(tenant))),
      Promise.all(Array.from({ length: 40 }, (_, n) => rename(n))),
    ]);
    expect(results.map(({ result, because }) => [result, because])).toEqual(results.map(() => ['intact', null]));
  });

  it("A1 finds a superuser's edit of an event", async () => {
    const tenant = await tenantWith(6);
    await tamper(tenant, `update events set data = '{"name":"forged"}' where position = 4`);
    expect(await verify(tenant)).toMatchObject({ result: 'broken', firstBreak: 4, because: 'content-altered' });
  });

  it('A1 finds an edit of each field of the envelope', async () => {
    const tenant = await tenantWith(4);
    // what its writer says of an event is in the content hash, what the log says of it in the link
    const said = ['event_id', 'stream', 'type', 'schema_version', 'occurred_at', 'actor_type', 'actor_id', 'action', 'reason', 'request_id', 'causation_id', 'correlation_id', 'command_id'];
    for (const column of [...said, 'version', 'recorded_at', 'author']) {
      const { rows } = await tamper(tenant, `select ${column}::text as text, pg_typeof(${column})::text as type from events where position = 3`);
      await tamper(tenant, `update events set ${column} = ${FORGED[rows[0].type]} where position = 3`);
      expect([column, await verify(tenant)]).toMatchObject([column, { result: 'broken', firstBreak: 3, because: said.includes(column) ? 'content-altered' : 'chain-broken' }]);
      await tamper(tenant, `update events set ${column} = $1 where position = 3`, [rows[0].text]);
      expect(await verify(tenant)).toMatchObject({ result: 'intact' });
    }
  });

  it('A1 finds an event whose service sent the content hash of another', async () => {
    const tenant = await tenantWith(3);
    const service = new Postgres({ connectionString: database.urlOf('tenant-registry') });
    await service.connect();
    await service.query(
      `select weir.append($1, '{s}', '{1}', '{1}', '{-2}', '{1}', '{c}', '{2026-11-24T20:31:07.123Z}', array[gen_random_uuid()::text, 's', 'tenant.renamed', '1', '{"name":"x"}', 'operator', 'op',
         'spec', null, null, null, null, 'c'], array[sha256('something else')])`,
      [tenant.id],
    );
    await service.end();
    const { rows } = await tamper(tenant, 'select position::int from events order by position desc limit 1');
    expect(await verify(tenant)).toMatchObject({ result: 'broken', firstBreak: rows[0].position, because: 'content-altered' });
  });

  it('A1 finds an edit that brought its own content hash', async () => {
    const tenant = await tenantWith(6);
    const event = (await log.read(tenant.id, { after: 3, limit: 1 }))[0];
    if (event === undefined) throw new Error('no event');
    const forged = { ...event, bytes: '{"name":"forged"}' };
    await tamper(tenant, `update events set data = $1, content_hash = decode($2, 'hex') where position = 4`, [
      forged.bytes,
      contentHash(forged),
    ]);
    expect(await verify(tenant)).toMatchObject({ result: 'broken', firstBreak: 4, because: 'chain-broken' });
  });

  it('A1 finds a deleted event', async () => {
    const tenant = await tenantWith(6);
    await tamper(tenant, 'delete from events where position = 3');
    expect(await verify(tenant)).toMatchObject({ result: 'broken', events: 5, firstBreak: 4, because: 'gap' });
  });

  it('A1 finds an inserted event, in the middle and after the end', async () => {
    const middle = await tenantWith(6);
    await tamper(middle, 'update events set position = -position - 1 where position > 3');
    await tamper(middle, 'update events set position = -position where position < 0');
    await copyOf(middle, 3, 4);
    expect(await verify(middle)).toMatchObject({ result: 'broken', firstBreak: 4, because: 'content-altered' });

    const end = await tenantWith(6);
    await copyOf(end, 6, 7);
    await rechain(end, 7);
    expect(await verify(end)).toMatchObject({ result: 'broken', firstBreak: 7, because: 'beyond-head' });
  });

  it('A1 finds two events in the other order', async () => {
    const tenant = await tenantWith(6);
    await tamper(tenant, 'update events set position = case position when 3 then -4 else -3 end where position in (3, 4)');
    await tamper(tenant, 'update events set position = -position where position < 0');
    expect(await verify(tenant)).toMatchObject({ result: 'broken', firstBreak: 3, because: 'chain-broken' });
  });

  it('A1 finds a cut-off end, and one whose head row was set back with it, by what the bus has seen', async () => {
    const cut = await tenantWith(6);
    await tamper(cut, 'delete from events where position > 4');
    expect(await verify(cut)).toMatchObject({
      result: 'broken',
      position: 4,
      firstBreak: 5,
      because: 'truncated',
      witnessed: { position: 6 },
    });

    const careful = await tenantWith(6);
    await tamper(careful, 'delete from events where position > 4');
    await setHead(careful, 4);
    const found = await verify(careful);
    expect(found).toMatchObject({ result: 'broken', position: 4, firstBreak: 5, because: 'truncated' });
  });

  it('A1 finds a log that was written anew and chained again, head row and all, by what the bus has seen', async () => {
    const tenant = await tenantWith(6);
    await tamper(tenant, `update events set data = '{"name":"forged"}' where position = 4`);
    await rechain(tenant, 4);
    await setHead(tenant, 6);
    const { firstBreak } = follow(chainStart(tenant.id), await log.read(tenant.id, { after: 0, limit: 10 }));
    expect(firstBreak).toBeUndefined();
    expect(await verify(tenant)).toMatchObject({ result: 'broken', firstBreak: 6, because: 'rewritten' });
  });

  it('A1 finds a log that went on as another after its end was cut off', async () => {
    const tenant = await tenantWith(6);
    await tamper(tenant, 'delete from events where position > 4');
    await setHead(tenant, 4);
    const others = [1, 2, 3].map((n) => fact('tenant.renamed', { name: `other ${n}` }));
    await log.append({ tenant: tenant.id, stream: 'tenant/other', expected: 'any', events: others, context: by('other') });
    await seen(tenant, 7);
    expect(await verify(tenant)).toMatchObject({ result: 'broken', firstBreak: 6, because: 'rewritten' });
  });

  it("puts the receipt into the platform's log when the tenant's takes no more events", async () => {
    const tenant = await tenantWith(3);
    await verify(tenant);
    // the next position is taken, by something that no append put there
    await setHead(tenant, 3);
    const { result, receipt } = await verify(tenant);
    expect([result, receipt.log]).toEqual(['broken', 'platform']);
    const { body } = await operator('GET', `/v1/platform/events?type=audit.verified&after=${receipt.position - 1}`);
    expect(body.data[0]).toMatchObject({ stream: `audit/${tenant.id}`, data: { events: 4 } });
  });

  it("verifies the platform's own log", async () => {
    expect((await operator('POST', '/v1/platform/audit/verify')).body).toMatchObject({
      result: 'intact',
      receipt: { log: 'own' },
    });
  });

  async function copyOf(tenant: TestTenant, from: number, to: number): Promise<void> {
    await tamper(
      tenant,
      `insert into events select tenant_id, ${to}, gen_random_uuid(), 'tenant/forged', 1, type, schema_version, data, occurred_at, recorded_at, author,
         actor_type, actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash
       from events where position = ${from}`,
    );
  }

  /** Makes the chain agree with the events from a position on, as somebody would who knows how. */
  async function rechain(tenant: TestTenant, from: number): Promise<void> {
    let state = chainStart(tenant.id);
    for (const event of await log.read(tenant.id, { after: 0, limit: 100 })) {
      state = follow({ ...state, firstBreak: undefined }, [event]);
      if (event.position < from) continue;
      await tamper(
        tenant,
        `update events set content_hash = decode($2, 'hex'), chain_hash = decode($3, 'hex') where position = $1`,
        [event.position, contentHash(event), state.head],
      );
    }
  }

  const setHead = (tenant: TestTenant, position: number) =>
    tamper(tenant, 'update log_heads set position = $1, chain_hash = (select chain_hash from events where position = $1)', [
      position,
    ]);
});

describe('the list of events', () => {
  it('comes in pages, oldest first, by position', async () => {
    const tenant = await tenantWith(6);
    const auditor = client(host.url, tenant.tokens.auditor);
    const first = (await auditor('GET', `/v1/tenants/${tenant.id}/events?limit=4`)).body;
    expect(first.data.map((event: { position: number }) => event.position)).toEqual([1, 2, 3, 4]);
    expect(first.nextCursor).toBe('4');
    for (const parameter of ['after', 'cursor']) {
      const { body } = await auditor('GET', `/v1/tenants/${tenant.id}/events?limit=4&${parameter}=${first.nextCursor}`);
      expect(body.data.map((event: { position: number }) => event.position)).toEqual([5, 6]);
      expect(body.nextCursor).toBeNull();
    }
    expect(first.data[0]).toEqual({
      tenantId: tenant.id,
      position: 1,
      eventId: expect.any(String),
      stream: `tenant/${tenant.id}`,
      version: 1,
      type: 'tenant.registered',
      schemaVersion: 1,
      occurredAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      recordedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
      author: 'weir_tenant_registry',
      actor: { type: 'service', id: 'spec' },
      action: 'spec',
      reason: null,
      requestId: null,
      causationId: null,
      correlationId: null,
      commandId: tenant.id,
      contentHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      chainHash: expect.stringMatching(/^[0-9a-f]{64}$/),
      dataText: expect.any(String),
      data: expect.objectContaining({ slug: 'spec', keyMode: 'shared' }),
    });
  });

  it('is narrowed by type, actor, request and time', async () => {
    const tenant = await tenantWith(4);
    const append = (commandId: string, type: string) =>
      log.append({
        tenant: tenant.id,
        stream: `tenant/${tenant.id}`,
        expected: 'any',
        events: [fact(type, {})],
        context: { ...by(commandId, { type: 'token', id: 'tok_x' }), requestId: `req_${commandId}` },
      });
    await append('s', 'tenant.suspended');
    const list = async (query: string) =>
      (await operator('GET', `/v1/tenants/${tenant.id}/events?${query}`)).body.data.map(
        (event: { position: number }) => event.position,
      );
    const suspendedAt = (await log.read(tenant.id, { after: 4, limit: 1 }))[0]?.recordedAt ?? '';
    await append('r', 'tenant.resumed');
    expect(await list('type=tenant.renamed')).toEqual([3, 4]);
    expect(await list('actor=tok_x')).toEqual([5, 6]);
    expect(await list('actor=tok_x&type=tenant.resumed')).toEqual([6]);
    expect(await list('request=req_r')).toEqual([6]);
    expect(await list('request=req_r&type=tenant.suspended')).toEqual([]);
    expect(await list(`from=${suspendedAt}`)).toEqual([5, 6]);
    expect(await list(`to=${suspendedAt}`)).toEqual([1, 2, 3, 4]);
    expect((await operator('GET', `/v1/tenants/${tenant.id}/events?from=yesterday`)).status).toBe(400);
    for (const wrong of ['kind=x', 'from=0000-01-01T00:00:00Z', 'cursor=x', 'cursor=3@2026-02-31T00:00:00.000000Z&from=2026-01-01T00:00:00Z'])
      expect([wrong, (await operator('GET', `/v1/tenants/${tenant.id}/events?${wrong}`)).status]).toEqual([wrong, 400]);
    expect(await list('from=2020-01-01T00:00:00%2B16:00&to=2021-01-01T00:00:00-23:00')).toEqual([]);
  });

  it('goes on by its cursor through each search, also by time where many events have one time', async () => {
    const tenant = await tenantWith(12);
    const { rows } = await tamper(tenant, 'select recorded_at from events where position = 3');
    const from = rows[0].recorded_at.toISOString();
    for (const filter of [{}, { type: 'tenant.renamed' }, { from }, { from, type: 'tenant.renamed', actor: 'op-1' }, { to: '2100-01-01T00:00:00Z' }]) {
      const seen: number[] = [];
      let cursor: string | null = null;
      do {
        const query = new URLSearchParams({ ...filter, limit: '3', ...(cursor === null ? {} : { cursor }) });
        const { body } = await operator('GET', `/v1/tenants/${tenant.id}/events?${query}`);
        seen.push(...body.data.map((event: { position: number }) => event.position));
        cursor = body.nextCursor;
      } while (cursor !== null);
      const all = 'from' in filter || 'type' in filter ? [3, 4, 5, 6, 7, 8, 9, 10, 11, 12] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
      expect([filter, seen]).toEqual([filter, all]);
    }
    const byTime = (await operator('GET', `/v1/tenants/${tenant.id}/events?limit=3&from=${from}`)).body.nextCursor;
    expect((await operator('GET', `/v1/tenants/${tenant.id}/events?cursor=${byTime}`)).status).toBe(400);
  });

  it('E10 gives a number beyond 2^53 as it was sent, in pages and in exports', async () => {
    const tenant = await tenantWith(3);
    await log.append({
      tenant: tenant.id,
      stream: 'tenant/x',
      expected: 'any',
      events: [fact('tenant.renamed', { name: 'n', big: 9_007_199_254_740_993n })],
      context: by('big'),
    });
    for (const headers of [{}, NDJSON]) {
      const url = new URL(`/v1/tenants/${tenant.id}/events?after=3`, host.url);
      const text = await (await fetch(url, { headers: { authorization: `Bearer ${tenant.tokens.auditor}`, ...headers } })).text();
      expect(text).toContain('"data":{"big":9007199254740993,"name":"n"}');
    }
  });
});

describe('the export', () => {
  it('streams a log as lines, past the size of a page, or as many as were asked for', async () => {
    const tenant = await tenantWith(1_203);
    const auditor = client(host.url, tenant.tokens.auditor);
    const all = await auditor('GET', `/v1/tenants/${tenant.id}/events`, undefined, NDJSON);
    expect(all.headers.get('content-type')).toBe('application/x-ndjson');
    expect(positions(all.body)).toEqual(Array.from({ length: 1_203 }, (_, n) => n + 1));
    const some = await auditor('GET', `/v1/tenants/${tenant.id}/events?after=100&limit=601`, undefined, NDJSON);
    expect(positions(some.body)).toEqual(Array.from({ length: 601 }, (_, n) => n + 101));
    expect((await auditor('GET', `/v1/tenants/${tenant.id}/events?after=5000`, undefined, NDJSON)).body).toBe('');
  });

  it('is a problem, not an empty export, for a tenant that is none', async () => {
    const answer = await operator('GET', `/v1/tenants/${newId('ten')}/events`, undefined, NDJSON);
    expect([answer.status, answer.body.code]).toEqual([404, 'not-found']);
  });

  it('A1 verifies in a program written from docs/audit-format.md alone, which finds the same break', async () => {
    const tenant = await tenantWith(40);
    const theirs = async () => {
      const { body } = await client(host.url, tenant.tokens.auditor)('GET', `/v1/tenants/${tenant.id}/audit/export`, undefined, NDJSON);
      return stranger(body);
    };
    const ours = await verify(tenant);
    expect(await theirs()).toMatchObject({ result: 'intact', events: 41 });
    const before = follow(chainStart(tenant.id), await log.read(tenant.id, { after: 0, limit: 40 }));
    expect(ours.head).toBe(before.head);

    await tamper(tenant, `update events set reason = 'none' where position = 17`);
    expect(await theirs()).toMatchObject({ result: 'broken', problem: { position: (await verify(tenant)).firstBreak } });
  });

  const positions = (ndjson: string) =>
    ndjson
      .split('\n')
      .filter(Boolean)
      .map((line) => (JSON.parse(line) as { position: number }).position);

  /** What the stand-alone verifier prints; it leaves with 1 for a broken log. */
  async function stranger(ndjson: string): Promise<{ result: string; problem: { position: number | null } | null }> {
    const dir = mkdtempSync(join(tmpdir(), 'weir-export-'));
    try {
      writeFileSync(join(dir, 'events.ndjson'), ndjson);
      const run = promisify(execFile)('python3', [VERIFIER, join(dir, 'events.ndjson')]);
      const { stdout } = await run.catch((error: { code?: number; stdout: string }) => {
        if (error.code !== 1) throw error;
        return error;
      });
      return JSON.parse(stdout) as { result: string; problem: { position: number | null } | null };
    } finally {
      rmSync(dir, { recursive: true });
    }
  }
});

describe('an export that can be verified', () => {
  const exported = (tenant: TestTenant, query = '') =>
    client(host.url, tenant.tokens.auditor)('GET', `/v1/tenants/${tenant.id}/audit/export${query}`, undefined, NDJSON);
  const checked = async (tenant: TestTenant) => {
    const { body, status } = await exported(tenant);
    expect([status, body]).toEqual([200, expect.any(String)]);
    const { findings, result } = await verifyExport(Readable.from([Buffer.from(body)]));
    return [result, findings[0]?.what, findings[0]?.position];
  };

  it('is intact past the size of a page, says what it is, and finds the same head as we do', async () => {
    const tenant = await tenantWith(1_203);
    const { body, headers } = await exported(tenant);
    expect(headers.get('content-disposition')).toBe(`attachment; filename="${tenant.id}-after-0.ndjson"`);
    const verdict = await verifyExport(Readable.from([Buffer.from(body)]));
    const { head } = await verify(tenant);
    expect(verdict).toMatchObject({ result: 'intact', events: 1_203, head });
    expect(verdict.manifest).toMatchObject({
      tenantId: tenant.id,
      from: 1,
      to: 1_203,
      count: 1_203,
      lastHash: head,
      head: { position: 1_203, chainHash: head },
      witnessed: { position: 1_203, chainHash: head },
      weirVersion: WEIR_VERSION,
    });
  });

  it('goes on from an earlier one', async () => {
    const tenant = await tenantWith(9);
    const verdict = await verifyExport(Readable.from([Buffer.from((await exported(tenant, '?after=5')).body)]));
    expect(verdict).toMatchObject({ result: 'intact', from: 6, to: 9 });
    const [fifth] = await log.read(tenant.id, { after: 4, limit: 1 });
    expect(verdict.manifest?.previousHash).toBe(fifth?.chainHash);
    expect((await exported(tenant, '?after=10')).status).toBe(400);
  });

  it('stays intact while others append', async () => {
    const tenant = await tenantWith(3);
    const append = (n: number) =>
      log.append({ tenant: tenant.id, stream: 'tenant/x', expected: 'any', events: [fact('tenant.renamed', { name: 'x' })], context: by(`x${n}`) });
    const [results] = await Promise.all([
      Promise.all(Array.from({ length: 8 }, () => checked(tenant))),
      Promise.all(Array.from({ length: 40 }, (_, n) => append(n))),
    ]);
    expect(results).toEqual(results.map(() => ['intact', undefined, undefined]));
  });

  it.each([
    ['edit', 'content-altered', 4, [`update events set data = '{"name":"forged"}' where position = 4`]],
    ['deletion', 'gap', 4, ['delete from events where position = 3']],
    ['insertion', 'content-altered', 4, [
      'update events set position = -position - 1 where position > 3',
      'update events set position = -position where position < 0',
      `insert into events select tenant_id, 4, gen_random_uuid(), 'tenant/forged', 1, type, schema_version, data, occurred_at, recorded_at, author, actor_type,
         actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash from events where position = 3`,
    ]],
    ['reordering', 'chain-broken', 3, [
      'update events set position = case position when 3 then -4 else -3 end where position in (3, 4)',
      'update events set position = -position where position < 0',
    ]],
    ['truncation', 'truncated', 5, ['delete from events where position > 4']],
    ['truncation with the head row set back', 'truncated', 5, [
      'delete from events where position > 4',
      'update log_heads set position = 4, chain_hash = (select chain_hash from events where position = 4)',
    ]],
  ])("A1 shows a superuser's %s to `weir verify`, at the same place as POST verify", async (_, what, position, statements) => {
    const tenant = await tenantWith(6);
    for (const sql of statements) await tamper(tenant, sql);
    expect(await checked(tenant)).toEqual(['broken', what, position]);
    expect(await verify(tenant)).toMatchObject({ result: 'broken', because: what, firstBreak: position });
  });
});

describe('access', () => {
  const routes = [
    ['GET', 'events'],
    ['GET', 'audit/export'],
    ['POST', 'audit/verify'],
  ] as const;

  it.each(routes)("G1 %s %s of another tenant answers as an unknown tenant's", async (method, path) => {
    const [mine, other] = [await tenantWith(3), await tenantWith(3)];
    const auditor = client(host.url, mine.tokens.auditor);
    const seen = async (id: string) => {
      const { status, body } = await auditor(method, `/v1/tenants/${id}/${path}`);
      return { status, ...body, requestId: undefined };
    };
    expect(await seen(other.id)).toEqual(await seen(newId('ten')));
    expect((await seen(other.id)).status).toBe(404);
    expect((await seen('ten_platform')).status).toBe(404);
  });

  it.each(routes)('G2 %s %s is for auditors, admins and owners', async (method, path) => {
    const tenant = await tenantWith(3);
    const status = async (token: string | undefined) =>
      (await client(host.url, token)(method, `/v1/tenants/${tenant.id}/${path}`)).status;
    for (const role of ['owner', 'admin', 'auditor'] as const) expect(await status(tenant.tokens[role])).toBe(200);
    expect(await status(tenant.tokens.member)).toBe(403);
    expect(await status(platform.operatorToken)).toBe(200);
    expect(await status(undefined)).toBe(401);
  });

  it("G2 the platform's log is for operators alone", async () => {
    const tenant = await tenantWith(3);
    const asOwner = client(host.url, tenant.tokens.owner);
    for (const [method, path] of routes) {
      expect((await asOwner(method, `/v1/platform/${path}`)).status).toBe(403);
      expect((await operator(method, `/v1/platform/${path}`)).status).toBe(200);
    }
  });

  it('R4 the service does not start with a login that is a superuser, owns the tables, or bypasses row security', async () => {
    const bypassing = Object.assign(new URL(database.adminUrl), { username: 'weir_spec_bypassing', password: 'spec' }).href;
    await superuser.query(`do $$ begin create role weir_spec_bypassing login bypassrls password 'spec'; exception when duplicate_object then null; end $$`);
    for (const [url, because] of [[database.adminUrl, /is a superuser/], [database.migratorUrl, /owns tables/], [bypassing, /has BYPASSRLS/]] as const) {
      const starting = startTestService(definition, { database, environment: { WEIR_POSTGRES_URL: url, WEIR_POSTGRES_DIRECT_URL: url } });
      await expect(starting).rejects.toMatchObject({ code: 'privileged-login', message: expect.stringMatching(because) });
    }
  });

  it('the service cannot write an event in the name of another, nor change one', async () => {
    const tenant = await tenantWith(3);
    const own = new Postgres({ connectionString: database.urlOf('audit-ledger') });
    await own.connect();
    try {
      await own.query('begin');
      await own.query('select weir.enter($1)', [tenant.id]);
      await own.query('savepoint s');
      for (const sql of [
        `update events set data = '{}'`,
        'delete from events',
        'truncate events',
        `insert into events select tenant_id, 99, gen_random_uuid(), stream, 99, type, schema_version, data, occurred_at, recorded_at, author, actor_type, actor_id, action, reason, request_id, causation_id, correlation_id, command_id, content_hash, chain_hash from events limit 1`,
      ]) {
        await expect(own.query(sql)).rejects.toThrow(/permission denied|row-level security/);
        await own.query('rollback to savepoint s');
      }
    } finally {
      await own.end();
    }
  });
});
