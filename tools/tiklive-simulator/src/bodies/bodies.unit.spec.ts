import { checkParameters, checkShape, differences, findEndpoint, provenScopes, tiklive, type Endpoint } from '@weir/upstream-catalog';
import { bodies } from './bodies';
import { NOW_S } from './user';
import { idOf } from './user-id';

const SAMPLE: Record<string, Record<string, string>> = {
  userid: { username: 'adalee' },
  'userinfo-by-username': { username: '@Ada.Lee' },
  'post-detail': { url: 'https://www.tiktok.com/@adalee/video/7300000000000000000' },
  'user-posts': { userid: '107955' },
  'user-followers': { userid: '107955' },
  'user-following': { userid: '107955' },
  'post-comments': { url: 'https://vm.tiktok.com/ZM8abc/' },
  'download-video': { url: 'https://www.tiktok.com/@adalee/video/7300000000000000000' },
  'music-info': { music_id: '7000000401849205544' },
  'challenge-info-id': { id: '42' },
};

function ask(endpoint: Endpoint, query: Record<string, string>, mayDownload = true): Record<string, unknown> | string {
  const checked = checkParameters(endpoint, query);
  if (!checked.ok) throw new Error(`${checked.parameter} ${checked.problem}`);
  const body = bodies[endpoint.id]!({ values: checked.values, mayDownload, nowMs: NOW_S * 1_000 });
  return 'missing' in body ? body.missing : (body.found as Record<string, unknown>);
}
const at = (path: string): Endpoint => findEndpoint(tiklive, path)!;

describe('the bodies', () => {
  it.each(tiklive.endpoints.map((endpoint) => [endpoint.id, endpoint] as const))('of %s have the shape that the catalog promises', (id, endpoint) => {
    expect(checkShape(endpoint, JSON.parse(JSON.stringify(ask(endpoint, SAMPLE[id]!))))).toEqual([]);
  });

  it.each(tiklive.endpoints.map((endpoint) => [endpoint.id, endpoint] as const))('of %s hold what the catalog knows of them and nothing else', (id, endpoint) => {
    const drift = [true, false].flatMap((mayDownload) => differences(endpoint.known!, JSON.parse(JSON.stringify(ask(endpoint, SAMPLE[id]!, mayDownload)))));
    expect(drift).toEqual([]);
  });

  it('are the same for the same question', () => {
    for (const endpoint of tiklive.endpoints) expect(ask(endpoint, SAMPLE[endpoint.id]!)).toEqual(ask(endpoint, SAMPLE[endpoint.id]!));
  });

  it('have the promised shape for any of three hundred users, posts included', () => {
    for (let i = 0; i < 300; i++) {
      const { id } = ask(at('/userid/'), { username: `person${i}` }) as { id: string };
      for (const path of ['/user-posts/', '/user-followers/', '/user-following/']) expect(checkShape(at(path), ask(at(path), { userid: id }))).toEqual([]);
      expect(checkShape(at('/userinfo-by-username/'), ask(at('/userinfo-by-username/'), { username: `person${i}` }))).toEqual([]);
    }
  });

  it("give the upstream's own example for its test call", () => {
    expect(ask(at('/userid/'), { username: 'tiktok' })).toEqual({ id: '107955' });
  });

  it('tell the same of a user in a profile, in a list and in a post', () => {
    const [follower] = (ask(at('/user-followers/'), { userid: '107955' }) as { followers: Record<string, unknown>[] }).followers;
    const profile = ask(at('/userinfo-by-username/'), { username: follower!.unique_id as string });
    expect(profile).toMatchObject({
      user: { id: follower!.id, uniqueId: follower!.unique_id, nickname: follower!.nickname },
      stats: { followerCount: follower!.follower_count },
    });
  });

  it('tell the same of a post in a list and by its address', () => {
    const [listed] = (ask(at('/user-posts/'), { userid: '107955' }) as { videos: Record<string, unknown>[] }).videos;
    const { video_id, ...rest } = listed!;
    expect(ask(at('/post-detail/'), { url: `https://www.tiktok.com/@tiktok/video/${String(video_id)}` })).toEqual({ id: video_id, ...rest });
  });

  it('hold play addresses only for a key that may download', () => {
    const endpoint = at('/post-detail/');
    expect(provenScopes(endpoint, ask(endpoint, SAMPLE['post-detail']!))).toEqual(['download']);
    expect(provenScopes(endpoint, ask(endpoint, SAMPLE['post-detail']!, false))).toEqual([]);
  });

  it('do not exist for nobody, by name, id or post', () => {
    expect(ask(at('/userid/'), { username: 'nobody' })).toBe('User not found');
    expect(ask(at('/user-posts/'), { userid: idOf('nobody') })).toBe('User not found');
    expect(ask(at('/userinfo-by-username/'), { username: '@Nobody_of_that_name' })).toBe('User not found');
    expect(ask(at('/post-comments/'), { url: 'https://www.tiktok.com/@nobody9/video/7300000000000000000' })).toBe('Video not found');
  });
});

describe('pages', () => {
  const walk = (path: string, query: Record<string, string>, items: string, parameter: string) => {
    const seen: string[] = [];
    let pages = 0;
    for (let next: string | undefined = ''; next !== undefined; pages++) {
      const page = ask(at(path), next === '' ? query : { ...query, [parameter]: next }) as Record<string, unknown>;
      seen.push(...(page[items] as Record<string, string>[]).map((item) => item.id ?? item.video_id!));
      next = page.hasMore === true ? String(page[parameter]) : undefined;
      if (pages > 300) throw new Error('the pages do not end');
    }
    return seen;
  };

  it('of posts end at the count in the profile, each post once, newest first', () => {
    const { user, stats } = ask(at('/userinfo-by-username/'), { username: 'jana_singh67' }) as { user: { id: string }; stats: { videoCount: number } };
    const seen = walk('/user-posts/', { userid: user.id, count: '7' }, 'videos', 'cursor');
    expect(seen).toHaveLength(stats.videoCount);
    expect(seen).toEqual([...new Set(seen)].sort((a, b) => (BigInt(a) < BigInt(b) ? 1 : -1)));
  });

  it('of followers end, and continue where the one before ended', () => {
    const all = walk('/user-followers/', { userid: '107955', count: '50' }, 'followers', 'time');
    expect(all).toHaveLength(2_000);
    expect(walk('/user-followers/', { userid: '107955', count: '37' }, 'followers', 'time')).toEqual(all);
  });

  it('of comments end, each comment once', () => {
    const url = SAMPLE['post-comments']!.url!;
    const { total } = ask(at('/post-comments/'), { url }) as { total: number };
    const seen = walk('/post-comments/', { url, count: '50' }, 'comments', 'cursor');
    expect(new Set(seen).size).toBe(Math.min(total, 1_000));
  });

  it('past the end are empty', () => {
    expect(ask(at('/user-posts/'), { userid: '107955', cursor: '1000' })).toMatchObject({ videos: [], hasMore: false });
    expect(ask(at('/user-following/'), { userid: '107955', time: '5' })).toMatchObject({ followings: [], hasMore: false });
    expect(ask(at('/post-comments/'), { ...SAMPLE['post-comments'], cursor: '999999' })).toMatchObject({ comments: [], hasMore: false });
  });
});
