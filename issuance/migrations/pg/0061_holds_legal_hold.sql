-- Legal holds: what they name is not erased. `application_id` null: everything of the person. Each row carries a MAC (`store::seal`).
create table legal_hold (
    id uuid primary key,
    object_kind text not null,
    object_id uuid not null,
    person_id uuid not null,
    application_id uuid,
    grounds text not null,
    proposed_by uuid not null references officer (id),
    proposed_at timestamptz not null,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    release_grounds text,
    release_proposed_by uuid references officer (id),
    release_proposed_at timestamptz,
    released_by uuid references officer (id),
    released_at timestamptz,
    version bigint,
    mac bytea
);
create index legal_hold_person on legal_hold (person_id);
