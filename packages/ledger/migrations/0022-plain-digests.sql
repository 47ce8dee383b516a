-- A digest is the exclusive or of the event ids themselves, not of their MD5 as 0020 says: that cost a third of rating. What was rated
-- in between is rated again, to the same amounts.
comment on column charge.records_digest is 'Exclusive or of the ids of the records that it covers.';
comment on column period_quantity.records_digest is 'Exclusive or of the ids of the records that it covers.';
comment on column adjustment.records_digest is 'Exclusive or of the ids of the records that came or went.';
insert into dirty_hour (hour, cause)
select hour, 'record' from charge union select hour, 'record' from period_quantity;
