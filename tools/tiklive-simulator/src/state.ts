import { Journal, readJournal, rewriteJournal } from './journal';
import { newKey, Keys, type Key } from './keys';
import { Ledger, type LedgerEntry, type Total } from './ledger';
import type { MonotonicMs } from './token-bucket';

export interface State {
  readonly keys: Keys;
  readonly ledger: Ledger;
  readonly journal: Journal;
}

/**
 * Keys, balances and the ledger, as the state file has them. The file is compacted here, at the start, and only appended to after.
 * A balance follows from the last line of its key and the ledger's lines after it: a charge is one line, so there is no state between.
 */
export async function openState(stateFile: string | undefined, ledgerLimit: number, now: MonotonicMs): Promise<State> {
  if (stateFile === undefined) return emptyState(Journal.none(), ledgerLimit, now);

  const past = emptyState(Journal.none(), ledgerLimit, now);
  for await (const line of readJournal(stateFile)) replay(past, line);
  rewriteJournal(stateFile, snapshot(past));

  const present = emptyState(Journal.open(stateFile), ledgerLimit, now);
  for (const line of snapshot(past)) replay(present, line as Record<string, unknown>);
  return present;
}

const emptyState = (journal: Journal, ledgerLimit: number, now: MonotonicMs): State => ({
  keys: new Keys(journal, now),
  ledger: new Ledger(journal, ledgerLimit),
  journal,
});

/** The ledger first: the keys' lines after it are their balances as they stand. */
function* snapshot({ ledger, keys }: State): Iterable<object> {
  yield* ledger.lines();
  for (const key of keys.list()) yield { t: 'key', ...key };
}

function replay({ keys, ledger }: State, { t, ...line }: Record<string, unknown>): void {
  switch (t) {
    case 'key':
      return keys.restore(newKey.parse(line));
    case 'key-removed':
      return keys.restoreRemoval(line.key as string);
    case 'call': {
      const entry = line as unknown as LedgerEntry;
      ledger.restore(entry);
      const key: Key | undefined = keys.find(entry.key);
      if (key !== undefined) keys.charge(key, entry.credits);
      return;
    }
    case 'totals':
      return ledger.restoreTotals(line.next as number, line.totals as Total[]);
    case 'ledger-cleared':
      return ledger.restoreClearing((line.key as string | null) ?? undefined);
    default:
      throw new Error(`the state file holds a line of unknown kind '${String(t)}': it was written by another version`);
  }
}
