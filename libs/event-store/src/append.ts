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

/** An append as weir.append reads it: an `append_request` and its `new_event`s, as texts of composites. */
export interface Encoded {
  readonly request: string;
  readonly events: readonly string[];
}

interface ResultRow {
  outcome: Appended['outcome'];
  version: number;
  first: string | null;
  last: string | null;
}

/** @param appends no command of a stream twice; each is answered in its place */
export async function appendTogether(sql: Sql, tenant: TenantId, appends: readonly Encoded[]): Promise<Appended[]> {
  const { rows } = await sql.query<ResultRow>('select * from weir.append($1, $2::weir.append_request[], $3::weir.new_event[])', [
    tenant,
    appends.map(({ request }) => request),
    appends.flatMap(({ events }) => events),
  ]);
  if (rows.length !== appends.length) throw new Error('weir.append answered something else than it was asked');
  return rows.map(({ outcome, version, first, last }) =>
    outcome === 'conflict' ? { outcome, version } : { outcome, version, first: Number(first), last: Number(last) },
  );
}

export function encode({ tenant, stream, expected, events, context, states = [] }: Append, contracts: Contracts): Encoded {
  const { commandId, at, actor, action, reason, requestId, causationId, correlationId } = context;
  return {
    request: composite([
      stream,
      typeof expected === 'number' ? expected : EXPECTED[expected],
      commandId,
      new Date(at).toISOString(),
      actor.type,
      actor.id,
      action,
      reason,
      requestId,
      causationId,
      correlationId,
      JSON.stringify(states.map(encodeState)),
      events.length,
    ]),
    events: events.map(({ type, data }, index) =>
      composite([uuidFrom(`${tenant}/${stream}/${commandId}/${index}`, at), type, contractOf(type, contracts).version, canonicalJson(data)]),
    ),
  };
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

/** A row as PostgreSQL reads it; its driver knows arrays and no composites. */
const composite = (fields: readonly (string | number | null | undefined)[]): string =>
  `(${fields.map((field) => (field === null || field === undefined ? '' : `"${String(field).replace(/["\\]/g, '$&$&')}"`)).join()})`;
