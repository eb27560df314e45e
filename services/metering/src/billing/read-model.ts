import type { BillingTerms } from './billing';
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity('price_exceptions')
export class PriceExceptionRow {
  @PrimaryColumn('text', { name: 'tenant_id' }) tenantId!: string;
  @PrimaryColumn('int') agreed!: number;
  @Column('text', { name: 'from_month' }) fromMonth!: string;
  @Column('text', { name: 'until_month', nullable: true }) untilMonth!: string | null;
  @Column('jsonb') terms!: BillingTerms;
}
