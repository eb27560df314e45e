import { notFound, type CommandContext } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { wrongState } from '../errors';

export const PARKED_STATES = ['parked', 'released', 'done', 'dropped'] as const;
export type ParkedState = (typeof PARKED_STATES)[number];

export interface ParkedRow {
  id: string;
  service: string;
  group: string;
  topic: string;
  partition: number;
  offset: string;
  key: string;
  reason: string;
  error_code: string | null;
  state: ParkedState;
  parked_at: Date;
  decided_by: string | null;
  decided_at: Date | null;
  decision_reason: string | null;
}

export interface WholeParkedRow extends ParkedRow {
  headers: Record<string, string>;
  /** ms since the epoch: when it was published. */
  at: string;
  /** Of the value; null for a tombstone. */
  bytes: number | null;
  /** The value's beginning. */
  head: Buffer | null;
}

const COLUMNS = 'id, service, grp as "group", topic, partition, "offset", key, reason, error_code, state, parked_at, decided_by, decided_at, decision_reason';
const SHOWN_BYTES = 65_536;

/** Messages that a consumer could not handle, of every service, and what an operator decides about them. */
export class ParkedMessages {
  constructor(private readonly work: UnitOfWork) {}

  async list(filter: { state?: ParkedState | undefined; group?: string | undefined }, limit: number, after: string | undefined): Promise<ParkedRow[]> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<ParkedRow>(
        `select ${COLUMNS} from weir.parked_messages
         where id::text > $2 and ($3::text is null or state = $3) and ($4::text is null or grp = $4) order by id::text limit $1`,
        [limit + 1, after ?? '', filter.state ?? null, filter.group ?? null],
      ),
    );
    return rows;
  }

  async show(id: string): Promise<WholeParkedRow> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<WholeParkedRow>(
        `select ${COLUMNS}, headers, at, octet_length(value) as bytes, substring(value from 1 for $2) as head from weir.parked_messages where id::text = $1`,
        [id, SHOWN_BYTES],
      ),
    );
    return found(rows[0]);
  }

  /** Its whole key goes: a message may not overtake those that were parked before it. */
  async release(id: string, context: CommandContext): Promise<ParkedRow> {
    return this.work.inControl(async (sql) => {
      // a consumer may be parking what follows at this moment; it must see the release, or the release its message
      await sql.query('lock table weir.parked_messages in share row exclusive mode');
      const message = await this.open(sql, id);
      if (message.state === 'released') return message;
      const { rows } = await sql.query<ParkedRow>(
        `update weir.parked_messages set state = 'released', decided_by = $4, decided_at = now(), decision_reason = $5
         where grp = $1 and topic = $2 and key = $3 and state = 'parked' returning ${COLUMNS}`,
        [message.group, message.topic, message.key, by(context), context.reason ?? null],
      );
      return found(rows.find((row) => row.id === id));
    });
  }

  /** This one alone is given up; what follows it stays parked until it is released. */
  async drop(id: string, context: CommandContext): Promise<ParkedRow> {
    return this.work.inControl(async (sql) => {
      await this.open(sql, id);
      const { rows } = await sql.query<ParkedRow>(
        `update weir.parked_messages set state = 'dropped', decided_by = $2, decided_at = now(), decision_reason = $3 where id::text = $1 returning ${COLUMNS}`,
        [id, by(context), context.reason ?? null],
      );
      return found(rows[0]);
    });
  }

  private async open(sql: Sql, id: string): Promise<ParkedRow> {
    const { rows } = await sql.query<ParkedRow>(`select ${COLUMNS} from weir.parked_messages where id::text = $1 for update`, [id]);
    const message = found(rows[0]);
    if (message.state === 'done') throw wrongState('The message was released and has been handled.');
    if (message.state === 'dropped') throw wrongState('The message was dropped.');
    return message;
  }
}

const by = ({ actor }: CommandContext): string => `${actor.type}:${actor.id}`;

function found<R>(row: R | undefined): R {
  if (row === undefined) throw notFound('parked message');
  return row;
}
