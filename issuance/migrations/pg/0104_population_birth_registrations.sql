-- Each entry of an office's register of births that a message of birth named, so that a second child does not come in under it.
create table birth_registration (
    office text not null,
    registration text not null,
    person_id uuid not null references person (id),
    primary key (office, registration)
);
