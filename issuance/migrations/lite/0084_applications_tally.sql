-- How many applications there are by stage, so that no figure reads the whole table. A change adds rows and updates none, so that no writer waits for
-- another; the service adds the rows up from time to time.
create table application_tally (
    id INTEGER primary key,
    state TEXT not null,
    n INTEGER not null
);
insert into application_tally (state, n) select stage, count(*) from application group by stage;
create trigger application_counted after insert on application begin
    insert into application_tally (state, n) values (new.stage, 1);
end;
create trigger application_deleted after delete on application begin
    insert into application_tally (state, n) values (old.stage, -1);
end;
create trigger application_moved after update of stage on application when old.stage is not new.stage begin
    insert into application_tally (state, n) values (old.stage, -1), (new.stage, 1);
end;
-- The oldest application of each stage that is not an end.
create index application_open on application (stage, registered_at)
    where stage in ('registered', 'captured', 'approved', 'held', 'in-production', 'personalized');
