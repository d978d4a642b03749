-- How many applications of an office are at a stage, which office has them and by when they are due: for the figures of offices and provinces. A
-- change adds rows and updates none, so that no writer waits for another; the service adds the rows up from time to time.
create table dossier_tally (
    id bigserial primary key,
    office text not null,
    owner_office text,
    state text not null,
    due_on date,
    n bigint not null
);
alter table dossier_tally alter column office type text collate "C";
create index dossier_tally_office on dossier_tally (office, state, n);
create index dossier_tally_owner on dossier_tally (owner_office, due_on, n) where owner_office is not null;
insert into dossier_tally (office, owner_office, state, due_on, n)
    select office, owner_office, stage, due_on, count(*) from application group by office, owner_office, stage, due_on;
create function dossier_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into dossier_tally (office, owner_office, state, due_on, n) values (old.office, old.owner_office, old.stage, old.due_on, -1);
    end if;
    if tg_op <> 'DELETE' then
        insert into dossier_tally (office, owner_office, state, due_on, n) values (new.office, new.owner_office, new.stage, new.due_on, 1);
    end if;
    return null;
end $$;
create trigger dossier_counted after insert or delete on application for each row execute function dossier_counted();
create trigger dossier_moved after update of office, owner_office, stage, due_on on application for each row
    when ((old.office, old.owner_office, old.stage, old.due_on) is distinct from (new.office, new.owner_office, new.stage, new.due_on))
    execute function dossier_counted();
