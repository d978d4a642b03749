-- Officers, their sessions and failed sign-ins; stations by client certificate.
create table officer (
    id TEXT primary key,
    username TEXT not null unique,
    password TEXT not null,
    roles TEXT not null,
    office TEXT not null,
    made_at INTEGER not null,
    disabled_at INTEGER
);
create table sign_in_failure (
    username_hash BLOB primary key,
    failures INTEGER not null,
    last_at INTEGER not null
);
create table session (
    id TEXT primary key,
    token_hash BLOB not null unique,
    officer_id TEXT not null references officer (id),
    opened_at INTEGER not null,
    seen_at INTEGER not null,
    expires_at INTEGER not null,
    closed_at INTEGER
);
create index session_officer on session (officer_id);
create table station (
    id TEXT primary key,
    name TEXT not null unique,
    office TEXT not null,
    fingerprint BLOB not null unique,
    certificate BLOB not null,
    made_at INTEGER not null,
    expires_at INTEGER not null,
    revoked_at INTEGER,
    revocation_reason TEXT
);
