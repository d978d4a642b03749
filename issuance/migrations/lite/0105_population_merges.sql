-- Two records of one person become one, and one record of two people becomes two. The proposal of one officer, which another applies.
create table register_merge (
    id TEXT primary key,
    kind TEXT not null,
    person_id TEXT not null references person (id),
    other_id TEXT,
    office TEXT not null,
    evidence TEXT not null,
    changes TEXT not null,
    declaration TEXT,
    person_events INTEGER not null,
    other_events INTEGER,
    proposed_by TEXT not null,
    proposed_at INTEGER not null,
    state TEXT not null,
    ended_by TEXT,
    ended_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index register_merge_state on register_merge (office, state, id);

-- Records that were merged into another one, as long as the merge stands. It follows from the events, as the record does.
create table merged_person (
    person_id TEXT primary key references person (id),
    survivor_id TEXT not null references person (id)
);
create index merged_person_survivor on merged_person (survivor_id);

-- The other person of an event that is about two records.
alter table register_event add column other_id TEXT;
