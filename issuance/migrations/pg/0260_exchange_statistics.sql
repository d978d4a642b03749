-- The states of the register for statistics: one for each quarter, counted once. A partner is told of a state once it is finished.
create table statistics_state (
    id uuid primary key,
    day date not null unique,
    worker uuid not null,
    touched_at timestamptz not null,
    counted_from timestamptz not null,
    counted_until timestamptz,
    small_cell bigint not null,
    noise bigint not null,
    least bigint not null
);
-- The cells of a state that may be told, each with its error: what is too small has no row, and exact counts are kept nowhere.
create table statistics_cell (
    state_id uuid not null references statistics_state (id),
    crossed text not null,
    life text not null,
    province text not null,
    district text not null,
    first_value text not null,
    second_value text not null,
    persons bigint not null,
    primary key (state_id, crossed, life, province, district, first_value, second_value)
);
