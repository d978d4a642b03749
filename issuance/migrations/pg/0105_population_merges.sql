-- Two records of one person become one, and one record of two people becomes two. The proposal of one officer, which another applies.
create table register_merge (
    id uuid primary key,
    kind text not null,
    person_id uuid not null references person (id),
    other_id uuid,
    office text not null,
    evidence jsonb not null,
    changes jsonb not null,
    declaration jsonb,
    person_events bigint not null,
    other_events bigint,
    proposed_by uuid not null,
    proposed_at timestamptz not null,
    state text not null,
    ended_by uuid,
    ended_at timestamptz,
    version bigint,
    mac bytea
);
create index register_merge_state on register_merge (office, state, id);

-- Records that were merged into another one, as long as the merge stands. It follows from the events, as the record does.
create table merged_person (
    person_id uuid primary key references person (id),
    survivor_id uuid not null references person (id)
);
create index merged_person_survivor on merged_person (survivor_id);

-- The other person of an event that is about two records.
alter table register_event add column other_id uuid;
