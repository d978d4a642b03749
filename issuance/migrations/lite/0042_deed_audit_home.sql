-- Whose auditors see a record beside the caller's own: the office of the object, and the office that registered the person.
alter table audit_entry add column object_office TEXT;
create table audit_home (
    person_id TEXT primary key,
    office TEXT not null
);
insert into audit_home (person_id, office) select id, office from person;
drop view v_audit_entry;

-- For the office `audit`.
create view v_audit_entry as
    select e.id, e.at, e.actor, e.office, e.action, e.object, e.person_id, e.purpose, e.related, e.reason, e.object_office,
           h.office as person_office
    from audit_entry e left join audit_home h on h.person_id = e.person_id;
