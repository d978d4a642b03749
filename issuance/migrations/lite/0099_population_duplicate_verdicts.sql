-- What officers said of two persons who look like one. Rows are only added; the last one of a pair counts.
create table duplicate_verdict (
    id TEXT primary key,
    one_id TEXT not null references person (id),
    other_id TEXT not null references person (id),
    verdict TEXT not null,
    because TEXT not null,
    officer_id TEXT not null,
    at INTEGER not null,
    version INTEGER,
    mac BLOB
);
create index duplicate_verdict_one on duplicate_verdict (one_id, id);
create index duplicate_verdict_other on duplicate_verdict (other_id, id);
