-- Trust bundles as they were prepared and signed. `frame_hash`: SHA-256 over the CSCA and its revocation list.
create table trust_bundle (
    id uuid primary key,
    issued_at timestamptz not null,
    frame_hash bytea not null,
    prepared bytea not null,
    signed bytea
);
create index trust_bundle_issued_at on trust_bundle (issued_at);
