-- The register. A person is found by the register's own id until there is a number.
create table person (
    id uuid primary key,
    office text not null,
    personal_number text unique,
    record jsonb not null,
    likeness text not null,
    findings jsonb not null,
    declared_by uuid not null references officer (id),
    declared_at timestamptz not null
);
create index person_likeness on person (likeness);

-- Offices that have a case of a person, and so may read the person.
create table person_reader (
    person_id uuid not null references person (id),
    office text not null,
    since timestamptz not null,
    primary key (person_id, office)
);
