-- What may be spent, and who has been promised how much of it. Spending itself is in usage_record: what stands here of it is counted from
-- there, once for each record, and can be counted again.

-- A rule. Never changed but to end it; its limit has a history of its own.
create table budget (
  budget_id uuid primary key default gen_random_uuid(),
  scope text not null check (scope in ('organization', 'user', 'group', 'credential')),
  -- An id, or '*': each one that has no budget of its own of this scope, unit and period. 1024 bytes: an index entry holds about 2700.
  subject text not null check (octet_length(subject) between 1 and 1024),
  unit text not null check (unit = 'tokens' or unit ~ '^[A-Z]{3}$'),
  period text not null check (period in ('day', 'month', 'prepaid')),
  name text,
  -- In percent of the limit: who is to be told, and when.
  thresholds integer[] not null default '{}',
  webhook_url text,
  effective_from timestamptz not null check (effective_from > '-infinity' and effective_from < 'infinity'),
  effective_until timestamptz check (effective_until > effective_from),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  ended_by text,
  -- Whether what was used before it was made has been counted: nothing is granted before.
  counted boolean not null default false
);
-- Is there another rule for the same?
create index budget_subject on budget (scope, subject);

-- What the limit is, from when on: the row with the latest effective_from, of several the one that came last. Amounts of money are in
-- 10^-18, as rates are, so that nothing is rounded while it is counted.
create table budget_limit (
  budget_id uuid not null references budget,
  sequence bigint generated always as identity,
  effective_from timestamptz not null check (effective_from < 'infinity'),
  amount numeric(60, 0) not null check (amount >= 0),
  -- What was added, if this is a top-up.
  top_up numeric(60, 0) check (top_up > 0),
  note text,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  primary key (budget_id, sequence)
);
create trigger budget_limit_immutable before update or delete or truncate on budget_limit
  for each statement execute function refuse_change();

-- One subject's counter in one window of a budget.
create table budget_account (
  budget_id uuid not null references budget,
  subject text not null,
  window_start timestamptz not null,
  recall_sequence integer not null default 0,
  recall_keep numeric(60, 0) not null default 0,
  recalled_at timestamptz,
  primary key (budget_id, window_start, subject)
);

-- What one writer may spend of an account (granted less returned), and has spent (consumed: counted from records). The sum over all
-- writers of what they have spent and may still spend is kept at the limit or below by the one transaction that changes this table.
create table budget_lease (
  budget_id uuid not null references budget,
  subject text not null,
  window_start timestamptz not null,
  writer text not null,
  granted numeric(60, 0) not null default 0,
  returned numeric(60, 0) not null default 0,
  used numeric(60, 0) not null default 0,
  wanted numeric(60, 0) not null default 0,
  consumed numeric(60, 0) not null default 0,
  recalled integer not null default 0,
  primary key (budget_id, window_start, subject, writer)
);

-- Gateway processes that have told of themselves. Ended: dead, and its journal was read to the end: what it holds and has not spent is
-- free again. It is believed to have ended when every record that was committed until then has been counted.
create table gateway_writer (
  writer text primary key,
  seen_at timestamptz not null,
  end_transaction bigint,
  ended boolean not null default false
);
create index gateway_writer_open on gateway_writer (writer) where not ended;

-- One row; its lock lets one settler at a time count and grant.
create table budget_state (
  single boolean primary key default true check (single),
  -- Records of transactions below it have been counted.
  counted_below bigint not null default 0,
  -- What prices, acts and late mappings were known when everything was counted last.
  marker text not null default '',
  -- Rises with every change of a budget or a limit, so that whoever made one can see when gateways have been told.
  rules bigint not null default 0,
  -- Of the snapshot that gateways read, and the digest of what it said.
  version bigint not null default 0,
  digest text not null default ''
);
insert into budget_state default values;

-- Requests and tokens a minute. A change is a new row and the end of the old one.
create table rate_limit (
  limit_id uuid primary key default gen_random_uuid(),
  scope text not null check (scope in ('credential', 'organization')),
  subject text not null check (octet_length(subject) between 1 and 1024),
  requests_per_minute bigint check (requests_per_minute between 1 and 1000000000),
  tokens_per_minute bigint check (tokens_per_minute between 1 and 1000000000000),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  ended_at timestamptz,
  ended_by text,
  check (requests_per_minute is not null or tokens_per_minute is not null)
);
-- One at a time for each.
create unique index rate_limit_one on rate_limit (scope, subject) where ended_at is null;

-- What is to be told to a webhook. A row is made in the transaction that counts past the threshold, so that none is lost, and once for
-- each account, threshold and limit, so that none is made twice.
create table budget_alert (
  alert_id uuid primary key default gen_random_uuid(),
  budget_id uuid not null references budget,
  subject text not null,
  window_start timestamptz not null,
  threshold integer not null,
  limit_amount numeric(60, 0) not null,
  spent numeric(60, 0) not null,
  created_at timestamptz not null default clock_timestamp(),
  url text not null,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default clock_timestamp(),
  delivered_at timestamptz,
  -- After the last attempt failed.
  given_up_at timestamptz,
  last_error text
);
create unique index budget_alert_once on budget_alert (budget_id, window_start, subject, threshold, limit_amount);
-- What is to be sent now.
create index budget_alert_due on budget_alert (next_attempt_at) where delivered_at is null and given_up_at is null;

-- Whether a mapping came since the counters were made: see the marker of budget_state.
create index auth_mapping_created on auth_mapping (created_at);
