import type { Argv } from 'yargs';
import { Api, type Json } from './api';
import { BadNews, UsageError } from './failures';
import type { Io } from './io';
import { Output } from './output';
import { readSession, type Session } from './session';

/** Options of every command. */
export interface Global {
  readonly json: boolean;
  readonly url: string | undefined;
}

/** What a command has at hand. */
export interface Context {
  readonly io: Io;
  readonly api: Api;
  readonly session: Session;
  readonly out: Output;
  /** The id of the tenant that a command speaks of, given by id or slug, or else that of the session. */
  tenant(given: string | undefined): Promise<string>;
}

export type Cli = Argv<Global>;
/** Adds a group of commands. */
export type Commands = (cli: Cli, act: Act) => Cli;
/** Makes a handler for yargs of a function that is given its context. */
export type Act = <A extends Global>(handler: (context: Context, argv: A) => Promise<void>) => (argv: A) => Promise<void>;

export const actor =
  (io: Io): Act =>
  (handler) =>
  async (argv) => {
    const session = readSession(io.env, argv);
    const api = new Api(session);
    await handler({ io, api, session, out: new Output(io, argv.json), tenant: (given) => tenantId(api, given ?? session.tenant) }, argv);
  };

async function tenantId(api: Api, given: string | undefined): Promise<string> {
  if (given === undefined) throw new UsageError('which tenant? Name it with --tenant <id or slug>, WEIR_TENANT or `weir login --tenant`');
  if (given.startsWith('ten_')) return encodeURIComponent(given);
  const { data } = await api.list('/v1/tenants', 0);
  const found = data.find((tenant: Json) => tenant.slug === given) as { id: string } | undefined;
  if (found === undefined) throw new BadNews(`there is no tenant with the slug '${given}'; \`weir tenants list\` shows them`);
  return found.id;
}

export const tenantOption = { alias: 't', type: 'string', describe: 'Id or slug of the tenant' } as const;
export const limitOption = { type: 'number', default: 100, describe: 'How many at most, over as many pages as it takes; 0: all', coerce: count } as const;

function count(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new UsageError('--limit takes a whole number, 0 for all');
  return value;
}

/** A part of a path. */
export const part = (text: string): string => encodeURIComponent(text);
