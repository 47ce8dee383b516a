-- append_audit() again: a chain's lines at a time, which takes a sixth less time, and safe from whoever calls it. Functions that run as the owner
-- of the tables find tables and functions of the schema only; without pg_temp at the end, a table that the caller made for the session, with
-- a trigger on it, would come first and run as the owner.
create or replace function append_audit(chains text, bodies text, personal text, key_id text, key_body text)
returns table (chain text, sequence bigint, hash bytea) language plpgsql security definer set search_path from current as $$
declare
  lines record;
  head record;
  prefix text;
  first_sequence bigint;
  next_hash bytea;
  hashes bytea[];
  count integer;
begin
  -- Chains in one order, so that two who append to several of them never wait for each other; a chain's lines in the order given.
  for lines in
    select u.c, array_agg(u.b order by u.o) as bodies, array_agg(u.p order by u.o) as personal
    from unnest(string_to_array(chains, E'\n'), string_to_array(bodies, E'\n'), string_to_array(personal, E'\n')) with ordinality as u (c, b, p, o)
    group by u.c order by u.c collate "C"
  loop
    if lines.c is null or array_position(lines.bodies, null) is not null or array_position(lines.personal, null) is not null then
      raise exception 'chains, bodies and personal fields are not equally many' using errcode = 'invalid_parameter_value';
    end if;
    select * into head from audit_head h where h.chain = lines.c for update;
    if not found then
      insert into audit_head (chain, sequence, hash) values (lines.c, 0, decode(repeat('00', 32), 'hex')) on conflict do nothing;
      select * into head from audit_head h where h.chain = lines.c for update;
    end if;
    first_sequence := head.sequence + 1;
    next_hash := head.hash;
    prefix := E'ascribe-audit-line-1\n' || lines.c || E'\n';
    if not key_id = any (head.key_ids) then
      next_hash := sha256(convert_to(prefix || first_sequence || E'\n' || encode(next_hash, 'hex') || E'\n' || key_body, 'UTF8'));
      insert into audit_line (chain, sequence, body, hash) values (lines.c, first_sequence, key_body, next_hash);
      update audit_head h set key_ids = h.key_ids || key_id where h.chain = lines.c;
      first_sequence := first_sequence + 1;
    end if;
    hashes := '{}';
    count := cardinality(lines.bodies);
    for i in 1 .. count loop
      next_hash := sha256(convert_to(
        prefix || (first_sequence + i - 1) || E'\n' || encode(next_hash, 'hex') || E'\n' || (lines.bodies)[i], 'UTF8'));
      hashes[i] := next_hash;
    end loop;
    with added as (
      insert into audit_line (chain, sequence, body, hash)
      select lines.c, first_sequence + u.o - 1, u.b, u.h from unnest(lines.bodies, hashes) with ordinality as u (b, h, o)
    ), beside as (
      insert into audit_personal (chain, sequence, fields)
      select lines.c, first_sequence + u.o - 1, u.p from unnest(lines.personal) with ordinality as u (p, o) where u.p <> ''
    )
    update audit_head h set sequence = first_sequence + count - 1, hash = next_hash where h.chain = lines.c;
    for i in 1 .. count loop
      chain := lines.c;
      sequence := first_sequence + i - 1;
      hash := hashes[i];
      return next;
    end loop;
  end loop;
end $$;

do $$
begin
  execute format('alter function append_audit(text, text, text, text, text) set search_path = %I, pg_temp', current_schema());
  execute format('alter function ensure_usage_partition(date) set search_path = %I, pg_temp', current_schema());
  execute format('alter function map_organization_auth_id(uuid) set search_path = %I, pg_temp', current_schema());
end $$;
