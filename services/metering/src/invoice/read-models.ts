import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

/** A bigint of PostgreSQL, which its driver gives as a text: a count of credits or milliseconds, both far below 2^53. */
const whole = { to: (value: number | null | undefined) => value, from: (value: string | null) => (value === null ? null : Number(value)) };
/** Money: no number of JavaScript's holds it safely. */
const minor = { to: (value: bigint | null | undefined) => value?.toString(), from: (value: string | null) => (value === null ? null : BigInt(value)) };

@Entity('plan_periods')
export class PlanPeriodRow {
  @PrimaryColumn('text', { name: 'tenant_id' }) tenantId!: string;
  @PrimaryColumn('uuid', { name: 'event_id' }) eventId!: string;
  @Column('bigint', { transformer: whole }) at!: number;
  @Column('text', { name: 'plan_id' }) planId!: string;
  @Column('int', { name: 'plan_version' }) planVersion!: number;
}

export type InvoiceStatus = 'draft' | 'final' | 'corrected';

@Entity('invoices')
@Index('invoices_number', ['tenantId', 'number'], { unique: true, where: '(number IS NOT NULL)' })
@Index('invoices_period', ['tenantId', 'period'])
export class InvoiceRow {
  @PrimaryColumn('text', { name: 'tenant_id' }) tenantId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') kind!: 'invoice' | 'credit-note';
  @Column('text') period!: string;
  @Column('text') status!: InvoiceStatus;
  @Column('text', { nullable: true }) number!: string | null;
  @Column('text') currency!: string;
  @Column('bigint', { name: 'total_minor', transformer: minor }) totalMinor!: bigint;
  @Column('bigint', { name: 'charged_credits', transformer: whole }) chargedCredits!: number;
  @Column('int') seats!: number;
  @Column('text', { nullable: true }) corrects!: string | null;
  @Column('text', { nullable: true }) reason!: string | null;
  @Column('bigint', { name: 'created_at', transformer: whole }) createdAt!: number;
  @Column('bigint', { name: 'finalized_at', nullable: true, transformer: whole }) finalizedAt!: number | null;
}

@Entity('invoice_lines')
export class InvoiceLineRow {
  @PrimaryColumn('text', { name: 'tenant_id' }) tenantId!: string;
  @PrimaryColumn('text', { name: 'invoice_id' }) invoiceId!: string;
  @PrimaryColumn('int') line!: number;
  @Column('text') item!: string;
  @Column('text') description!: string;
  @Column('date', { name: 'from_day' }) fromDay!: string;
  @Column('date', { name: 'to_day' }) toDay!: string;
  @Column('bigint') quantity!: string;
  @Column('text', { name: 'unit_price' }) unitPrice!: string;
  @Column('bigint', { transformer: whole }) per!: number;
  @Column('text', { nullable: true }) share!: string | null;
  @Column('bigint', { name: 'amount_minor', transformer: minor }) amountMinor!: bigint;
}

@Entity('ledger_entries')
export class LedgerEntryRow {
  @PrimaryColumn('text', { name: 'tenant_id' }) tenantId!: string;
  @PrimaryColumn('text', { name: 'document_id' }) documentId!: string;
  @PrimaryColumn('int') entry!: number;
  @Column('text') account!: string;
  @Column('text') currency!: string;
  @Column('bigint', { name: 'amount_minor', transformer: minor }) amountMinor!: bigint;
  @Column('bigint', { transformer: whole }) at!: number;
}

export const ENTITIES = [PlanPeriodRow, InvoiceRow, InvoiceLineRow, LedgerEntryRow];
