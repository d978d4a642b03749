-- Actors and objects of the trail are compared byte by byte, whatever collation the database has: each record is written into an index of both, and by
-- the rules of a language each comparison on the way there costs several times as much.
drop view v_audit_entry;
alter table audit_entry
    alter column actor type text collate "C",
    alter column object type text collate "C";
-- For the office `audit`.
create view v_audit_entry as
    select id, at, actor, office, action, object, person_id, purpose, related, reason, object_office,
        (select audit_home.office from audit_home where audit_home.person_id = audit_entry.person_id) as person_office
    from audit_entry;
