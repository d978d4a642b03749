-- The office whose auditors see what is done about a person, for reads of the person in one statement.
create view v_audit_home as select person_id, office from audit_home;
