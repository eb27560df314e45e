import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../api';
import { limitOption, tenantOption, type Commands, type Context } from '../context';
import { BadNews } from '../failures';
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
            .option('actor', { type: 'string', describe: 'Who did it' })
            .option('from', { type: 'string', describe: 'From this time on, RFC 3339' })
            .option('to', { type: 'string', describe: 'Before this time' })
            .option('limit', limitOption)
            .option('ndjson', { type: 'boolean', describe: 'All that match, one JSON object a line, exactly as the log has them' })
            .option('follow', { alias: 'f', type: 'boolean', describe: 'Go on with new ones as they come' })
            .conflicts('ndjson', 'follow')
            .example('$0 events list -t acme --type tenant.suspended', '')
            .example('$0 events list -t acme --ndjson > acme.ndjson', 'an export'),
        act((context, argv) => list(context, argv)),
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
  from?: string | undefined;
  to?: string | undefined;
  limit: number;
  ndjson?: boolean | undefined;
  follow?: boolean | undefined;
}

const baseOf = async (context: Context, { tenant, platform }: Of): Promise<string> => (platform === true ? '/v1/platform' : `/v1/tenants/${await context.tenant(tenant)}`);

async function list(context: Context, argv: Of & Filter): Promise<void> {
  const { api, out, io } = context;
  const { after, type, actor, from, to } = argv;
  const path = `${await baseOf(context, argv)}/events`;
  const filter = { type, actor, from, to };
  if (argv.ndjson === true) {
    for await (const chunk of await api.stream(path, { query: { ...filter, after }, headers: { accept: 'application/x-ndjson' } })) io.stdout.write(chunk);
    return;
  }
  if (argv.follow !== true) return out.list(LIST, await api.list(path, argv.limit, { ...filter, ...(after === undefined ? {} : { cursor: after }) }));
  for (let position = after ?? 0; ; await sleep(POLL_MS)) {
    const { data } = await api.get(path, { query: { ...filter, after: position, limit: 500 } });
    for (const event of data as Json[]) out.text(out.json ? JSON.stringify(event) : LIST.map(([, of]) => (typeof of === 'string' ? say(event[of]) : of(event))).join('  '));
    position = (data.at(-1)?.position as number | undefined) ?? position;
  }
}

const WIDEST = 80;
const short = (text: string): string => (text.length > WIDEST ? `${text.slice(0, WIDEST - 1)}…` : text);
