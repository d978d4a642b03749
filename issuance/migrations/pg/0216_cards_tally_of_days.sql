-- How many cards were made at an office on a day. A card adds a row, so that no writer waits for another; the service adds the rows up from time to
-- time.
create table card_day_tally (
    id bigserial primary key,
    office text not null,
    day date not null,
    n bigint not null
);
create index card_day_tally_day on card_day_tally (day, office, n);
insert into card_day_tally (office, day, n) select office, issued, count(*) from card group by office, issued;
create function card_day_counted() returns trigger language plpgsql as $$
begin
    if tg_op <> 'INSERT' then
        insert into card_day_tally (office, day, n) values (old.office, old.issued, -1);
    end if;
    if tg_op <> 'DELETE' then
        insert into card_day_tally (office, day, n) values (new.office, new.issued, 1);
    end if;
    return null;
end $$;
create trigger card_day_counted after insert or delete on card for each row execute function card_day_counted();
create trigger card_day_moved after update of office, issued on card for each row
    when ((old.office, old.issued) is distinct from (new.office, new.issued)) execute function card_day_counted();
