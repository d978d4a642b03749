-- Lines of lists that were not so, for an hour: guesses about one person count together, asked in a list or one by one.
-- The subject is a keyed digest.
create table exchange_miss (
    partner_id TEXT not null references partner (id),
    subject BLOB not null,
    request_id TEXT not null references exchange_request (id),
    line INTEGER not null,
    primary key (partner_id, subject, request_id, line)
);
create index exchange_miss_request on exchange_miss (request_id);
