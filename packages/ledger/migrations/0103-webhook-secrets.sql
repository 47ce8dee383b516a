-- What alerts of a budget are signed with, where a customer has asked for a secret of its own (ADR 0073). Here is a salt: with the server secret,
-- which no database has, it gives the secret. Nobody who reads this table can sign.
create table budget_webhook_secret (
  budget_id uuid not null references budget (budget_id),
  salt text not null check (salt ~ '^[0-9a-f]{32}$'),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null,
  -- From then on nothing is signed with it; null: it is the one in force.
  ends_at timestamptz,
  primary key (budget_id, salt)
);
-- One in force, whoever else is rotating at the same time.
create unique index budget_webhook_secret_in_force on budget_webhook_secret (budget_id) where ends_at is null;
