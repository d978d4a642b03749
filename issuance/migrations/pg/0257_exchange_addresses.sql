-- Addresses of partners' systems to which notifications go, and the certificates that the server there must follow from: named by two officers.
create table partner_address (
    id uuid primary key,
    partner_id uuid not null references partner (id),
    system_id uuid not null references partner_system (id),
    address text not null,
    roots text not null,
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
create unique index partner_address_named on partner_address (system_id, address) where ended_at is null;
