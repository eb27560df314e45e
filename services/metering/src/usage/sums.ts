const OF_KEY = ['day', 'key_owner', 'key_id', 'mode', 'cache', 'difference'];
const OF_DAY = ['day', 'adjusts', 'endpoint', 'project_id', 'token_id', 'status', 'key_owner', 'key_id', 'key_mode', 'mode', 'cache', 'difference'];

/** What sums are kept by, in the order of their keys. */
export const DIMENSIONS = {
  byKey: OF_KEY.join(', '),
  daily: OF_DAY.join(', '),
  hourly: ['day', 'hour', ...OF_DAY.slice(1)].join(', '),
} as const;

export const MEASURES = ['calls', 'upstream_credits', 'charged_credits', 'unsettled_credits'] as const;

/** The measures of rows of usage_events, each of which is so many `calls`. */
export const SUMS = `
  sum(case when counts = 'used' then calls else 0 end) as calls,
  sum(case when counts = 'used' then upstream_credits else 0 end) as upstream_credits,
  sum(case when counts = 'used' then charged_credits else 0 end) as charged_credits,
  sum(case when counts = 'unsettled' then upstream_credits else 0 end) as unsettled_credits`;

/** Adds sums of tenant $1 to a table of them. */
export const addedTo = (table: string, from: string, dimensions: string): string => `
  insert into ${table} as t (tenant_id, ${dimensions}, ${MEASURES.join(', ')})
  select $1, ${dimensions}, ${MEASURES.join(', ')} from ${from} order by ${dimensions}
  on conflict (tenant_id, ${dimensions}) do update set ${MEASURES.map((name) => `${name} = t.${name} + excluded.${name}`).join(', ')}`;
