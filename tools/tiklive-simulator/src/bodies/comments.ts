import { reception, type Post } from './post';
import { Seeded, hash32 } from './seeded';
import { acquaintance, brief } from './user';
import { COMMENTS } from './words';

const SHOWN_AT_MOST = 1_000;
const DEFAULT_COUNT = 20;

/** A page of comments. The cursor is how many came before; a comment is named by `id`, not `comment_id`. */
export function commentsPage(post: Post, values: Readonly<Record<string, string>>) {
  const total = reception(post).comment_count;
  const shown = Math.min(total, SHOWN_AT_MOST);
  const start = Number(values.cursor ?? 0);
  const end = Math.min(shown, start + Number(values.count ?? DEFAULT_COUNT));
  const comments = [];
  for (let i = start; i < end; i++) comments.push(comment(post, i));
  return { comments, total, cursor: Math.max(start, end), hasMore: end < shown };
}

function comment(post: Post, index: number) {
  const seed = `${post.id}/comment/${index}`;
  const random = new Seeded(seed);
  const createTime = post.createTime + random.int(30, 30 * 86_400);
  return {
    id: String((BigInt(createTime) << 32n) | BigInt(hash32(seed))),
    video_id: post.id,
    text: random.pick(COMMENTS).replace('{topic}', post.author.topic),
    create_time: createTime,
    digg_count: random.count(6, 1.8, 90_000),
    reply_total: random.count(1, 1.2, 400),
    user: brief(acquaintance(`${seed}/by`)),
  };
}
