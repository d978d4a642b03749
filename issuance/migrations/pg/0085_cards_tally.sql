-- How many cards there are by status, so that no figure reads the whole table. A change adds rows and updates none, so that no writer waits for
-- another; the service adds the rows up from time to time.
create table card_tally (
    id bigserial primary key,
    state text not null,
    n bigint not null
);
insert into card_tally (state, n) select status, count(*) from card group by status;
create function card_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into card_tally (state, n) values (old.status, -1);
    end if;
    if tg_op <> 'DELETE' then
        insert into card_tally (state, n) values (new.status, 1);
    end if;
    return null;
end $$;
create trigger card_counted after insert or delete on card for each row execute function card_counted();
create trigger card_moved after update of status on card for each row
    when (old.status is distinct from new.status) execute function card_counted();
