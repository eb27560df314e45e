import { createReadStream } from 'node:fs';
import { verifyExport, type Expectation, type ExportFinding, type ExportVerdict } from '@weir/audit-format';
import type { Cli } from '../context';
import { BadNews, UsageError } from '../failures';
import type { Io } from '../io';
import { Output, type Column } from '../output';

const VERDICT: Column[] = [
  ['result', 'result'], ['tenant', 'tenantId'], ['events', 'events'], ['positions', ({ from, to }) => (from === null ? null : `${from} to ${to}`)],
  ['head', 'head'], ['exported', 'manifest.generatedAt'],
];
const FINDINGS: Column[] = [['line', 'line'], ['position', 'position'], ['what', 'what'], ['detail', 'detail']];

/** Needs no server and no login: the file alone. */
export const verify = (cli: Cli, io: Io): Cli =>
  cli.command(
    'verify <file>',
    'Verify an export without asking anyone: chain, gaps, order, hashes, manifest; exit code 1 if anything is wrong',
    (y) =>
      y
        .positional('file', { type: 'string', demandOption: true, describe: 'What `weir events export` wrote; - for standard input' })
        .option('expect', { type: 'string', array: true, default: [], describe: 'A chain hash that you kept, as <position>:<hash>; may be given again' })
        .example('$0 verify acme.ndjson', '')
        .example('$0 verify acme.ndjson --expect 1200:9f86d081…', 'finds also a log that was written anew'),
    async ({ file: given, expect, json }) => {
      // yargs reads a lone dash as an empty text
      const file = given === '' ? '-' : given;
      const out = new Output(io, json);
      const verdict = await verifyExport(file === '-' ? io.stdin : createReadStream(file, { highWaterMark: 1 << 20 }), expect.map(expectation)).catch(unreadable(file));
      if (json) out.raw(verdict);
      else say(out, verdict);
      if (verdict.result !== 'intact') throw new BadNews(`${file} is broken: ${inWords(verdict.findings[0])}`);
    },
  );

function say(out: Output, verdict: ExportVerdict): void {
  out.record(VERDICT, verdict);
  if (verdict.wrong === 0) return;
  out.list(FINDINGS, { data: verdict.findings, nextCursor: null });
  if (verdict.wrong > verdict.findings.length) out.note(`the first ${verdict.findings.length} of ${verdict.wrong}`);
}

const inWords = (finding: ExportFinding | undefined): string =>
  finding === undefined ? '' : `${finding.what} in line ${finding.line}${finding.position === null ? '' : `, position ${finding.position}`}: ${finding.detail}`;

function expectation(text: string): Expectation {
  const [, position, chainHash] = /^(\d{1,15}):([0-9a-f]{64})$/i.exec(text) ?? [];
  if (position === undefined || chainHash === undefined) throw new UsageError(`--expect takes <position>:<64 hex digits>, not '${text}'`);
  return { position: Number(position), chainHash: chainHash.toLowerCase() };
}

const unreadable =
  (file: string) =>
  (error: NodeJS.ErrnoException): never => {
    if (error.code === undefined) throw error;
    throw new UsageError(`${file} cannot be read: ${error.message}`);
  };
