-- The upstream's own account beside ours. In the home database.

-- Who lists lines: the upstream's ledger, or a statement that an operator imported.
create table statement_sources (
  source      text primary key,
  -- the one upstream key that it is about; empty: all
  key_id      text not null,
  -- last line read
  read_to     bigint not null default 0,
  -- of what happened from then on, and before then, every line has been read
  covers_from timestamptz,
  covers_to   timestamptz,
  -- compared with our records up to here
  compared_to timestamptz,
  -- the process that has it in hand, until when: what it reads elsewhere it reads in no transaction
  held_by     text,
  held_until  timestamptz,
  created_at  timestamptz not null default now()
);

-- What the upstream says that it took. Request and attempt are ours, sent along with each call; empty where a line names none.
create table statement_lines (
  source     text not null references statement_sources (source),
  line       bigint not null,
  request_id text not null,
  attempt    int not null,
  -- the last characters of the key, as it is listed
  key_hint   text not null,
  status     int not null,
  credits    bigint not null,
  at         timestamptz not null,
  primary key (source, line)
);
create index statement_lines_attempt on statement_lines (request_id, attempt);
create index statement_lines_at on statement_lines (source, at);

-- A comparison of a span of time.
create table reconciliations (
  id                uuid primary key default uuidv7(),
  source            text not null references statement_sources (source),
  span_from         timestamptz,
  span_to           timestamptz,
  lines             int not null,
  attempts          int not null,
  -- by the upstream's account, and by ours
  upstream_credits  bigint not null,
  settled_credits   bigint not null,
  unsettled_credits bigint not null,
  created_at        timestamptz not null default now()
);

-- Where the two differ, each with its class and what was decided.
create table discrepancies (
  id                uuid primary key default uuidv7(),
  reconciliation_id uuid not null references reconciliations (id),
  class             text not null,
  tenant_id         text not null,
  request_id        text not null,
  attempt           int not null,
  key_id            text not null,
  our_credits       bigint not null,
  upstream_credits  bigint not null,
  explanation       text not null,
  -- taken, not-taken; null: nothing was decided, a person has to look
  decision          text,
  found_at          timestamptz not null default now()
);
create index discrepancies_of on discrepancies (reconciliation_id);

grant select, insert, update, delete on statement_sources, statement_lines, reconciliations, discrepancies to weir_metering;
