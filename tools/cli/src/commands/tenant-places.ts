import { appendFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Argv } from 'yargs';
import type { Json } from '../api';
import { readArchive } from '../archive-file';
import { part, type Act, type Context, type Global } from '../context';
import { BadNews, UsageError } from '../failures';
import { readTransferKey } from '../transfer-key';
import type { Column } from '../output';

const OPERATION: Column[] = [['operation', 'id'], ['status', 'status'], ['tenant', 'tenantId'], ['detail', 'detail'], ['placement', 'tenant.placement'], ['created', 'createdAt'], ['finished', 'finishedAt']];
const ISOLATION: Column[] = [
  ['placement', 'placement'], ['database', 'database'], ['schema', 'schema'], ['role', 'role.name'], ['may log in', 'role.canLogin'], ['superuser', 'role.superuser'],
  ['bypasses row security', 'role.bypassesRowSecurity'], ['rights of other roles', ({ role }) => (role.memberOf.length === 0 ? 'none' : role.memberOf)], ['owned by', 'owners'],
  ['taken by', ({ logins }) => logins.map(({ name, superuser, bypassesRowSecurity }: Json) => `${name}${superuser === true || bypassesRowSecurity === true ? ' (past row security!)' : ''}`)],
  ['tables', (body) => body.tables.length],
  ['row security', (body) => (body.tables.every((table: Json) => table.rowSecurity === 'forced') ? 'forced on all' : `off on ${body.tables.filter((table: Json) => table.rowSecurity !== 'forced').map((table: Json) => table.name)}`)],
  ['others with rights', (body) => (body.others.length === 0 ? 'nobody' : body.others)], ['migrations missing', (body) => (body.migration.missing.length === 0 ? 'none' : body.migration.missing)],
];
const IMPORTED: Column[] = [['id', 'id'], ['slug', 'slug'], ['name', 'name'], ['status', 'status'], ['placement', 'placement'], ['version', 'version'], ['upstream keys', 'keys']];

const PART = 'application/vnd.weir.tenant-part';
const LONGEST_PREFER_S = 30;

const tenantArgument = <T>(y: Argv<T>) => y.positional('tenant', { type: 'string', demandOption: true, describe: 'Id or slug' });

/** Where tenants live, and how they get from there to elsewhere. */
export const tenantPlaces = (cli: Argv<Global>, act: Act): Argv<Global> =>
  cli
    .command(
      'isolation <tenant>',
      'Proof from the database itself: placement, role, row security, who else has rights',
      (o) => tenantArgument(o),
      act(async ({ api, out, tenant }, argv) => out.record(ISOLATION, await api.get(`/v1/tenants/${await tenant(argv.tenant)}/isolation`))),
    )
    .command(
      'move <tenant> <placement>',
      'Move its data to a schema of its own, the pooled schema or another database, while it works',
      (o) =>
        tenantArgument(o)
          .positional('placement', { choices: ['schema', 'pooled', 'database'] as const, demandOption: true })
          .option('cluster', { type: 'string', describe: 'Which database, as WEIR_CLUSTERS names it' })
          .option('wait', { type: 'boolean', default: true, describe: 'Come back when it is done' })
          .example('$0 tenants move acme database --cluster eu', ''),
      act(async (context, argv) => {
        const { placement, cluster } = argv;
        if ((placement === 'database') !== (cluster !== undefined)) throw new UsageError('--cluster goes with the placement database, and with it alone');
        const asked = { body: { placement, ...(cluster === undefined ? {} : { cluster }) } };
        await follow(context, await context.api.put(`/v1/tenants/${await context.tenant(argv.tenant)}/placement`, asked), argv.wait);
      }),
    )
    .command(
      'purge <tenant>',
      'Take an offboarded one away for good: data, schema and role; a receipt stays in the platform’s log',
      (o) => tenantArgument(o).option('yes', { type: 'boolean', demandOption: 'say --yes: what is purged does not come back', describe: 'Yes, for good' }),
      act(async (context, argv) => follow(context, await context.api.post(`/v1/tenants/${await context.tenant(argv.tenant)}/purge`), true)),
    )
    .command(
      'export <tenant>',
      'Write it to a file: its log and all its tables. Suspend it first if it is to go on elsewhere',
      (o) =>
        tenantArgument(o)
          .option('output', { alias: 'o', type: 'string', demandOption: true, describe: 'The file' })
          .option('keys-for', { type: 'string', describe: 'Let its upstream keys open elsewhere: the ARN of the other installation’s KMS key, or the file of a transfer key' })
          .example('$0 tenants export acme -o acme.weir --keys-for arn:aws:kms:eu-central-1:123456789012:key/…', '')
          .example('$0 tenants export acme -o acme.weir --keys-for transfer.key', 'made by `weir keys transfer-key`'),
      act((context, argv) => exportTo(context, argv)),
    )
    .command(
      'import <file>',
      'Take one in from a file; again after a break it goes on where it was',
      (o) =>
        o
          .positional('file', { type: 'string', demandOption: true })
          .option('transfer-key', { type: 'string', describe: 'The file of the transfer key that its keys were exported for' })
          .option('keys-only', { type: 'boolean', describe: 'The tenant is in already, and its upstream keys are not' }),
      act((context, argv) => importFrom(context, argv)),
    );

async function follow({ api, out }: Context, begun: Json, wait: boolean): Promise<void> {
  let operation = begun;
  while (wait && operation.status === 'running') {
    await sleep(250);
    operation = await api.get(`/v1/operations/${part(operation.id)}`, { headers: { prefer: `wait=${LONGEST_PREFER_S}` } });
  }
  out.record(OPERATION, operation);
  if (operation.status === 'failed') throw new BadNews(`it failed: ${operation.detail}`);
}

async function exportTo({ api, out, tenant }: Context, argv: { tenant: string; output: string; keysFor?: string | undefined }): Promise<void> {
  const id = await tenant(argv.tenant);
  const unfinished = `${argv.output}.part`;
  const file = await open(unfinished, 'w', 0o600).catch((error: Error) => {
    throw new BadNews(`cannot write ${unfinished}: ${error.message}`);
  });
  try {
    // first, so that the archive's log says so
    const keys = argv.keysFor === undefined ? undefined : await api.post(`/v1/tenants/${id}/upstream-keys/hand-over`, { body: recipientOf(argv.keysFor) });
    await api.stream(`/v1/tenants/${id}/export`, {}, file.createWriteStream(), { end: true });
    if (keys !== undefined) appendFileSync(unfinished, `${JSON.stringify({ keys })}\n`);
    // an archive without its end is none
    for await (const piece of readArchive(unfinished)) void piece;
    renameSync(unfinished, argv.output);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
  const keys = argv.keysFor === undefined ? 'sealed; they open here alone (--keys-for carries them)' : 'sealed; they open here and for who was named';
  out.record([['file', 'file'], ['bytes', 'bytes'], ['upstream keys', 'keys']], { file: argv.output, bytes: statSync(argv.output).size, keys });
}

const recipientOf = (keysFor: string): Json => (keysFor.startsWith('arn:') ? { kmsKeyId: keysFor } : { transferKey: readTransferKey(keysFor) });

async function importFrom({ api, out }: Context, { file: path, transferKey, keysOnly = false }: { file: string; transferKey?: string | undefined; keysOnly?: boolean | undefined }): Promise<void> {
  const given = transferKey === undefined ? undefined : readTransferKey(transferKey);
  let head: Json;
  let lastPart = 0;
  let imported: Json;
  let taken: Json;
  for await (const piece of readArchive(path)) {
    if ('head' in piece) {
      head = piece.head;
      if (keysOnly) continue;
      ({ lastPart } = await api.post('/v1/tenant-imports', { body: head }));
      if (lastPart > 0) out.note(`${lastPart} parts are in already`);
    } else if ('manifest' in piece) {
      if (keysOnly) continue;
      imported = await api.post(`/v1/tenant-imports/${part(head.tenant)}/complete`, { body: { exportedAt: head.exportedAt, manifest: piece.manifest } });
    } else if ('keys' in piece) {
      taken = await api.post(`/v1/tenants/${part(head.tenant)}/upstream-keys/take-over`, { body: { keys: piece.keys, ...(given === undefined ? {} : { transferKey: given }) } });
    } else if (!keysOnly && piece.number > lastPart) {
      await api.post(`/v1/tenant-imports/${part(head.tenant)}/parts`, { bytes: { type: PART, data: new Uint8Array(piece.part) } });
    }
  }
  if (keysOnly) {
    if (taken === undefined) throw new BadNews(`${path} has no keys: it was exported without --keys-for`);
    imported = await api.get(`/v1/tenants/${part(head.tenant)}`);
  }
  out.record(IMPORTED, { ...imported, keys: taken === undefined ? 'sealed elsewhere: hand them in anew' : `${taken.secrets} taken over${taken.unreadable > 0 ? `, ${taken.unreadable} unreadable` : ''}` });
}
