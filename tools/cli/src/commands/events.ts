import { renameSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../api';
import { limitOption, tenantOption, type Commands, type Context } from '../context';
import { BadNews, UsageError } from '../failures';
import { say, type Column } from '../output';

const who = (event: Json): string => `${event.actor.type}/${event.actor.id}`;
const LIST: Column[] = [['position', 'position'], ['at', 'occurredAt'], ['type', 'type'], ['stream', 'stream'], ['by', who], ['data', (event) => short(event.dataText ?? JSON.stringify(event.data))]];
const VERIFIED: Column[] = [
  ['result', 'result'], ['events', 'events'], ['position', 'position'], ['head', 'head'], ['first break', 'firstBreak'], ['because', 'because'],
  ['witnessed', (body) => (body.witnessed === null ? null : `position ${body.witnessed.position} at ${say(body.witnessed.at)}`)],
];
const POLL_MS = 1_000;

export const events: Commands = (cli, act) =>
  cli.command('events', "A tenant's event log: what happened, in order, and whether it still says so", (y) =>
    y
      .option('tenant', tenantOption)
      .option('platform', { type: 'boolean', describe: 'What belongs to no tenant: plans, platform keys, provisioning' })
      .conflicts('platform', 'tenant')
      .command(
        'list',
        'List events, oldest first',
        (o) =>
          o
            .option('after', { type: 'number', describe: 'Only those behind this position' })
            .option('type', { type: 'string', describe: 'tenant.suspended, upstream-key.registered, …' })
            .option('actor', { type: 'string', describe: 'Id of who did it: a token, …' })
            .option('request', { type: 'string', describe: 'The request that it came of: req_…' })
            .option('from', { type: 'string', describe: 'From this time on, RFC 3339' })
            .option('to', { type: 'string', describe: 'Before this time' })
            .option('limit', limitOption)
            .option('ndjson', { type: 'boolean', describe: 'All that match, one JSON object a line; an export that can be verified is `weir events export`' })
            .option('follow', { alias: 'f', type: 'boolean', describe: 'Go on with new ones as they come' })
            .conflicts('ndjson', 'follow')
            .example('$0 events list -t acme --type tenant.suspended', '')
            .example('$0 events list -t acme --request req_01k9x50d1f8e7n2x3r4t5y6w7z', ''),
        act((context, argv) => list(context, argv)),
      )
      .command(
        'export',
        'Write the log into a file that `weir verify` and anybody else can verify',
        (o) =>
          o
            .option('after', { type: 'number', describe: 'Only what is behind this position' })
            .option('output', { alias: 'o', type: 'string', describe: 'Into this file, whole or not at all; standard output unless given' })
            .example('$0 events export -t acme -o acme.ndjson', ''),
        act((context, argv) => exportLog(context, argv)),
      )
      .command('verify', 'Follow the chain of hashes from the first event; exit code 1 if it is broken', (o) => o, act(async (context, argv) => {
        const found = await context.api.post(`${await baseOf(context, argv)}/audit/verify`);
        context.out.record(VERIFIED, found);
        if (found.result !== 'intact') throw new BadNews(`the log is ${found.result} at position ${found.firstBreak}: ${found.because}`);
      }))
      .demandCommand(1, 'events: what about them?'),
  );

interface Of {
  tenant?: string | undefined;
  platform?: boolean | undefined;
}

interface Filter {
  after?: number | undefined;
  type?: string | undefined;
  actor?: string | undefined;
  request?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
  limit: number;
  ndjson?: boolean | undefined;
  follow?: boolean | undefined;
}

const baseOf = async (context: Context, { tenant, platform }: Of): Promise<string> => (platform === true ? '/v1/platform' : `/v1/tenants/${await context.tenant(tenant)}`);

async function list(context: Context, argv: Of & Filter): Promise<void> {
  const { api, out, io } = context;
  const { after, type, actor, request, from, to } = argv;
  const path = `${await baseOf(context, argv)}/events`;
  const filter = { type, actor, request, from, to };
  if (argv.ndjson === true) {
    return api.stream(path, { query: { ...filter, after }, headers: { accept: 'application/x-ndjson' } }, io.stdout);
  }
  if (argv.follow !== true) return out.list(LIST, await api.list(path, argv.limit, { ...filter, after }));
  for (let position = after ?? 0; ; await sleep(POLL_MS)) {
    const { data } = await api.get(path, { query: { ...filter, after: position, limit: 500 } });
    for (const event of data as Json[]) out.text(out.json ? JSON.stringify(event) : LIST.map(([, of]) => (typeof of === 'string' ? say(event[of]) : of(event))).join('  '));
    position = (data.at(-1)?.position as number | undefined) ?? position;
  }
}

async function exportLog(context: Context, argv: Of & { after?: number | undefined; output?: string | undefined }): Promise<void> {
  const { api, io, out } = context;
  const path = `${await baseOf(context, argv)}/audit/export`;
  const asked = { query: { after: argv.after }, headers: { accept: 'application/x-ndjson' } };
  if (argv.output === undefined) return api.stream(path, asked, io.stdout);
  const part = `${argv.output}.part`;
  const file = await open(part, 'w').catch((error: Error) => {
    throw new UsageError(`${argv.output} cannot be written: ${error.message}`);
  });
  try {
    await api.stream(path, asked, file.createWriteStream(), { end: true });
  } catch (error) {
    rmSync(part, { force: true });
    throw error;
  }
  renameSync(part, argv.output);
  out.note(`${argv.output} is written; \`weir verify ${argv.output}\` needs no login`);
}

const WIDEST = 80;
const short = (text: string): string => (text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text);
