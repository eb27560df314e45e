import type { Argv } from 'yargs';
import type { Json } from '../api';
import { limitOption, part, tenantOption, type Commands, type Context } from '../context';
import { BadNews, UsageError } from '../failures';
import { readSecret } from '../io';
import { newTransferKey } from '../transfer-key';
import { followRotation, rotateAll, rotateAllOptions } from './key-rotations';
import type { Column } from '../output';

const last4 = (key: Json): string => `…${key.last4 ?? ''}`;
const LIST: Column[] = [['id', 'id'], ['label', 'label'], ['state', 'state'], ['key', last4], ['version', 'activeVersion'], ['scopes', 'scopes'], ['last check', 'lastCheck.outcome'], ['created', 'createdAt']];
const ONE: Column[] = [
  ['id', 'id'], ['label', 'label'], ['state', 'state'], ['key', last4], ['active version', 'activeVersion'], ['scopes', 'scopes'], ['versions', versionsOf],
  ['last check', checkOf], ['', checksOf], ['created', 'createdAt'],
];

const CREDITS: Column[] = [['key', 'keyId'], ['left', 'left'], ['asked', 'askedAt'], ['a day', 'perDay'], ['end', 'endsAt']];
const RECEIPT: Column[] = [['tenant', 'tenantId'], ['keys', 'keys'], ['data keys', 'dataKeys'], ['shred key', ({ shredKey }: Json) => `${shredKey.destroyed === true ? 'destroyed' : 'there was none'} (${shredKey.kept})`], ['at', 'at']];
const TOUCHED: Column[] = [['tenant', 'tenantId'], ['last call', 'lastUsedAt'], ['moved to', ({ movedTo }: Json) => movedTo.map((one: Json) => one.keyId)]];

const KMS_KEY: Column[] = [['tenant', 'tenantId'], ['KMS key', ({ kmsKeyId }: Json) => kmsKeyId ?? "the platform's"], ['rotation', 'rotation.id']];

const SHARES: Column[] = [
  ['tenant', 'tenantId'], ['weight', 'weight'], ['admitted', 'admitted'], ['fair', ({ fairShare }: Json) => Math.round(fairShare)], ['refused', counts('refused')], ['promised', 'promised'],
  ['held', 'waited'], ['longest ms', 'longestWaitMs'], ['shadow', counts('shadow')],
];
const CEILING: Column[] = [['key', 'keyId'], ['a minute', 'perMinute'], ['burst', 'burst'], ['at once', ({ concurrency }: Json) => (concurrency === 0 ? 'no limit' : concurrency)], ['configured', ({ configured }: Json) => `${configured.perMinute} a minute, burst ${configured.burst}`], ['lowered', ({ loweredAt }: Json) => (loweredAt === null ? null : new Date(loweredAt).toISOString())]];

function counts(member: string) {
  return (row: Json): string => Object.entries(row[member] as Record<string, number>).map(([limit, calls]) => `${limit} ${calls}`).join(', ');
}

function shares({ out }: Context, report: Json): void {
  if (out.json) return out.raw(report);
  out.list(SHARES, { data: report.tenants as Json[], nextCursor: null });
  const { perMinute, configured } = report.ceiling;
  const percent = (share: number | null): string => (share === null ? '-' : `${Math.round(share * 1_000) / 10}%`);
  out.note(`fairness ${report.fairness === null ? '-' : report.fairness.toFixed(3)} · longest wait ${report.longestWaitMs} ms · refusals with a promise ${percent(report.promised)} · ${perMinute} a minute${perMinute < configured.perMinute ? `, learned, of ${configured.perMinute}` : ''}`);
}

const platformPath = (key: string): string => `/v1/upstream-keys/${part(key)}`;

function touched({ out }: Context, report: Json): void {
  if (out.json) return out.raw(report);
  out.list(TOUCHED, { data: report.tenants as Json[], nextCursor: null });
  out.note(`${report.key.id} is ${report.key.state}; left in the pool: ${(report.rest as Json[]).map(({ id, weight }) => `${id} (weight ${weight})`).join(', ') || 'no key'}`);
}

export const keys: Commands = (cli, act) =>
  cli.command('keys', "Upstream keys: a tenant's own, or with --platform the platform's", (y) =>
    y
      .option('tenant', tenantOption)
      .option('platform', { type: 'boolean', describe: "The platform's own keys" })
      .conflicts('platform', 'tenant')
      .command('list', 'List keys; never the keys themselves', (o) => o.option('limit', limitOption), act(async (context, argv) =>
        context.out.list(LIST, await context.api.list(await pathOf(context, argv), argv.limit)),
      ))
      .command('get <key>', 'Show one: state, versions, last check', (o) => keyArgument(o), act(async (context, argv) =>
        context.out.record(ONE, await context.api.get(await pathOf(context, argv, argv.key))),
      ))
      .command(
        'add',
        'Hand in a key, from standard input or typed unseen; it is tried and sealed',
        (o) =>
          o
            .option('label', { type: 'string', describe: 'What to call it' })
            .option('upstream', { type: 'string', describe: 'Of which upstream it is, by the id of its catalog; the first one unless said otherwise' })
            .option('weight', { type: 'number', implies: 'platform', describe: "How often one of the platform's comes first; 1 unless said otherwise" })
            .example('$0 keys add --platform --label main < key.txt', '')
            .example('$0 keys add -t acme', 'and type it'),
        act(async (context, argv) => {
          const key = await secret(context);
          judged(context, await context.api.post(await pathOf(context, argv), { body: { key, label: argv.label, upstream: argv.upstream, weight: argv.weight } }));
        }),
      )
      .command('rotate <key>', 'Hand in its successor; calls in flight finish on the old version', (o) => keyArgument(o), act(async (context, argv) => {
        const key = await secret(context);
        judged(context, await context.api.post(`${await pathOf(context, argv, argv.key)}/versions`, { body: { key } }));
      }))
      .command('rotate-all', 'Renew what seals all keys of all tenants: their data keys, and the key-encryption key', (o) => rotateAllOptions(o), act((context, { of, wait }) => rotateAll(context, { of, wait })))
      .command('check <key>', 'Try it against the upstream now', (o) => keyArgument(o), act(async (context, argv) =>
        judged(context, await context.api.post(`${await pathOf(context, argv, argv.key)}/check`)),
      ))
      .command('remove <key>', 'Destroy every version of it', (o) => keyArgument(o), act(async (context, argv) => {
        await context.api.delete(await pathOf(context, argv, argv.key));
        context.out.note(`${argv.key} is destroyed`);
      }))
      .command('quarantine <key>', "Let no call use one of the platform's keys; says which tenants called with it of late", (o) => because(o), act(async (context, argv) => {
        await standing(context, argv, 'quarantine');
        // the drill's second half: who has to know
        if (!context.out.json) touched(context, await context.api.get(`${platformPath(argv.key)}/touched`, { query: { hours: 24 } }));
      }))
      .command('reinstate <key>', 'Let calls use it again', (o) => because(o), act(async (context, argv) => standing(context, argv, 'reinstate')))
      .command('weigh <key> <weight>', "How often one of the platform's keys comes first: 2 twice as often as 1", (o) =>
        keyArgument(o).positional('weight', { type: 'number', demandOption: true }),
      act(async (context, argv) => context.out.record(ONE, await context.api.patch(platformPath(argv.key), { body: { weight: argv.weight } }))))
      .command('touched <key>', "Which tenants called with one of the platform's keys of late, and with which since", (o) =>
        keyArgument(o).option('hours', { type: 'number', default: 24, describe: 'How far back' }),
      act(async (context, argv) => touched(context, await context.api.get(`${platformPath(argv.key)}/touched`, { query: { hours: argv.hours } }))))
      .command('credits <key>', "Credits left of one of the platform's keys, and the day on which they end", (o) => keyArgument(o), act(async (context, argv) =>
        context.out.record(CREDITS, await context.api.get(`${platformPath(argv.key)}/credits`)),
      ))
      .command('shares <key>', 'Who asked a key for how much of late and got it, how fair that was, how long was waited', (o) =>
        keyArgument(o).option('minutes', { type: 'number', default: 5, describe: 'How far back, 120 at most' }),
      act(async (context, argv) => shares(context, await context.api.get(`${platformPath(argv.key)}/shares`, { query: { minutes: argv.minutes } }))))
      .command('ceiling <key> [perMinute]', 'What a key gives at most: what was agreed with the upstream for it; without a number, what every key has', (o) =>
        keyArgument(o)
          .positional('perMinute', { type: 'number', describe: 'Calls a minute' })
          .option('burst', { type: 'number', describe: 'Calls at once after a pause; a quarter of a minute unless said otherwise' })
          .option('at-once', { type: 'number', default: 0, describe: 'Calls under way at the same time; 0 no limit' }),
      act(async (context, { key, perMinute, burst, atOnce }) => {
        const path = `${platformPath(key)}/ceiling`;
        if (perMinute === undefined) return context.out.record(CEILING, await context.api.delete(path));
        const body = { perMinute, burst: burst ?? Math.max(1, Math.floor(perMinute / 4)), concurrency: atOnce };
        context.out.record(CEILING, await context.api.put(path, { body }));
      }))
      .command('shred', 'Destroy all keys of a tenant for good, in every backup too', (o) => o, act(async (context, argv) =>
        context.out.record(RECEIPT, await context.api.post(`/v1/tenants/${await context.tenant(argv.tenant)}/upstream-keys/shred`)),
      ))
      .command(
        'kms-key [arn]',
        'Show under which KMS key the data keys of a tenant are made, or make them under one of its own',
        (o) =>
          o
            .positional('arn', { type: 'string', describe: 'Of the tenant’s KMS key, whose policy allows the vault and the fetcher' })
            .option('clear', { type: 'boolean', describe: 'Back under the platform’s' })
            .conflicts('clear', 'arn')
            .option('wait', { type: 'boolean', default: true, describe: 'Come back when everything sealed is under it' }),
        act((context, argv) => kmsKey(context, argv)),
      )
      .command('transfer-key', 'Make a transfer key, for `tenants export --keys-for` and `tenants import --transfer-key`; carry it apart from the archive', (o) => o, act(async ({ io }) =>
        void io.stdout.write(`${newTransferKey()}\n`),
      ))
      .demandCommand(1, 'keys: what about them?'),
  );

async function kmsKey(context: Context, argv: Of & { arn?: string | undefined; clear?: boolean | undefined; wait: boolean }): Promise<void> {
  const { api, out } = context;
  const path = `/v1/tenants/${await context.tenant(argv.tenant)}/kms-key`;
  if (argv.arn === undefined && argv.clear !== true) return out.record(KMS_KEY, await api.get(path));
  const set = argv.clear === true ? await api.delete(path) : await api.put(path, { body: { kmsKeyId: argv.arn } });
  if (argv.wait) await followRotation(context, set.rotation);
  else out.record(KMS_KEY, set);
}

interface Of {
  tenant?: string | undefined;
  platform?: boolean | undefined;
}
interface Named {
  key: string;
}
interface Because {
  because?: string | undefined;
}

const keyArgument = <T>(y: Argv<T>) => y.positional('key', { type: 'string', demandOption: true, describe: 'Id (key_…), never the key itself' });
const because = <T>(y: Argv<T>) => keyArgument(y).option('because', { type: 'string', describe: 'The reason, for the record' });

async function pathOf(context: Context, { platform, tenant }: Of, key?: string): Promise<string> {
  const base = platform === true ? '/v1/upstream-keys' : `/v1/tenants/${await context.tenant(tenant)}/upstream-keys`;
  return key === undefined ? base : `${base}/${part(key)}`;
}

async function secret({ io }: Context): Promise<string> {
  const key = await readSecret(io, 'Upstream key');
  if (key === '') throw new UsageError('no key was given on standard input');
  return key;
}

/** The tenant's own keys have no quarantine: their owner removes them. */
async function standing(context: Context, argv: Of & Named & Because, route: 'quarantine' | 'reinstate'): Promise<void> {
  if (argv.platform !== true) throw new UsageError(`${route} is for the platform's keys: add --platform`);
  context.out.record(ONE, await context.api.post(`${await pathOf(context, argv, argv.key)}/${route}`, { body: { because: argv.because } }));
}

/** A key that was sealed and that the upstream does not take is bad news to a script, though the API said yes. */
function judged({ out }: Context, key: Json): void {
  out.record(ONE, key);
  const outcome = (key.lastCheck as { outcome?: string } | null)?.outcome;
  if (outcome !== undefined && outcome !== 'accepted') throw new BadNews(`the upstream does not take the key: ${outcome}`);
}

function versionsOf(key: Json): string {
  return (key.versions as Json[]).map((v) => `${v.version} ${v.state} …${v.last4}${v.because === null ? '' : ` (${v.because})`}`).join('\n') || '-';
}

function checkOf(key: Json): unknown {
  return key.lastCheck === null ? null : `${key.lastCheck.outcome} at ${String(key.lastCheck.at).slice(0, 19)}Z, version ${key.lastCheck.version}`;
}

function checksOf(key: Json): unknown {
  const failed = ((key.lastCheck?.checks ?? []) as Json[]).filter(({ result }) => result === 'failed');
  return failed.length === 0 ? undefined : failed.map(({ evidence, nextStep }) => `${evidence} ${nextStep ?? ''}`.trim()).join('\n');
}
