import type { TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';
import { tiklive, type Endpoint } from '@weir/upstream-catalog';
import type { SubjectKeys } from '../subject/subject-keys';
import { postRows, userRow } from './snapshot-rows';
import { Snapshots } from './snapshots';

const TENANT: TenantId = 'ten_01k9x4zq3hf2v8m7c5w6b1n0ap';
const endpoint = (id: string) => tiklive.endpoints.find((one) => one.id === id) as Endpoint;
const profile = { user: { secUid: 'sec', uniqueId: 'alice', id: '7', verified: 1 }, stats: { followerCount: 5, followingCount: 4, heartCount: 3, videoCount: 2 } };
const snapshot = (n: number, body: Buffer = Buffer.from(JSON.stringify(profile))) => ({
  tenantId: TENANT,
  endpoint: endpoint('userinfo-by-username'),
  query: `username=user_${n}`,
  body,
  fetchedAt: n,
});
const keys = { pseudonymsOf: async () => ['a-person'] } as unknown as SubjectKeys;

const options = { subjectKeys: keys, keepMs: 1_000, maxBytes: 1e6, onError: () => undefined };
const storing = (inTenant: () => Promise<unknown>, more: { maxBytes?: number; onError?: (error: Error) => void } = {}) =>
  new Snapshots({ ...options, work: { inTenant } as unknown as UnitOfWork, ...more });

describe('the way of snapshots into the database', () => {
  it('those that a database does not take are given up at the end of their grace, and do not hold up a shutdown', async () => {
    const snapshots = storing(() => new Promise(() => undefined));
    for (let n = 1; n <= 20; n++) snapshots.keep(snapshot(n));
    expect(await snapshots.drain(20)).toBe(20);
  });

  it('those that are taken are all stored before the end, each once', async () => {
    let stored = 0;
    const snapshots = storing(async () => void stored++);
    for (let n = 1; n <= 20; n++) snapshots.keep(snapshot(n));
    for (let n = 1; n <= 20; n++) snapshots.keep(snapshot(n));
    expect([await snapshots.drain(5_000), stored]).toEqual([0, 20]);
  });

  it('what waits holds its own bytes, and not the larger buffer that they were read into', async () => {
    const read = Buffer.alloc(65_536);
    const length = read.write(JSON.stringify(profile));
    const stored: Buffer[] = [];
    const sql = { query: async (_: string, parameters: unknown[] = []) => (stored.push(...parameters.filter(Buffer.isBuffer)), { rows: [] }) };
    const snapshots = new Snapshots({ ...options, work: { inTenant: (_: TenantId, run: (on: typeof sql) => unknown) => run(sql) } as unknown as UnitOfWork });
    snapshots.keep(snapshot(1, read.subarray(0, length)));
    expect(await snapshots.drain(5_000)).toBe(0);
    expect(stored.map(({ length: own, buffer }) => [own, buffer.byteLength])).toEqual([[length, length]]);
  });

  it('what waits is bounded by its bytes, and what is left out is told', () => {
    const errors: Error[] = [];
    const snapshots = storing(() => new Promise(() => undefined), { maxBytes: 1_000, onError: (error) => void errors.push(error) });
    for (let n = 1; n <= 10; n++) snapshots.keep(snapshot(n, Buffer.alloc(300)));
    expect(errors).toHaveLength(7);
  });
});

describe('an answer as rows', () => {
  it('a profile keeps what the catalog promises, and of the rest what has the right type', () => {
    expect(userRow(endpoint('userinfo-by-username'), profile)).toEqual({
      ...{ secUid: 'sec', userId: '7', uniqueId: 'alice', nickname: null, region: null, verified: null },
      ...{ followers: 5, following: 4, hearts: 3, videos: 2 },
    });
    expect(userRow(endpoint('userid'), { id: '1' })).toBeUndefined();
  });

  it('a post without an author is of the user who was asked for; nonsense counts nothing', () => {
    const videos = [{ video_id: '1', create_time: 1_700_000_000, play_count: 9, digg_count: '9' }, { video_id: '2', author: { id: '8' }, title: 'a\0b', create_time: 1e18 }, { video_id: '1' }];
    const rows = postRows(endpoint('user-posts'), 'count=30&userid=7', { videos });
    expect(rows.map(({ videoId, userId, title, postedAt, plays, likes }) => [videoId, userId, title, postedAt, plays, likes])).toEqual([
      ['1', '7', null, null, null, null],
      ['2', '8', 'ab', null, null, null],
    ]);
  });
});
