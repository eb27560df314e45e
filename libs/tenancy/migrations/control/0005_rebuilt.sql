-- Tables of homes that hold nothing but what was computed from the tenant's log: a move and an export leave them out, and so a tenant is
-- read only for no longer because of them; whoever reads them computes them again where the tenant has arrived.
create table weir.rebuilt_tables (
  table_name name primary key
);

-- For control migrations: this table of every home is such a one. A projection's tables and the checkpoints of projections both are.
create function weir.rebuilt(p_table name) returns void
language sql as $$ insert into weir.rebuilt_tables values (p_table) on conflict do nothing $$;
