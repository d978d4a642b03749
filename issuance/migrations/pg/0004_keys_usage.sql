-- How often each signing key was used; reserved before, not counted after.
create table signing_key (
    id text primary key,
    name text not null,
    used bigint not null
);
