-- How many chips there are by state, so that no figure reads the whole table. A change adds rows and updates none, so that no writer waits for
-- another; the service adds the rows up from time to time.
create table chip_tally (
    id INTEGER primary key,
    state TEXT not null,
    n INTEGER not null
);
insert into chip_tally (state, n) select state, count(*) from chip group by state;
create trigger chip_counted after insert on chip begin
    insert into chip_tally (state, n) values (new.state, 1);
end;
create trigger chip_deleted after delete on chip begin
    insert into chip_tally (state, n) values (old.state, -1);
end;
create trigger chip_moved after update of state on chip when old.state is not new.state begin
    insert into chip_tally (state, n) values (old.state, -1), (new.state, 1);
end;
-- Chips with an order that is not finished.
create index chip_bound on chip (id) where state = 'bound';
