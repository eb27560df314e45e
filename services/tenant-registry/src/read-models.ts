import { Column, Entity, Index, PrimaryColumn, Unique } from 'typeorm';

/** Milliseconds in a bigint column: pg gives bigints as text. */
const ms = {
  to: (value: number | null) => value,
  from: (value: string | null) => (value === null ? null : Number(value)),
};

@Entity('tenants')
@Unique('tenants_slug_key', ['slug'])
export class TenantRow {
  @PrimaryColumn('text') id!: string;
  @Column('text') slug!: string;
  @Column('text') name!: string;
  @Column('text') status!: 'provisioning' | 'active' | 'suspended' | 'offboarded';
  @Column('text', { name: 'key_mode' }) keyMode!: string;
  @Column('text', { name: 'plan_id' }) planId!: string;
  @Column('int', { name: 'plan_version' }) planVersion!: number;
  @Column('text') placement!: string;
  @Column('bigint', { name: 'trial_ends_at', nullable: true, transformer: ms }) trialEndsAt!: number | null;
  @Column('int') version!: number;
  @Column('bigint', { name: 'created_at', transformer: ms }) createdAt!: number;
}

@Entity('operations')
@Index('operations_open', ['createdAt'], { where: "(status = 'running'::text)" })
export class OperationRow {
  @PrimaryColumn('text') id!: string;
  @Column('text', { name: 'tenant_id' }) tenantId!: string;
  @Column('text') kind!: 'tenant.provision' | 'tenant.move' | 'tenant.purge';
  @Column('text') status!: 'running' | 'succeeded' | 'failed';
  @Column('text', { nullable: true }) detail!: string | null;
  @Column('jsonb') command!: unknown;
  @Column('bigint', { name: 'created_at', transformer: ms }) createdAt!: number;
  @Column('bigint', { name: 'finished_at', nullable: true, transformer: ms }) finishedAt!: number | null;
}

@Entity('plans')
export class PlanRow {
  @PrimaryColumn('text') id!: string;
  @PrimaryColumn('int') version!: number;
  @Column('text') status!: 'draft' | 'published' | 'archived';
  @Column('jsonb') terms!: unknown;
}

export const ENTITIES = [TenantRow, OperationRow, PlanRow];
