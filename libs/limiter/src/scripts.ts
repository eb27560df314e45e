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
  const text = files.map((file) => readFileSync(join(__dirname, `${file}.lua`), 'utf8')).join('\n');
  return { text, sha: createHash('sha1').update(text).digest('hex') };
};
const SLOT = ['prelude', 'periods', 'slot', 'takes', 'windows', 'ends', 'operations'];
export const TAKE = script(...SLOT, 'take');
export const SHARE = script(...SLOT, 'sharing', 'share');
export const PAUSE = script('prelude', 'slot', 'pause');

export type Arg = string | number;

/** @throws AppError `limiter-unavailable` */
export async function runScript(redis: Redis | Cluster, { sha, text }: Script, keys: readonly string[], args: readonly Arg[]): Promise<unknown> {
  try {
    return await redis.evalsha(sha, keys.length, ...keys, ...args).catch((error: unknown) => {
      // a server that was restarted or failed over has forgotten its scripts; EVAL runs it and loads it again
      if (String((error as Error).message).startsWith('NOSCRIPT')) return redis.eval(text, keys.length, ...keys, ...args);
      throw error;
    });
  } catch (error) {
    throw limiterUnavailable(error);
  }
}
