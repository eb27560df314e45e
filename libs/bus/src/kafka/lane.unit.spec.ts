import type { Message } from 'kafkajs';
import { Call, Lane } from './lane';

const message = (value: string): Message => ({ key: 'k', value });

describe('a partition’s lane', () => {
  /** A lane whose sends end when they are told to. */
  function lane() {
    const sent: { values: string[]; answer: PromiseWithResolvers<void> }[] = [];
    const lane = new Lane((messages) => {
      const answer = Promise.withResolvers<void>();
      sent.push({ values: messages.map(({ value }) => String(value)), answer });
      return answer.promise;
    });
    const publish = (...values: string[]) => {
      const call = new Call(values.length);
      for (const value of values) lane.add(message(value), call);
      return call.done;
    };
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    return { sent, publish, turn, drained: () => lane.drained() };
  }

  it('sends at once, and what comes meanwhile with the next batch, in order', async () => {
    const { sent, publish, turn } = lane();
    const first = publish('1');
    await turn();
    const later = [publish('2', '3'), publish('4')];
    await turn();
    expect(sent.map(({ values }) => values)).toEqual([['1']]);
    sent[0]?.answer.resolve();
    await first;
    await turn();
    expect(sent[1]?.values).toEqual(['2', '3', '4']);
    sent[1]?.answer.resolve();
    await Promise.all(later);
  });

  it('tells every call of a batch that failed, and goes on with the next', async () => {
    const { sent, publish, turn } = lane();
    const failing = Promise.allSettled([publish('1'), publish('2')]);
    await turn();
    const next = publish('3');
    sent[0]?.answer.reject(new Error('gone'));
    expect((await failing).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await turn();
    expect(sent[1]?.values).toEqual(['3']);
    sent[1]?.answer.resolve();
    await next;
  });

  it('sends nothing more of a call that has failed: its caller sends all of it again, in order', async () => {
    const { sent, publish, turn, drained } = lane();
    const large = 'x'.repeat(500_000);
    const call = publish('1', large, large, '2');
    const settled = call.catch((error: Error) => error.message);
    const other = publish('3');
    await turn();
    expect(sent[0]?.values).toEqual(['1', large]);
    sent[0]?.answer.reject(new Error('gone'));
    expect(await settled).toBe('gone');
    await turn();
    expect(sent[1]?.values).toEqual(['3']);
    sent[1]?.answer.resolve();
    await other;
    await drained();
    expect(sent).toHaveLength(2);
  });

  it('bounds a batch, but sends a message that is larger than the bound alone', async () => {
    const { sent, publish, turn } = lane();
    const done = publish('1', 'y'.repeat(2_000_000), '2');
    for (let i = 0; i < 3; i++) {
      await turn();
      sent[i]?.answer.resolve();
    }
    await done;
    expect(sent.map(({ values }) => values.map(({ length }) => length))).toEqual([[1], [2_000_000], [1]]);
  });
});
