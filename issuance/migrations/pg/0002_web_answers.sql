-- The answers to writes, by idempotency key.
create table answer (
    caller text not null,
    idempotency_key text not null,
    request_hash bytea not null,
    sealed bytea,
    at timestamptz not null,
    primary key (caller, idempotency_key)
);
create index answer_at on answer (at);
