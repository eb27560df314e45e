-- Which plan holds from when on, as the tenant's events tell it, in whatever order and however often they come.
create table plan_periods (
  tenant_id    text not null,
  event_id     uuid not null,
  -- ms since the epoch
  at           bigint not null,
  plan_id      text not null,
  plan_version int not null,
  primary key (tenant_id, event_id)
);
select weir.owned_by('plan_periods', 'weir_metering');

create table invoices (
  tenant_id       text not null,
  id              text not null,
  kind            text not null,
  period          text not null,
  status          text not null,
  number          text,
  currency        text not null,
  total_minor     bigint not null,
  charged_credits bigint not null,
  seats           int not null,
  -- of a credit note: what it takes back, and why
  corrects        text,
  reason          text,
  created_at      bigint not null,
  finalized_at    bigint,
  primary key (tenant_id, id)
);
create unique index invoices_number on invoices (tenant_id, number) where number is not null;
create index invoices_period on invoices (tenant_id, period);
select weir.owned_by('invoices', 'weir_metering');

create table invoice_lines (
  tenant_id    text not null,
  invoice_id   text not null,
  line         int not null,
  item         text not null,
  description  text not null,
  from_day     date not null,
  to_day       date not null,
  quantity     bigint not null,
  unit_price   text not null,
  per          bigint not null,
  share        text,
  amount_minor bigint not null,
  primary key (tenant_id, invoice_id, line)
);
select weir.owned_by('invoice_lines', 'weir_metering');

-- Double entry: what a document books adds up to nothing. Debits are positive. Append-only, and not even its own service may change a row.
create table ledger_entries (
  tenant_id    text not null,
  document_id  text not null,
  entry        int not null,
  account      text not null,
  currency     text not null,
  amount_minor bigint not null,
  at           bigint not null,
  primary key (tenant_id, document_id, entry)
);
select weir.owned_by('ledger_entries', 'weir_metering');
create trigger append_only before update or delete on ledger_entries for each row execute function refuse_change();
create trigger append_only_truncate before truncate on ledger_entries execute function refuse_change();

-- All entries of a document are written by one statement: the log of what a tenant owes is never out of balance, not for a moment.
create function assert_balanced() returns trigger language plpgsql as $$
begin
  if exists (select from booked group by tenant_id, document_id, currency having sum(amount_minor) <> 0) then
    raise exception 'the entries of a document must add up to zero' using errcode = 'WR409';
  end if;
  return null;
end $$;
create trigger balanced after insert on ledger_entries referencing new table as booked for each statement execute function assert_balanced();
