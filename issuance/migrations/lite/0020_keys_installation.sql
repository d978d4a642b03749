-- The installation that this database belongs to: one row, the same identifier as in the data folder.
create table installation (
    only_row INTEGER primary key check (only_row = 1),
    id TEXT not null,
    bound_at INTEGER not null
);
