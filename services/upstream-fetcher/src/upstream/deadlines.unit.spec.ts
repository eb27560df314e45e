import { Deadlines } from './deadlines';

const AFTER_MS = 100;

describe('one timer for all that may wait equally long', () => {
  let late: string[];
  let told: (name: string) => void;
  let deadlines: Deadlines<string>;

  beforeEach(() => {
    jest.useFakeTimers();
    late = [];
    told = () => undefined;
    deadlines = new Deadlines<string>(AFTER_MS, (name) => {
      late.push(name);
      told(name);
    });
  });
  afterEach(() => jest.useRealTimers());

  it('tells of each that still waits when its time is over, and of none before', () => {
    deadlines.begin('a');
    jest.advanceTimersByTime(60);
    deadlines.begin('b');
    jest.advanceTimersByTime(39);
    expect(late).toEqual([]);
    jest.advanceTimersByTime(1);
    expect(late).toEqual(['a']);
    jest.advanceTimersByTime(59);
    expect(late).toEqual(['a']);
    jest.advanceTimersByTime(1);
    expect(late).toEqual(['a', 'b']);
  });

  it('tells of none that has ended, and of those after it in time', () => {
    const first = deadlines.begin('a');
    const second = deadlines.begin('b');
    jest.advanceTimersByTime(50);
    deadlines.begin('c');
    deadlines.end(second);
    deadlines.end(first);
    deadlines.end(first);
    jest.advanceTimersByTime(100);
    expect(late).toEqual(['c']);
  });

  it('never has more than one timer, and none when nobody waits', () => {
    const begun = Array.from({ length: 1_000 }, (_, i) => deadlines.begin(`${i}`));
    expect(jest.getTimerCount()).toBe(1);
    for (const one of begun) deadlines.end(one);
    expect(jest.getTimerCount()).toBe(0);
    deadlines.begin('a');
    jest.advanceTimersByTime(AFTER_MS);
    expect(late).toEqual(['a']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('tells each in time that began when another was told that it is late', () => {
    told = (name) => {
      if (name === 'a') deadlines.begin('c');
    };
    deadlines.begin('a');
    jest.advanceTimersByTime(60);
    deadlines.begin('b');
    jest.advanceTimersByTime(100);
    expect(late).toEqual(['a', 'b']);
    jest.advanceTimersByTime(40);
    expect(late).toEqual(['a', 'b', 'c']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('tells of none that another ended by being late', () => {
    const ends = [deadlines.begin('a'), deadlines.begin('b'), deadlines.begin('c')];
    told = () => ends.forEach((one) => deadlines.end(one));
    jest.advanceTimersByTime(AFTER_MS);
    expect(late).toEqual(['a']);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('loses none of thousands, whichever of them end', () => {
    const meant: string[] = [];
    for (let i = 0; i < 5_000; i++) {
      const one = deadlines.begin(`${i}`);
      if (i % 7 === 0) meant.push(`${i}`);
      else deadlines.end(one);
      if (i % 100 === 0) jest.advanceTimersByTime(1);
    }
    jest.advanceTimersByTime(AFTER_MS);
    expect(late).toEqual(meant);
  });
});
