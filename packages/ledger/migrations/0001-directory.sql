-- Who is billed, by what they are recognized, and the version of what gateways know of it.

create table organization (
  organization_id uuid primary key default gen_random_uuid(),
  name text not null check (name <> ''),
  -- One currency for ever: every amount of an organization is in it.
  currency text not null default 'USD' check (currency ~ '^[A-Z]{3}$'),
  created_at timestamptz not null default now()
);

-- findOrganization() by name. Names are for people and need not be unique.
create index organization_name on organization (name);

create table credential (
  auth_id text primary key,
  -- The part of the key by which it is found.
  public_id text not null unique,
  -- HMAC-SHA-256 of the whole key under a secret that is never in this database, base64url.
  hmac text not null,
  name text,
  scopes text[] not null,
  created_at timestamptz not null default now(),
  revoked_at timestamptz
);

-- Whose an auth id is: a row is in force from valid_from until the next one of the same auth id, so that at any instant
-- there is at most one. 1024 bytes: an index entry can hold no more than about 2700.
create table auth_mapping (
  auth_id text not null check (octet_length(auth_id) between 1 and 1024),
  valid_from timestamptz not null check (valid_from < 'infinity'),
  organization_id uuid not null references organization,
  user_id text,
  created_at timestamptz not null default now(),
  primary key (auth_id, valid_from)
);

-- The rater asks which mappings change within an hour; almost always none.
create index auth_mapping_valid_from on auth_mapping (valid_from);
-- listCredentials() and streamEvents() of one organization.
create index auth_mapping_organization on auth_mapping (organization_id);

-- One row. Its lock makes the order of versions the order of commits.
create table policy_version (
  -- Tells this ledger from another one whose versions mean nothing here: a gateway's disk outlives its database.
  ledger_id uuid not null default gen_random_uuid(),
  single boolean primary key default true check (single),
  version bigint not null
);
insert into policy_version (version) values (0);
