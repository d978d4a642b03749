-- The code that a citizen set for a card at the counter: it opens, with the card, what the card alone does not.
create table citizen_code (
    id uuid primary key references card (id),
    hash text not null,
    set_by uuid not null references officer (id),
    set_at timestamptz not null,
    wrong bigint not null,
    not_before timestamptz,
    version bigint,
    mac bytea
);
