import type { TenantId } from '@weir/kernel';
import type { Sql, UnitOfWork } from '@weir/tenancy';
import { JobTurns, type Turn } from './job-turns';

const TURN: Turn = { tenantId: 'ten_01k9x4zq3hf2v8m7c5w6b1n0ap' as TenantId, jobId: 'job_1', ended: false };

/** A database where the tenant is, and another one that is away. */
function turnsBeside(away: Error, rowCount: number) {
  const asked: string[] = [];
  const sql = { query: async (text: string) => (asked.push(text.trim().slice(0, 16)), { rows: [], rowCount }) } as unknown as Sql;
  const work = {
    inTenant: async (tenant: TenantId, run: (sql: Sql) => Promise<unknown>) => (asked.push(`in ${tenant}`), run(sql)),
    leaveTenant: async () => void asked.push('leave'),
    inEveryControl: () => Promise.reject(away),
  } as unknown as UnitOfWork;
  return { asked, turns: new JobTurns(work, 20_000, () => undefined) };
}

describe('turns of jobs', () => {
  it('are renewed and given back in the database of their tenant alone: another one that is away is no trouble of theirs', async () => {
    const { turns, asked } = turnsBeside(new Error('the other database is away'), 1);
    expect(await turns.renew(TURN, 'a lease', 3)).toBe(true);
    await turns.rest(TURN, 'a lease', Date.now());
    expect(asked).toEqual([`in ${TURN.tenantId}`, 'leave', 'update job_turns', `in ${TURN.tenantId}`, 'leave', 'update job_turns']);
  });

  it('are another’s, or over, where nothing was there to renew', async () => {
    expect(await turnsBeside(new Error('away'), 0).turns.renew(TURN, 'a lease', 3)).toBe(false);
  });
});
