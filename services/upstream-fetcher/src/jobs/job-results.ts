import { rfc3339, type TenantId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

/** After which result to go on: item and page. */
export interface ResultPlace {
  readonly item: number;
  readonly page: number;
}

interface Row {
  item: number;
  page: number;
  endpoint: string;
  query: string;
  state: 'done' | 'failed';
  request_id: string | null;
  status: number | null;
  credits: number | null;
  cache: string | null;
  error: string | null;
  body: Buffer | null;
  fetched_at: Date | null;
}

const PAGE = 100;

/**
 * What there is of a job's results, a line each, in the order of its items: finished or not, a reader goes on later from where it was. An
 * answer is in its line as the upstream sent it; only its line breaks, which stand between tokens, become spaces.
 */
export async function* resultLines(work: UnitOfWork, tenant: TenantId, jobId: string, after: ResultPlace): AsyncGenerator<string> {
  for (let from = after; ;) {
    const { rows } = await work.inTenant(tenant, (sql) =>
      sql.query<Row>(
        `select item, page, endpoint, query, state, request_id, status, credits, cache, error, body, fetched_at from fetch_job_items
         where tenant_id = $1 and job_id = $2 and (item, page) > ($3, $4) and state in ('done', 'failed') order by item, page limit $5`,
        [tenant, jobId, from.item, from.page, PAGE],
      ),
    );
    if (rows.length > 0) yield rows.map(toLine).join('');
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE) return;
    from = last;
  }
}

function toLine({ body, fetched_at, request_id, query, state, ...row }: Row): string {
  const head = JSON.stringify({
    item: row.item,
    page: row.page,
    endpoint: row.endpoint,
    params: Object.fromEntries(new URLSearchParams(query)),
    ok: state === 'done' && row.status === 200,
    status: row.status,
    credits: row.credits ?? 0,
    cache: row.cache,
    requestId: request_id,
    fetchedAt: fetched_at === null ? null : rfc3339(fetched_at.getTime()),
    error: row.error,
  });
  return `${head.slice(0, -1)},"body":${bodyOf(body)}}\n`;
}

function bodyOf(body: Buffer | null): string {
  if (body === null) return 'null';
  const text = body.toString('utf8');
  try {
    JSON.parse(text);
    return text.replace(/[\r\n]+/g, ' ');
  } catch {
    return JSON.stringify(text);
  }
}
