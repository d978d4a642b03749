-- Everything that ever happened to a person in the register, in the order in which it was recorded: rows are only added. The first
-- row of a person holds the record as it was declared, each later one what changed, so that the record can be built again and compared.
create table register_event (
    person_id uuid not null references person (id),
    ordinal bigint not null,
    kind text not null,
    valid_from text,
    proposed_by uuid not null,
    recorded_by uuid not null,
    recorded_at timestamptz not null,
    evidence jsonb not null,
    declared jsonb,
    changes jsonb not null,
    version bigint,
    mac bytea,
    primary key (person_id, ordinal)
);
insert into register_event (person_id, ordinal, kind, proposed_by, recorded_by, recorded_at, evidence, declared, changes)
    select id, 1, 'declared', declared_by, declared_by, declared_at, '{"form":"dc01","source":"citizen","document":"","confidence":"declared"}'::jsonb, record, '[]'::jsonb
    from person;
-- How many events a person has: the next one's ordinal, and a mark of one that was deleted.
alter table person add column events bigint not null default 1;

-- What one officer proposes to change about a person and another applies (form DC02, messages of death).
create table register_change (
    id uuid primary key,
    person_id uuid not null references person (id),
    office text not null,
    kind text not null,
    valid_from text,
    evidence jsonb not null,
    changes jsonb not null,
    proposed_by uuid not null,
    proposed_at timestamptz not null,
    state text not null,
    ended_by uuid,
    ended_at timestamptz,
    version bigint,
    mac bytea
);
create index register_change_state on register_change (office, state, id);
create index register_change_person on register_change (person_id, id);
