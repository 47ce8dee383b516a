-- Whose the virtual machines of a cloud user are: a user of the cloud, by UUID, belongs to an organization from an instant on. A timeline like
-- those of 0010. ended: to nobody, from then on.
create table cloud_owner (
  user_id uuid not null,
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  organization_id uuid not null references organization,
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (user_id, valid_from, revision)
);
-- streamOwners() of one organization.
create index cloud_owner_organization on cloud_owner (organization_id);
create trigger cloud_owner_kept before update or delete on cloud_owner for each row execute function refuse_row_change();
