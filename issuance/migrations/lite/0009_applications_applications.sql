-- Applications. `stage` is there for queues; what is known at a stage stands in `stage_data`.
create table application (
    id TEXT primary key,
    slip TEXT not null,
    person_id TEXT not null references person (id),
    kind TEXT not null,
    office TEXT not null,
    registered_by TEXT not null references officer (id),
    registered_at INTEGER not null,
    fee INTEGER not null,
    stage TEXT not null,
    stage_data TEXT not null,
    approved_at INTEGER
);
create index application_person on application (person_id, office);
create index application_queue on application (office, stage, approved_at);
