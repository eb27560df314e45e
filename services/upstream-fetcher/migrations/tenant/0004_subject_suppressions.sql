-- Who is not to be fetched again: pseudonyms under the tenant's key, no names. Read in the transaction of everything that is kept about a
-- person; the bus carries them to every fetcher, which refuses calls for them.
create table subject_suppressions (
  tenant_id  text not null,
  pseudonym  text not null,
  erasure_id text not null,
  primary key (tenant_id, pseudonym)
);
select weir.owned_by('subject_suppressions', 'weir_upstream_fetcher');
