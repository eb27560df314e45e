import { Body, Controller, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { Describes, Needs, decodeCursor, listed, page, parse, type Page } from '@weir/service-host';
import { z } from 'zod';
import { ReconciliationService } from './reconciliation.service';

const MOST_LINES = 5_000;

const statement = z.strictObject({
  /** A name of its own; lines that come again under it are known. */
  source: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,99}$/, 'must be lower case letters, digits, dots and dashes'),
  /** The upstream key that the statement is of. */
  keyId: z.string().startsWith('key_'),
  /** RFC 3339: every call from then on and before then is listed. Given with the last part. */
  covers: z.strictObject({ from: z.iso.datetime({ offset: true }), to: z.iso.datetime({ offset: true }) }).optional(),
  lines: z
    .array(
      z.strictObject({
        line: z.number().int().positive(),
        at: z.iso.datetime({ offset: true }),
        credits: z.number().int().nonnegative(),
        /** `<request>/<attempt>` as Weir sent it in X-Request-Id, where the statement has it. */
        requestId: z.string().max(200).optional(),
        status: z.number().int().min(0).max(999).optional(),
      }),
    )
    .max(MOST_LINES),
});
export type Statement = z.infer<typeof statement>;

const again = z.strictObject({ source: z.string().max(100), from: z.iso.datetime({ offset: true }) });

@Controller('v1/reconciliations')
export class ReconciliationController {
  constructor(private readonly reconciliations: ReconciliationService) {}

  @Get()
  @Needs('operator', 'Comparisons of our records with the upstream’s own account, the newest first: what differs by class, what is open')
  @Describes({ query: page, responses: { 200: { description: 'Comparisons, and how much is open' } } })
  async list(@Query(parse(page)) { limit, cursor }: Page) {
    const found = await this.reconciliations.list(limit + 1, decodeCursor(cursor, z.uuid()));
    return { ...listed(found, limit, ({ id }) => id), ...(await this.reconciliations.open()) };
  }

  @Get(':r')
  @Needs('operator', 'A comparison with each of its differences: its class, what explains it, what was decided')
  @Describes({ params: { r: 'The comparison’s id' }, responses: { 200: { description: 'The comparison' } } })
  get(@Param('r') id: string) {
    return this.reconciliations.get(id);
  }

  @Post('statements')
  @HttpCode(202)
  @Needs('operator', 'Takes lines of a statement of the upstream for one of its keys, in as many parts as it takes; compared once it says what it covers')
  @Describes({ body: statement, responses: { 202: { description: 'Taken; GET /reconciliations shows the comparison' } } })
  import(@Body(parse(statement)) body: Statement) {
    return this.reconciliations.import(body);
  }

  @Post('again')
  @HttpCode(202)
  @Needs('operator', 'Compares a source again from a moment on, as after usage that came late')
  @Describes({ body: again, responses: { 202: { description: 'Compared by the next look' } } })
  again(@Body(parse(again)) { source, from }: z.infer<typeof again>) {
    return this.reconciliations.again(source, Date.parse(from));
  }
}
