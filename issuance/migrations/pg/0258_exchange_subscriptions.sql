-- What systems of partners want to be told at which of their addresses. The place is that of the last notice that was delivered or passed over; `told` is
-- the last one of which the trail has a record; the request is the one by which it began.
create table exchange_subscription (
    id uuid primary key,
    partner_id uuid not null references partner (id),
    system_id uuid not null references partner_system (id),
    request_id uuid not null references exchange_request (id),
    purpose text not null,
    topic text not null,
    address text not null,
    countdown bigint not null,
    retries bigint not null,
    begun_at timestamptz not null,
    confirmed_at timestamptz,
    place bigint,
    told bigint not null,
    attempts bigint not null,
    due_at timestamptz,
    stopped_at timestamptz,
    note text
);
create unique index exchange_subscription_of on exchange_subscription (partner_id, system_id, purpose, topic, address);
create index exchange_subscription_due on exchange_subscription (due_at) where due_at is not null;
-- Of each feed, the last place that is kept no more.
alter table exchange_feed add column erased_place bigint not null default 0;
