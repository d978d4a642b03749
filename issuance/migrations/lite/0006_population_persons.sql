-- The register. A person is found by the register's own id until there is a number.
create table person (
    id TEXT primary key,
    office TEXT not null,
    personal_number TEXT unique,
    record TEXT not null,
    likeness TEXT not null,
    findings TEXT not null,
    declared_by TEXT not null references officer (id),
    declared_at INTEGER not null
);
create index person_likeness on person (likeness);

-- Offices that have a case of a person, and so may read the person.
create table person_reader (
    person_id TEXT not null references person (id),
    office TEXT not null,
    since INTEGER not null,
    primary key (person_id, office)
);
