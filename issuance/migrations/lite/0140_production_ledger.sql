-- The stock as a double-entry ledger. A posting moves chips from one account to another: one chip, or a range (a delivery, the stock of before the
-- ledger). It is never changed. Which accounts there are: `production::ledger`.
create table posting (
    id TEXT primary key,
    at INTEGER not null,
    what TEXT not null,
    from_account TEXT not null,
    to_account TEXT not null,
    n INTEGER not null check (n > 0),
    serial TEXT references chip (id),
    delivery_id TEXT references delivery (id),
    entry_id TEXT,
    version INTEGER,
    mac BLOB
);
create index posting_serial on posting (serial, id);
create index posting_to on posting (to_account, id);
create index posting_from on posting (from_account, id);
-- The chip's last posting, and the box in which it is on its way.
alter table chip add column posting_id TEXT;
alter table chip add column box_id TEXT;
-- What the postings add up to by account. A posting adds rows and updates none, so that no writer waits for another; the service adds the rows up
-- from time to time.
create table stock_tally (
    id INTEGER primary key,
    account TEXT not null,
    n INTEGER not null
);
create trigger posting_counted after insert on posting begin
    insert into stock_tally (account, n) values (new.from_account, -new.n), (new.to_account, new.n);
end;
-- Chips of before the ledger came from the supplier.
insert into posting (id, at, what, from_account, to_account, n, delivery_id)
    select '00000000-' || lower(hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-8' || substr(hex(randomblob(2)), 2)
                                || '-' || hex(randomblob(6))),
           cast(strftime('%s', 'now') as integer) * 1000000, 'opening', 'supplier', account, count(*), delivery_id
    from (
        select delivery_id, case
            when state = 'personalized' then 'card/' || office
            when state = 'spoiled' then 'spoiled/' || office
            when custody is not null then 'station/' || office || '/' || custody || '/' || state
            when office = 'national' then 'store-room/national/' || state
            else 'office/' || office || '/' || state
        end as account from chip
    ) there group by account, delivery_id;
