-- One row per record of the audit trail: written by `deed`, read through the view. No foreign keys: the trail outlives what it tells of.
create table audit_entry (
    id uuid primary key,
    at timestamptz not null,
    actor text not null,
    office text,
    action text not null,
    object text not null,
    person_id uuid,
    purpose text not null,
    related text,
    reason text
);
create index audit_entry_object on audit_entry (object, id);
create index audit_entry_actor on audit_entry (actor, id);
create index audit_entry_person on audit_entry (person_id, id);

-- For the office `audit`.
create view v_audit_entry as
    select id, at, actor, office, action, object, person_id, purpose, related, reason from audit_entry;
