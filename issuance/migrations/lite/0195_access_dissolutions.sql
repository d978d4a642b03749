-- The end of an office, and which one takes its place: proposed by one administrator of the national office, confirmed by another.
create table dissolution (
    id TEXT primary key,
    office TEXT not null,
    successor TEXT,
    reason TEXT not null,
    proposed_by TEXT not null references officer (id),
    proposed_at INTEGER not null,
    state TEXT not null,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    applications INTEGER,
    chips INTEGER,
    ended_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index dissolution_office on dissolution (office, id);
create index dissolution_successor on dissolution (successor, state);
create index dissolution_closing on dissolution (id) where state = 'closing';
