import { tiklive, type OwnCall } from '@weir/upstream-catalog';
import { describeCeiling, describeFloor, describeScope, describeTest, outcomeOf } from './report';
import type { Answer } from './upstream';

const { testCall, scopeProbes } = tiklive;
const [download] = scopeProbes as readonly [OwnCall];

const answered = (status: number, body: unknown = {}): Answer => ({ is: 'answered', status, body, tookMs: 12 }) as Answer;
const notSent: Answer = { is: 'not-sent', code: 'ECONNREFUSED' } as Answer;
const noAnswer: Answer = { is: 'no-answer', code: 'UND_ERR_HEADERS_TIMEOUT' } as Answer;

/** What the upstream answers to the test call when all is well. */
const userid = answered(200, { id: '107955' });

const report = (answer: Answer) => {
  const outcome = outcomeOf(tiklive, testCall, answer);
  return { outcome, checks: describeTest(testCall, answer, outcome) };
};
const named = (answer: Answer) => Object.fromEntries(report(answer).checks.map(({ name, result }) => [name, result]));
const failed = (answer: Answer) => report(answer).checks.find(({ result }) => result === 'failed');

describe('what an answer to the test call says of the key', () => {
  it.each([
    ['401', answered(401), 'unauthorized'],
    ['402', answered(402), 'out-of-credits'],
    ['429', answered(429), 'rate-limited'],
    ['500', answered(500), 'unreachable'],
    ['503', answered(503), 'unreachable'],
    ['403, which no key has to answer for', answered(403), 'unreachable'],
    ['200 with HTML', { is: 'answered', status: 200, body: undefined, tookMs: 1 } as Answer, 'unreachable'],
    ['200 of another shape', answered(200, { hello: 'world' }), 'unreachable'],
    ['no connection', notSent, 'unreachable'],
    ['no answer', noAnswer, 'unreachable'],
  ] as const)('%s', (_, answer, outcome) => expect(report(answer).outcome).toBe(outcome));
});

describe('the report tells what was looked at apart, and what to do', () => {
  it('a key that works: every check is passed, and there is nothing to do', () => {
    const { outcome, checks } = report(userid);
    expect(outcome).toBe('accepted');
    expect(named(userid)).toEqual({ 'upstream-reached': 'passed', 'key-known': 'passed', 'credits-left': 'passed', 'within-rate': 'passed' });
    for (const { nextStep } of checks) expect(nextStep).toBe('Nothing to do.');
  });

  it('a wrong key: it is not known, and that is all that is known of it', () => {
    expect(named(answered(401))).toEqual({ 'upstream-reached': 'passed', 'key-known': 'failed', 'credits-left': 'unknown', 'within-rate': 'unknown' });
    expect(failed(answered(401))?.nextStep).toMatch(/does not know this key, or has suspended it.*Copy it again/);
  });

  it('F3 an empty key: it is right, and credits are what it lacks', () => {
    expect(named(answered(402))).toEqual({ 'upstream-reached': 'passed', 'key-known': 'passed', 'credits-left': 'failed', 'within-rate': 'unknown' });
    expect(failed(answered(402))?.nextStep).toMatch(/The key is right and its credits are used up\. Buy credits/);
  });

  it("the upstream's limit: whether the key is right is not said by it", () => {
    expect(named(answered(429))).toEqual({ 'upstream-reached': 'passed', 'key-known': 'unknown', 'credits-left': 'unknown', 'within-rate': 'failed' });
    expect(failed(answered(429))?.nextStep).toMatch(/The upstream limits this key's rate just now\. Wait a minute/);
  });

  it.each([
    ['no connection', notSent, /was not sent: no connection \(ECONNREFUSED\)/],
    ['silence', noAnswer, /had no answer \(UND_ERR_HEADERS_TIMEOUT\)/],
    ['an upstream in trouble', answered(502), /answered 502 in 12 ms/],
  ])('%s: nothing was learned about the key, and nothing is said of it', (_, answer, evidence) => {
    expect(named(answer)).toEqual({ 'upstream-reached': 'failed' });
    expect(failed(answer)?.evidence).toMatch(evidence);
    expect(failed(answer)?.nextStep).toMatch(/Nothing was learned about the key\. Check it again/);
  });

  it.each([answered(401), answered(402), answered(429), notSent, noAnswer, answered(500), userid])('every check has evidence and a next step in whole sentences (%#)', (answer) => {
    for (const { evidence, nextStep } of report(answer).checks) {
      expect(evidence).toMatch(/^GET \/userid\/ .+\.$/);
      expect(nextStep).toMatch(/^[A-Z].+\.$/);
    }
  });
});

describe('credits left', () => {
  it.each([
    [100, 100, 'passed'],
    [101, 100, 'passed'],
    [99, 100, 'failed'],
    [0, 100, 'failed'],
    [0, 0, 'passed'],
  ] as const)('%i where the floor is %i: %s', (credits, floor, result) => expect(describeFloor(credits, floor)).toMatchObject({ name: 'credit-floor', result, evidence: `The upstream says ${credits} credits are left.` }));

  it('are not made up where the upstream did not say', () => expect(describeFloor(undefined, 100)).toMatchObject({ result: 'unknown', evidence: expect.stringContaining('did not say') }));

  it('below the floor the next step says what happens at their end', () => expect(describeFloor(3, 100).nextStep).toMatch(/below 100: the key works, and calls are answered 402 once they are used up/));
});

describe('the ceiling of the rate', () => {
  it('is said with the words that tell whose 429 is whose', () => {
    const { evidence, nextStep } = describeCeiling(tiklive);
    expect(evidence).toContain(`${tiklive.keyRate.perMinute} calls a minute of one key, ${tiklive.keyRate.burst} at once`);
    for (const whose of ["'upstream-key' is this ceiling", "'upstream' is the upstream's own no", 'every other is a limit of your plan here']) expect(nextStep).toContain(whose);
  });
});

describe('the scope of a key', () => {
  const fields = download.endpoint.proves?.fields ?? [];
  const name = `scope-${download.endpoint.proves?.scope}`;

  it('is probed by what only that tier answers: play, wmplay and hdplay', () => {
    expect(download.endpoint.proves?.scope).toBe('download');
    expect(fields).toEqual(expect.arrayContaining(['play', 'wmplay', 'hdplay']));
  });

  it('is unknown and not missing where the probe was not made or had no proper answer', () => {
    expect(describeScope(download, undefined)).toMatchObject({ scopes: [], check: { name, result: 'unknown', evidence: expect.stringContaining('not made') } });
    for (const answer of [answered(500), notSent, noAnswer, answered(200, { other: 'shape' }), answered(429)]) {
      expect(describeScope(download, answer)).toMatchObject({ scopes: [], check: { name, result: 'unknown', nextStep: expect.stringContaining('Check the key again') } });
    }
  });
});
