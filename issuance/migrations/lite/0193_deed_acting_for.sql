-- For whom a caller acted who stood in for another officer.
alter table audit_entry add column acting_for TEXT;
drop view v_audit_entry;

-- For the office `audit`.
create view v_audit_entry as
    select id, at, actor, office, action, object, person_id, purpose, related, reason, object_office, acting_for,
        (select audit_home.office from audit_home where audit_home.person_id = audit_entry.person_id) as person_office
    from audit_entry;
