-- The directory as a history. A row of a timeline says what holds from valid_from on, until the row of the same subject with the next
-- higher valid_from; of several with one valid_from the highest revision stands. So a correction is a new row, every past reading can
-- be told, and at any instant there is exactly one answer: `order by valid_from desc, revision desc limit 1` (ADR 0017).
--
-- Runs while the version before still writes: it adds and fills, and changes nothing that the old programs read.

-- Row by row: `delete` of what is not there stays harmless.
create function refuse_row_change() returns trigger language plpgsql as $$
begin
  raise exception '% is never overwritten: % is refused; add a row instead', tg_table_name, lower(tg_op) using errcode = 'restrict_violation';
end $$;

-- Whose an auth id is. organization_id null: nobody's, from then on.
alter table auth_mapping
  add column group_id text,
  add column revision integer not null default 0 check (revision >= 0),
  add column recorded_by text,
  alter column organization_id drop not null,
  drop constraint auth_mapping_pkey,
  add primary key (auth_id, valid_from, revision),
  add check (organization_id is not null or (user_id is null and group_id is null));
create trigger auth_mapping_kept before update or delete on auth_mapping for each row execute function refuse_row_change();

-- What an organization is called, and whether it is still there. organization.name repeats the name of now, for those that join it.
create table organization_version (
  organization_id uuid not null references organization,
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  name text not null check (name <> ''),
  -- From then on it is no more: its keys let nobody in.
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (organization_id, valid_from, revision)
);
create trigger organization_version_kept before update or delete on organization_version
  for each row execute function refuse_row_change();

insert into organization_version (organization_id, valid_from, name, recorded_at)
select organization_id, '-infinity', name, created_at from organization;

-- Whoever makes an organization, an old program too, begins its history.
create function begin_organization() returns trigger language plpgsql as $$
begin
  insert into organization_version (organization_id, valid_from, name) values (new.organization_id, '-infinity', new.name);
  return null;
end $$;
create trigger organization_begins after insert on organization for each row execute function begin_organization();

-- Under which organization another one stands; parent_id null: under none.
create table organization_parent (
  organization_id uuid not null references organization,
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  parent_id uuid references organization check (parent_id <> organization_id),
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (organization_id, valid_from, revision)
);
-- listOrganizations() below a parent, `orgs show`.
create index organization_parent_parent on organization_parent (parent_id) where parent_id is not null;
create trigger organization_parent_kept before update or delete on organization_parent
  for each row execute function refuse_row_change();

-- At no instant may an organization stand under itself. Whoever adds a row waits here for everybody else who does (the number is that of
-- lockDirectory() in locks.ts), and then sees what they committed; in a transaction with one old snapshot he would not.
create function check_no_circle() returns trigger language plpgsql as $$
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'parents of organizations are changed in read committed' using errcode = 'invalid_transaction_state';
  end if;
  perform pg_advisory_xact_lock((x'61736372'::bigint << 32) | 4);
  if exists (
    with recursive above (organization_id, since, until) as (
      select new.parent_id, new.valid_from, coalesce(
        (select min(valid_from) from organization_parent where organization_id = new.organization_id and valid_from > new.valid_from), 'infinity')
      union
      select t.parent_id, greatest(a.since, t.since), least(a.until, t.until)
      from above a
      cross join lateral (
        select distinct on (valid_from) parent_id, valid_from as since,
          coalesce((select min(valid_from) from organization_parent later
            where later.organization_id = p.organization_id and later.valid_from > p.valid_from), 'infinity') as until
        from organization_parent p where p.organization_id = a.organization_id
        order by valid_from, revision desc
      ) t
      where t.parent_id is not null and t.since < a.until and t.until > a.since
    )
    select from above where organization_id = new.organization_id
  ) then
    raise exception 'organization % would stand under itself', new.organization_id using errcode = 'check_violation', constraint = 'organization_parent_circle';
  end if;
  return null;
end $$;
-- After the whole statement, so that one statement may turn a chain around.
create trigger organization_parent_circle after insert on organization_parent
  for each row when (new.parent_id is not null) execute function check_no_circle();

-- Users and groups have the platform's own ids. A mapping may name ones that are not here: the directory says more about them, it does not
-- allow them. 1024 bytes: two of them and an instant still fit into an index entry.
create table user_version (
  user_id text not null check (octet_length(user_id) between 1 and 1024),
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  name text,
  email text,
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (user_id, valid_from, revision)
);
create trigger user_version_kept before update or delete on user_version for each row execute function refuse_row_change();

-- A group is of one organization at any instant.
create table group_version (
  group_id text not null check (octet_length(group_id) between 1 and 1024),
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  organization_id uuid not null references organization,
  name text,
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (group_id, valid_from, revision)
);
-- `groups list --org`.
create index group_version_organization on group_version (organization_id);
create trigger group_version_kept before update or delete on group_version for each row execute function refuse_row_change();

-- What is used: a model deployment, a virtual machine.
create table resource_version (
  resource_id text not null check (octet_length(resource_id) between 1 and 1024),
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  resource_type text,
  name text,
  -- Whose it is, if it is one organization's.
  organization_id uuid references organization,
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (resource_id, valid_from, revision)
);
create index resource_version_organization on resource_version (organization_id) where organization_id is not null;
create trigger resource_version_kept before update or delete on resource_version for each row execute function refuse_row_change();

-- A user may be a member of several organizations, and of several groups.
create table organization_member (
  user_id text not null check (octet_length(user_id) between 1 and 1024),
  organization_id uuid not null references organization,
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (user_id, organization_id, valid_from, revision)
);
create index organization_member_organization on organization_member (organization_id);
create trigger organization_member_kept before update or delete on organization_member
  for each row execute function refuse_row_change();

create table group_member (
  user_id text not null check (octet_length(user_id) between 1 and 1024),
  group_id text not null check (octet_length(group_id) between 1 and 1024),
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (user_id, group_id, valid_from, revision)
);
-- Members of one group; a hash, because an id may be long.
create index group_member_group on group_member (hashtextextended(group_id, 0));
create trigger group_member_kept before update or delete on group_member for each row execute function refuse_row_change();

-- What proves a credential: one key, or while it is being replaced several. Never changed.
create table credential_secret (
  -- The part of the key by which it is found.
  public_id text primary key,
  auth_id text not null references credential,
  -- HMAC-SHA-256 of the whole key under a secret that is never in this database, base64url.
  hmac text not null,
  -- Which server secret that was, see serverSecretId(); null: made before there could be several.
  server_secret_id text,
  created_at timestamptz not null default clock_timestamp(),
  created_by text
);
create index credential_secret_auth on credential_secret (auth_id);
create trigger credential_secret_kept before update or delete on credential_secret for each row execute function refuse_row_change();

-- When it stops being one: the earliest row counts, so that nothing said later can make a key live longer.
create table credential_secret_end (
  public_id text not null references credential_secret,
  ends_at timestamptz not null,
  -- expiry: said when it was made; rotation: another one took its place; revocation: ended by hand.
  cause text not null check (cause in ('expiry', 'rotation', 'revocation')),
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (public_id, ends_at)
);
create trigger credential_secret_end_kept before update or delete on credential_secret_end
  for each row execute function refuse_row_change();

insert into credential_secret (public_id, auth_id, hmac, created_at) select public_id, auth_id, hmac, created_at from credential;

-- Pages of streamCredentials() in order.
create index credential_created on credential (created_at, auth_id collate "C");

-- The columns public_id and hmac of credential are its first secret, for programs of the version before; they go in a later release.
create function begin_credential() returns trigger language plpgsql as $$
begin
  insert into credential_secret (public_id, auth_id, hmac) values (new.public_id, new.auth_id, new.hmac) on conflict (public_id) do nothing;
  return null;
end $$;
create trigger credential_begins after insert on credential for each row execute function begin_credential();

-- A version says what holds as of an instant of its own; so all who read it read the same. keys_version is the version in which the keys
-- changed last: who has those need not read them again. keys_unlisted_version is the last one of which nobody noted whose keys they were:
-- who has later ones reads only those of policy_key_change. See bumpPolicy().
alter table policy_version
  add column as_of timestamptz not null default clock_timestamp(),
  add column keys_version bigint not null default 0,
  add column keys_unlisted_version bigint not null default 0;
update policy_version set keys_version = version, keys_unlisted_version = version;

-- Whose keys changed in a version. Of the latest versions only; older rows are deleted.
create table policy_key_change (
  version bigint not null,
  auth_id text not null,
  primary key (version, auth_id)
);

-- Instants to come at which something planned begins or ends. When one has passed, somebody makes the next version.
create table policy_due (
  at timestamptz primary key check (at < 'infinity')
);
insert into policy_due (at) select distinct valid_from from auth_mapping where valid_from > clock_timestamp();

-- What a source delivered the last time, so that what it leaves out can be told from what others made. Bookkeeping, no history.
create table directory_source (
  source text not null check (octet_length(source) between 1 and 200),
  kind text not null,
  -- JSON array of the parts of the key.
  id text not null,
  id_hash uuid not null generated always as (md5(id)::uuid) stored,
  primary key (source, kind, id_hash)
);
