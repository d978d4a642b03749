-- The first load of a register is one of PostgreSQL (docs/import.md, ADR 0035); here the table stays empty.
create table first_load_step (
    id INTEGER primary key,
    statement TEXT not null,
    done_at INTEGER
);
