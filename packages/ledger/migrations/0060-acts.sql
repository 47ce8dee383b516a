-- Records from others, and acts upon records: backfill, amend, void. A record is never changed: an act says that it counts no longer,
-- and, if it was amended, which one counts in its place.

-- Who did what to records, and why. An act and all that it does commit together; a backfill goes on in further transactions.
create table record_act (
  act_id uuid primary key,
  kind text not null check (kind in ('backfill', 'undo', 'amend', 'void')),
  actor text not null check (actor <> ''),
  reason text not null check (reason <> ''),
  at timestamptz not null default clock_timestamp(),
  -- Of a backfill and its undoing: the name that people gave it.
  backfill_name text check (octet_length(backfill_name) between 1 and 200),
  check ((backfill_name is not null) = (kind in ('backfill', 'undo')))
);

-- One backfill a name, undone once at most.
create unique index record_act_backfill on record_act (backfill_name, kind) where backfill_name is not null;
-- listRecordActs(), newest first.
create index record_act_at on record_act (at, act_id);

create trigger record_act_immutable before update or delete or truncate on record_act
  for each statement execute function refuse_change();

-- Records that count no longer: the rater, reports and exports leave them out, see countedSql(). Each at most once, for ever.
create table superseded_record (
  event_id uuid primary key,
  -- Of the record, so that reading an hour asks only for those of that hour.
  instant timestamptz not null,
  act_id uuid not null references record_act,
  -- The record that counts instead; null: none.
  replacement_event_id uuid
);

create index superseded_record_instant on superseded_record (instant, event_id);
-- Records of an act: listRecordActs() counts them.
create index superseded_record_act on superseded_record (act_id);
-- Which record an amendment stands for.
create unique index superseded_record_replacement on superseded_record (replacement_event_id) where replacement_event_id is not null;

create trigger superseded_record_immutable before update or delete or truncate on superseded_record
  for each statement execute function refuse_change();

-- What others sent and how they name it. Its key is claimed in the transaction that writes the record: a retry is never swallowed, and
-- never counted twice.
create table foreign_event (
  -- Our record of it, whose time is the event's.
  event_id uuid primary key,
  -- SHA-256 of realm, source and id, which have no bound.
  key bytea not null check (octet_length(key) = 32),
  -- Within which source and id name one event: an organization, the installation, or all backfills.
  realm text not null,
  source text not null,
  id text not null,
  type text not null,
  -- SHA-256 of its content, whatever the order of its fields.
  digest bytea not null check (octet_length(digest) = 32),
  received_at timestamptz not null default clock_timestamp(),
  -- The backfill that brought it.
  act_id uuid references record_act,
  -- Of a backfill that was undone: its keys may be claimed again.
  released boolean not null default false
);

create unique index foreign_event_key on foreign_event (key) where not released;
-- GET /api/v1/events: the newest of a realm.
create index foreign_event_received on foreign_event (realm, received_at, event_id);
-- Undoing a backfill.
create index foreign_event_act on foreign_event (act_id) where act_id is not null;
