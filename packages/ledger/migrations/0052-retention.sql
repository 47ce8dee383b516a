-- On a partition that goes into an archive; see archivePartition(). A data error, so that who ingests looks again and quarantines.
create function refuse_archived_record() returns trigger language plpgsql as $$
begin
  raise exception 'the records of this month go into an archive' using errcode = 'check_violation';
end $$;
