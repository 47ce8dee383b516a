-- What days cost and what was used on them, by everything that reports tell apart: so that a month of a busy organization is some thousand rows.
-- Derived from `charge`, `period_quantity` and `usage_hour`, and always equal to them, as charge_day is: made with it and forgotten with it.

-- Amounts and quantities. Reports by day (readCosts): the index on organizations; forgetting a day: the one on days.
create table cost_day (
  -- UTC.
  day date not null,
  organization_id uuid not null,
  auth_id text not null,
  user_id text,
  group_id text,
  resource_id text not null,
  model text not null,
  meter text not null,
  price_sequence integer not null,
  -- Null: what the total of the month prices; its amount is 0 here and on lines of the month.
  rate numeric(38, 18),
  quantity numeric(38, 0) not null,
  amount_nano numeric(38, 0) not null
);
create index cost_day_organization on cost_day (organization_id, day);
create index cost_day_day on cost_day (day);

-- Records, held and free ones too: how many, and when the first and the last of them were.
create table usage_day (
  day date not null,
  organization_id uuid not null,
  auth_id text not null,
  user_id text,
  group_id text,
  resource_id text not null,
  model text,
  record_count bigint not null,
  -- Those of them that nobody is charged for yet: unpriced or unknown.
  held_count bigint not null,
  first_instant timestamptz not null,
  last_instant timestamptz not null
);
create index usage_day_organization on usage_day (organization_id, day);
create index usage_day_day on usage_day (day);

-- Days that are in both, those without usage included.
create table cost_day_built (day date primary key);

-- A program of the version before forgets charge_day alone: what it forgets is forgotten here too.
create function forget_cost_days() returns trigger language plpgsql as $$
begin
  delete from cost_day_built b using forgotten f where b.day = f.day;
  delete from cost_day c using forgotten f where c.day = f.day;
  delete from usage_day u using forgotten f where u.day = f.day;
  return null;
end $$;
create trigger cost_days_forgotten after delete on charge_day_built referencing old table as forgotten
  for each statement execute function forget_cost_days();

insert into charge_day_mark (day) select distinct (hour at time zone 'UTC')::date from usage_hour;

-- Where a resource is, in the words of whoever runs it: 'aws/us-east-1'. Null: nowhere in particular.
alter table resource_version add column region text;
