import { readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import type { Asked, Json } from '../api';
import { limitOption, part, tenantOption, type Commands, type Context } from '../context';
import { BadNews, UsageError } from '../failures';
import type { Column } from '../output';

const WAIT_MS = 1_000;
const done = ({ items }: Json): string => `${items.succeeded + items.failed} of ${items.total}`;
const LIST: Column[] = [['id', 'id'], ['name', 'name'], ['status', 'status'], ['done', done], ['failed', 'items.failed'], ['quoted', 'credits.quoted'], ['charged', 'credits.charged'], ['created', 'createdAt']];
const ONE: Column[] = [
  ...LIST,
  ['purpose', 'purpose'],
  ['schedule', ({ scheduleId }: Json) => scheduleId ?? undefined],
  ['cache hits', 'cacheHits'],
  ['rests', ({ rests }: Json) => (rests === null ? undefined : `until ${rests.until}: ${rests.because}`)],
  ['quoted finish', ({ quotedFinish }: Json) => quotedFinish ?? undefined],
  ['ended', ({ endedAt }: Json) => endedAt ?? undefined],
  ['results until', 'expiresAt'],
];
const QUOTE: Column[] = [['items', 'items'], ['credits', 'credits.expected'], ['at most', 'credits.atMost'], ['cache hits', 'expectedCacheHits'], ['key', 'key'], ['finishes', 'finishesAt'], ['verdict', 'verdict']];

/** What to fetch: a file of JSON or CSV, or targets one by one. */
const what = <T>(y: Argv<T>) =>
  y
    .option('file', { alias: 'f', type: 'string', describe: 'JSON as the API takes it, or, named *.csv, CSV whose first line names the parameters' })
    .option('endpoint', { alias: 'e', type: 'string', describe: 'What to ask the targets for, such as userinfo-by-username' })
    .option('targets', { type: 'string', describe: 'A file with a target a line; - reads standard input' })
    .option('pages', { type: 'number', describe: 'Pages of each target at most' })
    .option('name', { type: 'string', describe: 'To know it by' })
    .option('max-age', { type: 'number', describe: 'Seconds that an answer from the cache may be old' })
    .option('max-credits', { type: 'number', describe: 'Make no job that would cost more' })
    .option('finish-by', { type: 'string', describe: 'When it should be done: 2026-11-26T06:00:00Z' });

export const jobs: Commands = (cli, act) =>
  cli.command('jobs', 'Bulk fetches: quoted first, carried out at batch priority, results as NDJSON', (y) =>
    y
      .option('tenant', tenantOption)
      .command(
        'quote',
        'What it would cost and when it would be done',
        (o) => what(o).example('$0 jobs quote -t acme -e userinfo-by-username --targets creators.txt', ''),
        act(async (context, argv) => context.out.record(QUOTE, await context.api.post(`${await pathOf(context, argv.tenant)}/quote`, await asked(context, argv)))),
      )
      .command(
        'create',
        'Make one',
        (o) => what(o).option('wait', { type: 'boolean', describe: 'Until it has ended' }).example('$0 jobs create -t acme -f posts.csv --wait', ''),
        act(async (context, argv) => {
          const path = await pathOf(context, argv.tenant);
          const job = await context.api.post(path, await asked(context, argv));
          await shown(context, path, job, argv.wait === true);
        }),
      )
      .command(
        'list',
        'The newest first',
        (o) => o.option('limit', limitOption),
        act(async (context, { tenant, limit }) => context.out.list(LIST, await context.api.list(await pathOf(context, tenant), limit))),
      )
      .command(
        'show <id>',
        'How far one is',
        (o) => o.positional('id', { type: 'string', demandOption: true }).option('wait', { type: 'boolean', describe: 'Until it has ended' }),
        act(async (context, { tenant, id, wait }) => {
          const path = await pathOf(context, tenant);
          await shown(context, path, await context.api.get(`${path}/${part(id)}`), wait === true);
        }),
      )
      .command(
        'results <id>',
        'What has been fetched so far, as NDJSON',
        (o) =>
          o
            .positional('id', { type: 'string', demandOption: true })
            .option('after', { type: 'string', describe: 'Go on after <item>.<page>' })
            .example('$0 jobs results -t acme job_… > results.ndjson', ''),
        act(async (context, { tenant, id, after }) =>
          context.api.stream(`${await pathOf(context, tenant)}/${part(id)}/results`, { query: { after } }, context.io.stdout),
        ),
      )
      .command(
        'cancel <id>',
        'Stop one; what it has fetched stays',
        (o) => o.positional('id', { type: 'string', demandOption: true }),
        act(async (context, { tenant, id }) => context.out.record(ONE, await context.api.post(`${await pathOf(context, tenant)}/${part(id)}/cancel`))),
      )
      .demandCommand(1, 'jobs: what about them?'),
  );

const pathOf = async (context: Context, tenant: string | undefined): Promise<string> => `/v1/tenants/${await context.tenant(tenant)}/fetch-jobs`;

async function shown({ api, out }: Context, path: string, begun: Json, wait: boolean): Promise<void> {
  let job = begun;
  while (wait && (job.status === 'waiting' || job.status === 'running')) {
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    job = await api.get(`${path}/${part(String(job.id))}`);
  }
  out.record(ONE, job);
  if (wait && job.items.failed > 0) throw new BadNews(`${job.items.failed} of ${job.items.total} items failed; \`weir jobs results\` says why`);
}

interface What {
  readonly file?: string | undefined;
  readonly endpoint?: string | undefined;
  readonly targets?: string | undefined;
  readonly pages?: number | undefined;
  readonly name?: string | undefined;
  readonly maxAge?: number | undefined;
  readonly maxCredits?: number | undefined;
  readonly finishBy?: string | undefined;
}

async function asked(context: Context, { file, endpoint, targets, pages, name, maxAge, maxCredits, finishBy }: What): Promise<Asked> {
  const options = { name, maxAgeSeconds: maxAge, maxCredits, finishBy };
  if (file?.endsWith('.csv') === true) return { query: { ...options, endpoint }, bytes: { type: 'text/csv', data: new Uint8Array(readFileSync(file)) } };
  if (file !== undefined) return { body: { ...parsed(file), ...defined(options) } };
  if (endpoint === undefined || targets === undefined) throw new UsageError('name what to fetch: --file, or --endpoint with --targets');
  return { body: { endpoint, targets: await linesOf(context, targets), ...defined({ ...options, pages }) } };
}

function parsed(file: string): object {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object;
  } catch (error) {
    throw new UsageError(`${file}: ${(error as Error).message}`);
  }
}

/** A target a line. */
export async function linesOf({ io }: Context, file: string): Promise<string[]> {
  let text = '';
  if (file === '-') for await (const chunk of io.stdin.setEncoding('utf8')) text += chunk as string;
  else text = readFileSync(file, 'utf8');
  return text
    .split(/\r?\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

export const defined = (members: Readonly<Record<string, unknown>>): object => Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
