-- Charges of before there were digests get theirs: their hours are rated again, to the same amounts.
insert into dirty_hour (hour, cause)
select distinct hour, 'record' from charge where records_digest is null;
