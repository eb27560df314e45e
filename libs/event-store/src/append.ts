import { EVENTS, type EventContract } from '@weir/contracts';
import { canonicalJson, uuidFrom, type CommandContext, type Fact, type TenantId } from '@weir/kernel';
import type { Sql } from '@weir/tenancy';

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

/** Contracts by type of event. */
export type Contracts = ReadonlyMap<string, EventContract>;

const EXPECTED = { none: 0, exists: -1, any: -2 } as const;

/** One statement, whether alone or inside a transaction; see weir.append in the migrations. */
export async function append(sql: Sql, request: Append, contracts: Contracts = EVENTS): Promise<Appended> {
  const [appended] = await appendTogether(sql, request.tenant, [encode(request, contracts)]);
  return appended as Appended;
}

/** @param appends as {@link encode} makes them, no command of a stream twice; each is answered in its place */
export async function appendTogether(sql: Sql, tenant: TenantId, appends: readonly string[]): Promise<Appended[]> {
  const { rows } = await sql.query<{ results: Appended[] }>('select weir.append($1, $2::jsonb) as results', [tenant, `[${appends.join()}]`]);
  const results = rows[0]?.results;
  if (results?.length !== appends.length) throw new Error('weir.append answered something else than it was asked');
  return results;
}

/** An append as weir.append reads it. */
export function encode({ tenant, stream, expected, events, context, states = [] }: Append, contracts: Contracts): string {
  const { commandId, at, actor, action, reason, requestId, causationId, correlationId } = context;
  return JSON.stringify({
    stream,
    expected: typeof expected === 'number' ? expected : EXPECTED[expected],
    command: commandId,
    occurredAt: new Date(at),
    actorType: actor.type,
    actorId: actor.id,
    action,
    reason,
    requestId,
    causationId,
    correlationId,
    events: events.map(({ type, data }, index) => ({
      id: uuidFrom(`${tenant}/${stream}/${commandId}/${index}`, at),
      type,
      schemaVersion: contractOf(type, contracts).version,
      data: canonicalJson(data),
    })),
    states: states.map(encodeState),
  });
}

/** Says states that follow no stream, inside a tenant's transaction. */
export async function publishStates(sql: Sql, states: readonly StateChange[]): Promise<void> {
  await sql.query('select weir.publish_states($1::jsonb)', [JSON.stringify(states.map(encodeState))]);
}

const encodeState = ({ topic, key, body }: StateChange) => ({ topic, key, body: body === null ? null : canonicalJson(body) });

export function contractOf(type: string, contracts: Contracts): EventContract {
  const contract = contracts.get(type);
  if (contract === undefined) throw new TypeError(`no contract for the event ${type}: add it to libs/contracts`);
  return contract;
}
