-- An operator who looks at a customer: for which organization, why, until when, and whether the customer lets them. Rows say what happened
-- and stay; a session ends by a row of its own.

-- Whether operators need the customer's approval. The row with the highest sequence counts; without one they need none.
create table support_policy (
  organization_id uuid not null references organization,
  sequence bigint generated always as identity,
  require_approval boolean not null,
  recorded_at timestamptz not null default clock_timestamp(),
  recorded_by text not null,
  primary key (organization_id, sequence)
);
create trigger support_policy_immutable before update or delete or truncate on support_policy
  for each statement execute function refuse_change();

-- What an operator asks of a customer.
create table support_request (
  request_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organization,
  -- Who, and by whose word. 1024 bytes together with the rest of an index entry still fit.
  operator text not null check (octet_length(operator) between 1 and 1024),
  issuer text not null check (octet_length(issuer) between 1 and 512),
  reason text not null check (char_length(reason) <= 1000),
  ticket text not null check (char_length(ticket) <= 200),
  minutes integer not null check (minutes between 1 and 60),
  requested_at timestamptz not null default clock_timestamp()
);
-- listSupportRequests(), newest first.
create index support_request_organization on support_request (organization_id, requested_at desc, request_id);
-- Is the operator let in?
create index support_request_operator on support_request (organization_id, operator, issuer, requested_at desc);

-- What the customer answers; of several the last one counts. Approved: until then.
create table support_decision (
  request_id uuid not null references support_request,
  sequence bigint generated always as identity,
  decision text not null check (decision in ('approve', 'refuse', 'revoke')),
  until timestamptz check (until < 'infinity'),
  decided_at timestamptz not null default clock_timestamp(),
  decided_by text not null,
  primary key (request_id, sequence),
  check ((until is not null) = (decision = 'approve'))
);
create trigger support_decision_immutable before update or delete or truncate on support_decision
  for each statement execute function refuse_change();

-- While a window is open, operators need no approval of their own.
create table support_window (
  window_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organization,
  opened_at timestamptz not null default clock_timestamp(),
  until timestamptz not null check (until > opened_at and until < 'infinity'),
  opened_by text not null
);
create index support_window_organization on support_window (organization_id, until desc);
create trigger support_window_immutable before update or delete or truncate on support_window
  for each statement execute function refuse_change();

create table support_window_end (
  window_id uuid primary key references support_window,
  ended_at timestamptz not null default clock_timestamp(),
  ended_by text not null
);
create trigger support_window_end_immutable before update or delete or truncate on support_window_end
  for each statement execute function refuse_change();

create table acting_session (
  session_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organization,
  operator text not null check (octet_length(operator) between 1 and 1024),
  issuer text not null check (octet_length(issuer) between 1 and 512),
  roles text[] not null default '{}',
  -- implied: nobody asked for it; the assertion with which the operator came began it when it was issued.
  mode text not null check (mode in ('required', 'implied')),
  reason text not null check (char_length(reason) <= 1000),
  ticket text not null check (char_length(ticket) <= 200),
  started_at timestamptz not null check (started_at > '-infinity'),
  -- Never longer than an hour, and never made longer.
  expires_at timestamptz not null check (expires_at > started_at and expires_at <= started_at + interval '60 minutes'),
  assertion_sha256 bytea check (octet_length(assertion_sha256) = 32),
  support_request_id uuid references support_request,
  recorded_at timestamptz not null default clock_timestamp(),
  check ((assertion_sha256 is not null) = (mode = 'implied'))
);
-- findActing(), at every request of an operator.
create index acting_session_operator on acting_session (organization_id, operator, issuer, recorded_at desc);
-- One assertion begins one session at an organization, for ever.
create unique index acting_session_assertion on acting_session (assertion_sha256, organization_id) where assertion_sha256 is not null;

create table acting_session_end (
  session_id uuid primary key references acting_session,
  ended_at timestamptz not null default clock_timestamp(),
  -- ended: by the operator; revoked: by the customer.
  cause text not null check (cause in ('ended', 'revoked')),
  ended_by text not null
);
create trigger acting_session_end_immutable before update or delete or truncate on acting_session_end
  for each statement execute function refuse_change();

-- Of an operator who is to be forgotten, what names the person is taken out, and nothing else is ever changed.
create function refuse_unless_forgotten() returns trigger language plpgsql as $$
begin
  if new.operator not like 'erased:%' or new.reason <> '' or new.ticket <> ''
    or to_jsonb(new) - 'operator' - 'reason' - 'ticket' is distinct from to_jsonb(old) - 'operator' - 'reason' - 'ticket' then
    raise exception '% is never overwritten: update is refused; add a row instead', tg_table_name using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger acting_session_forgotten before update on acting_session for each row execute function refuse_unless_forgotten();
create trigger acting_session_kept before delete or truncate on acting_session for each statement execute function refuse_change();
create trigger support_request_forgotten before update on support_request for each row execute function refuse_unless_forgotten();
create trigger support_request_kept before delete or truncate on support_request for each statement execute function refuse_change();
