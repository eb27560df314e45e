import { given as scenario } from '@weir/testing';
import { fact } from '@weir/kernel';
import { credit, draft, finalize, invoicing, type Priced } from './invoicing';

const eur = (amount: string) => ({ amount, currency: 'EUR' });
const october: Priced = { period: '2026-10', currency: 'EUR', lines: [], total: eur('10.00'), chargedCredits: 5, seats: 1 };
const data = (priced: Priced, invoiceId: string) => ({ ...priced, lines: [...priced.lines], invoiceId });
const drafted = (priced = october, id = 'inv_1') => fact('invoice.drafted', data(priced, id));
const finalized = (priced = october, id = 'inv_1', number = 'INV-000001') => fact('invoice.finalized', { ...data(priced, id), number });
const credited = (amount: string, number = 'CN-000001', invoiceId = 'inv_1') => fact('invoice.credited', { creditNoteId: 'crn_1', number, invoiceId, amount: eur(amount) });
const given = scenario(invoicing);

describe('the invoices of a tenant', () => {
  it('are drafted, again under the same id when something changed, and not when nothing did', () => {
    given().when(draft(october, 'inv_1')).then(drafted());
    given(drafted()).when(draft(october, 'inv_2')).then();
    given(drafted()).when(draft({ ...october, chargedCredits: 6 }, 'inv_2')).then(drafted({ ...october, chargedCredits: 6 }));
    given(finalized()).when(draft(october, 'inv_2')).then();
  });

  it('become final under the draft’s id, with the next number, once', () => {
    given().when(finalize(october, 'inv_1', false)).then(finalized());
    given(drafted()).when(finalize(october, 'inv_9', false)).then(finalized());
    given(finalized()).when(finalize({ ...october, chargedCredits: 9 }, 'inv_9', false)).then();
    given(finalized()).when(finalize({ ...october, period: '2026-11' }, 'inv_2', false)).then(finalized({ ...october, period: '2026-11' }, 'inv_2', 'INV-000002'));
  });

  it('are taken back by credit notes with numbers of their own, in parts, never more than is left', () => {
    given(finalized()).when(credit('inv_1', undefined, 'crn_1')).then(credited('10.00'));
    given(finalized(), credited('4.00')).when(credit('inv_1', undefined, 'crn_1')).then(credited('6.00', 'CN-000002'));
    given(finalized(), credited('4.00')).when(credit('inv_1', eur('6.01'), 'crn_1')).throws('invalid-request');
    given(finalized()).when(credit('inv_1', eur('0'), 'crn_1')).throws('invalid-request');
    given(finalized()).when(credit('inv_1', { amount: '1.00', currency: 'USD' }, 'crn_1')).throws('invalid-request');
    given(drafted()).when(credit('inv_1', undefined, 'crn_1')).throws('invoice-not-final');
  });

  it('have another one for a month that was taken back whole, when that is asked for', () => {
    given(finalized(), credited('10.00')).when(finalize(october, 'inv_2', false)).then();
    given(finalized(), credited('9.99')).when(finalize(october, 'inv_2', true)).then();
    given(finalized(), credited('10.00')).when(finalize(october, 'inv_2', true)).then(finalized(october, 'inv_2', 'INV-000002'));
  });
});
