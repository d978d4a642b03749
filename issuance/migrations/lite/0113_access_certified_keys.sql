-- Every key that was ever certified for a station or an officer: it is certified for no other, and not again once revoked.
create table certified_key (
    -- SHA-256 of the key (SubjectPublicKeyInfo, DER).
    key BLOB primary key,
    -- `station/ID` or `officer/ID`.
    holder TEXT not null,
    -- SHA-256 of the first certificate for it.
    certificate BLOB not null unique,
    made_at INTEGER not null
);
