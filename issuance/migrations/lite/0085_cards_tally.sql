-- How many cards there are by status, so that no figure reads the whole table. A change adds rows and updates none, so that no writer waits for
-- another; the service adds the rows up from time to time.
create table card_tally (
    id INTEGER primary key,
    state TEXT not null,
    n INTEGER not null
);
insert into card_tally (state, n) select status, count(*) from card group by status;
create trigger card_counted after insert on card begin
    insert into card_tally (state, n) values (new.status, 1);
end;
create trigger card_deleted after delete on card begin
    insert into card_tally (state, n) values (old.status, -1);
end;
create trigger card_moved after update of status on card when old.status is not new.status begin
    insert into card_tally (state, n) values (old.status, -1), (new.status, 1);
end;
