-- Batches of cards: drafted by one officer, released by another one.
create table card_batch (
    id uuid primary key,
    office text not null,
    priority bigint not null,
    cut_off timestamptz not null,
    most bigint not null,
    state text not null,
    drafted_by uuid not null,
    drafted_at timestamptz not null,
    released_by uuid,
    released_at timestamptz,
    reason text,
    items bigint,
    good bigint,
    dropped bigint,
    spoiled bigint,
    closed_by uuid,
    closed_at timestamptz,
    version bigint,
    mac bytea
);
create index card_batch_office on card_batch (office, id);
create index card_batch_working on card_batch (office) where state in ('released', 'paused');
