-- The installation that this database belongs to: one row, the same identifier as in the data folder.
create table installation (
    only_row bigint primary key check (only_row = 1),
    id uuid not null,
    bound_at timestamptz not null
);
