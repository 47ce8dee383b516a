-- The auth id that stands for a whole organization where an event of others names no other: organization:ID, that organization's from the
-- beginning. Runs as the owner of the tables, so that who takes events in needs no right to change the directory: it can map this one auth
-- id to this one organization, and nothing else. Gives whether it was mapped now.
create function map_organization_auth_id(organization uuid) returns boolean language plpgsql security definer set search_path from current as $$
begin
  if exists (select from auth_mapping m where m.auth_id = 'organization:' || organization::text) then return false; end if;
  insert into auth_mapping (auth_id, valid_from, organization_id)
  select 'organization:' || o.organization_id::text, '-infinity', o.organization_id from organization o where o.organization_id = organization
  on conflict do nothing;
  -- Usage of it that came before, by whatever way, is held as nobody's.
  insert into dirty_hour (hour, cause)
  select distinct u.hour, 'mapping' from usage_hour u
  where hashtextextended(u.auth_id, 0) = hashtextextended('organization:' || organization::text, 0) and u.auth_id = 'organization:' || organization::text;
  return true;
end $$;
