-- What systems of partners want to be told at which of their addresses. The place is that of the last notice that was delivered or passed over; `told` is
-- the last one of which the trail has a record; the request is the one by which it began.
create table exchange_subscription (
    id TEXT primary key,
    partner_id TEXT not null references partner (id),
    system_id TEXT not null references partner_system (id),
    request_id TEXT not null references exchange_request (id),
    purpose TEXT not null,
    topic TEXT not null,
    address TEXT not null,
    countdown INTEGER not null,
    retries INTEGER not null,
    begun_at INTEGER not null,
    confirmed_at INTEGER,
    place INTEGER,
    told INTEGER not null,
    attempts INTEGER not null,
    due_at INTEGER,
    stopped_at INTEGER,
    note TEXT
);
create unique index exchange_subscription_of on exchange_subscription (partner_id, system_id, purpose, topic, address);
create index exchange_subscription_due on exchange_subscription (due_at) where due_at is not null;
-- Of each feed, the last place that is kept no more.
alter table exchange_feed add column erased_place INTEGER not null default 0;
