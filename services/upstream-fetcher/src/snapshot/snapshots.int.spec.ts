import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { client, eventually, freshDatabase, type Client, type TestDatabase } from '@weir/testing';
import { startSimulator, type Simulator } from '@weir/tiklive-simulator';
import { Client as Postgres } from 'pg';
import { startFetcher, type RunningFetcher, type SpecTenant } from '../testing/running-fetcher';

describe('snapshots of profiles and posts', () => {
  let database: TestDatabase;
  let simulator: Simulator;
  let fetcher: RunningFetcher;
  let tenant: SpecTenant;
  let dataDir: string;
  let get: (path: string) => ReturnType<Client>;

  beforeAll(async () => {
    dataDir = mkdtempSync(join(tmpdir(), 'weir-snapshots-'));
    [database, simulator] = await Promise.all([freshDatabase(), startSimulator()]);
    simulator.keys.set({ key: 'platform-secret', credits: null, perMinute: null, burst: 1, scopes: [], suspended: false });
    fetcher = await startFetcher({ database, dataDir, upstreamUrl: simulator.url });
    await fetcher.newKey('platform-secret');
  }, 60_000);
  beforeEach(async () => {
    tenant = await fetcher.newTenant();
    get = (path) => client(fetcher.url, tenant.token)('GET', `/v1/tenants/${tenant.id}/snapshots/${path}`);
  });
  afterAll(async () => {
    await fetcher?.stop();
    await simulator?.close();
    await database?.drop();
    rmSync(dataDir, { recursive: true, force: true });
  }, 60_000);

  const captured = async (path: string) => {
    let answer = await get(path);
    await eventually(async () => expect((answer = await get(path)).status).toBe(200));
    return answer.body;
  };

  it('a dashboard reads a profile for six hours without the upstream, by secUid, number or name', async () => {
    const { user, stats } = (await tenant.call('/userinfo-by-username/?username=alice')).body;
    const attempts = () => simulator.ledger.totals('platform-secret')[0]?.attempts;
    const before = attempts();
    for (const name of [user.secUid, user.id, 'ALICE']) {
      expect(await captured(`users/${name}`)).toMatchObject({ secUid: user.secUid, uniqueId: 'alice', fresh: true, stats: { followers: stats.followerCount } });
    }
    expect(attempts()).toBe(before);
    const { capturedAt, freshUntil } = (await get('users/alice')).body;
    expect(Date.parse(freshUntil) - Date.parse(capturedAt)).toBe(6 * 3_600_000);
  });

  it('each time that one was captured is a row of its history, newest first and paged', async () => {
    const { body } = await tenant.call('/userinfo-by-username/?username=bella');
    await captured('users/bella');
    await inHistory(tenant, 3);
    expect((await get('users/bella')).body).toMatchObject({ stats: { followers: body.stats.followerCount } });
    const first = (await get('users/bella/history?limit=2')).body;
    const second = (await get(`users/bella/history?limit=2&cursor=${first.nextCursor}`)).body;
    expect([first.data, second.data].map((rows) => rows.map((row: { stats: { videos: number } }) => row.stats.videos))).toEqual([
      [body.stats.videoCount, 1],
      [2, 3],
    ]);
    expect(second.nextCursor).toBeNull();
    const since = new Date(Date.now() - 1.5 * 86_400_000).toISOString();
    expect((await get(`users/bella/history?from=${since}`)).body.data).toHaveLength(2);
  });

  it('posts are rows too, found by their author, each with its own history', async () => {
    const { user } = (await tenant.call('/userinfo-by-username/?username=carol')).body;
    // whose posts they are is read from the profile
    await captured('users/carol');
    const { videos } = (await tenant.call(`/user-posts/?userid=${user.id}&count=5`)).body;
    const latest = (await eventuallyPosts(5)).data;
    expect(latest.map(({ videoId }: { videoId: string }) => videoId).sort()).toEqual(videos.map(({ video_id }: { video_id: string }) => video_id).sort());
    const [video] = videos;
    const history = (await get(`posts/${video.video_id}/history`)).body;
    expect(history.data).toMatchObject([{ videoId: video.video_id, secUid: user.secUid, userId: user.id, stats: { plays: video.play_count, likes: video.digg_count } }]);

    async function eventuallyPosts(count: number) {
      let body = { data: [] as { videoId: string }[] };
      await eventually(async () => {
        body = (await get('users/carol/posts')).body;
        expect(body.data).toHaveLength(count);
      });
      return body;
    }
  });

  it('are the tenant’s own (G1), and a name that was never asked for has none', async () => {
    await tenant.call('/userinfo-by-username/?username=dora');
    await captured('users/dora');
    const stranger = await fetcher.newTenant();
    const theirs = client(fetcher.url, stranger.token);
    expect((await theirs('GET', `/v1/tenants/${tenant.id}/snapshots/users/dora`)).status).toBe(404);
    expect((await theirs('GET', `/v1/tenants/${stranger.id}/snapshots/users/dora`)).status).toBe(404);
    expect((await get('users/nobody/history')).body).toEqual({ data: [], nextCursor: null });
  });

  /** As if the profile had been captured on each of the days before, with 1, 2, 3 videos. */
  async function inHistory({ id }: SpecTenant, days: number): Promise<void> {
    const postgres = new Postgres({ connectionString: database.adminUrl });
    await postgres.connect();
    const table = `t_${id.slice(4)}.user_snapshots`;
    await postgres.query(
      `insert into ${table} select tenant_id, sec_uid, captured_at - day * interval '1 day', user_id, unique_id, nickname, region, verified,
         follower_count, following_count, heart_count, day, body, subjects, expires_at
       from ${table}, generate_series(1, $1) as day`,
      [days],
    );
    await postgres.end();
  }
});
