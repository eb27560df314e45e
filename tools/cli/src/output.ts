import Table from 'cli-table3';
import type { Json, Listed } from './api';
import type { Io } from './io';

/** A column of a table or a line of a record: a title and the path of a member (`plan.id`), or how to say it. */
export type Column = readonly [title: string, of: string | ((row: Json) => unknown)];

/** Tables and records for people on standard output, the API's own JSON with --json; asides for people go to standard error. */
export class Output {
  constructor(
    private readonly io: Io,
    readonly json: boolean,
  ) {}

  list(columns: readonly Column[], page: Listed): void {
    if (this.json) return this.raw(page);
    if (page.data.length === 0) return this.note('there are none');
    this.text(table(columns.map(([title]) => title), page.data.map((row) => columns.map(([, of]) => say(valueOf(row, of))))));
    if (page.nextCursor !== null) this.note(`the first ${page.data.length}; --limit 0 lists all`);
  }

  record(columns: readonly Column[], body: Json): void {
    if (this.json) return this.raw(body);
    const lines = columns.map(([title, of]) => [title, valueOf(body, of)] as const).filter(([, value]) => value !== undefined);
    this.text(table(undefined, lines.map(([title, value]) => [title, say(value)])));
  }

  raw(body: Json): void {
    this.text(JSON.stringify(body, null, 2));
  }

  text(text: string): void {
    this.io.stdout.write(`${text}\n`);
  }

  /** For a person to read; not part of what was asked. */
  note(text: string): void {
    if (!this.json) this.io.stderr.write(`${text}\n`);
  }
}

const valueOf = (row: Json, of: Column[1]): unknown =>
  typeof of === 'function' ? of(row) : of.split('.').reduce((value: Json, member) => (value === null || value === undefined ? value : value[member]), row);

export function say(value: unknown): string {
  if (value === null || value === undefined || value === '') return '-';
  if (Array.isArray(value)) return value.length === 0 ? '-' : value.map(say).join(', ');
  if (typeof value === 'object') return JSON.stringify(value);
  return typeof value === 'string' && INSTANT.test(value) ? `${value.slice(0, 10)} ${value.slice(11, 19)}Z` : String(value);
}
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

const NO_LINES = {
  top: '', 'top-mid': '', 'top-left': '', 'top-right': '', bottom: '', 'bottom-mid': '', 'bottom-left': '', 'bottom-right': '',
  left: '', 'left-mid': '', mid: '', 'mid-mid': '', right: '', 'right-mid': '', middle: '  ',
} as const;

/** No lines and no colours: what is printed can be cut, grepped and read aloud. */
function table(head: readonly string[] | undefined, rows: readonly (readonly string[])[]): string {
  const style = { head: [], border: [], 'padding-left': 0, 'padding-right': 0 };
  const drawn = new Table({ ...(head === undefined ? {} : { head: head.map((title) => title.toUpperCase()) }), chars: NO_LINES, style });
  drawn.push(...rows.map((row) => [...row]));
  return drawn
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
