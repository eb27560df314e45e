import { setTimeout as sleep } from 'node:timers/promises';
import type { Argv } from 'yargs';
import type { Json } from '../api';
import { limitOption, part, type Commands, type Context } from '../context';
import { BadNews } from '../failures';
import type { Column } from '../output';
import { tenantPlaces } from './tenant-places';

const LIST: Column[] = [['id', 'id'], ['slug', 'slug'], ['status', 'status'], ['key mode', 'keyMode'], ['plan', planOf], ['placement', 'placement'], ['created', 'createdAt']];
const ONE: Column[] = [
  ['id', 'id'], ['slug', 'slug'], ['name', 'name'], ['status', 'status'], ['key mode', 'keyMode'], ['plan', planOf], ['placement', 'placement'],
  ['trial ends', 'trialEndsAt'], ['default project', 'defaultProject'], ['created', 'createdAt'], ['version', 'version'],
];
const OPERATION: Column[] = [['operation', 'id'], ['status', 'status'], ['tenant', 'tenantId'], ['detail', 'detail'], ['created', 'createdAt'], ['finished', 'finishedAt']];

const KEY_MODES = ['shared', 'byo', 'hybrid'] as const;
const WAIT_S = 60;
const LONGEST_PREFER_S = 30;

export const tenants: Commands = (cli, act) =>
  cli.command('tenants', 'Tenants: create, look at, suspend, move between plans and places', (y) =>
    tenantPlaces(y, act)
      .command(
        'list',
        'List tenants',
        (o) => o.option('limit', limitOption),
        act(async ({ api, out }, { limit }) => out.list(LIST, await api.list('/v1/tenants', limit))),
      )
      .command('get <tenant>', 'Show one', (o) => tenantArgument(o), act(async (context, argv) => one(context, argv, (path) => context.api.get(path))))
      .command(
        'create <slug>',
        'Create a tenant',
        (o) =>
          o
            .positional('slug', { type: 'string', demandOption: true, describe: 'Short name: a to z, 0 to 9, hyphens' })
            .option('name', { type: 'string', describe: 'Name for people; the slug unless said otherwise' })
            .option('plan', { type: 'string', default: 'free', describe: 'Id of a published plan' })
            .option('key-mode', { choices: KEY_MODES, describe: "Whose upstream key its calls use; the plan's first unless said otherwise" })
            .option('placement', { choices: ['schema', 'pooled', 'database'] as const, describe: 'Where its data lives' })
            .option('cluster', { type: 'string', describe: 'Of placement database: which, as WEIR_CLUSTERS names it' })
            .option('wait', { type: 'boolean', describe: `Come back when it is ready, or after ${WAIT_S} s` })
            .example('$0 tenants create acme --plan pro --wait', ''),
        act((context, argv) => create(context, argv)),
      )
      .command('suspend <tenant>', 'Refuse its calls from here on', (o) => tenantArgument(o), act(async (context, argv) => one(context, argv, (path) => context.api.post(`${path}/suspend`))))
      .command('resume <tenant>', 'Let it call again', (o) => tenantArgument(o), act(async (context, argv) => one(context, argv, (path) => context.api.post(`${path}/resume`))))
      .command('offboard <tenant>', 'End its calls for good; its data stays readable', (o) => tenantArgument(o), act(async (context, argv) => one(context, argv, (path) => context.api.post(`${path}/offboard`))))
      .command(
        'plan <tenant> <plan>',
        'Put it on a plan',
        (o) => tenantArgument(o).positional('plan', { type: 'string', demandOption: true }).option('plan-version', { type: 'number', describe: 'The latest published unless said otherwise' }),
        act(async (context, argv) =>
          one(context, argv, (path) => context.api.put(`${path}/plan`, { body: { plan: argv.plan, version: argv.planVersion } })),
        ),
      )
      .command(
        'key-mode <tenant> <mode>',
        'Whose upstream key its calls use',
        (o) => tenantArgument(o).positional('mode', { choices: KEY_MODES, demandOption: true }),
        act(async (context, argv) => one(context, argv, (path) => context.api.put(`${path}/key-mode`, { body: { mode: argv.mode } }))),
      )
      .demandCommand(1, 'tenants: what about them?'),
  );

interface Named {
  tenant: string;
}

interface CreateOptions {
  slug: string;
  name?: string | undefined;
  plan: string;
  keyMode?: string | undefined;
  placement?: string | undefined;
  cluster?: string | undefined;
  wait?: boolean | undefined;
}

const tenantArgument = <T>(y: Argv<T>) => y.positional('tenant', { type: 'string', demandOption: true, describe: 'Id or slug' });

async function one({ tenant, out }: Context, argv: Named, ask: (path: string) => Promise<Json>): Promise<void> {
  out.record(ONE, await ask(`/v1/tenants/${await tenant(argv.tenant)}`));
}

async function create({ api, out }: Context, { wait, ...argv }: CreateOptions): Promise<void> {
  const { slug, name, plan, keyMode, placement, cluster } = argv;
  const waits = wait === true;
  const deadline = Date.now() + WAIT_S * 1_000;
  let operation = await api.post('/v1/tenants', {
    body: { slug, name, plan, keyMode, placement, cluster },
    headers: waits ? { prefer: `wait=${LONGEST_PREFER_S}` } : {},
  });
  while (waits && operation.status === 'running' && Date.now() < deadline) {
    await sleep(250);
    operation = await api.get(`/v1/operations/${part(operation.id)}`);
  }
  if (operation.tenant !== null && !out.json) out.record(ONE, operation.tenant);
  else out.record(OPERATION, operation);
  if (operation.status === 'failed') throw new BadNews(`the tenant could not be made: ${operation.detail}`);
  if (waits && operation.status === 'running') throw new BadNews(`the tenant is not ready after ${WAIT_S} s; its operation goes on`);
}

function planOf(tenant: Json): string {
  return `${tenant.plan.id}@${tenant.plan.version}`;
}
