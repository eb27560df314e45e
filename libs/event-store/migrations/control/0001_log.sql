-- Unambiguous bytes of a text: its length in bytes, a colon, the text, a comma; a dash for NULL.
create function weir.netstring(value text) returns text
language sql immutable parallel safe as $$
  select case when value is null then '-,' else octet_length(convert_to(value, 'UTF8')) || ':' || value || ',' end
$$;

create function weir.rfc3339(value timestamptz) returns text
language sql stable parallel safe as $$ select to_char(value at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
