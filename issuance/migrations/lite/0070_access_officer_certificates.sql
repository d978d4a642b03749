-- The second factor of officers: a client certificate each, granted by two administrators, enrolled by the officer.
create table officer_certificate (
    id TEXT primary key,
    officer_id TEXT not null references officer (id),
    -- SHA-256 of the one-time token that enrols it.
    token_hash BLOB not null unique,
    token_until INTEGER not null,
    -- Null until it is enrolled: SHA-256 of the certificate, and the certificate (DER).
    fingerprint BLOB unique,
    certificate BLOB,
    made_at INTEGER,
    expires_at INTEGER,
    revoked_at INTEGER,
    revocation_reason TEXT,
    version INTEGER,
    mac BLOB
);
create index officer_certificate_officer on officer_certificate (officer_id);
-- The certificate that a session is bound to, by its SHA-256.
alter table session add column certificate BLOB;
