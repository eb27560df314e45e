/** How far a check got. A skipped one names the command that would let it run. */
export type Outcome =
  | { readonly is: 'ok'; readonly detail: string }
  | { readonly is: 'skipped'; readonly why: string; readonly install: string }
  | { readonly is: 'failed'; readonly problems: readonly string[] };

export interface Check {
  readonly name: string;
  run(): Promise<Outcome> | Outcome;
}

export const judged = (problems: readonly string[], detail: string): Outcome =>
  problems.length === 0 ? { is: 'ok', detail } : { is: 'failed', problems };

export const skipped = (why: string, install: string): Outcome => ({ is: 'skipped', why, install });
