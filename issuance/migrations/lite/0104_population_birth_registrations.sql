-- Each entry of an office's register of births that a message of birth named, so that a second child does not come in under it.
create table birth_registration (
    office TEXT not null,
    registration TEXT not null,
    person_id TEXT not null references person (id),
    primary key (office, registration)
);
