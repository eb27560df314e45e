import { readFileSync } from 'node:fs';
import { basename, extname } from 'node:path';
import { parse } from 'csv-parse/sync';
import type { Json } from '../api';
import { limitOption, part, type Commands } from '../context';
import { UsageError } from '../failures';
import type { Column } from '../output';

const PART = 5_000;
const LIST: Column[] = [
  ['id', 'id'], ['source', 'source'], ['from', 'from'], ['to', 'to'], ['lines', 'lines'], ['attempts', 'attempts'], ['upstream', 'upstreamCredits'], ['settled', 'settledCredits'], ['unsettled', 'unsettledCredits'], ['differences', differencesOf],
];
const DISCREPANCIES: Column[] = [
  ['class', 'class'], ['tenant', 'tenantId'], ['request', ({ requestId, attempt }: Json) => (attempt === null ? requestId : `${requestId}/${attempt}`)], ['key', 'keyId'], ['ours', 'ourCredits'], ['upstream', 'upstreamCredits'], ['decision', 'decision'], ['why', 'explanation'],
];

/** Our records beside the upstream's own account. */
export const reconciliations: Commands = (cli, act) =>
  cli.command('reconciliations', 'Our records of credits beside the upstream’s own account', (y) =>
    y
      .command('list', 'List comparisons, the newest first', (o) => o.option('limit', limitOption),
      act(async ({ api, out }, { limit }) => {
        out.list(LIST, await api.list('/v1/reconciliations', limit));
        const { undecidedHolds, openDifferences } = await api.get('/v1/reconciliations', { query: { limit: 1 } });
        out.note(`${undecidedHolds} holds that nothing has decided yet; ${openDifferences} differences that a person has to look at`);
      }))
      .command('show <id>', 'Show one with each of its differences', (o) => o.positional('id', { type: 'string', demandOption: true }),
      act(async ({ api, out }, { id }) => {
        const found = await api.get(`/v1/reconciliations/${part(id)}`);
        if (out.json) return out.raw(found);
        out.record(LIST, found);
        out.list(DISCREPANCIES, { data: found.discrepancies, nextCursor: null });
      }))
      .command('import <csv>', 'Take a statement of the upstream: columns at and credits, and request_id and status where it has them', (o) =>
        o
          .positional('csv', { type: 'string', demandOption: true })
          .option('key', { type: 'string', demandOption: true, describe: 'Id of the upstream key that it is of' })
          .option('source', { type: 'string', describe: "Its name; the file's own when unset. Lines that come again under one name are known" })
          .option('from', { type: 'string', describe: 'It lists every call from then on; the first line’s time when unset' })
          .option('to', { type: 'string', describe: 'and before then; the last line’s time when unset' }),
      act(async ({ api, out }, { csv, key, source, from, to }) => {
        const lines = linesOf(csv);
        const name = source ?? basename(csv, extname(csv)).toLowerCase().replace(/[^a-z0-9._-]+/g, '-');
        const times = lines.map(({ at }) => at).sort();
        const covers = { from: from ?? times[0], to: to ?? times.at(-1) };
        for (let first = 0; first < lines.length; first += PART) {
          const last = first + PART >= lines.length;
          await api.post('/v1/reconciliations/statements', { body: { source: name, keyId: key, lines: lines.slice(first, first + PART), ...(last ? { covers } : {}) } });
        }
        out.record([['source', 'source'], ['lines', 'lines'], ['from', 'from'], ['to', 'to']], { source: name, lines: lines.length, ...covers });
        out.note('It is compared within a minute: weir reconciliations list');
      }))
      .command('again <source>', 'Compare a source again from a moment on, as after usage that came late', (o) => o.positional('source', { type: 'string', demandOption: true }).option('from', { type: 'string', demandOption: true, describe: 'RFC 3339' }),
      act(async ({ api, out }, { source, from }) => {
        await api.post('/v1/reconciliations/again', { body: { source, from } });
        out.note('It is compared by the next look.');
      }))
      .demandCommand(1, 'reconciliations: what about them?'),
  );

function differencesOf({ differences }: Json): string {
  const classes = Object.entries(differences as Record<string, { count: number; credits: number }>);
  return classes.length === 0 ? 'none' : classes.map(([name, { count, credits }]) => `${name} ${count} (${credits > 0 ? '+' : ''}${credits})`).join(', ');
}

interface Line {
  readonly line: number;
  readonly at: string;
  readonly credits: number;
  readonly requestId?: string;
  readonly status?: number;
}

function linesOf(file: string): Line[] {
  const rows = readRows(file);
  if (rows.length === 0) throw new UsageError(`${file} has no lines`);
  return rows.map((row, index) => {
    const [at, credits] = [Date.parse(row['at'] ?? ''), Number(row['credits'])];
    if (Number.isNaN(at) || !Number.isSafeInteger(credits) || credits < 0) throw new UsageError(`${file}, line ${index + 2}: needs a time in the column at and whole credits in the column credits`);
    const requestId = row['request_id'] ?? row['requestId'] ?? '';
    const status = row['status'] ?? '';
    return { line: index + 1, at: new Date(at).toISOString(), credits, ...(requestId === '' ? {} : { requestId }), ...(status === '' ? {} : { status: Number(status) }) };
  });
}

function readRows(file: string): Record<string, string>[] {
  try {
    return parse(readFileSync(file), { columns: true, skip_empty_lines: true, trim: true, bom: true });
  } catch (error) {
    throw new UsageError(`${file} cannot be read: ${(error as Error).message}`);
  }
}
