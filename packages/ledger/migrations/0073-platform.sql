-- Keys of a platform's automation, for the admin listener. Like API keys, and apart from them: one is never taken for the other.
create table platform_credential (
  credential_id uuid primary key default gen_random_uuid(),
  -- The part of the key by which it is found.
  public_id text not null unique,
  -- HMAC-SHA-256 of the whole key under a secret that is never in this database, base64url.
  hmac text not null,
  server_secret_id text not null,
  name text not null check (char_length(name) between 1 and 200),
  scopes text[] not null,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  expires_at timestamptz check (expires_at < 'infinity')
);
create trigger platform_credential_immutable before update or delete or truncate on platform_credential
  for each statement execute function refuse_change();

create table platform_credential_end (
  credential_id uuid primary key references platform_credential,
  ended_at timestamptz not null default clock_timestamp(),
  ended_by text not null
);
create trigger platform_credential_end_immutable before update or delete or truncate on platform_credential_end
  for each statement execute function refuse_change();

-- To the minute: a key in use costs one write a minute.
create table platform_credential_use (
  credential_id uuid primary key references platform_credential,
  used_at timestamptz not null
) with (fillfactor = 50);

-- What was answered to a request that may be repeated. The key of the client is here as a hash, and the answer is encrypted under that key and
-- the server secret: it may hold a key that is shown once.
create table idempotent_request (
  credential_id uuid not null references platform_credential,
  key_sha256 bytea not null check (octet_length(key_sha256) = 32),
  request_sha256 bytea not null check (octet_length(request_sha256) = 32),
  -- Of the attempt that runs, so that one that was given up cannot answer for its successor.
  attempt uuid not null,
  started_at timestamptz not null default clock_timestamp(),
  status integer check (status between 100 and 599),
  sealed_body bytea,
  expires_at timestamptz not null,
  primary key (credential_id, key_sha256),
  check ((status is null) = (sealed_body is null))
);
-- What has served its purpose.
create index idempotent_request_expires on idempotent_request (expires_at);
