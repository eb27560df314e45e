import { Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { notFound, rfc3339 } from '@weir/kernel';
import { Needs, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import type { UnitOfWork } from '@weir/tenancy';
import { z } from 'zod';

interface ParkedRow {
  id: string;
  service: string;
  grp: string;
  topic: string;
  partition: number;
  offset: string;
  key: string;
  reason: string;
  error_code: string | null;
  state: string;
  parked_at: Date;
}

const COLUMNS = 'id, service, grp, topic, partition, "offset", key, reason, error_code, state, parked_at';

/** Messages that a consumer could not handle, of every service. */
export class ParkedMessages {
  constructor(private readonly work: UnitOfWork) {}

  async list(limit: number, after: string | undefined): Promise<ParkedRow[]> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<ParkedRow>(`select ${COLUMNS} from weir.parked_messages where id::text > $2 order by id::text limit $1`, [limit + 1, after ?? '']),
    );
    return rows;
  }

  async change(id: string, state: 'released' | 'dropped'): Promise<ParkedRow> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<ParkedRow>(`update weir.parked_messages set state = $2 where id::text = $1 and state <> 'dropped' returning ${COLUMNS}`, [id, state]),
    );
    if (rows[0] === undefined) throw notFound('parked message');
    return rows[0];
  }
}

@Controller('v1/parked')
export class ParkedController {
  constructor(private readonly parked: ParkedMessages) {}

  @Get()
  @Needs('operator', 'Messages that could not be handled, with the reason')
  async list(@Query(parse(page)) { limit, cursor }: Page) {
    const rows = await this.parked.list(limit, decodeCursor(cursor, z.string()));
    const { data, nextCursor } = listed(rows, limit, (row) => row.id);
    return { data: data.map(view), nextCursor };
  }

  @Post(':id/release')
  @HttpCode(200)
  @Needs('operator', 'Hand the message to its consumer again, and what waits behind it in order')
  async release(@Param('id') id: string) {
    return view(await this.parked.change(id, 'released'));
  }

  @Post(':id/drop')
  @HttpCode(200)
  @Needs('operator', 'Give the message up')
  async drop(@Param('id') id: string) {
    return view(await this.parked.change(id, 'dropped'));
  }
}

const view = ({ grp, error_code, parked_at, ...row }: ParkedRow) => ({ ...row, group: grp, errorCode: error_code, parkedAt: rfc3339(parked_at.getTime()) });
