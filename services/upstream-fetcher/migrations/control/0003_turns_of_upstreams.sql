-- Whose keys a turn waits for: for quotes, since keys of one upstream are no use to what waits for another. The first one until now.
alter table job_turns add column upstream text not null default 'tiklive';
alter table schedule_turns add column upstream text not null default 'tiklive';
