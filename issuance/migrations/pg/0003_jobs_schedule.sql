-- One row per recurring job: when it is due, which process has it.
create table job (
    id text primary key,
    due_at timestamptz not null,
    leased_by uuid,
    leased_until timestamptz,
    failures bigint not null,
    done_at timestamptz
);
