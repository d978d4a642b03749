-- Whose auditors see a record beside the caller's own: the office of the object, and the office that registered the person.
alter table audit_entry add column object_office text;
create table audit_home (
    person_id uuid primary key,
    office text not null
);
drop view v_audit_entry;

-- For the office `audit`.
create view v_audit_entry as
    select id, at, actor, office, action, object, person_id, purpose, related, reason, object_office,
        (select audit_home.office from audit_home where audit_home.person_id = audit_entry.person_id) as person_office
    from audit_entry;
