import type { BillingException } from '@weir/contracts';
import { fact } from '@weir/kernel';
import { given as scenario } from '@weir/testing';
import { planTermsOf } from '../testing/plans';
import { billing, setException, termsFor } from './billing';

const eur = (amount: string) => ({ amount, currency: 'EUR' });
const exception = (from: string, until: string | null, perCredit = '0.01'): BillingException => ({
  model: 'usage',
  perCredit: eur(perCredit),
  perSeat: eur('0'),
  perMonth: eur('0'),
  includedCredits: 0,
  from,
  until,
});
const set = (data: BillingException) => fact('billing.exception-set', data);
const given = scenario(billing);
const PLAN = planTermsOf({ includedCalls: 100 });

describe('what a tenant pays by', () => {
  it('is its plan, with the credits that are included', () => {
    given()
      .expect((state) => termsFor('2026-11', state, PLAN))
      .toEqual({ source: 'plan', terms: { ...PLAN.billing, includedCredits: 100 } });
  });

  it.each([
    ['2026-10', 'plan'],
    ['2026-11', 'exception'],
    ['2027-01', 'exception'],
    ['2027-02', 'plan'],
  ] as const)('an exception from 2026-11 to 2027-01 makes the terms of %s those of the %s', (month, source) => {
    given(set(exception('2026-11', '2027-01')))
      .expect((state) => termsFor(month, state, PLAN).source)
      .toEqual(source);
  });

  it('an exception without an end holds on', () => {
    given(set(exception('2026-11', null)))
      .expect((state) => termsFor('2099-01', state, PLAN).source)
      .toEqual('exception');
  });

  it('of two exceptions for one month the later agreed one holds', () => {
    given(set(exception('2026-12', null, '0.01')), set(exception('2026-11', null, '0.02')))
      .expect((state) => termsFor('2026-12', state, PLAN).terms.perCredit)
      .toEqual(eur('0.02'));
  });

  it('agreeing on the same again is done already', () => {
    given()
      .when(setException(exception('2026-11', null)))
      .then(set(exception('2026-11', null)));
    given(set(exception('2026-11', null)))
      .when(setException(exception('2026-11', null)))
      .then();
  });
});
