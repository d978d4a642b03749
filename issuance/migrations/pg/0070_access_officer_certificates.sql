-- The second factor of officers: a client certificate each, granted by two administrators, enrolled by the officer.
create table officer_certificate (
    id uuid primary key,
    officer_id uuid not null references officer (id),
    -- SHA-256 of the one-time token that enrols it.
    token_hash bytea not null unique,
    token_until timestamptz not null,
    -- Null until it is enrolled: SHA-256 of the certificate, and the certificate (DER).
    fingerprint bytea unique,
    certificate bytea,
    made_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz,
    revocation_reason text,
    version bigint,
    mac bytea
);
create index officer_certificate_officer on officer_certificate (officer_id);
-- The certificate that a session is bound to, by its SHA-256.
alter table session add column certificate bytea;
