-- What officers said of two persons who look like one. Rows are only added; the last one of a pair counts.
create table duplicate_verdict (
    id uuid primary key,
    one_id uuid not null references person (id),
    other_id uuid not null references person (id),
    verdict text not null,
    because text not null,
    officer_id uuid not null,
    at timestamptz not null,
    version bigint,
    mac bytea
);
create index duplicate_verdict_one on duplicate_verdict (one_id, id);
create index duplicate_verdict_other on duplicate_verdict (other_id, id);
