import type { BudgetThreshold } from '@weir/contracts';
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity('budgets')
@Index('budgets_name', ['tenantId', 'name'], { unique: true })
export class BudgetRow {
  @PrimaryColumn('text', { name: 'tenant_id' }) tenantId!: string;
  @PrimaryColumn('text') id!: string;
  @Column('text') name!: string;
  @Column('text', { name: 'project_id', nullable: true }) projectId!: string | null;
  @Column('text') period!: 'day' | 'month';
  @Column('bigint', { name: 'limit_credits', transformer: { to: (value: number) => value, from: Number } }) limitCredits!: number;
  @Column('boolean') hard!: boolean;
  @Column('jsonb') thresholds!: BudgetThreshold[];
  @Column('boolean') forecast!: boolean;
}
