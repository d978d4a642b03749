-- How many applications of an office are at a stage, which office has them and by when they are due: for the figures of offices and provinces. A
-- change adds rows and updates none, so that no writer waits for another; the service adds the rows up from time to time.
create table dossier_tally (
    id INTEGER primary key,
    office TEXT not null,
    owner_office TEXT,
    state TEXT not null,
    due_on TEXT,
    n INTEGER not null
);
create index dossier_tally_office on dossier_tally (office, state, n);
create index dossier_tally_owner on dossier_tally (owner_office, due_on, n) where owner_office is not null;
insert into dossier_tally (office, owner_office, state, due_on, n)
    select office, owner_office, stage, due_on, count(*) from application group by office, owner_office, stage, due_on;
create trigger dossier_counted after insert on application begin
    insert into dossier_tally (office, owner_office, state, due_on, n) values (new.office, new.owner_office, new.stage, new.due_on, 1);
end;
create trigger dossier_deleted after delete on application begin
    insert into dossier_tally (office, owner_office, state, due_on, n) values (old.office, old.owner_office, old.stage, old.due_on, -1);
end;
create trigger dossier_moved after update of office, owner_office, stage, due_on on application
    when old.office is not new.office or old.owner_office is not new.owner_office or old.stage is not new.stage or old.due_on is not new.due_on begin
    insert into dossier_tally (office, owner_office, state, due_on, n) values
        (old.office, old.owner_office, old.stage, old.due_on, -1), (new.office, new.owner_office, new.stage, new.due_on, 1);
end;
