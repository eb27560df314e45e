import { createPublicKey, verify } from 'node:crypto';
import type { Argv } from 'yargs';
import type { Json } from '../api';
import { part, type Cli, type Act, type Context } from '../context';
import { BadNews } from '../failures';
import type { Column } from '../output';

const WAIT_MS = 1_000;
const LIST: Column[] = [
  ['id', 'id'], ['renews', 'of'], ['status', 'status'], ['tenants', progressOf], ['complete', 'report.complete'], ['started', 'startedAt'], ['finished', 'finishedAt'],
];
const ONE: Column[] = [
  ...LIST,
  ['of tenant', 'tenantId'],
  ['secrets', 'report.totals.blobs'],
  ['left under the old', 'report.totals.leftUnderOld'],
  ['unreadable', 'report.totals.unreadable'],
  ['now under', 'report.kekId'],
  ['own KMS keys', ({ report }: Json) => ((report?.tenants ?? []) as Json[]).filter((one) => one.kekId !== report.kekId).length || undefined],
  ['trouble', ({ troubles }: Json) => (troubles.length === 0 ? undefined : troubles.map((one: Json) => `${one.tenantId}: ${one.error} (${one.tries} tries)`).join('\n'))],
  ['signature', signatureOf],
];

/** Rotations of what seals the keys; the command that starts one stands with `keys`. */
export const keyRotations = (cli: Cli, act: Act): Cli =>
  cli.command('key-rotations', 'Rotations of data keys and of the key-encryption key', (y) =>
    y
      .command('list', 'List them, the newest first', (o) => o, act(async ({ api, out }) => out.list(LIST, await api.list('/v1/key-rotations', 20))))
      .command('get <id>', 'Show one: how far it is, at its end what stands under which key; exit code 1 when something is left under an old one', (o) =>
        o.positional('id', { type: 'string', demandOption: true }),
      act(async (context, { id }) => ended(context, await context.api.get(`/v1/key-rotations/${part(id)}`))))
      .demandCommand(1, 'key-rotations: what about them?'),
  );

export const rotateAllOptions = <T>(y: Argv<T>) =>
  y
    .option('of', { choices: ['data-keys', 'key-encryption-key'] as const, array: true, describe: 'What to renew; both when unset' })
    .option('wait', { type: 'boolean', describe: 'Until it has ended' });

export async function rotateAll(context: Context, { of, wait }: { of?: readonly string[] | undefined; wait?: boolean | undefined }): Promise<void> {
  const rotation = await context.api.post('/v1/key-rotations', { body: of === undefined ? {} : { of } });
  if (wait === true) await followRotation(context, rotation);
  else ended(context, rotation);
}

/** Comes back when it has ended. */
export async function followRotation(context: Context, begun: Json): Promise<void> {
  let rotation = begun;
  while (rotation.status === 'running') {
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS));
    rotation = await context.api.get(`/v1/key-rotations/${part(String(rotation.id))}`);
  }
  ended(context, rotation);
}

function ended({ out }: Context, rotation: Json): void {
  out.record(ONE, rotation);
  if (rotation.report?.complete === false) throw new BadNews('something is left under an old key, or does not open: the report names it (--json shows it)');
}

function progressOf({ progress }: Json): string {
  return `${progress.done} of ${progress.tenants}`;
}

/** Looked at here, with the key that the answer names; that the key is the right one the platform's log says. */
function signatureOf({ signature }: Json): string | undefined {
  if (signature === null) return undefined;
  const valid = verify(null, Buffer.from(signature.signed), createPublicKey(signature.publicKey), Buffer.from(signature.value, 'base64'));
  return `${signature.algorithm}, ${valid ? 'valid' : 'NOT VALID'}`;
}
