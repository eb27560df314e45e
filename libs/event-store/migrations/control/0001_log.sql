-- Unambiguous bytes of texts: of each its length in bytes, a colon, the text, a comma; a dash for NULL. A loop, because the same as one
-- expression takes 30 µs to set up in every transaction, and this 16. The database's encoding is UTF-8.
create function weir.netstrings(variadic fields text[]) returns text
language plpgsql immutable parallel safe as $$
declare
  field text;
  said  text := '';
begin
  foreach field in array fields loop
    said := said || case when field is null then '-,' else octet_length(field)::text || ':' || field || ',' end;
  end loop;
  return said;
end $$;

create function weir.rfc3339(value timestamptz) returns text
language sql stable parallel safe as $$ select to_char(value at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') $$;
