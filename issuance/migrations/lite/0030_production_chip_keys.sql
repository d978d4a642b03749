-- Every public key that a chip of ours ever had, under its SHA-256: a key is used once, for ever, those of spoiled chips included.
create table chip_key (
    id BLOB primary key,
    serial TEXT not null references chip (id),
    key_use TEXT not null,
    at INTEGER not null
);
