-- Authorities that ask the register under agreements, and their systems by client certificate. Both are proposed by one officer and confirmed by another.
create table partner (
    id uuid primary key,
    code text not null unique,
    name text not null,
    unit text not null,
    contact_name text not null,
    contact_email text not null,
    contact_phone text not null,
    drafted_by uuid not null references officer (id),
    drafted_at timestamptz not null,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    ended_by uuid references officer (id),
    ended_at timestamptz,
    end_reason text,
    version bigint,
    mac bytea
);
create table partner_system (
    id uuid primary key,
    partner_id uuid not null references partner (id),
    name text not null,
    request text not null,
    drafted_by uuid not null references officer (id),
    drafted_at timestamptz not null,
    fingerprint bytea unique,
    certificate bytea,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    expires_at timestamptz,
    revoked_by uuid references officer (id),
    revoked_at timestamptz,
    revocation_reason text,
    version bigint,
    mac bytea,
    unique (partner_id, name)
);
