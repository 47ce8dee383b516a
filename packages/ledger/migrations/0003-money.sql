-- Prices, and what follows from them. usage_hour and charge are derived: an hour of both is replaced as a whole.

create table price_version (
  sequence integer primary key check (sequence > 0),
  -- Each currency has a timeline of its own; a version is in force until the next of its currency.
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  effective_from timestamptz not null check (effective_from < 'infinity'),
  sha256 text not null,
  -- The bytes of the file.
  source bytea not null,
  file text not null,
  applied_at timestamptz not null default clock_timestamp(),
  applied_by text not null
);

create trigger price_version_immutable before update or delete or truncate on price_version
  for each statement execute function refuse_change();

-- Every record of a rated hour is counted in exactly one row, with what became of it:
--   charged       all its quantities have prices: see charge
--   free          attributed or failed, and there is nothing to charge
--   unpriced      held: a quantity has no price
--   unattributed  held: nobody's, or the organization that it claims is not its auth id's
--   unknown       held: nobody knows the quantities
create table usage_hour (
  hour timestamptz not null,
  state text not null check (state in ('charged', 'free', 'unpriced', 'unattributed', 'unknown')),
  -- By the directory, as of the records' instants; null only for those that it does not know.
  organization_id uuid references organization,
  -- Only where it decides: on unattributed records.
  claimed_organization_id text,
  auth_id text not null,
  user_id text,
  resource_id text not null,
  model text,
  -- Only where it decides the rate.
  base_model text,
  price_sequence integer references price_version,
  -- {"meter": "quantity"} of the meters that are not zero; all records of a row have the same ones. Digits as text, because
  -- sums may be beyond what a reader of JSON numbers keeps.
  meters jsonb not null,
  record_count bigint not null check (record_count > 0),
  -- Earliest and latest instant of its records.
  first_instant timestamptz not null,
  last_instant timestamptz not null,
  check ((state = 'charged') = (price_sequence is not null)),
  check (state in ('unattributed', 'free') or organization_id is not null)
);

-- Replacing an hour; "is anything charged from this instant on?".
create index usage_hour_hour on usage_hour (hour);
-- Reports and statements of an organization.
create index usage_hour_organization on usage_hour (organization_id, hour);
-- What is held in a month, of everybody.
create index usage_hour_held on usage_hour (hour) where state in ('unpriced', 'unattributed', 'unknown');
-- Hours that a change of a mapping touches. A hash, because an auth id may be longer than an index entry.
create index usage_hour_auth on usage_hour (hashtextextended(auth_id, 0), hour);

-- A priced quantity. No ids and no times of day: rating the same records again gives the same bytes.
create table charge (
  hour timestamptz not null,
  organization_id uuid not null references organization,
  auth_id text not null,
  user_id text,
  resource_id text not null,
  model text not null,
  base_model text,
  meter text not null,
  price_sequence integer not null references price_version,
  -- Price of one unit, exact.
  rate numeric(38, 18) not null check (rate >= 0),
  quantity numeric(38, 0) not null check (quantity > 0),
  -- quantity x rate, rounded once, half away from zero, in 10^-9 of the organization's currency.
  amount_nano numeric(38, 0) not null check (amount_nano >= 0),
  -- Records that have this meter.
  record_count bigint not null check (record_count > 0)
);

-- Nothing is charged twice, whatever a rater does. Hashes, because the texts may be longer than an index entry.
-- Serves also to replace an hour.
create unique index charge_once on charge (
  hour, organization_id, price_sequence,
  (md5(auth_id)::uuid), (md5(user_id)::uuid), (md5(resource_id)::uuid), (md5(model)::uuid), (md5(base_model)::uuid), (md5(meter)::uuid)
) nulls not distinct;
-- Statements and reports of an organization.
create index charge_organization on charge (organization_id, hour);
