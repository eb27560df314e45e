import { unavailable } from '@weir/kernel';
import { z } from 'zod';
import type { Line } from './compare';

const page = z.object({
  data: z.array(
    z.object({
      seq: z.number().int().positive(),
      key: z.string(),
      credits: z.number().int().nonnegative(),
      status: z.number().int().nonnegative(),
      requestId: z.string().nullable(),
      attempt: z.number().int().nullable(),
      at: z.iso.datetime(),
    }),
  ),
  next: z.number().nullable(),
});

const PAGE = 1_000;
const ANSWER_WITHIN_MS = 10_000;
const HINT = 4;

/** The upstream's account as its simulator lists it, `GET /_simulator/ledger`. */
export interface UpstreamLedger {
  /** Lines after one, oldest first; `whole` when there are no more now. @throws AppError `upstream-ledger-unavailable` */
  after(line: number): Promise<{ readonly lines: readonly Line[]; readonly whole: boolean }>;
}

export const upstreamLedger = (url: string): UpstreamLedger => ({
  async after(line) {
    const { data, next } = await ask(`${url.replace(/\/$/, '')}/_simulator/ledger?after=${line}&limit=${PAGE}`);
    return {
      lines: data.map(({ seq, key, credits, status, requestId, attempt, at }) => ({
        line: seq,
        requestId: requestId ?? '',
        attempt: attempt ?? 0,
        keyHint: key.slice(-HINT),
        status,
        credits,
        at: Date.parse(at),
      })),
      whole: next === null,
    };
  },
});

async function ask(address: string): Promise<z.infer<typeof page>> {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    return page.parse(await response.json());
  } catch (error) {
    throw unavailable('upstream-ledger-unavailable', 'The upstream’s account cannot be read now.', error);
  }
}
