import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { postgresBus } from '@weir/bus';
import { eventLog } from '@weir/event-store';
import { fact, newId, type CommandContext } from '@weir/kernel';
import { startRelay } from '@weir/relay';
import { pseudonymsOf, subjectKey, type SubjectName } from '@weir/subjects';
import { createPool, unitOfWork, type ServiceName, type UnitOfWork } from '@weir/tenancy';
import { client, eventually, freshDatabase, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { tiklive } from '@weir/upstream-catalog';
import { Client as Postgres } from 'pg';
import type { ResponseCache } from '../call/cache';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';
import { Erasing } from './erasing';
import { SubjectKeys } from './subject-keys';

describe('erasure of a person', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let dataDir: string;
  let tenant: SpecTenant;
  let ends: (() => Promise<unknown>)[];

  const workOf = (service: ServiceName) => {
    const pool = createPool({ url: database.urlOf(service), name: `spec/${service}`, max: 4 });
    ends.unshift(() => pool.end());
    return { pool, work: unitOfWork(pool, service) };
  };
  let audit: UnitOfWork;
  let own: UnitOfWork;

  beforeAll(async () => {
    ends = [];
    dataDir = mkdtempSync(join(tmpdir(), 'weir-erasure-'));
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: [], suspended: false });
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url, environment: { WEIR_JOBS_EVERY_MS: '20' } });
    await fetcher.newKey('platform-secret');
    audit = workOf('audit-ledger').work;
    own = workOf('upstream-fetcher').work;
    const { pool, work } = workOf('tenant-registry');
    const relay = startRelay({ work, bus: postgresBus({ pool, directUrl: database.urlOf('tenant-registry') }), onError: () => undefined });
    ends.unshift(() => relay.stop());
  }, 60_000);
  beforeEach(async () => {
    tenant = await fetcher.newTenant({ role: 'admin' });
  });
  afterAll(async () => {
    await fetcher?.stop();
    for (const end of ends ?? []) await end();
    await simulator?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  const api = (method: string, path: string, body?: unknown) => client(fetcher.url, tenant.token)(method, `/v1/tenants/${tenant.id}${path}`, body);
  const context = (): CommandContext => ({ actor: { type: 'service', id: 'spec' }, commandId: newId('req'), at: Date.now(), action: 'spec' });
  const pseudonyms = (names: SubjectName[]) => audit.inTenant(tenant.id, async (sql) => pseudonymsOf(await subjectKey(sql, tenant.id), names));

  /** As the audit ledger's route does. */
  async function request(username: string): Promise<string> {
    const erasureId = newId('era');
    const data = { erasureId, subjects: 1, pseudonyms: await pseudonyms([{ kind: 'username', value: username }]) };
    await eventLog(audit).append({ tenant: tenant.id, stream: `erasure/${erasureId}`, expected: 'none', events: [fact('subject.erasure-requested', data)], context: context() });
    return erasureId;
  }
  const reports = (erasureId: string) => eventLog(audit).read(tenant.id, { after: 0, limit: 10, stream: `erasure/${erasureId}/upstream-fetcher` });
  const finished = (job: string) => eventually(async () => expect((await api('GET', `/fetch-jobs/${job}`)).body.status).toBe('finished'), 15_000);

  /** Every row of every table of the database whose text holds one of the words. */
  async function traces(words: readonly string[]): Promise<string[]> {
    const postgres = new Postgres({ connectionString: database.adminUrl });
    await postgres.connect();
    const tables = await postgres.query<{ name: string }>(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname not in ('pg_catalog', 'information_schema')`,
    );
    const found: string[] = [];
    for (const { name } of tables.rows) {
      // bytea shows as hex: looked for as such too
      const { rows } = await postgres.query<{ row: string }>(
        `select t::text as row from ${name} t where exists (select from unnest($1::text[]) word
           where t::text ilike '%' || word || '%' or t::text like '%' || encode(word::bytea, 'hex') || '%')`,
        [words],
      );
      found.push(...rows.map(({ row }) => `${name}: ${row.slice(0, 200)}`));
    }
    await postgres.end();
    return found;
  }

  it('A4 leaves no trace in tables, logs, topics and the cache, refuses calls for every name of the person, and touches nobody else', async () => {
    const { user } = (await tenant.call('/userinfo-by-username/?username=alice')).body;
    const words = ['alice', user.secUid, user.id];
    await tenant.call(`/user-posts/?userid=${user.id}`);
    await tenant.call('/userid/?username=alice', { 'idempotency-key': 'once' });
    await api('POST', '/refresh-schedules', { endpoint: 'userinfo-by-username', targets: ['alice', 'berta'] });
    const { body: job } = await api('POST', '/fetch-jobs', {
      items: ['alice', 'berta'].map((username) => ({ endpoint: 'userinfo-by-username', params: { username } })),
    });
    await finished(job.id);
    for (const path of ['users/alice', 'users/alice/posts', 'users/berta']) {
      await eventually(async () => expect(JSON.stringify((await api('GET', `/snapshots/${path}`)).body)).toContain('capturedAt'));
    }
    expect((await traces(words)).length).toBeGreaterThan(4);

    const erasureId = await request('@Alice');
    await eventually(async () => expect(await reports(erasureId)).toHaveLength(1), 10_000);
    const [report] = await reports(erasureId);
    expect(report?.data).toMatchObject({ erasureId, profiles: 1, jobResults: 1, replays: 1, scheduleTargets: 1, suppressed: 3 });
    expect((report?.data as { posts: number }).posts).toBeGreaterThan(0);
    expect((report?.data as { cachedAnswers: number }).cachedAnswers).toBe(3);
    expect(await traces(words)).toEqual([]);

    for (const path of ['/userinfo-by-username/?username=alice', '/userid/?username=%40ALICE', `/user-posts/?userid=${user.id}`]) {
      await eventually(async () => expect(await tenant.call(path)).toMatchObject({ status: 403, body: { code: 'subject-erased' } }));
    }
    const { body: again } = await api('POST', '/fetch-jobs', { endpoint: 'userid', targets: ['alice', 'berta'] });
    await finished(again.id);
    expect((await api('GET', `/fetch-jobs/${again.id}`)).body.items).toMatchObject({ succeeded: 1, failed: 1 });

    expect((await api('GET', '/snapshots/users/berta')).status).toBe(200);
    expect((await api('GET', '/refresh-schedules')).body.data).toMatchObject([{ targets: 1 }]);
    const stranger = await fetcher.newTenant();
    expect((await stranger.call('/userinfo-by-username/?username=alice')).headers.get('weir-cache')).toBe('miss');
  }, 40_000);

  it('A5 killed after each of its steps it is resumed, and reported once', async () => {
    await tenant.call('/userinfo-by-username/?username=carla');
    await eventually(async () => expect((await api('GET', '/snapshots/users/carla')).status).toBe(200));
    const erasureId = newId('era');
    const erasure = { tenantId: tenant.id, erasureId, pseudonyms: await pseudonyms([{ kind: 'username', value: 'carla' }]) };
    const at = context();

    /** Dies before its n-th step: a transaction, or the look into the cache. */
    const dying = (step: number) => {
      let steps = 0;
      const next = () => {
        if (++steps === step) throw new Error('killed');
      };
      const work = { ...own, inTenant: async (...args: Parameters<UnitOfWork['inTenant']>) => (next(), own.inTenant(...args)) } as UnitOfWork;
      const cache = { forget: async () => (next(), 0) } as unknown as ResponseCache;
      return new Erasing({ work, catalogs: [tiklive], cache, subjectKeys: new SubjectKeys(own) });
    };
    for (const step of [1, 2, 3]) await expect(dying(step).obey(erasure, at)).rejects.toThrow('killed');
    expect(await reports(erasureId)).toEqual([]);
    await dying(99).obey(erasure, at);
    await dying(99).obey(erasure, at);
    expect((await reports(erasureId)).map(({ data }) => data)).toMatchObject([{ profiles: 1, suppressed: 3 }]);
    expect((await api('GET', '/snapshots/users/carla')).status).toBe(404);
  }, 30_000);

  it('what is being fetched while a person is erased is not kept afterwards', async () => {
    simulator.faults.add({ kind: 'slow', ms: 700, times: 1 });
    const late = tenant.call('/userinfo-by-username/?username=doris');
    await eventually(async () => expect((await fetcher.usageOf(tenant)).filter(({ kind }) => kind === 'held')).toHaveLength(1));
    const erasureId = await request('doris');
    await eventually(async () => expect(await reports(erasureId)).toHaveLength(1), 10_000);
    expect((await late).status).toBe(200);
    await eventually(async () => expect(await tenant.call('/userinfo-by-username/?username=doris')).toMatchObject({ status: 403 }));
    await fetcher.usageOf(tenant);
    expect((await api('GET', '/snapshots/users/doris')).status).toBe(404);
  }, 30_000);
});
