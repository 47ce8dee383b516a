-- Where requests go: one deployment for each resource, as a history. A row is never changed; the newest of a resource is in force (ADR 0101).
--
-- Read whole for each version of the policy in which they changed (distinct on resource_id), and by resource: the primary key serves both. The
-- newest id says whether anything has changed: changes are made one at a time, under the directory's lock.
create table deployment_version (
  id bigint generated always as identity unique,
  -- 1024 bytes: with a number it still fits into an index entry.
  resource_id text not null check (octet_length(resource_id) between 1 and 1024),
  revision integer not null check (revision >= 1),
  state text not null check (state in ('active', 'retired')),
  models text[] not null,
  -- Settings of a route under the names of the configuration: upstreams and terms. Never a secret: credentials are named, not told.
  settings jsonb not null check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 65536),
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (resource_id, revision)
);
create trigger deployment_version_kept before update or delete on deployment_version for each row execute function refuse_row_change();
