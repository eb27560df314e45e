import { EVENTS } from '@weir/contracts';
import type { CommandContext, Fact, TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';
import type { Contracts } from './contracts';
import { encode, encodeState, statementOf, type Encoded } from './encoded';

/** What a state topic shall say of one thing from now on; a null body is a tombstone. */
export interface StateChange {
  readonly topic: string;
  readonly key: string;
  readonly body: unknown;
}

/** At which version of the stream an append is right: exactly, none yet, some, whatever. */
export type Expected = number | 'none' | 'exists' | 'any';

export interface Append {
  readonly tenant: TenantId;
  readonly stream: string;
  readonly expected: Expected;
  readonly events: readonly Fact[];
  readonly context: CommandContext;
  readonly states?: readonly StateChange[];
}

export type Appended =
  | { readonly outcome: 'appended' | 'repeated'; readonly version: number; readonly first: number; readonly last: number }
  | { readonly outcome: 'conflict'; readonly version: number };

/** One statement, whether alone or inside a transaction; see weir.append in the migrations. */
export async function append(sql: Sql, request: Append, contracts: Contracts = EVENTS): Promise<Appended> {
  const [appended] = await appendTogether((text, values) => sql.query(text, values), request.tenant, [encode(request, contracts)]);
  return appended as Appended;
}

/** @param appends no command of a stream twice; each is answered in its place */
export async function appendTogether(query: Sql['query'], tenant: TenantId, appends: readonly Encoded[]): Promise<Appended[]> {
  const { text, values } = statementOf(tenant, appends);
  const { rows } = await query<{ answer: string }>(text, values);
  return readAnswer(rows[0]?.answer ?? '', appends);
}

/** The log's position before, and then what its writer cannot tell of an append: `17;2 conflict 4;5 appended 9`. */
function readAnswer(answer: string, appends: readonly Encoded[]): Appended[] {
  const [before = '', ...said] = answer.split(';');
  if (before === '') throw new Error('weir.append answered nothing');
  const told = new Map(said.map((one) => one.split(' ')).map(([place, ...rest]) => [Number(place), rest]));
  let position = Number(before);
  return appends.map(({ expected, contents }, index) => {
    const [outcome = 'appended', version = expected + contents.length, first, last] = told.get(index + 1) ?? [];
    if (outcome === 'conflict') return { outcome, version: Number(version) };
    if (outcome === 'repeated') return { outcome, version: Number(version), first: Number(first), last: Number(last) };
    position += contents.length;
    return { outcome: 'appended', version: Number(version), first: position - contents.length + 1, last: position };
  });
}

/** Says states that follow no stream, inside a tenant's transaction. */
export async function publishStates(sql: Sql, states: readonly StateChange[]): Promise<void> {
  await sql.query('select weir.publish_states($1::jsonb)', [JSON.stringify(states.map(encodeState))]);
}
