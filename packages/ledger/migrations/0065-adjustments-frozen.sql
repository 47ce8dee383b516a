-- What a closed month comes to is frozen: no adjustment is booked into it afterwards, whatever a program does.
create function refuse_frozen_adjustment() returns trigger language plpgsql as $$
begin
  if exists (select from added where booked_month <= (select max(month) from billing_period)) then
    raise exception 'an adjustment is booked into an open month, never into a closed one' using errcode = 'restrict_violation';
  end if;
  return null;
end $$;
create trigger adjustment_open after insert on adjustment referencing new table as added
  for each statement execute function refuse_frozen_adjustment();
