-- Authorities that ask the register under agreements, and their systems by client certificate. Both are proposed by one officer and confirmed by another.
create table partner (
    id TEXT primary key,
    code TEXT not null unique,
    name TEXT not null,
    unit TEXT not null,
    contact_name TEXT not null,
    contact_email TEXT not null,
    contact_phone TEXT not null,
    drafted_by TEXT not null references officer (id),
    drafted_at INTEGER not null,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    ended_by TEXT references officer (id),
    ended_at INTEGER,
    end_reason TEXT,
    version INTEGER,
    mac BLOB
);
create table partner_system (
    id TEXT primary key,
    partner_id TEXT not null references partner (id),
    name TEXT not null,
    request TEXT not null,
    drafted_by TEXT not null references officer (id),
    drafted_at INTEGER not null,
    fingerprint BLOB unique,
    certificate BLOB,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    expires_at INTEGER,
    revoked_by TEXT references officer (id),
    revoked_at INTEGER,
    revocation_reason TEXT,
    version INTEGER,
    mac BLOB,
    unique (partner_id, name)
);
