-- One row per recurring job: when it is due, which process has it.
create table job (
    id TEXT primary key,
    due_at INTEGER not null,
    leased_by TEXT,
    leased_until INTEGER,
    failures INTEGER not null,
    done_at INTEGER
);
