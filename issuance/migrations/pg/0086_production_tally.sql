-- How many chips there are by state, so that no figure reads the whole table. A change adds rows and updates none, so that no writer waits for
-- another; the service adds the rows up from time to time.
create table chip_tally (
    id bigserial primary key,
    state text not null,
    n bigint not null
);
insert into chip_tally (state, n) select state, count(*) from chip group by state;
create function chip_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into chip_tally (state, n) values (old.state, -1);
    end if;
    if tg_op <> 'DELETE' then
        insert into chip_tally (state, n) values (new.state, 1);
    end if;
    return null;
end $$;
create trigger chip_counted after insert or delete on chip for each row execute function chip_counted();
create trigger chip_moved after update of state on chip for each row
    when (old.state is distinct from new.state) execute function chip_counted();
-- Chips with an order that is not finished.
create index chip_bound on chip (id) where state = 'bound';
