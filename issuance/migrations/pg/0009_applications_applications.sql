-- Applications. `stage` is there for queues; what is known at a stage stands in `stage_data`.
create table application (
    id uuid primary key,
    slip text not null,
    person_id uuid not null references person (id),
    kind jsonb not null,
    office text not null,
    registered_by uuid not null references officer (id),
    registered_at timestamptz not null,
    fee bigint not null,
    stage text not null,
    stage_data jsonb not null,
    approved_at timestamptz
);
create index application_person on application (person_id, office);
create index application_queue on application (office, stage, approved_at);
