/** Calendar periods in UTC, as whole numbers that grow by one: days since the epoch; year * 12 + month - 1. */
export type Period = 'day' | 'month';

const DAY_MICROS = 86_400_000_000;

export function periodAt(kind: Period, nowMicros: number): number {
  const day = Math.floor(nowMicros / DAY_MICROS);
  if (kind === 'day') return day;
  if (day !== lastDay.day) lastDay = { day, month: monthOf(day) };
  return lastDay.month;
}

/** Asked for with every call, and another one once a day. */
let lastDay = { day: NaN, month: NaN };

function monthOf(day: number): number {
  const date = new Date(day * 86_400_000);
  return date.getUTCFullYear() * 12 + date.getUTCMonth();
}

/** The first instant that is no longer in the period. */
export function periodEndMicros(kind: Period, period: number): number {
  return kind === 'day' ? (period + 1) * DAY_MICROS : Date.UTC(Math.floor((period + 1) / 12), (period + 1) % 12) * 1000;
}

/** The number of `2026-11-24` or of `2026-11`; undefined for any other text. */
export function parsePeriod(kind: Period, text: string): number | undefined {
  const last = lastParsed[kind];
  if (last.text === text) return last.period;
  const period = readPeriod(kind, text);
  lastParsed[kind] = { text, period };
  return period;
}

/** All of a day's ledgers are of that day. */
const lastParsed: Record<Period, { text: string; period: number | undefined }> = { day: { text: '', period: undefined }, month: { text: '', period: undefined } };

function readPeriod(kind: Period, text: string): number | undefined {
  if (!(kind === 'day' ? /^\d{4}-\d\d-\d\d$/ : /^\d{4}-\d\d$/).test(text)) return undefined;
  const startMs = Date.parse(kind === 'day' ? `${text}T00:00Z` : `${text}-01T00:00Z`);
  return Number.isNaN(startMs) ? undefined : periodAt(kind, startMs * 1000);
}
