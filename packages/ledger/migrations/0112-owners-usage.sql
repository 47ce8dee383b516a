-- What a user of the cloud has is used under an auth id of its own, `cloudsigma:<uuid>`: whose the user is, that is. Said by mapOwner() from now
-- on; here for all that was said before. Nothing was used under such an id yet, so no hour changes.
insert into auth_mapping (auth_id, valid_from, revision, organization_id, user_id, recorded_by)
select 'cloudsigma:' || user_id, valid_from, revision, case when not ended then organization_id end, case when not ended then user_id::text end, recorded_by
from cloud_owner on conflict do nothing;
