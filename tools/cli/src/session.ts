import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { UsageError } from './failures';

type Environment = Readonly<Record<string, string | undefined>>;

/** Where the API is and who calls it. */
export interface Session {
  readonly url: string;
  readonly token: string;
  /** Of whom commands speak that name no tenant. */
  readonly tenant?: string | undefined;
}

export const configFile = (env: Environment): string =>
  join(env.XDG_CONFIG_HOME || join(env.HOME || homedir(), '.config'), 'weir', 'config.json');

/** The environment wins over what `weir login` has stored. */
export function readSession(env: Environment, given: { url?: string | undefined }): Session {
  const stored = readStored(env);
  const url = given.url ?? env.WEIR_URL ?? stored.url;
  const token = env.WEIR_TOKEN ?? stored.token;
  const tenant = env.WEIR_TENANT ?? stored.tenant;
  if (url === undefined || token === undefined) throw new UsageError('not logged in: run `weir login`, or set WEIR_URL and WEIR_TOKEN');
  if (env.WEIR_TOKEN === undefined && stored.url !== url) throw new UsageError(`the stored token is for ${stored.url}, not ${url}: run \`weir login --url ${url}\``);
  return { url: parseUrl(url), token, tenant };
}

function readStored(env: Environment): Partial<Session> {
  const file = configFile(env);
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<Session>;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw new UsageError(`${file} cannot be read (${(error as Error).message}): run \`weir login\` again`);
  }
}

/** Mode 0600, and whole or not at all. */
export function storeSession(env: Environment, session: Session): string {
  const file = configFile(env);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.new`, `${JSON.stringify(session, null, 2)}\n`, { mode: 0o600 });
  // the mode above is for a new file alone
  chmodSync(`${file}.new`, 0o600);
  renameSync(`${file}.new`, file);
  return file;
}

export const forgetSession = (env: Environment): void => rmSync(configFile(env), { force: true });

/** Without its closing slash. */
export function parseUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) throw new UsageError(`'${text}' is not an address: it begins with http:// or https://`);
  return url.href.replace(/\/$/, '');
}
