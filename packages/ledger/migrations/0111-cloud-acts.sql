-- What controllers did in cloud accounts, on whose behalf, as their journals told it; and how many tokens were minted on a day. Facts: each
-- becomes a line in the access log of whose it is, once somebody is said to be so (ADR 0088).
create table cloud_act (
  -- Of the journal: what is delivered again is the same.
  event_id uuid primary key,
  kind text not null check (kind in ('act', 'mint_day')),
  -- Whose, as of usage records: auth_mapping says which organization's.
  auth_id text not null,
  started_at timestamptz not null,
  ended_at timestamptz not null,
  -- The server that it was done to, or that it made.
  server_id text,
  -- As it came, but for who asked for it: that names a person, and stands in the log alone, where it can be erased.
  body jsonb not null,
  writer text not null,
  received_at timestamptz not null default clock_timestamp()
);
-- What was done with a machine. A hash, because it is whatever a controller says.
create index cloud_act_server on cloud_act (hashtextextended(server_id, 0), started_at) where server_id is not null;
create trigger cloud_act_immutable before update or delete or truncate on cloud_act for each statement execute function refuse_change();

-- Acts that are in no log yet: of nobody, or just come. Its row goes when the line is written, in one transaction.
create table cloud_act_waiting (
  event_id uuid primary key references cloud_act,
  auth_id text not null,
  started_at timestamptz not null,
  requested_by text
);
create index cloud_act_waiting_auth on cloud_act_waiting (hashtextextended(auth_id, 0), started_at);

-- What each machine was seen as last. Nothing is counted by it.
create table machine (
  server_id text primary key check (octet_length(server_id) between 1 and 200),
  auth_id text not null,
  user_id text not null,
  account text not null check (account in ('Owner', 'PlatformAccount', 'Legacy')),
  name text not null,
  namespace text not null,
  cluster text,
  region text not null,
  state text not null check (state in ('running', 'stopped', 'deleted')),
  -- Since when it was seen in this state; when it was seen first; what the newest word on it is of.
  state_at timestamptz not null,
  since timestamptz not null,
  seen_at timestamptz not null,
  cpu_mhz bigint not null,
  memory_mib bigint not null,
  disk_bytes numeric(38, 0) not null,
  addresses integer not null
) with (fillfactor = 70);
-- Machines of an organization, by the auth ids that are its.
create index machine_auth on machine (hashtextextended(auth_id, 0));

-- Records of one machine in order of time. Hashed, because an id of a resource may be longer than an index entry; partial, so that no other record pays for it.
create index usage_record_machine on usage_record (hashtextextended(resource_id, 0), instant) where api = 'machine';
