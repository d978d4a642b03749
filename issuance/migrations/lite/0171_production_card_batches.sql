-- Batches of cards: drafted by one officer, released by another one.
create table card_batch (
    id TEXT primary key,
    office TEXT not null,
    priority INTEGER not null,
    cut_off INTEGER not null,
    most INTEGER not null,
    state TEXT not null,
    drafted_by TEXT not null,
    drafted_at INTEGER not null,
    released_by TEXT,
    released_at INTEGER,
    reason TEXT,
    items INTEGER,
    good INTEGER,
    dropped INTEGER,
    spoiled INTEGER,
    closed_by TEXT,
    closed_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index card_batch_office on card_batch (office, id);
create index card_batch_working on card_batch (office) where state in ('released', 'paused');
