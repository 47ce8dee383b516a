-- migrate: no transaction
-- Ahead of 0051, which makes usage_record a partition as it stands: proves, while others go on writing, that all of its ids lie before the
-- end of a month. Attaching it then needs no scan under a lock.

alter table usage_record drop constraint if exists usage_record_before;

do $$
declare
  newest timestamptz := now();
  bound timestamptz;
begin
  -- The time in a UUIDv7 is its first 48 bits. A day of grace: who migrates in the last hour of a month must not refuse the next one's first.
  select greatest(now(), to_timestamp(('x' || substr(replace(event_id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)) into newest
  from usage_record order by event_id desc limit 1;
  bound := date_trunc('month', coalesce(newest, now()) + interval '1 day', 'UTC') + interval '1 month';
  execute format('alter table usage_record add constraint usage_record_before check (event_id < %L::uuid) not valid',
    lpad(to_hex((extract(epoch from bound) * 1000)::bigint), 12, '0') || repeat('0', 20));
end
$$;

alter table usage_record validate constraint usage_record_before;
