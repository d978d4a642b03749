-- The answers to writes, by idempotency key.
create table answer (
    caller TEXT not null,
    idempotency_key TEXT not null,
    request_hash BLOB not null,
    sealed BLOB,
    at INTEGER not null,
    primary key (caller, idempotency_key)
);
create index answer_at on answer (at);
