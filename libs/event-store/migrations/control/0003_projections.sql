-- How far projections have come is worth nothing without their rows, which do not go with a tenant.
select weir.rebuilt('log_projections');
