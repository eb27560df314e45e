import { readFileSync } from 'node:fs';
import { Api, type Json } from '../api';
import type { Cli, Global } from '../context';
import { Refused, UsageError } from '../failures';
import { readSecret, type Io } from '../io';
import { Output } from '../output';
import { forgetSession, parseUrl, storeSession, type Session } from '../session';

interface LoginOptions extends Global {
  readonly from: string | undefined;
  readonly as: string | undefined;
  readonly tenant: string | undefined;
}

export const login = (cli: Cli, io: Io): Cli =>
  cli
    .command(
      'login',
      'Store an address and a token for the commands that follow',
      (y) =>
        y
          .option('from', { type: 'string', describe: 'standalone.json or stack.json: its address and its operator token' })
          .option('as', { type: 'string', describe: 'With --from: the token of this tenant (slug) instead of the operator’s' })
          .option('tenant', { alias: 't', type: 'string', describe: 'Of whom to speak where a command names no tenant' })
          .example('$0 login --from .weir/standalone.json', 'as the operator of `npm start`')
          .example('$0 login --url https://weir.example.com < token.txt', 'with a token from a file'),
      async (argv) => {
        const session = await chosen(io, argv as LoginOptions);
        const role = await whoIs(session);
        const file = storeSession(io.env, session);
        new Output(io, argv.json).record([['url', 'url'], ['role', 'role'], ['tenant', 'tenant'], ['stored in', 'file']], { url: session.url, role, tenant: session.tenant, file });
      },
    )
    .command('logout', 'Forget the stored address and token', {}, () => forgetSession(io.env));

async function chosen(io: Io, { from, as, url, tenant }: LoginOptions): Promise<Session> {
  if (from !== undefined) return fromFile(from, as, tenant);
  if (as !== undefined) throw new UsageError('--as takes a tenant of the file that --from names');
  const address = url ?? io.env.WEIR_URL;
  if (address === undefined) throw new UsageError('where? Give --url <address> or --from <standalone.json>');
  const token = io.env.WEIR_TOKEN ?? (await readSecret(io, `Token for ${address}`)).trim();
  if (token === '') throw new UsageError('no token was given on standard input');
  return { url: parseUrl(address), token, tenant };
}

function fromFile(path: string, as: string | undefined, tenant: string | undefined): Session {
  let file: Json;
  try {
    file = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}. \`npm start\` and \`npm run stack\` write it into their data directory`);
  }
  if (as === undefined) return { url: parseUrl(String(file.url)), token: String(file.operatorToken), tenant };
  const found = (file.tenants as Json[] | undefined)?.find(({ slug }) => slug === as);
  if (found === undefined) throw new UsageError(`${path} has no tenant '${as}'`);
  return { url: parseUrl(String(file.url)), token: String(found.token), tenant: String(found.id) };
}

/** A token that is not known is not stored; one that is known and may not list tenants is a tenant's. */
async function whoIs(session: Session): Promise<'operator' | 'tenant'> {
  try {
    await new Api(session).get('/v1/tenants', { query: { limit: 1 } });
    return 'operator';
  } catch (error) {
    if (error instanceof Refused && error.status === 403) return 'tenant';
    throw error;
  }
}
