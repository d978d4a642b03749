-- The persons whom a partner follows for a purpose, under the name by which it knows each; the request by which it began.
create table exchange_follow (
    partner_id uuid not null references partner (id),
    purpose text not null,
    person_id uuid not null references person (id),
    pseudonym text not null,
    request_id uuid not null references exchange_request (id),
    at timestamptz not null,
    primary key (partner_id, purpose, person_id)
);
create index exchange_follow_person on exchange_follow (person_id);
create index exchange_follow_name on exchange_follow (partner_id, purpose, pseudonym);
-- What partners who follow are told, in the order of places. A place is given after what it tells of is true, by one at a time: no later change gets an
-- earlier place. The tag is random: a cursor that names it is of this database, and not of one that was restored to before.
create table exchange_notice (
    partner_id uuid not null references partner (id),
    purpose text not null,
    place bigint not null,
    tag bytea not null,
    person_id uuid not null references person (id),
    fields text not null,
    effective text,
    at timestamptz not null,
    primary key (partner_id, purpose, place)
);
create index exchange_notice_at on exchange_notice (at);
-- Of each feed, whether its oldest notices are kept no more.
create table exchange_feed (
    partner_id uuid not null references partner (id),
    purpose text not null,
    erased boolean not null,
    primary key (partner_id, purpose)
);
-- The next place.
create table exchange_place (
    id bigint primary key,
    next bigint not null
);
insert into exchange_place (id, next) values (1, 1);
