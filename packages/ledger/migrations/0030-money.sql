-- Money out: prepaid credits, invoices, credit notes, and what must be printed on them. Amounts in 10^-9 of the currency.

-- Prepaid or given money, spent by invoices. What is left is kept beside the block and must equal its entries.
create table credit_block (
  credit_block_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organization,
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  kind text not null check (kind in ('trial', 'promotional', 'prepaid', 'commitment', 'goodwill')),
  amount_nano numeric(38, 0) not null check (amount_nano > 0),
  -- What the customer paid for all of it; 0 when it was given.
  cost_basis_nano numeric(38, 0) not null check (cost_basis_nano >= 0),
  -- Of blocks that expire at the same time the lowest is drawn first.
  priority integer not null default 100,
  -- It pays usage of [effective_from, expires_at).
  effective_from timestamptz not null check (effective_from > '-infinity' and effective_from < 'infinity'),
  expires_at timestamptz check (expires_at > effective_from and expires_at < 'infinity'),
  note text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null check (created_by <> ''),
  -- Never negative, whoever draws at once: the last word on that.
  remaining_nano numeric(38, 0) not null check (remaining_nano between 0 and amount_nano),
  voided_at timestamptz
);
-- Blocks of an organization in the order in which they are drawn.
create index credit_block_order on credit_block (organization_id, expires_at nulls last, priority, created_at, credit_block_id);

create table invoice (
  invoice_id uuid primary key default gen_random_uuid(),
  organization_id uuid not null references organization,
  -- First day of the UTC month that it bills.
  month date not null check (extract(day from month) = 1),
  state text not null default 'draft' check (state in ('draft', 'issued', 'paid', 'void')),
  currency text not null check (currency ~ '^[A-Z]{3}$'),
  -- Prefix and sequence; null until it is issued.
  number text unique,
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null check (created_by <> ''),
  issued_at timestamptz,
  issued_by text,
  due_at timestamptz,
  paid_at timestamptz,
  paid_by text,
  payment_reference text,
  voided_at timestamptz,
  voided_by text,
  void_reason text,
  -- subtotal + credits (negative) + tax + rounding = total. As last drafted, then frozen.
  subtotal_nano numeric(38, 0) not null,
  credits_nano numeric(38, 0) not null check (credits_nano <= 0),
  tax_nano numeric(38, 0) not null,
  rounding_nano numeric(38, 0) not null,
  total_nano numeric(38, 0) not null,
  line_count integer not null check (line_count >= 0),
  -- The whole document, JSON in canonical form, and its SHA-256 in hex.
  content text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  check (subtotal_nano + credits_nano + tax_nano + rounding_nano = total_nano),
  check ((state = 'draft') = (number is null)),
  check ((state = 'draft') = (issued_at is null) and (issued_at is null) = (issued_by is null) and (issued_at is null) = (due_at is null)),
  check ((state = 'paid') = (paid_at is not null) and (paid_at is null) = (paid_by is null)),
  check ((state = 'void') = (voided_at is not null) and (voided_at is null) = (voided_by is null))
);
-- A month of an organization is billed once; a voided invoice makes room for another.
create unique index invoice_month on invoice (organization_id, month) where state <> 'void';
-- Invoices of an organization, newest first; invoices of a month.
create index invoice_listed on invoice (organization_id, created_at, invoice_id);
create index invoice_of_month on invoice (month, number);

-- Numbers of a series without gaps: taken in the transaction that issues, so that a rollback takes nothing.
create table document_series (
  prefix text primary key check (prefix <> ''),
  kind text not null check (kind in ('invoice', 'credit_note')),
  next_number bigint not null default 1 check (next_number > 0)
);

create function guard_invoice() returns trigger language plpgsql as $$
begin
  if tg_op = 'DELETE' then
    if old.state <> 'draft' then
      raise exception 'an invoice that was issued is never deleted' using errcode = 'restrict_violation';
    end if;
    return old;
  end if;
  if old.organization_id <> new.organization_id or old.month <> new.month or old.invoice_id <> new.invoice_id or old.currency <> new.currency then
    raise exception 'whom and what an invoice bills never changes' using errcode = 'restrict_violation';
  end if;
  if old.state = 'draft' then
    if new.state = 'draft' then return new; end if;
    if new.state <> 'issued' then
      raise exception 'a draft can only be issued' using errcode = 'restrict_violation';
    end if;
    if not exists (select from billing_period where month >= new.month) then
      raise exception 'an invoice can be issued only for a closed month' using errcode = 'restrict_violation';
    end if;
    return new;
  end if;
  if new.state <> old.state and (old.state, new.state) not in (('issued', 'paid'), ('issued', 'void')) then
    raise exception 'an invoice that is % cannot become %', old.state, new.state using errcode = 'restrict_violation';
  end if;
  if new.number is distinct from old.number or new.content is distinct from old.content or new.sha256 <> old.sha256
    or new.total_nano <> old.total_nano or new.subtotal_nano <> old.subtotal_nano or new.credits_nano <> old.credits_nano
    or new.tax_nano <> old.tax_nano or new.rounding_nano <> old.rounding_nano or new.line_count <> old.line_count
    or new.issued_at <> old.issued_at or new.issued_by <> old.issued_by or new.due_at <> old.due_at
    or new.created_at <> old.created_at or new.created_by <> old.created_by then
    raise exception 'an issued invoice is frozen' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger invoice_guarded before update or delete on invoice for each row execute function guard_invoice();
create trigger invoice_kept before truncate on invoice for each statement execute function refuse_change();

create table credit_note (
  credit_note_id uuid primary key default gen_random_uuid(),
  invoice_id uuid not null references invoice,
  number text not null unique,
  reason text not null check (reason <> ''),
  issued_at timestamptz not null default clock_timestamp(),
  issued_by text not null check (issued_by <> ''),
  -- Positive: what the customer is credited. net + tax + rounding = total.
  net_nano numeric(38, 0) not null check (net_nano > 0),
  tax_nano numeric(38, 0) not null,
  rounding_nano numeric(38, 0) not null,
  total_nano numeric(38, 0) not null check (total_nano >= 0),
  content text not null,
  sha256 text not null check (sha256 ~ '^[0-9a-f]{64}$'),
  check (net_nano + tax_nano + rounding_nano = total_nano)
);
create index credit_note_invoice on credit_note (invoice_id);
create trigger credit_note_immutable before update or delete or truncate on credit_note
  for each statement execute function refuse_change();

-- What a note credits, line by line: no line is credited beyond its amount. Line 0: no line in particular.
create table credit_note_line (
  credit_note_id uuid not null references credit_note,
  position integer not null check (position > 0),
  invoice_line integer not null check (invoice_line >= 0),
  amount_nano numeric(38, 0) not null check (amount_nano > 0),
  primary key (credit_note_id, position)
);
create trigger credit_note_line_immutable before update or delete or truncate on credit_note_line
  for each statement execute function refuse_change();

-- The notes of an invoice never exceed it. Checked at the end of the transaction, under the lock of the invoice's row.
create function check_credit_notes() returns trigger language plpgsql as $$
declare
  credited numeric;
  owed invoice;
begin
  select * into owed from invoice where invoice_id = new.invoice_id for update;
  select sum(total_nano) into credited from credit_note where invoice_id = new.invoice_id;
  if owed.state not in ('issued', 'paid') or credited > owed.total_nano then
    raise exception 'credit notes exceed invoice %', owed.number using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger credit_note_within after insert on credit_note deferrable initially deferred
  for each row execute function check_credit_notes();

-- Everything that ever happened to a block's balance. Append-only.
create table credit_entry (
  credit_entry_id bigint generated always as identity primary key,
  credit_block_id uuid not null references credit_block,
  kind text not null check (kind in ('grant', 'draw', 'return', 'expire', 'void')),
  amount_nano numeric(38, 0) not null,
  -- When it takes effect: a draw when its invoice is issued, an expiry when the block expires, however late it is booked.
  at timestamptz not null,
  -- The execution that drew it, or gave it back.
  invoice_id uuid references invoice,
  reason text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null check (created_by <> ''),
  check ((kind in ('grant', 'return')) = (amount_nano > 0) and amount_nano <> 0),
  check ((kind in ('draw', 'return')) = (invoice_id is not null))
);
-- Entries of a block; and a block is granted once.
create index credit_entry_block on credit_entry (credit_block_id, credit_entry_id);
create unique index credit_entry_grant on credit_entry (credit_block_id) where kind = 'grant';
-- What an invoice drew: at most once from a block.
create unique index credit_entry_invoice on credit_entry (invoice_id, credit_block_id, kind) where invoice_id is not null;

create trigger credit_entry_immutable before update or delete or truncate on credit_entry
  for each statement execute function refuse_change();

create function guard_credit_block() returns trigger language plpgsql as $$
begin
  if (new.credit_block_id, new.organization_id, new.currency, new.kind, new.amount_nano, new.cost_basis_nano, new.priority,
      new.effective_from, new.expires_at, new.note, new.created_at, new.created_by)
    is distinct from (old.credit_block_id, old.organization_id, old.currency, old.kind, old.amount_nano, old.cost_basis_nano, old.priority,
      old.effective_from, old.expires_at, old.note, old.created_at, old.created_by)
    or (old.voided_at is not null and new.voided_at is distinct from old.voided_at) then
    raise exception 'of a credit block only what is left changes' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger credit_block_guarded before update on credit_block for each row execute function guard_credit_block();
create trigger credit_block_kept before delete or truncate on credit_block for each statement execute function refuse_change();

-- What is left of a block is the sum of its entries: neither is ever written without the other.
create function check_credit_balance() returns trigger language plpgsql as $$
declare
  block uuid := new.credit_block_id;
begin
  if (select remaining_nano from credit_block where credit_block_id = block)
    <> (select coalesce(sum(amount_nano), 0) from credit_entry where credit_block_id = block) then
    raise exception 'what is left of credit block % is not the sum of its entries', block using errcode = 'check_violation';
  end if;
  return null;
end $$;
create constraint trigger credit_entry_balanced after insert on credit_entry deferrable initially deferred
  for each row execute function check_credit_balance();
create constraint trigger credit_block_balanced after insert or update of remaining_nano on credit_block deferrable initially deferred
  for each row execute function check_credit_balance();

-- Who bills and who is billed, as printed: from valid_from until the next row of the same party. Null organization: the seller.
create table billing_party (
  billing_party_id bigint generated always as identity primary key,
  organization_id uuid references organization,
  valid_from timestamptz not null default clock_timestamp(),
  legal_name text not null check (legal_name <> ''),
  -- Lines, from street to country.
  address text not null default '',
  -- ISO 3166-1 alpha-2; decides which taxes apply.
  country text not null default '' check (country ~ '^([A-Z]{2})?$'),
  tax_id text not null default '',
  email text not null default '',
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null check (created_by <> '')
);
create index billing_party_of on billing_party (organization_id, valid_from);
create trigger billing_party_immutable before update or delete or truncate on billing_party
  for each statement execute function refuse_change();

-- Taxes as configured: for one organization, else for its country, else for everybody. Ended, never changed.
create table tax_rule (
  tax_rule_id bigint generated always as identity primary key,
  name text not null check (name <> ''),
  -- Per cent, exact.
  rate_percent numeric(9, 6) not null check (rate_percent >= 0 and rate_percent <= 100),
  organization_id uuid references organization,
  country text check (country ~ '^[A-Z]{2}$'),
  -- Printed below the taxes: why nothing is due, for example.
  note text not null default '',
  effective_from date not null,
  -- First day on which it no longer applies.
  effective_until date check (effective_until >= effective_from),
  created_at timestamptz not null default clock_timestamp(),
  created_by text not null check (created_by <> ''),
  check (organization_id is null or country is null)
);
create function guard_tax_rule() returns trigger language plpgsql as $$
begin
  if old.effective_until is not null or (to_jsonb(new) - 'effective_until') <> (to_jsonb(old) - 'effective_until') then
    raise exception 'a tax rule is ended once and never changed' using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger tax_rule_guarded before update on tax_rule for each row execute function guard_tax_rule();
create trigger tax_rule_kept before delete or truncate on tax_rule for each statement execute function refuse_change();
