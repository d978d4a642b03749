-- The stock as a double-entry ledger. A posting moves chips from one account to another: one chip, or a range (a delivery, the stock of before the
-- ledger). It is never changed. Which accounts there are: `production::ledger`.
create table posting (
    id uuid primary key,
    at timestamptz not null,
    what text not null,
    from_account text not null,
    to_account text not null,
    n bigint not null check (n > 0),
    serial text references chip (id),
    delivery_id uuid references delivery (id),
    entry_id uuid,
    version bigint,
    mac bytea
);
create index posting_serial on posting (serial, id);
create index posting_to on posting (to_account, id);
create index posting_from on posting (from_account, id);
-- The chip's last posting, and the box in which it is on its way.
alter table chip add column posting_id uuid;
alter table chip add column box_id uuid;
-- What the postings add up to by account. A posting adds rows and updates none, so that no writer waits for another; the service adds the rows up
-- from time to time.
create table stock_tally (
    id bigserial primary key,
    account text not null,
    n bigint not null
);
create function posting_counted() returns trigger language plpgsql as $$
begin
    insert into stock_tally (account, n) values (new.from_account, -new.n), (new.to_account, new.n);
    return null;
end $$;
create trigger posting_counted after insert on posting for each row execute function posting_counted();
-- Chips of before the ledger came from the supplier.
insert into posting (id, at, what, from_account, to_account, n, delivery_id)
    select cast('00000000' || substr(cast(gen_random_uuid() as text), 9) as uuid), now(), 'opening', 'supplier', account, count(*), delivery_id
    from (
        select delivery_id, case
            when state = 'personalized' then 'card/' || office
            when state = 'spoiled' then 'spoiled/' || office
            when custody is not null then 'station/' || office || '/' || cast(custody as text) || '/' || state
            when office = 'national' then 'store-room/national/' || state
            else 'office/' || office || '/' || state
        end as account from chip
    ) there group by account, delivery_id;
