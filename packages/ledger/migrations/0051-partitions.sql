-- Records by month. The partition key is the event id, whose first 48 bits are its time (UUIDv7), so that the primary key stays the one
-- and exact key of deduplication. A record's instant lies within an hour of its id's time (checkRecord() refuses others), so a
-- question about instants is one about ids, an hour wider; ID_BOUNDS in partitions.ts says it, and the planner leaves the other months alone.

-- The least id of an instant. Immutable, so that it is computed before partitions are chosen.
create function event_id_at(at timestamptz) returns uuid language sql immutable strict parallel safe as $$
  select (lpad(to_hex(least(greatest(floor(extract(epoch from at) * 1000), 0), 281474976710655)::bigint), 12, '0')
    || '00000000000000000000')::uuid
$$;

-- The time in an id, to the millisecond.
create function event_id_instant(id uuid) returns timestamptz language sql immutable strict parallel safe as $$
  select to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
$$;

alter table usage_record rename to usage_record_old;
alter index usage_record_pkey rename to usage_record_old_pkey;
alter index usage_record_instant rename to usage_record_old_instant;
alter index usage_record_ingest rename to usage_record_old_ingest;

create table usage_record (like usage_record_old including defaults including constraints, primary key (event_id)) partition by range (event_id);
-- It bounds the old table alone.
alter table usage_record drop constraint usage_record_before;
-- As in 0002, and for the same queries.
create index usage_record_instant on usage_record (instant, event_id);
create index usage_record_ingest on usage_record (ingest_transaction);
create trigger usage_record_immutable before update or delete or truncate on usage_record
  for each statement execute function refuse_change();

-- What became of partitions that were taken away. An hour from first_hour to last_hour must never be rated again: its records are not
-- here any more, and what is absent would look unused.
create table usage_archive (
  partition text primary key,
  -- Ids of [lower_id, upper_id) lie in the archive.
  lower_id uuid not null,
  upper_id uuid not null,
  -- closing: no longer written to; detached: no longer read; archived: in the file and nowhere else.
  state text not null check (state in ('closing', 'detached', 'archived')),
  first_hour timestamptz,
  last_hour timestamptz,
  record_count bigint not null,
  -- Name of the file, and its SHA-256 in hex.
  file text,
  sha256 text,
  begun_at timestamptz not null default clock_timestamp(),
  archived_at timestamptz,
  archived_by text not null,
  check (state <> 'archived' or (file is not null and sha256 is not null and archived_at is not null))
);

-- Marks of archived hours are dropped as they come; a price or a mapping that is corrected so late moves no money.
create function skip_archived_hour() returns trigger language plpgsql as $$
begin
  if exists (select from usage_archive a where new.hour between a.first_hour and a.last_hour) then return null; end if;
  return new;
end $$;
create trigger dirty_hour_archived before insert on dirty_hour for each row execute function skip_archived_hour();

-- The partitions that are there. A name says its months: usage_record_2026_11, or usage_record_before_2026_11 for all before.
create view usage_partition as
select c.relname::text as partition,
  case when c.relname like 'usage\_record\_before\_%' then null else to_date(right(c.relname::text, 7), 'YYYY_MM') end as first_month,
  -- The first month that is not in it.
  case when c.relname like 'usage\_record\_before\_%' then to_date(right(c.relname::text, 7), 'YYYY_MM')
    else (to_date(right(c.relname::text, 7), 'YYYY_MM') + interval '1 month')::date end as end_month,
  c.oid as relation
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'usage_record'::regclass and not i.inhdetachpending;

-- Makes the partition of a month unless it is there; gives whether records of the month can be stored. Runs as the owner of the tables,
-- so that who ingests needs no right to create any. Made apart and then attached: that lets others read and write meanwhile.
create function ensure_usage_partition(month date) returns boolean language plpgsql security definer set search_path from current as $$
declare
  low uuid := event_id_at(month::timestamp at time zone 'UTC');
  high uuid := event_id_at((month + interval '1 month') at time zone 'UTC');
  name text := 'usage_record_' || to_char(month, 'YYYY_MM');
begin
  if extract(day from month) <> 1 then raise exception 'a month begins on its first day, not on %', month using errcode = 'XX000'; end if;
  for attempt in 1..2 loop
    if exists (select from usage_archive a where a.lower_id < high and a.upper_id > low)
    then return false; end if;
    if exists (select from usage_partition p where coalesce(p.first_month <= month, true) and month < p.end_month) then return true; end if;
    -- "ascr" in ASCII, and 3: see locks.ts. Looked at again when it is ours.
    perform pg_advisory_xact_lock((x'61736372'::bigint << 32) | 3);
  end loop;
  execute format('create table %I (like usage_record including all)', name);
  execute format('alter table usage_record attach partition %I for values from (%L) to (%L)', name, low, high);
  execute format('create trigger %I before update or delete or truncate on %I for each statement execute function refuse_change()',
    name || '_immutable', name);
  return true;
end $$;

-- The old table becomes the first partition, without a scan (0050); one that is empty is not worth keeping. Its months' bound is that of 0050.
do $$
declare
  bound uuid;
  name text;
begin
  if not exists (select from usage_record_old) then
    drop table usage_record_old;
  else
    select (regexp_match(pg_get_constraintdef(oid), '[0-9a-f-]{36}'))[1]::uuid into strict bound
    from pg_constraint where conrelid = 'usage_record_old'::regclass and conname = 'usage_record_before';
    name := 'usage_record_before_' || to_char(event_id_instant(bound) at time zone 'UTC', 'YYYY_MM');
    execute format('alter table usage_record attach partition usage_record_old for values from (minvalue) to (%L)', bound);
    alter table usage_record_old drop constraint usage_record_before;
    execute format('alter table usage_record_old rename to %I', name);
  end if;
  -- For programs of the version before, which make none.
  perform ensure_usage_partition(date_trunc('month', now() at time zone 'UTC')::date);
  perform ensure_usage_partition((date_trunc('month', now() at time zone 'UTC') + interval '1 month')::date);
end $$;

-- What came out of order through a transport: parts of a journal that are in the ledger, ahead of its position. The position moves over
-- them when what lies between has come.
create table writer_range (
  writer text not null,
  from_segment bigint not null,
  from_offset bigint not null,
  to_segment bigint not null,
  to_offset bigint not null,
  stored_at timestamptz not null default now(),
  primary key (writer, from_segment, from_offset, to_segment, to_offset)
);
