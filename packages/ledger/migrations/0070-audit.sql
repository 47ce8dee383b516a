-- Who looked at what, and who changed what: one chain of lines for each organization, and one for the installation. Each line's hash covers
-- the hash of the line before it, so that nothing can be changed, left out or put in between without changing everything after it
-- (docs/guides/audit.md says what is hashed, ADR 0047 why).

-- The end of each chain. Its row lock makes the order of lines the order of commits, whichever process appends.
create table audit_head (
  -- An organization's id, or `installation`. No foreign key: a line must never fail because of what it is about.
  chain text primary key check (chain = 'installation' or chain ~ '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$'),
  sequence bigint not null check (sequence >= 0),
  hash bytea not null check (octet_length(hash) = 32),
  -- Public keys that a line of this chain has named: what heads of this chain are signed with.
  key_ids text[] not null default '{}'
) with (fillfactor = 50);

create table audit_line (
  chain text not null,
  -- From 1, without gaps.
  sequence bigint not null check (sequence > 0),
  -- What is hashed, byte for byte: JSON with its names in order and no white space. Personal fields are in it as commitments only.
  body text not null,
  hash bytea not null check (octet_length(hash) = 32),
  primary key (chain, sequence)
);
create trigger audit_line_immutable before update or delete or truncate on audit_line
  for each statement execute function refuse_change();

-- What the commitments of a line commit to: JSON, {"actor.id": [salt, value], …}. Fields can be taken out of it, and nothing else: the
-- chain stays whole, and who has one that was taken out cannot be told from its commitment without the salt.
create table audit_personal (
  chain text not null,
  sequence bigint not null,
  fields text not null,
  -- No foreign key to the line: append_audit() alone adds rows, and a check of each would cost as much as adding it.
  primary key (chain, sequence)
);
create trigger audit_personal_kept before delete or truncate on audit_personal
  for each statement execute function refuse_change();

create function refuse_unless_erased() returns trigger language plpgsql as $$
begin
  if new.chain <> old.chain or new.sequence <> old.sequence or octet_length(new.fields) >= octet_length(old.fields) then
    raise exception 'fields of % are taken out, never changed', tg_table_name using errcode = 'restrict_violation';
  end if;
  return new;
end $$;
create trigger audit_personal_erased before update on audit_personal
  for each row execute function refuse_unless_erased();

-- Appends lines, in the order given, to their chains. Arguments hold one line each of text per audit line: JSON without line breaks, and
-- '' where a line has no personal fields. A chain that has not named the key gets a line that does, first. Runs as the owner of the tables:
-- who appends can write neither over a line nor a head of its own, and cannot leave a hash to chance.
create function append_audit(chains text, bodies text, personal text, key_id text, key_body text)
returns table (chain text, sequence bigint, hash bytea) language plpgsql security definer set search_path from current as $$
declare
  line record;
  head record;
  current_chain text;
  next_sequence bigint;
  next_hash bytea;
  all_chains text[] := '{}';
  all_sequences bigint[] := '{}';
  all_bodies text[] := '{}';
  all_hashes bytea[] := '{}';
  all_personal text[] := '{}';
  all_orders bigint[] := '{}';
begin
  -- Chains in one order, so that two who append to several of them never wait for each other.
  for line in
    select u.c, u.b, u.p, u.o from unnest(string_to_array(chains, E'\n'), string_to_array(bodies, E'\n'), string_to_array(personal, E'\n'))
      with ordinality as u (c, b, p, o) order by u.c collate "C", u.o
  loop
    if line.c is null or line.b is null or line.p is null then
      raise exception 'chains, bodies and personal fields are not equally many' using errcode = 'invalid_parameter_value';
    end if;
    if current_chain is distinct from line.c then
      if current_chain is not null then
        update audit_head h set sequence = next_sequence, hash = next_hash where h.chain = current_chain;
      end if;
      current_chain := line.c;
      select * into head from audit_head h where h.chain = current_chain for update;
      if not found then
        insert into audit_head (chain, sequence, hash) values (current_chain, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing;
        select * into head from audit_head h where h.chain = current_chain for update;
      end if;
      next_sequence := head.sequence;
      next_hash := head.hash;
      if not key_id = any (head.key_ids) then
        next_sequence := next_sequence + 1;
        next_hash := sha256(convert_to(format(E'ascribe-audit-line-1\n%s\n%s\n%s\n%s',
          current_chain, next_sequence, encode(next_hash, 'hex'), key_body), 'UTF8'));
        insert into audit_line (chain, sequence, body, hash) values (current_chain, next_sequence, key_body, next_hash);
        update audit_head h set key_ids = h.key_ids || key_id where h.chain = current_chain;
      end if;
    end if;
    next_sequence := next_sequence + 1;
    next_hash := sha256(convert_to(format(E'ascribe-audit-line-1\n%s\n%s\n%s\n%s',
      current_chain, next_sequence, encode(next_hash, 'hex'), line.b), 'UTF8'));
    all_chains := all_chains || current_chain;
    all_sequences := all_sequences || next_sequence;
    all_bodies := all_bodies || line.b;
    all_hashes := all_hashes || next_hash;
    all_personal := all_personal || line.p;
    all_orders := all_orders || line.o;
  end loop;
  if current_chain is null then return; end if;
  update audit_head h set sequence = next_sequence, hash = next_hash where h.chain = current_chain;
  insert into audit_line (chain, sequence, body, hash)
    select u.c, u.s, u.b, u.h from unnest(all_chains, all_sequences, all_bodies, all_hashes) as u (c, s, b, h);
  insert into audit_personal (chain, sequence, fields)
    select u.c, u.s, u.p from unnest(all_chains, all_sequences, all_personal) as u (c, s, p) where u.p <> '';
  return query
    select u.c, u.s, u.h from unnest(all_chains, all_sequences, all_hashes, all_orders) as u (c, s, h, o) order by u.o;
end $$;
revoke all on function append_audit(text, text, text, text, text) from public;
