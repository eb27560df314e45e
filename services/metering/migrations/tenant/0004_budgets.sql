create table budgets (
  tenant_id     text not null,
  id            text not null,
  name          text not null,
  -- null: of all projects together
  project_id    text,
  period        text not null,
  limit_credits bigint not null,
  hard          boolean not null,
  thresholds    jsonb not null,
  forecast      boolean not null,
  primary key (tenant_id, id)
);
create unique index budgets_name on budgets (tenant_id, name);
select weir.owned_by('budgets', 'weir_metering');

-- What has been said of a budget in a period: each alarm once.
create table budget_alarms (
  tenant_id text not null,
  budget_id text not null,
  -- the day or month
  of        text not null,
  alarm     text not null,
  at        bigint not null,
  primary key (tenant_id, budget_id, of, alarm)
);
select weir.owned_by('budget_alarms', 'weir_metering');
