-- People who are signed in to the console, for all processes of the API (ADR 0043). A row is made when an identity provider has vouched for
-- somebody, and deleted when he signs out, is signed out there, or its time is over.
create table web_session (
  -- SHA-256 of what the browser's cookie holds: whoever reads this table cannot be anybody.
  session_hash bytea primary key check (octet_length(session_hash) = 32),
  -- Who says so, of whom, and in which of its own sessions (`sid`): what a sign-out there names.
  issuer text not null,
  subject text not null check (octet_length(subject) between 1 and 4096),
  issuer_session text,
  -- The one that he looks at, of those that he belongs to; null: not chosen yet.
  organization_id uuid,
  -- His tokens, his name and what his tokens say of him, encrypted under a key that is derived from the server secret.
  sealed bytea not null check (octet_length(sealed) <= 65536),
  -- Of `sealed`: a refresh replaces exactly what it has read.
  version integer not null default 0,
  created_at timestamptz not null,
  seen_at timestamptz not null,
  -- However busy he is.
  ends_at timestamptz not null,
  -- From when on his tokens are to be refreshed; null: they cannot be.
  refresh_at timestamptz,
  -- One process at a time: a refresh token may be good for one use.
  refreshing_until timestamptz
);
-- Sign-out at the identity provider.
create index web_session_subject on web_session (issuer, subject);
create index web_session_issuer_session on web_session (issuer, issuer_session) where issuer_session is not null;
-- What is over.
create index web_session_ends on web_session (ends_at);
create index web_session_seen on web_session (seen_at);
