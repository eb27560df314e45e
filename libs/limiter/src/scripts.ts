import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Cluster, Redis } from 'ioredis';
import { limiterUnavailable } from './errors';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

const script = (...files: readonly string[]): Script => {
  const text = files.map((file) => readFileSync(join(__dirname, file), 'utf8')).join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
};
export const TAKE = script('prelude.lua', 'take.lua');
export const TAKE_BUCKETS = script('prelude.lua', 'take-buckets.lua');
export const SHARE = script('prelude.lua', 'sharing.lua', 'share.lua');
export const CLOSE = script('prelude.lua', 'sharing.lua', 'close.lua');
export const KEEP = script('prelude.lua', 'keep.lua');
export const PAUSE = script('prelude.lua', 'pause.lua');
export const DROP = script('prelude.lua', 'sharing.lua', 'drop.lua');

export type Arg = string | number;

/** Answers what the script does, an array's items with commas between. @throws AppError `limiter-unavailable` */
export async function runScript(redis: Redis | Cluster, { sha, text }: Script, keys: readonly string[], args: readonly Arg[]): Promise<string> {
  try {
    const answer = await redis.evalsha(sha, keys.length, ...keys, ...args).catch((error: unknown) => {
      // a server that was restarted or failed over has forgotten its scripts; EVAL runs it and loads it again
      if (String((error as Error).message).startsWith('NOSCRIPT')) return redis.eval(text, keys.length, ...keys, ...args);
      throw error;
    });
    return String(answer);
  } catch (error) {
    throw limiterUnavailable(error);
  }
}
