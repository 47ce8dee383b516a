-- What was used: the facts, as the gateways' journals told them. Nothing here depends on prices or on the directory.

-- How a batch travels: one composite literal a record, in this order of columns. A new shape gets a new type, so that
-- programs of two versions can write at once.
create type usage_record_input as (
  event_id uuid,
  instant_ms bigint,
  ended_ms bigint,
  request_id text,
  auth_id text,
  resource_id text,
  resource_type text,
  user_id text,
  group_id text,
  base_model text,
  claimed_organization_id text,
  headers jsonb,
  identified_by text,
  route text,
  api text,
  model_asked text,
  streamed boolean,
  outcome text,
  provenance text,
  status integer,
  model text,
  finish_reason text,
  prompt_tokens bigint,
  cached_tokens bigint,
  completion_tokens bigint,
  input_tokens bigint,
  cached_input_tokens bigint,
  output_tokens bigint,
  reasoning_tokens bigint,
  other_meters jsonb,
  first_byte_ms double precision
);

-- Immutable. Text is unbounded: nothing is refused for being long, so no index is on text.
create table usage_record (
  event_id uuid primary key,
  -- When the request was admitted: by this it is priced, attributed and put into an hour.
  instant timestamptz not null,
  ended_at timestamptz not null,
  request_id text not null,
  auth_id text not null,
  resource_id text not null,
  resource_type text,
  user_id text,
  group_id text,
  base_model text,
  claimed_organization_id text,
  headers jsonb,
  identified_by text not null,
  route text not null,
  api text not null,
  model_asked text,
  streamed boolean not null,
  outcome text not null,
  provenance text not null,
  status integer,
  model text,
  finish_reason text,
  prompt_tokens bigint,
  cached_tokens bigint,
  completion_tokens bigint,
  -- The common meters stand in columns, so that the rater sums integers. Null: the record does not have the meter.
  input_tokens bigint check (input_tokens >= 0),
  cached_input_tokens bigint check (cached_input_tokens >= 0),
  output_tokens bigint check (output_tokens >= 0),
  reasoning_tokens bigint check (reasoning_tokens >= 0),
  -- All other meters, {"name": count}; null when there are none.
  other_meters jsonb,
  first_byte_ms double precision,
  writer text not null,
  -- The transaction that brought it, for readers that follow new records: see ingestHorizon(), and lockIngest(), which whoever
  -- inserts must call first.
  ingest_transaction bigint not null
);

-- Pages of streamEvents() in order, and the rater's reading of one hour. A BRIN index would be smaller (and no faster to
-- write: 42,000 against 39,000 records/s, within noise), but gives no order, so that every page would sort its whole period.
create index usage_record_instant on usage_record (instant, event_id);
-- readIngested(). Equal values stand together, so deduplication keeps it small.
create index usage_record_ingest on usage_record (ingest_transaction);

create function refuse_change() returns trigger language plpgsql as $$
begin
  raise exception '% is immutable: % is refused', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end $$;

create trigger usage_record_immutable before update or delete or truncate on usage_record
  for each statement execute function refuse_change();

-- Payloads that could not become records: kept byte for byte, to be looked at and replayed. Never dropped.
create table usage_quarantine (
  quarantine_id bigint generated always as identity primary key,
  event_id text,
  writer text not null,
  -- Where the batch ended in which it came.
  segment bigint not null,
  byte_offset bigint not null,
  -- UTF-8 as it came; bytea, because text cannot hold NUL.
  payload bytea not null,
  -- Redelivery finds it again and does not add a second row.
  digest bytea not null generated always as (sha256(payload)) stored unique,
  -- Null: we refused it before the database saw it.
  sqlstate text,
  reason text not null,
  first_seen timestamptz not null default now(),
  replayed_at timestamptz
);

-- How far each journal has been taken in. Moves in the transaction of the records, and never backwards.
create table writer_position (
  writer text primary key,
  segment bigint not null,
  byte_offset bigint not null,
  updated_at timestamptz not null
);

-- Hours to be rated. Every cause adds a mark of its own; the rater deletes exactly the marks that it saw before it read.
-- So a mark that commits meanwhile stays, and nobody waits for anybody's row.
create table dirty_hour (
  hour timestamptz not null,
  mark bigint generated always as identity,
  primary key (hour, mark)
);
