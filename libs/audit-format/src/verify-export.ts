import { createHash } from 'node:crypto';
import type { TenantId } from '@weir/kernel';
import { examine, genesis, type BreakKind, type Link } from './chain';
import { eventJson, eventOf } from './event-json';
import type { StoredEvent } from './event';
import { linesOf, type Line } from './lines';
import { MANIFEST_PREFIX, manifestOf, type Manifest } from './manifest';
import { firstFinding } from './verdict';

/** Something wrong with an export: in which line, at which position of the log where that is known, and what in words. */
export interface ExportFinding {
  readonly what:
    | BreakKind
    | 'truncated'
    | 'beyond-head'
    | 'rewritten'
    | 'unreadable-line'
    | 'line-altered'
    | 'another-log'
    | 'no-manifest'
    | 'after-manifest'
    | 'manifest-disagrees'
    | 'unexpected-hash';
  readonly line: number;
  readonly position: number | null;
  readonly detail: string;
}

export interface ExportVerdict {
  readonly result: 'intact' | 'broken';
  readonly tenantId: string | null;
  readonly events: number;
  /** Positions of the first and the last event read. */
  readonly from: number | null;
  readonly to: number | null;
  /** The chain hash of the last event; null without events. */
  readonly head: string | null;
  /** In the order of the file, the first {@link KEPT} of them. */
  readonly findings: readonly ExportFinding[];
  /** How many there are. */
  readonly wrong: number;
  readonly manifest: Manifest | null;
}

/** A chain hash that somebody wrote down, at a position that the export covers. */
export interface Expectation {
  readonly position: number;
  readonly chainHash: string;
}

const KEPT = 20;

/** Reads an export from its first byte to its last, in memory that does not grow with it. Asks nobody. */
export async function verifyExport(chunks: AsyncIterable<Uint8Array>, expected: readonly Expectation[] = []): Promise<ExportVerdict> {
  const reader = new ExportReader(expected);
  for await (const line of linesOf(chunks)) reader.read(line);
  return reader.verdict();
}

class ExportReader {
  private readonly sha256 = createHash('sha256');
  private readonly utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  private readonly findings: ExportFinding[] = [];
  private readonly unmet: Map<number, string>;
  private wrong = 0;
  private lines = 0;
  private events = 0;
  private tenantId: TenantId | undefined;
  private first: StoredEvent | undefined;
  private last: StoredEvent | undefined;
  /** As the export says it from event to event, so that what follows something wrong is examined on its own. */
  private link: Link | undefined;
  private manifest: Manifest | undefined;

  constructor(expected: readonly Expectation[]) {
    this.unmet = new Map(expected.map(({ position, chainHash }) => [position, chainHash]));
  }

  read({ bytes, whole }: Line): void {
    this.lines++;
    if (this.manifest !== undefined) return this.add('after-manifest', null, 'there is a line behind the manifest');
    const text = this.textOf(bytes);
    if (text?.startsWith(MANIFEST_PREFIX) === true) return this.readManifest(text);
    this.sha256.update(bytes);
    const event = text === undefined || !whole ? undefined : eventOf(parsed(text));
    if (event === undefined) return this.add('unreadable-line', null, whole ? 'the line is no event' : 'the line has no end');
    this.examine(event);
    if (text !== `${eventJson(event)}\n`) this.add('line-altered', event.position, 'the line has the hashed fields and something else besides, or in other words');
  }

  private examine(event: StoredEvent): void {
    this.events++;
    this.tenantId ??= event.tenantId;
    if (event.tenantId !== this.tenantId) this.add('another-log', event.position, `the event is of ${event.tenantId}, the export of ${this.tenantId}`);
    // an export from a later position on hangs on what its manifest says came before: looked at there
    const before = this.link ?? (event.position === 1 ? { position: 0, head: genesis(event.tenantId) } : undefined);
    if (before !== undefined) {
      const { what } = examine(before, event);
      if (what !== undefined) this.add(what, event.position, IN_WORDS[what](before.position + 1));
    }
    this.expect(event.position, event.chainHash);
    this.first ??= event;
    this.last = event;
    this.link = { position: event.position, head: event.chainHash };
  }

  private expect(position: number, chainHash: string): void {
    const wanted = this.unmet.get(position);
    this.unmet.delete(position);
    if (wanted !== undefined && wanted !== chainHash) this.add('unexpected-hash', position, `the chain hash is ${chainHash}, and not ${wanted}`);
  }

  private readManifest(text: string): void {
    const read = manifestOf(parsed(text));
    if (!read.success) return this.add('manifest-disagrees', null, `the manifest cannot be read: ${read.error.issues[0]?.path.join('.')} ${read.error.issues[0]?.message}`);
    const said = (this.manifest = read.data.manifest);
    this.tenantId ??= said.tenantId;
    this.beginning(said);
    this.compare('tenantId', said.tenantId, this.tenantId);
    this.compare('count', said.count, this.events);
    this.compare('from', said.from, this.first?.position ?? said.to + 1);
    this.compare('to', said.to, this.last?.position ?? said.from - 1);
    this.compare('firstHash', said.firstHash, this.first?.chainHash ?? null);
    this.compare('lastHash', said.lastHash, this.last?.chainHash ?? null);
    this.compare('sha256', said.sha256, this.sha256.digest('hex'));
    this.end(said);
  }

  /** The first event against what came before it. */
  private beginning(said: Manifest): void {
    this.expect(said.from - 1, said.previousHash);
    if (said.from === 1) this.compare('previousHash', said.previousHash, genesis(said.tenantId));
    if (this.first === undefined || this.first.position === 1) return;
    const { what } = examine({ position: said.from - 1, head: said.previousHash }, this.first);
    if (what !== undefined) this.add(what, this.first.position, IN_WORDS[what](said.from), 1);
  }

  /** The last event against the log's head and what the bus had seen. */
  private end({ head, witnessed, previousHash, from }: Manifest): void {
    const position = this.last?.position ?? from - 1;
    const chainHash = this.last?.chainHash ?? previousHash;
    const disagreement = witnessed !== null && witnessed.position === position && (witnessed.chainHash ?? chainHash) !== chainHash ? position : undefined;
    const chain = { position, head: chainHash, events: this.events, firstBreak: undefined };
    const found = firstFinding({ chain, head, witnessed: witnessed ?? undefined, disagreement });
    if (found !== undefined) this.add(found.what, found.position, `the events end at ${position}, the log's head was at ${head.position}, seen was ${witnessed?.position ?? 'nothing'}`);
  }

  private compare(member: string, said: unknown, found: unknown): void {
    if (said !== found) this.add('manifest-disagrees', null, `the manifest says ${member} ${said}, the lines ${found}`);
  }

  private add(what: ExportFinding['what'], position: number | null, detail: string, line = this.lines): void {
    this.wrong++;
    if (this.findings.length < KEPT) this.findings.push({ what, line, position, detail });
  }

  private textOf(bytes: Buffer): string | undefined {
    try {
      return this.utf8.decode(bytes);
    } catch {
      return undefined;
    }
  }

  verdict(): ExportVerdict {
    if (this.manifest === undefined) this.add('no-manifest', null, 'the last line is no manifest: the export was cut off, or is not one');
    for (const [position] of this.unmet) this.add('unexpected-hash', position, 'the export does not reach this position');
    return {
      result: this.wrong === 0 ? 'intact' : 'broken',
      tenantId: this.tenantId ?? null,
      events: this.events,
      from: this.first?.position ?? null,
      to: this.last?.position ?? null,
      head: this.last?.chainHash ?? null,
      findings: this.findings,
      wrong: this.wrong,
      manifest: this.manifest ?? null,
    };
  }
}

const IN_WORDS: Record<BreakKind, (expected: number) => string> = {
  gap: (expected) => `position ${expected} is missing`,
  'out-of-order': (expected) => `position ${expected} was to come`,
  'content-altered': () => 'the event is not what was hashed',
  'chain-broken': () => 'the event does not follow on the one before it',
};

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
