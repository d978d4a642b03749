-- Documents that were signed before a loss and that the restored database does not know: two officers revoke them.
create table finding (
    id uuid primary key,
    sod_sha256 bytea not null unique,
    serial text not null,
    office text not null,
    person_id uuid not null,
    reason text not null,
    state text not null,
    found_at timestamptz not null,
    proposed_by uuid,
    proposed_at timestamptz,
    decided_by uuid,
    decided_at timestamptz,
    version bigint,
    mac bytea
);
create index finding_office on finding (office, id);
