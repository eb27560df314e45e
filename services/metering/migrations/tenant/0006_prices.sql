-- What an operator agreed with a tenant instead of its plan's prices, as the events of its stream `billing` tell it. An exception is never
-- changed: of two that hold for a month, the one agreed later does.
create table price_exceptions (
  tenant_id   text not null,
  -- version of the stream: in the order in which they were agreed
  agreed      int not null,
  -- UTC months, both counted; null has no end
  from_month  text not null,
  until_month text,
  terms       jsonb not null,
  primary key (tenant_id, agreed)
);
select weir.owned_by('price_exceptions', 'weir_metering');
