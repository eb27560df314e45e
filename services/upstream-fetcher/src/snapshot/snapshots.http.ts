import { Controller, Get, Param, Query } from '@nestjs/common';
import { notFound, type Clock, type TenantId } from '@weir/kernel';
import { Describes, Needs, Tenant, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import { z } from 'zod';
import { SnapshotHistory } from './snapshot-history';

const stretch = page.extend({
  /** Nothing captured before. */
  from: z.iso.datetime({ offset: true }).optional(),
});
type Stretch = z.infer<typeof stretch>;

const USER = { t: 'The tenant', user: "The user's secUid, number or name" };
const STATS = 'secUid, userId, uniqueId, nickname, region, verified, stats, capturedAt';

export class SnapshotClock {
  constructor(readonly now: Clock) {}
}

@Controller('v1/tenants/:t/snapshots')
export class SnapshotsController {
  constructor(
    private readonly history: SnapshotHistory,
    private readonly clock: SnapshotClock,
  ) {}

  @Get('users/:user')
  @Needs('member', 'The last stored profile of a user, without a call to the upstream; fresh for six hours')
  @Describes({ params: USER, responses: { 200: { description: `${STATS}, freshUntil, fresh, and profile as the upstream sent it` } } })
  async user(@Tenant() tenant: TenantId, @Param('user') user: string) {
    const snapshot = await this.history.user(tenant, user, this.clock.now());
    if (snapshot === undefined) throw notFound('snapshot');
    return snapshot;
  }

  @Get('users/:user/history')
  @Needs('member', 'What a user was like at each time that a profile was captured, the newest first')
  @Describes({ params: USER, query: stretch, responses: { 200: { description: `A page of ${STATS}` } } })
  async userHistory(@Tenant() tenant: TenantId, @Param('user') user: string, @Query(parse(stretch)) query: Stretch) {
    return listed(await this.history.userHistory(tenant, user, stretchOf(query)), query.limit, ({ capturedAt }) => capturedAt);
  }

  @Get('users/:user/posts')
  @Needs('member', 'The posts of a user, each as it was last captured')
  @Describes({ params: USER, query: page, responses: { 200: { description: 'A page of posts with their stats' } } })
  async posts(@Tenant() tenant: TenantId, @Param('user') user: string, @Query(parse(page)) { limit, cursor }: Page) {
    const posts = await this.history.posts(tenant, user, { limit, before: decodeCursor(cursor, z.string()) });
    return listed(posts, limit, ({ videoId }) => videoId);
  }

  @Get('posts/:post/history')
  @Needs('member', 'What a post was like at each time that it was captured, the newest first')
  @Describes({ query: stretch, params: { t: 'The tenant', post: "The post's video_id" }, responses: { 200: { description: 'A page of the post with its stats' } } })
  async postHistory(@Tenant() tenant: TenantId, @Param('post') post: string, @Query(parse(stretch)) query: Stretch) {
    return listed(await this.history.postHistory(tenant, post, stretchOf(query)), query.limit, ({ capturedAt }) => capturedAt);
  }
}

function stretchOf({ from, cursor, limit }: Stretch) {
  const before = decodeCursor(cursor, z.iso.datetime());
  return { from: from === undefined ? undefined : new Date(from), before: before === undefined ? undefined : new Date(before), limit };
}
