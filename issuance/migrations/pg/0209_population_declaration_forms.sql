-- Paper forms DC01 on their way into the register: one officer types a form, another one reads the paper a second time, and the declaration enters by
-- both. What was typed is erased when the form ends: it stands in the person's history then, or was dropped.
create table declaration_form (
    id uuid primary key,
    office text not null,
    state text not null,
    typed jsonb not null,
    differs jsonb not null,
    revision bigint not null,
    begun_by uuid not null,
    begun_at timestamptz not null,
    saved_by uuid not null,
    saved_at timestamptz not null,
    sent_by uuid,
    sent_at timestamptz,
    ended_by uuid,
    ended_at timestamptz,
    person_id uuid,
    version bigint,
    mac bytea
);
create index declaration_form_state on declaration_form (office, state, id);
