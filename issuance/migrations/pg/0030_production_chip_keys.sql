-- Every public key that a chip of ours ever had, under its SHA-256: a key is used once, for ever, those of spoiled chips included.
create table chip_key (
    id bytea primary key,
    serial text not null references chip (id),
    key_use text not null,
    at timestamptz not null
);
