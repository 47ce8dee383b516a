-- What a member may do in the organization: a viewer reads, an admin changes as well. Null: nobody has said; then a viewer. A value of the
-- timeline like any other: a role changes by a new row (ADR 0017).
alter table organization_member add column role text check (role in ('admin', 'viewer'));
