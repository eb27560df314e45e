import { stateTopic, type UpstreamKeyEvent } from '@weir/contracts';
import { publishStates, readStreams, type Decided, type EventLog } from '@weir/event-store';
import type { CommandContext, Decide, KeyId, TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { readSealed, store, type SealedVersion } from '../sealing/sealed-versions';
import { evolve, initial, keptVersions, nextDrain, upstreamKey, waitsForCheck, worthLookingAt, type UpstreamKey } from './upstream-key';
import { toState } from './upstream-key.state';

export interface KeyDecision {
  readonly owner: TenantId;
  readonly keyId: KeyId;
  readonly decide: Decide<UpstreamKey, UpstreamKeyEvent>;
  readonly context: CommandContext;
  readonly ifVersion?: number | undefined;
  /** The secret that the decision offers. */
  readonly offered?: SealedVersion;
  /** A signal that the decision follows from: judged once. */
  readonly signal?: string;
}

export type Loaded = Pick<Decided<UpstreamKey, UpstreamKeyEvent>, 'state' | 'version'>;

const stream = (keyId: KeyId): string => `upstream-key/${keyId}`;

/** The streams of keys, with what is written in the transaction of their events: secrets, the state topic, what the jobs look for. */
export class UpstreamKeyLog {
  constructor(
    private readonly events: EventLog,
    private readonly work: UnitOfWork,
    /** ms before a key that waits for a check is looked at for the first time. */
    readonly recheckMs: number,
    /** ms between looks at a key that works. */
    readonly checkEveryMs: number,
  ) {}

  load(owner: TenantId, keyId: KeyId): Promise<Loaded> {
    return this.events.load<UpstreamKey, UpstreamKeyEvent>(owner, stream(keyId), upstreamKey);
  }

  decide({ owner, keyId, offered, signal, ...decision }: KeyDecision): Promise<Loaded> {
    return this.events.decide<UpstreamKey, UpstreamKeyEvent>({
      ...decision,
      tenant: owner,
      stream: stream(keyId),
      aggregate: upstreamKey,
      also: async (sql, { state }) => {
        await store(sql, owner, keyId, offered, keptVersions(state));
        await list(sql, owner, keyId, state);
        // its version is the log's count of states and not the stream's, so that a blob sealed anew can be said without an event
        await publishStates(sql, [
          { topic: stateTopic('upstream-key'), key: keyId, body: toState(owner, state, await readSealed(sql, owner, keyId)) },
        ]);
        await this.work.leaveTenant(sql);
        await schedule(sql, owner, keyId, state, this);
        if (signal !== undefined)
          await sql.query('insert into signal_inbox (event_id) values ($1) on conflict do nothing', [signal]);
      },
    });
  }

  /** Within a transaction that holds the log's lock: the state of a key once more, for its secrets were sealed or wrapped anew. */
  async sayAgain(sql: Sql, owner: TenantId, keyId: KeyId): Promise<void> {
    const events = await readStreams(sql, owner, [stream(keyId)]);
    const state = events.reduce((before, event) => evolve(before, event as unknown as UpstreamKeyEvent), initial);
    await publishStates(sql, [
      { topic: stateTopic('upstream-key'), key: keyId, body: toState(owner, state, await readSealed(sql, owner, keyId)) },
    ]);
  }

  /** Keys of an owner in the order of their ids, which is that of their making. */
  async page(owner: TenantId, page: { limit: number; after: string | undefined }): Promise<Loaded[]> {
    const events = await this.work.inTenant(owner, async (sql) => {
      const { rows: keys } = await sql.query<{ key_id: KeyId }>(
        'select key_id from upstream_keys where tenant_id = $1 and key_id > $2 order by key_id limit $3',
        [owner, page.after ?? '', page.limit + 1],
      );
      return readStreams(sql, owner, keys.map(({ key_id }) => stream(key_id)));
    });
    const loaded = new Map<string, Loaded>();
    for (const event of events) {
      const before = loaded.get(event.stream)?.state ?? initial;
      loaded.set(event.stream, { state: evolve(before, event as unknown as UpstreamKeyEvent), version: event.version });
    }
    return [...loaded.values()];
  }
}

async function list(sql: Sql, owner: TenantId, keyId: KeyId, state: UpstreamKey): Promise<void> {
  if (state.is === 'registered')
    await sql.query('insert into upstream_keys (tenant_id, key_id) values ($1, $2) on conflict do nothing', [owner, keyId]);
  else await sql.query('delete from upstream_keys where tenant_id = $1 and key_id = $2', [owner, keyId]);
}

async function schedule(sql: Sql, owner: TenantId, keyId: KeyId, state: UpstreamKey, waits: { recheckMs: number; checkEveryMs: number }): Promise<void> {
  const drain = nextDrain(state);
  if (drain === undefined) await sql.query('delete from key_drains where tenant_id = $1 and key_id = $2', [owner, keyId]);
  else {
    await sql.query(
      'insert into key_drains (tenant_id, key_id, drain_until) values ($1, $2, $3) on conflict (tenant_id, key_id) do update set drain_until = excluded.drain_until',
      [owner, keyId, drain],
    );
  }
  if (waitsForCheck(state) !== undefined) {
    // one that waits already keeps its wait; the day's wait of a key that worked until now is cut short
    await sql.query(
      `insert into key_rechecks (tenant_id, key_id, due_at) values ($1, $2, now() + $3 * interval '1 ms')
       on conflict (tenant_id, key_id) do update set due_at = least(key_rechecks.due_at, excluded.due_at) where key_rechecks.tries = 0`,
      [owner, keyId, waits.recheckMs],
    );
  } else if (worthLookingAt(state) !== undefined) {
    await sql.query(
      `insert into key_rechecks (tenant_id, key_id, due_at) values ($1, $2, now() + $3 * interval '1 ms')
       on conflict (tenant_id, key_id) do update set tries = 0, due_at = excluded.due_at`,
      [owner, keyId, waits.checkEveryMs],
    );
  } else {
    await sql.query('delete from key_rechecks where tenant_id = $1 and key_id = $2', [owner, keyId]);
  }
}
