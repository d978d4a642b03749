-- Everything that ever happened to a person in the register, in the order in which it was recorded: rows are only added. The first
-- row of a person holds the record as it was declared, each later one what changed, so that the record can be built again and compared.
create table register_event (
    person_id TEXT not null references person (id),
    ordinal INTEGER not null,
    kind TEXT not null,
    valid_from TEXT,
    proposed_by TEXT not null,
    recorded_by TEXT not null,
    recorded_at INTEGER not null,
    evidence TEXT not null,
    declared TEXT,
    changes TEXT not null,
    version INTEGER,
    mac BLOB,
    primary key (person_id, ordinal)
);
insert into register_event (person_id, ordinal, kind, proposed_by, recorded_by, recorded_at, evidence, declared, changes)
    select id, 1, 'declared', declared_by, declared_by, declared_at, '{"form":"dc01","source":"citizen","document":"","confidence":"declared"}', record, '[]'
    from person;
-- How many events a person has: the next one's ordinal, and a mark of one that was deleted.
alter table person add column events INTEGER not null default 1;

-- What one officer proposes to change about a person and another applies (form DC02, messages of death).
create table register_change (
    id TEXT primary key,
    person_id TEXT not null references person (id),
    office TEXT not null,
    kind TEXT not null,
    valid_from TEXT,
    evidence TEXT not null,
    changes TEXT not null,
    proposed_by TEXT not null,
    proposed_at INTEGER not null,
    state TEXT not null,
    ended_by TEXT,
    ended_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index register_change_state on register_change (office, state, id);
create index register_change_person on register_change (person_id, id);
