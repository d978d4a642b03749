-- How often each signing key was used; reserved before, not counted after.
create table signing_key (
    id TEXT primary key,
    name TEXT not null,
    used INTEGER not null
);
