-- The code that a citizen set for a card at the counter: it opens, with the card, what the card alone does not.
create table citizen_code (
    id TEXT primary key references card (id),
    hash TEXT not null,
    set_by TEXT not null references officer (id),
    set_at INTEGER not null,
    wrong INTEGER not null,
    not_before INTEGER,
    version INTEGER,
    mac BLOB
);
