-- Quantities at list prices that somebody else bills: what machines in an owner's own account use, the cloud bills to that owner itself. Apart
-- from charge on purpose: every sum of what is owed is a sum over charge, and stays what it is (ADR 0090). Derived; an hour is replaced as a whole,
-- of a closed month too, because nothing here is owed.
create table provider_charge (
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
  rate numeric(38, 18) not null check (rate >= 0),
  quantity numeric(38, 0) not null check (quantity > 0),
  amount_nano numeric(38, 0) not null check (amount_nano >= 0),
  record_count bigint not null check (record_count > 0),
  records_digest bit(128) not null
);
-- Nothing is shown twice, whatever a rater does; replacing an hour. As charge_once.
create unique index provider_charge_once on provider_charge (
  hour, organization_id, price_sequence,
  (md5(auth_id)::uuid), (md5(user_id)::uuid), (md5(group_id)::uuid), (md5(resource_id)::uuid), (md5(model)::uuid), (md5(base_model)::uuid), (md5(meter)::uuid)
) nulls not distinct;
-- Statements and machines of an organization.
create index provider_charge_organization on provider_charge (organization_id, hour);
