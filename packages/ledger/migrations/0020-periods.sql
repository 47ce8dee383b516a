-- Closed months, what corrects them, and what is priced by the total of a month.

-- The UTC month that an instant lies in, as its first day.
create function utc_month(at timestamptz) returns date language sql immutable parallel safe
  return (date_trunc('month', at at time zone 'UTC'))::date;

-- Months close in order and for all organizations at once: a month is closed when it or a later one has a row here.
create table billing_period (
  month date primary key check (extract(day from month) = 1),
  closed_at timestamptz not null default clock_timestamp(),
  closed_by text not null check (closed_by <> ''),
  -- The last price version that was applied before: minimums and commitments of the month are those of versions up to it.
  price_sequence integer references price_version
);
create trigger billing_period_immutable before update or delete or truncate on billing_period
  for each statement execute function refuse_change();

-- A supplement prices only what no full version prices, in [effective_from, effective_until).
alter table price_version
  add column kind text not null default 'full' check (kind in ('full', 'supplement')),
  add column effective_until timestamptz,
  add check ((kind = 'supplement') = (effective_until is not null)),
  add check (effective_until > effective_from);

-- Why an hour is dirty, for the adjustments that come of it: 'record' when records came, else 'mapping', 'price', or an act's kind.
alter table dirty_hour add column cause text not null default 'record';

alter table usage_hour add column group_id text;

-- records_digest: the exclusive or of the MD5 of the text of each record's event id. Whoever has the ids can check them.
alter table charge
  add column group_id text,
  add column records_digest bit(128);

drop index charge_once;
create unique index charge_once on charge (
  hour, organization_id, price_sequence, (md5(auth_id)::uuid), (md5(user_id)::uuid), (md5(group_id)::uuid), (md5(resource_id)::uuid),
  (md5(model)::uuid), (md5(base_model)::uuid), (md5(meter)::uuid)
) nulls not distinct;

-- Charges of closed months are frozen. Looked at once a statement, not once a row.
create function refuse_frozen_charge() returns trigger language plpgsql as $$
begin
  if exists (select from changed where utc_month(hour) <= (select max(month) from billing_period)) then
    raise exception 'a charge of a closed month is frozen: % is refused', lower(tg_op) using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create trigger charge_frozen_insert after insert on charge referencing new table as changed
  for each statement execute function refuse_frozen_charge();
create trigger charge_frozen_delete after delete on charge referencing old table as changed
  for each statement execute function refuse_frozen_charge();
create trigger charge_frozen_update after update on charge referencing old table as changed
  for each statement execute function refuse_frozen_charge();

-- Charged quantities whose price depends on the total of the month. Derived: replaced with its hour, like usage_hour.
create table period_quantity (
  hour timestamptz not null,
  organization_id uuid not null references organization,
  auth_id text not null,
  user_id text,
  group_id text,
  resource_id text not null,
  model text not null,
  base_model text,
  meter text not null,
  price_sequence integer not null references price_version,
  quantity numeric(38, 0) not null check (quantity > 0),
  record_count bigint not null check (record_count > 0),
  records_digest bit(128) not null
);
-- Replacing an hour; and no quantity stands there twice.
create unique index period_quantity_once on period_quantity (
  hour, organization_id, price_sequence, (md5(auth_id)::uuid), (md5(user_id)::uuid), (md5(group_id)::uuid), (md5(resource_id)::uuid),
  (md5(model)::uuid), (md5(base_model)::uuid), (md5(meter)::uuid)
) nulls not distinct;
-- Statements and reports of an organization.
create index period_quantity_organization on period_quantity (organization_id, hour);

-- The lines of a closed month that no hourly charge makes, as they were when it was closed.
create table statement_line (
  month date not null references billing_period,
  organization_id uuid not null references organization,
  -- In the order of the statement, from 1.
  position integer not null,
  kind text not null check (kind in ('usage', 'tier', 'package', 'included', 'minimum', 'commitment')),
  -- Empty for a minimum or a commitment, as is the meter.
  model text not null,
  base_model text,
  meter text not null,
  price_sequence integer not null references price_version,
  rate numeric(38, 18) not null check (rate >= 0),
  quantity numeric(38, 0) not null check (quantity >= 0),
  amount_nano numeric(38, 0) not null check (amount_nano >= 0),
  description text not null,
  primary key (month, organization_id, position)
);
create trigger statement_line_immutable before update or delete or truncate on statement_line
  for each statement execute function refuse_change();

-- What corrects a closed month; booked into the oldest month that was open. For each hour and identity, the charge and the
-- adjustments add up to what would be charged now; for each line of a month, statement_line and those without an hour.
create table adjustment (
  -- Follows from what is corrected and how often it was corrected before: nothing is booked twice.
  adjustment_id uuid primary key,
  -- The month that it corrects.
  month date not null,
  -- Null: it corrects a line of the whole month, and auth_id and resource_id are empty.
  hour timestamptz,
  booked_month date not null check (booked_month > month and extract(day from booked_month) = 1),
  kind text not null check (kind in ('usage', 'tier', 'package', 'included', 'minimum', 'commitment')),
  organization_id uuid not null references organization,
  auth_id text not null,
  user_id text,
  group_id text,
  resource_id text not null,
  model text not null,
  base_model text,
  meter text not null,
  price_sequence integer not null references price_version,
  rate numeric(38, 18) not null check (rate >= 0),
  -- Signed, as are the amount and the number of records.
  quantity numeric(38, 0) not null,
  amount_nano numeric(38, 0) not null,
  record_count bigint not null,
  records_digest bit(128) not null,
  -- Of the line, where a line is corrected.
  description text,
  -- Causes of dirty_hour, in order, with commas.
  cause text not null,
  created_at timestamptz not null default clock_timestamp(),
  check (hour is null or utc_month(hour) = month)
);
create trigger adjustment_immutable before update or delete or truncate on adjustment
  for each statement execute function refuse_change();
-- Statements of an organization: what is booked in a month.
create index adjustment_booked on adjustment (organization_id, booked_month);
-- What an hour, or a month, has been corrected by so far.
create index adjustment_corrects on adjustment (month, hour);

-- Closed months whose lines are to be looked at again. Marks, as in dirty_hour.
create table dirty_period (
  month date not null,
  cause text not null,
  mark bigint generated always as identity,
  primary key (month, mark)
);
