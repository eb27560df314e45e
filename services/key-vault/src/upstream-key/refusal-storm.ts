import type { Clock, KeyId } from '@weir/kernel';
import type { UnitOfWork } from '@weir/tenancy';

const TESTIMONY_MS = 1_000;

export interface StormBounds {
  /** Different keys refused within the window, from which on it may be the upstream's trouble. */
  readonly keys: number;
  readonly windowMs: number;
}

/**
 * Refusals (401) of many keys at once. A tenant's key goes bad alone; when those of many tenants do in the same minute, the upstream has lost its
 * mind, and calling all of them invalid would stop every customer for longer than the upstream's trouble lasts. Unless a witness, a key of the
 * platform's own, is accepted in the same moment: then they are bad indeed.
 */
export class RefusalStorm {
  constructor(
    private readonly work: UnitOfWork,
    private readonly bounds: StormBounds,
    /** Whether the upstream knows a key that is known to be good; undefined: there is none to ask with. */
    private readonly witness: () => Promise<boolean | undefined>,
    private readonly onStorm: (keys: number) => void,
    private readonly clock: Clock,
  ) {}

  private asked: { readonly at: number; readonly answer: Promise<boolean | undefined> } | undefined;

  async heard(keyIds: readonly KeyId[]): Promise<void> {
    if (keyIds.length === 0) return;
    // in one order, so that two who hear the same keys do not wait for each other
    await this.work.inControl((sql) =>
      sql.query(
        'insert into refused_keys (key_id) select id from unnest($1::text[]) as t(id) order by id on conflict (key_id) do update set at = now()',
        [keyIds],
      ),
    );
  }

  /** Whether no refusal is to be believed now. */
  async rages(): Promise<boolean> {
    const { rows } = await this.work.inControl((sql) =>
      sql.query<{ keys: number }>("select count(*)::int as keys from refused_keys where at > now() - $1 * interval '1 ms'", [this.bounds.windowMs]),
    );
    const keys = rows[0]?.keys ?? 0;
    if (keys < this.bounds.keys || (await this.testimony()) === true) return false;
    this.onStorm(keys);
    return true;
  }

  /** Once in a while: each asking costs the platform a credit. */
  private testimony(): Promise<boolean | undefined> {
    const now = this.clock();
    if (this.asked === undefined || now >= this.asked.at + TESTIMONY_MS) this.asked = { at: now, answer: this.witness() };
    return this.asked.answer;
  }

  async forgetOld(): Promise<void> {
    await this.work.inControl((sql) =>
      sql.query("delete from refused_keys where at < now() - $1 * interval '1 ms'", [this.bounds.windowMs]),
    );
  }
}
