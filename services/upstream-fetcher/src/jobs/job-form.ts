import { parse as parseCsv } from 'csv-parse/sync';
import { invalid } from '@weir/kernel';
import { checkParameters, type Catalog, type Endpoint, type Offered } from '@weir/upstream-catalog';
import { z } from 'zod';
import { badItems } from '../errors';

export const MOST_ITEMS = 10_000;
const MOST_PAGES = 100;
const MOST_PROBLEMS = 20;

const pages = z.number().int().min(1).max(MOST_PAGES);
const params = z.record(z.string().max(64), z.union([z.string().max(2_048), z.number()]));
const options = {
  name: z.string().min(1).max(100).optional(),
  /** How old an answer from the cache may be; 0 = fresh. */
  maxAgeSeconds: z.number().int().min(0).max(86_400).optional(),
  /** Refuses the job when the quote is higher. */
  maxCredits: z.number().int().min(0).optional(),
  /** By when it should be done; the end of the night, 06:00 UTC, unless said otherwise. */
  finishBy: z.iso.datetime({ offset: true }).optional(),
};

/** Items one by one, or one endpoint with what to ask it for: the values of its one required parameter. */
export const jobBody = z
  .strictObject({
    ...options,
    items: z.array(z.strictObject({ endpoint: z.string().max(64), params, pages: pages.optional() })).min(1).max(MOST_ITEMS).optional(),
    endpoint: z.string().max(64).optional(),
    targets: z.array(z.string().min(1).max(2_048)).min(1).max(MOST_ITEMS).optional(),
    params: params.optional(),
    pages: pages.optional(),
  })
  .refine(
    ({ items, endpoint, targets }) => (items === undefined) !== (targets === undefined) && (targets === undefined) === (endpoint === undefined),
    'give items, or an endpoint with targets',
  );
export type JobBody = z.infer<typeof jobBody>;

/** What stands in the query beside a CSV body. */
export const csvOptions = z.strictObject({
  name: options.name,
  maxAgeSeconds: z.coerce.number().pipe(z.number().int().min(0).max(86_400)).optional(),
  maxCredits: z.coerce.number().pipe(z.number().int().min(0)).optional(),
  finishBy: options.finishBy,
  endpoint: z.string().max(64).optional(),
});
export type CsvOptions = z.infer<typeof csvOptions>;

/** A header of parameter names, with `endpoint` and `pages` where they differ by row; empty cells are left out. */
export function readCsv(text: string, { endpoint, ...rest }: CsvOptions): JobBody {
  let rows: Record<string, string>[];
  try {
    rows = parseCsv(text, { columns: true, skip_empty_lines: true, trim: true, bom: true, to: MOST_ITEMS + 1 });
  } catch (error) {
    throw invalid(`The CSV cannot be read: ${(error as Error).message}. Its first line names the columns.`);
  }
  const items = rows.map(({ endpoint: own, pages: text, ...cells }) => ({
    endpoint: own || endpoint || '',
    params: Object.fromEntries(Object.entries(cells).filter(([, cell]) => cell !== '')),
    ...(text ? { pages: Number(text) } : {}),
  }));
  const body = jobBody.safeParse({ ...rest, items });
  if (body.success) return body.data;
  const problems = body.error.issues.slice(0, MOST_PROBLEMS).map((issue) => ({ field: issue.path.join('.'), problem: issue.message }));
  throw invalid(`The CSV is not valid: ${problems.map(({ field, problem }) => `${field}: ${problem}`).join('; ')}.`, { problems });
}

/** One thing to fetch, checked against the catalog. */
export interface JobItem {
  readonly endpoint: Endpoint;
  /** Canonical; equal items have equal texts. */
  readonly query: string;
  /** Pages at most. */
  readonly pages: number;
}

/** The items of one job: all of one upstream, for it waits for that one's keys. */
export interface JobItems {
  readonly catalog: Catalog;
  readonly items: readonly JobItem[];
}

/**
 * Every item is one that its catalog takes, before any is fetched.
 *
 * @param offered by the endpoints' ids
 * @throws AppError `invalid-request` that names the first items that are not, by their place from 1 and without their values
 */
export function checkItems(offered: ReadonlyMap<string, Offered>, body: JobBody): JobItems {
  let catalog: Catalog | undefined;
  const problems: { item: number; problem: string }[] = [];
  const checked: JobItem[] = [];
  for (const [index, { endpoint: id, params, pages = 1 }] of asked(offered, body).entries()) {
    const endpoint = offered.get(id)?.endpoint;
    catalog ??= offered.get(id)?.catalog;
    const result = endpoint && checkParameters(endpoint, textsOf(params));
    if (endpoint === undefined || result === undefined) problems.push({ item: index + 1, problem: 'there is no such endpoint; GET /v1/catalog lists them' });
    else if (offered.get(id)?.catalog !== catalog) problems.push({ item: index + 1, problem: `${id} is not of the same upstream as those before it; make a job for each` });
    else if (!result.ok) problems.push({ item: index + 1, problem: `${result.parameter} ${result.problem}` });
    else if (pages > 1 && endpoint.paging.scheme === 'none') problems.push({ item: index + 1, problem: `${id} has no pages` });
    else checked.push({ endpoint, query: result.canonical, pages });
  }
  if (catalog === undefined || problems.length > 0) throw badItems(problems.slice(0, MOST_PROBLEMS), problems.length - 1);
  return { catalog, items: checked };
}

type Asked = NonNullable<JobBody['items']>;

function asked(offered: ReadonlyMap<string, Offered>, { items, endpoint = '', targets = [], params = {}, pages }: JobBody): Asked {
  if (items !== undefined) return items;
  const name = targetOf(offered.get(endpoint)?.endpoint);
  return targets.map((target) => ({ endpoint, params: { ...params, [name]: target }, pages }));
}

/** The parameter that an endpoint cannot do without: whom or what it is asked about. */
export function targetOf(endpoint: Endpoint | undefined): string {
  const required = endpoint?.parameters.filter(({ declared }) => declared.required) ?? [];
  if (required.length !== 1 || required[0] === undefined) throw invalid('targets need an endpoint with one required parameter; GET /v1/catalog lists them.', { field: 'endpoint' });
  return required[0].name;
}

const textsOf = (params: Readonly<Record<string, string | number>>): Record<string, string> =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name, String(value)]));
