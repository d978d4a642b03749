-- The end of an office, and which one takes its place: proposed by one administrator of the national office, confirmed by another.
create table dissolution (
    id uuid primary key,
    office text not null,
    successor text,
    reason text not null,
    proposed_by uuid not null references officer (id),
    proposed_at timestamptz not null,
    state text not null,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    applications bigint,
    chips bigint,
    ended_at timestamptz,
    version bigint,
    mac bytea
);
create index dissolution_office on dissolution (office, id);
create index dissolution_successor on dissolution (successor, state);
create index dissolution_closing on dissolution (id) where state = 'closing';
