import { createHash } from 'node:crypto';
import { AppError, type TenantId } from '@weir/kernel';
import type { Fingerprint, TenantTable } from './tenant-rows';

/**
 * A tenant in one file: a line of JSON for what it is, then parts, each a line of JSON and that many bytes of COPY's text form, then a
 * line of JSON with what there has to be after all parts. See docs/operations/tenancy.md.
 */
export const ARCHIVE = { format: 'weir-tenant', version: 1 } as const;

export interface ArchiveHead {
  readonly format: string;
  readonly version: number;
  readonly tenant: TenantId;
  readonly exportedAt: string;
  /** Tenant migrations that its tables have. */
  readonly applied: readonly string[];
  /** Whatever the exporter says of the tenant beside its tables. */
  readonly about: Readonly<Record<string, string>>;
}

export interface ArchivePart {
  /** From 1. */
  readonly part: number;
  /** null: the tenant's home, wherever it is to be. */
  readonly schema: string | null;
  readonly table: string;
  readonly columns: readonly string[];
  readonly bytes: number;
  readonly sha256: string;
}

export interface ArchiveManifest {
  readonly parts: number;
  readonly position: number;
  readonly chainHash: string;
  /** Of the tables in the home, in order. */
  readonly tables: readonly Fingerprint[];
  /** Over the sha256 of each part. */
  readonly sha256: string;
}

/** Checksums of the parts so far, as a checksum: what follows which is in it too. */
export const chained = (before: string, part: string): string => createHash('sha256').update(before).update(part).digest('hex');
export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export const partOf = (part: number, schema: string | null, table: TenantTable, lines: Buffer): ArchivePart => ({
  part,
  schema,
  table: table.name,
  columns: table.columns,
  bytes: lines.length,
  sha256: sha256(lines),
});

/** A part as it lies in the file: its line, then its bytes. */
export function readPart(bytes: Buffer): { part: ArchivePart; lines: Buffer } {
  const end = bytes.indexOf(0x0a);
  const part = parseLine<ArchivePart>(bytes.subarray(0, Math.max(0, end)));
  const lines = bytes.subarray(end + 1);
  if (end < 0 || !Number.isSafeInteger(part.part) || lines.length !== part.bytes || sha256(lines) !== part.sha256) throw damaged(`part ${part.part} is not what its checksum says`);
  return { part, lines };
}

function parseLine<T>(line: Buffer): T {
  try {
    return JSON.parse(line.toString('utf8')) as T;
  } catch {
    throw damaged('a line of it is not JSON');
  }
}

export const damaged = (what: string): AppError => new AppError('archive-damaged', 'invalid', `The archive is damaged: ${what}. Export the tenant again.`);
