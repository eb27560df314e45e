import { contentDigest } from '@weir/audit-format';
import { canonicalJson, rfc3339, uuidFrom, type TenantId } from '@weir/kernel';
import { bytesArray, int4Array, textArray, timestamptzArray } from '@weir/tenancy';
import type { Append, StateChange } from './append';
import { contractOf, type Contracts } from './contracts';

/** An append as weir.append reads it, together with others or alone. */
export interface Encoded {
  readonly stream: string;
  readonly expected: number;
  readonly command: string;
  readonly contents: readonly Buffer[];
  /** Of all its events; whole ms. */
  readonly at: number;
  /** Thirteen an event: see weir.append. */
  readonly fields: readonly (string | null)[];
  readonly states: readonly EncodedState[];
}

interface EncodedState {
  readonly topic: string;
  readonly key: string;
  readonly body: string | null;
}

const EXPECTED = { none: 0, exists: -1, any: -2 } as const;

/** Hashes here what the writer knows; what the log adds, place, time and author, goes into the link. */
export function encode({ tenant, stream, expected, events, context, states = [] }: Append, contracts: Contracts): Encoded {
  const { commandId, at, actor, action, reason = null, requestId = null, causationId = null, correlationId = null } = context;
  const occurredAt = microseconds(at);
  const fields: (string | null)[] = [];
  const contents = events.map(({ type, data }, index) => {
    const event = {
      tenantId: tenant,
      eventId: uuidFrom(`${tenant}/${stream}/${commandId}/${index}`, at),
      stream,
      type,
      schemaVersion: contractOf(type, contracts).version,
      occurredAt,
      actor,
      action,
      reason,
      requestId,
      causationId,
      correlationId,
      commandId,
      bytes: canonicalJson(data),
    };
    fields.push(event.eventId, stream, type, String(event.schemaVersion), event.bytes, actor.type, actor.id);
    fields.push(action, reason, requestId, causationId, correlationId, commandId);
    return contentDigest(event);
  });
  return { stream, expected: typeof expected === 'number' ? expected : EXPECTED[expected], command: commandId, contents, at: Math.trunc(at), fields, states: states.map(encodeState) };
}

export const encodeState = ({ topic, key, body }: StateChange): EncodedState => ({ topic, key, body: body === null ? null : canonicalJson(body) });

/** As the log says it: events come with milliseconds, and are kept and hashed with microseconds. */
const microseconds = (ms: number): string => rfc3339(ms).replace('Z', '000Z');

interface Statement {
  readonly text: string;
  readonly values: unknown[];
}

/** One append of one event has a function of its own, which must set up less. */
export function statementOf(tenant: TenantId, appends: readonly Encoded[]): Statement {
  const [one] = appends;
  return one !== undefined && appends.length === 1 && one.contents.length === 1 ? alone(tenant, one) : together(tenant, appends);
}

const alone = (tenant: TenantId, { expected, at, fields, contents, states }: Encoded): Statement => ({
  text: 'select weir.append_one($1, $2, $3, $4, $5, $6) as answer',
  values: [tenant, expected, rfc3339(at), textArray(fields), contents[0], jsonOf(states)],
});

function together(tenant: TenantId, appends: readonly Encoded[]): Statement {
  const streams = new Map<string, number>();
  const floors: number[] = [];
  const places: number[] = [];
  const occurred: number[] = [];
  const states: object[] = [];
  for (const { stream, expected, contents, at, states: said } of appends) {
    const place = streams.get(stream) ?? streams.size + 1;
    streams.set(stream, place);
    places.push(place);
    floors[place - 1] = Math.max(1, Math.min(expected, floors[place - 1] ?? expected));
    for (let n = 0; n < contents.length; n++) occurred.push(at);
    for (const state of said) states.push({ ...state, event: occurred.length });
  }
  return {
    text: 'select weir.append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) as answer',
    values: [
      tenant,
      textArray([...streams.keys()]),
      int4Array(floors),
      int4Array(places),
      int4Array(appends.map(({ expected }) => expected)),
      int4Array(appends.map(({ contents }) => contents.length)),
      textArray(appends.map(({ command }) => command)),
      timestamptzArray(occurred),
      textArray(appends.flatMap(({ fields }) => fields)),
      bytesArray(appends.flatMap(({ contents }) => contents)),
      jsonOf(states),
    ],
  };
}

const jsonOf = (states: readonly object[]): string | null => (states.length === 0 ? null : JSON.stringify(states));
