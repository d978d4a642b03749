-- The states of the register for statistics: one for each quarter, counted once. A partner is told of a state once it is finished.
create table statistics_state (
    id TEXT primary key,
    day TEXT not null unique,
    worker TEXT not null,
    touched_at INTEGER not null,
    counted_from INTEGER not null,
    counted_until INTEGER,
    small_cell INTEGER not null,
    noise INTEGER not null,
    least INTEGER not null
);
-- The cells of a state that may be told, each with its error: what is too small has no row, and exact counts are kept nowhere.
create table statistics_cell (
    state_id TEXT not null references statistics_state (id),
    crossed TEXT not null,
    life TEXT not null,
    province TEXT not null,
    district TEXT not null,
    first_value TEXT not null,
    second_value TEXT not null,
    persons INTEGER not null,
    primary key (state_id, crossed, life, province, district, first_value, second_value)
);
