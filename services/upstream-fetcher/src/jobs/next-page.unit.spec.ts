import { tiklive } from '@weir/upstream-catalog';
import { nextPage } from './next-page';

const endpoint = (id: string) => tiklive.endpoints.find((one) => one.id === id) as (typeof tiklive.endpoints)[number];

describe('the page after an answer', () => {
  it('is asked for by cursor or by time, as the catalog says of the endpoint, in the canonical order', () => {
    expect(nextPage(endpoint('user-posts'), 'count=30&userid=1', { cursor: '99', hasMore: true })).toBe('count=30&cursor=99&userid=1');
    expect(nextPage(endpoint('user-followers'), 'time=5&userid=1', { time: 4, hasMore: true })).toBe('time=4&userid=1');
  });
  it('is none where the answer says that it was the last, says nothing, or would lead in a circle', () => {
    expect(nextPage(endpoint('user-posts'), 'userid=1', { cursor: '99', hasMore: false })).toBeUndefined();
    expect(nextPage(endpoint('user-posts'), 'userid=1', { hasMore: true })).toBeUndefined();
    expect(nextPage(endpoint('user-posts'), 'cursor=99&userid=1', { cursor: '99', hasMore: true })).toBeUndefined();
    expect(nextPage(endpoint('userid'), 'username=a', { id: '1' })).toBeUndefined();
  });
});
