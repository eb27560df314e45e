import { AppError, type Decide } from '@weir/kernel';
import { given } from './given';

type Turned = { type: 'turned'; by: number };
const tap = given<number, Turned>({ initial: 0, evolve: (open, { by }) => open + by });
const turn =
  (by: number): Decide<number, Turned> =>
  (open) => {
    if (open + by > 3) throw new AppError('too-far', 'conflict', 'It turns no further.');
    return by === 0 ? [] : [{ type: 'turned', by }];
  };

describe('a scenario', () => {
  it('holds when the decision follows, is refused with the code, or the answer is right', () => {
    tap({ type: 'turned', by: 1 }).when(turn(2)).then({ type: 'turned', by: 2 });
    tap().when(turn(0)).then();
    tap({ type: 'turned', by: 2 }).when(turn(2)).throws('too-far');
    tap({ type: 'turned', by: 2 }).expect((open) => open > 1).toEqual(true);
  });

  it('fails when anything else happens', () => {
    expect(() => tap().when(turn(2)).then()).toThrow();
    expect(() => tap().when(turn(2)).throws('too-far')).toThrow();
    expect(() => tap().when(turn(4)).throws('another-code')).toThrow();
    expect(() => tap().expect((open) => open).toEqual(1)).toThrow();
  });
});
