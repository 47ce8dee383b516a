-- On what terms somebody is served: a credential, or each credential of a group or an organization that has no terms of its own. A timeline like
-- those of 0010; null: as wider terms have it. ended: none of its own, from then on (ADR 0103).
--
-- Read whole for each version of the policy, and by subject for its history: the primary key serves both.
create table credential_terms (
  -- 1024 bytes: with a scope and an instant it still fits into an index entry.
  subject text not null check (octet_length(subject) between 1 and 1024),
  scope text not null check (scope in ('credential', 'group', 'organization')),
  valid_from timestamptz not null check (valid_from < 'infinity'),
  revision integer not null default 0 check (revision >= 0),
  -- What becomes of a reply whose client has left, and how far a drain goes.
  abort text check (abort in ('drain', 'cancel', 'estimate')),
  drain_ms bigint check (drain_ms between 0 and 3600000),
  drain_bytes bigint check (drain_bytes between 0 and 1073741824),
  drain_tokens bigint check (drain_tokens between 0 and 1000000000),
  -- Requests of one credential at once, in one gateway process.
  max_concurrent bigint check (max_concurrent between 1 and 100000),
  ended boolean not null default false,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text,
  primary key (subject, scope, valid_from, revision)
);
create trigger credential_terms_kept before update or delete on credential_terms for each row execute function refuse_row_change();
