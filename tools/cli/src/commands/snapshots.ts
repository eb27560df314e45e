import { limitOption, part, tenantOption, type Commands, type Context } from '../context';
import type { Column } from '../output';

const STATS: Column[] = [['followers', 'stats.followers'], ['following', 'stats.following'], ['hearts', 'stats.hearts'], ['videos', 'stats.videos']];
const USER: Column[] = [['name', 'uniqueId'], ['secUid', 'secUid'], ['number', 'userId'], ['nickname', 'nickname'], ...STATS, ['captured', 'capturedAt'], ['fresh until', 'freshUntil'], ['fresh', 'fresh']];
const HISTORY: Column[] = [['captured', 'capturedAt'], ['name', 'uniqueId'], ...STATS];
const POST_STATS: Column[] = [['plays', 'stats.plays'], ['likes', 'stats.likes'], ['comments', 'stats.comments'], ['shares', 'stats.shares']];
const POSTS: Column[] = [['post', 'videoId'], ['posted', 'postedAt'], ['seconds', 'durationS'], ...POST_STATS, ['captured', 'capturedAt']];

/** What was captured, without a call to the upstream. */
export const snapshots: Commands = (cli, act) =>
  cli.command('snapshots', 'Profiles and posts as they were captured, without a call to the upstream', (y) =>
    y
      .option('tenant', tenantOption)
      .command(
        'user <user>',
        'The last profile, by secUid, number or name',
        (o) => o.positional('user', { type: 'string', demandOption: true }).option('history', { type: 'boolean', describe: 'Every one, the newest first' }).option('limit', limitOption),
        act(async (context, { tenant, user, history, limit }) => {
          const path = `${await pathOf(context, tenant)}/users/${part(user)}`;
          if (history === true) context.out.list(HISTORY, await context.api.list(`${path}/history`, limit));
          else context.out.record(USER, await context.api.get(path));
        }),
      )
      .command(
        'posts <user>',
        'Posts of a user, each as it was last captured',
        (o) => o.positional('user', { type: 'string', demandOption: true }).option('limit', limitOption),
        act(async (context, { tenant, user, limit }) => context.out.list(POSTS, await context.api.list(`${await pathOf(context, tenant)}/users/${part(user)}/posts`, limit))),
      )
      .command(
        'post <id>',
        'A post at each time that it was captured',
        (o) => o.positional('id', { type: 'string', demandOption: true }).option('limit', limitOption),
        act(async (context, { tenant, id, limit }) => context.out.list(POSTS, await context.api.list(`${await pathOf(context, tenant)}/posts/${part(id)}/history`, limit))),
      )
      .demandCommand(1, 'snapshots: of what?'),
  );

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/snapshots`;
