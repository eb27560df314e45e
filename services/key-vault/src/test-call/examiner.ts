import { AppError, type Clock } from '@weir/kernel';
import type { Catalog } from '@weir/upstream-catalog';
import type { Verdict } from '../upstream-key/upstream-key';
import type { AskBalance } from '../platform-pool/credit-watch';
import type { Account, Attempts } from './attempts';
import { describeCeiling, describeFloor, describeScope, describeTest, describeUnseen, outcomeOf } from './report';

/** Tries a secret against the upstream: the cheapest call first, then, where it is accepted, one probe per scope. */
export class Examiner {
  constructor(
    private readonly attempts: Attempts,
    private readonly catalog: Catalog,
    private readonly clock: Clock,
    private readonly credits: { readonly ask: AskBalance; readonly floor: number },
  ) {}

  /** @throws AppError `not-accountable`: no call was made */
  async examine(account: Account, secret: Buffer): Promise<Verdict> {
    const { testCall, scopeProbes } = this.catalog;
    const answer = await this.attempts.call(account, 1, testCall, secret);
    const outcome = outcomeOf(this.catalog, testCall, answer);
    const checks = describeTest(testCall, answer, outcome);
    const scopes: string[] = [];

    if (outcome === 'accepted') {
      for (const [index, probe] of scopeProbes.entries()) {
        const probed = await this.attempts.call(account, index + 2, probe, secret).catch(onlyUnaccountable);
        const found = describeScope(probe, probed);
        scopes.push(...found.scopes);
        checks.push(found.check);
      }
      checks.push(describeFloor(await this.credits.ask(secret), this.credits.floor));
    } else checks.push(...describeUnseen(scopeProbes));
    checks.push(describeCeiling(this.catalog));
    return { version: account.place.version, outcome, scopes, checks, at: this.clock() };
  }
}

/** The key is judged already; that a scope cannot be looked at now does not undo it. */
function onlyUnaccountable(error: unknown): undefined {
  if (error instanceof AppError && error.code === 'not-accountable') return undefined;
  throw error;
}
