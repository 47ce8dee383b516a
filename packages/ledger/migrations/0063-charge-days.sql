-- Charges of whole days, summed: what a statement reads, so that a month of a busy organization is some thousand rows instead of one for each
-- hour. Derived from `charge`, and always equal to it: whoever replaces an hour forgets its day in the same transaction, and a day that
-- is not here is summed from its hours.

create table charge_day (
  -- UTC.
  day date not null,
  organization_id uuid not null references organization,
  model text not null,
  auth_id text not null,
  meter text not null,
  rate numeric(38, 18) not null,
  quantity numeric(38, 0) not null,
  amount_nano numeric(38, 0) not null
);
-- Statements.
create index charge_day_organization on charge_day (organization_id, day);
-- Forgetting a day.
create index charge_day_day on charge_day (day);

-- Days whose sums are here, those without a charge included.
create table charge_day_built (day date primary key);

-- Days to be summed. Marks only accumulate, as those of dirty_hour do, so that raters of one day never wait for each other here.
create table charge_day_mark (
  day date not null,
  mark bigint generated always as identity,
  primary key (day, mark)
);
insert into charge_day_mark (day) select distinct (hour at time zone 'UTC')::date from charge;
