import { shareOf } from './shares';

describe('shares of a topic', () => {
  it('give each partition to exactly one member, and no member more than one above another', () => {
    for (const partitions of [1, 3, 6, 12]) {
      for (let count = 1; count <= 7; count++) {
        const members = Array.from({ length: count }, (_, i) => `member-${i}`);
        const shares = members.map((member) => shareOf(member, members, 'weir.usage', partitions));
        expect(shares.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: partitions }, (_, i) => i));
        const sizes = shares.map((share) => share.length);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }
    }
  });

  it('give nothing to one that is no member', () => {
    expect(shareOf('stranger', ['member'], 'weir.usage', 6)).toEqual([]);
  });

  it('begin at another member for another topic, so that single partitions spread', () => {
    const members = ['a', 'b', 'c'];
    const owners = ['weir.tenant.state', 'weir.plan.state', 'weir.quota.state', 'weir.budget.state'].map((topic) =>
      members.find((m) => shareOf(m, members, topic, 1).length === 1),
    );
    expect(new Set(owners).size).toBeGreaterThan(1);
  });
});
