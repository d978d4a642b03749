-- Officers, their sessions and failed sign-ins; stations by client certificate.
create table officer (
    id uuid primary key,
    username text not null unique,
    password text not null,
    roles jsonb not null,
    office text not null,
    made_at timestamptz not null,
    disabled_at timestamptz
);
create table sign_in_failure (
    username_hash bytea primary key,
    failures bigint not null,
    last_at timestamptz not null
);
create table session (
    id uuid primary key,
    token_hash bytea not null unique,
    officer_id uuid not null references officer (id),
    opened_at timestamptz not null,
    seen_at timestamptz not null,
    expires_at timestamptz not null,
    closed_at timestamptz
);
create index session_officer on session (officer_id);
create table station (
    id uuid primary key,
    name text not null unique,
    office text not null,
    fingerprint bytea not null unique,
    certificate bytea not null,
    made_at timestamptz not null,
    expires_at timestamptz not null,
    revoked_at timestamptz,
    revocation_reason text
);
