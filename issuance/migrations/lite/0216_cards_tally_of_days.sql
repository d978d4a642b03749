-- How many cards were made at an office on a day. A card adds a row, so that no writer waits for another; the service adds the rows up from time to
-- time.
create table card_day_tally (
    id INTEGER primary key,
    office TEXT not null,
    day TEXT not null,
    n INTEGER not null
);
create index card_day_tally_day on card_day_tally (day, office, n);
insert into card_day_tally (office, day, n) select office, issued, count(*) from card group by office, issued;
create trigger card_day_counted after insert on card begin
    insert into card_day_tally (office, day, n) values (new.office, new.issued, 1);
end;
create trigger card_day_deleted after delete on card begin
    insert into card_day_tally (office, day, n) values (old.office, old.issued, -1);
end;
create trigger card_day_moved after update of office, issued on card when old.office is not new.office or old.issued is not new.issued begin
    insert into card_day_tally (office, day, n) values (old.office, old.issued, -1), (new.office, new.issued, 1);
end;
