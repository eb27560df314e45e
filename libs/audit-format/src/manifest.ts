import { parseId, PLATFORM, type TenantId } from '@weir/kernel';
import { z } from 'zod';

export const FORMAT = 'weir-log-export';
export const FORMAT_VERSION = 1;

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const position = z.int().min(0);
const tenant = z.custom<TenantId>((value) => value === PLATFORM || (typeof value === 'string' && parseId('ten', value) !== undefined), 'no id of a tenant');

/** The last line of an export: what its lines are, and what the log's end was known to be when it was written. */
export const manifest = z.object({
  format: z.literal(FORMAT),
  formatVersion: z.literal(FORMAT_VERSION),
  tenantId: tenant,
  /** Position of the first event; of an export without events, the one that would have been next. */
  from: position.min(1),
  to: position,
  count: position,
  /** The chain hash before the first event: the genesis, or that of the event before. */
  previousHash: hash,
  /** Chain hashes of the first and the last event; null without events. */
  firstHash: hash.nullable(),
  lastHash: hash.nullable(),
  /** Of all bytes of the file before this line. */
  sha256: hash,
  /** The log's head row, read with the position of the last event in one statement. */
  head: z.object({ position, chainHash: hash }),
  /** The furthest that the audit ledger's witness had seen, before that. */
  witnessed: z.object({ position, chainHash: hash.nullable(), at: z.string() }).nullable(),
  generatedAt: z.string(),
  weirVersion: z.string(),
});
export type Manifest = z.infer<typeof manifest>;

/** What the manifest's line begins with, and no event's does. */
export const MANIFEST_PREFIX = '{"manifest":';
export const manifestLine = (content: Manifest): string => `${JSON.stringify({ manifest: content })}\n`;
export const manifestOf = (line: unknown): z.ZodSafeParseResult<{ manifest: Manifest }> => z.object({ manifest }).safeParse(line);
