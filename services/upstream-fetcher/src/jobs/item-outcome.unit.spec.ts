import { AppError } from '@weir/kernel';
import { trialEnded, upstreamFailed, upstreamRateLimited, upstreamTimeout, upstreamUnavailable } from '../errors';
import { troubleOf } from './item-outcome';

describe('what an error means for an item', () => {
  it('a limit is waited for as long as it says, and never less than a second', () => {
    expect(troubleOf(upstreamRateLimited(30_000))).toEqual({ is: 'wait', ms: 30_000, because: 'upstream' });
    expect(troubleOf(upstreamRateLimited(0))).toMatchObject({ is: 'wait', ms: 1_000 });
  });
  it('what somebody has to mend is looked at again after ten minutes, and fails no item', () => {
    expect(troubleOf(trialEnded())).toEqual({ is: 'wait', ms: 600_000, because: 'trial-ended' });
  });
  it('what Weir cannot do now is waited for', () => {
    expect(troubleOf(upstreamUnavailable('no key'))).toMatchObject({ is: 'wait', ms: 5_000, because: 'upstream-unavailable' });
  });
  it('a failure of the upstream is tried again', () => {
    for (const error of [upstreamFailed('502'), upstreamTimeout(), new Error('a bug')]) expect(troubleOf(error).is).toBe('failed');
  });
  it('anything else would end the same way', () => {
    expect(troubleOf(new AppError('invalid-parameter', 'invalid', 'no'))).toEqual({ is: 'hopeless', code: 'invalid-parameter' });
  });
});
