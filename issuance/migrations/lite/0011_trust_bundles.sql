-- Trust bundles as they were prepared and signed. `frame_hash`: SHA-256 over the CSCA and its revocation list.
create table trust_bundle (
    id TEXT primary key,
    issued_at INTEGER not null,
    frame_hash BLOB not null,
    prepared BLOB not null,
    signed BLOB
);
create index trust_bundle_issued_at on trust_bundle (issued_at);
