-- A citizen objects to a look at the own data, or to what the register holds: a case with an owner and a due time.
create table objection (
    id uuid primary key,
    person_id uuid not null references person (id),
    card_id uuid not null references card (id),
    look_id uuid,
    looker_id uuid references officer (id),
    role text not null,
    office text not null,
    words bytea not null,
    made_at timestamptz not null,
    due_at timestamptz not null,
    answered_by uuid references officer (id),
    answered_at timestamptz,
    verdict text,
    answer bytea,
    version bigint,
    mac bytea
);
create index objection_person on objection (person_id);
create index objection_waits on objection (due_at) where answered_at is null;
