-- How many applications there are by stage, so that no figure reads the whole table. A change adds rows and updates none, so that no writer waits for
-- another; the service adds the rows up from time to time.
create table application_tally (
    id bigserial primary key,
    state text not null,
    n bigint not null
);
insert into application_tally (state, n) select stage, count(*) from application group by stage;
create function application_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into application_tally (state, n) values (old.stage, -1);
    end if;
    if tg_op <> 'DELETE' then
        insert into application_tally (state, n) values (new.stage, 1);
    end if;
    return null;
end $$;
create trigger application_counted after insert or delete on application for each row execute function application_counted();
create trigger application_moved after update of stage on application for each row
    when (old.stage is distinct from new.stage) execute function application_counted();
-- The oldest application of each stage that is not an end.
create index application_open on application (stage, registered_at)
    where stage in ('registered', 'captured', 'approved', 'held', 'in-production', 'personalized');
