-- Whose lines of a closed month are to be looked at again; null: everybody's. A late record concerns one organization, and a month has
-- thousands.
alter table dirty_period add column organization_id uuid references organization;
