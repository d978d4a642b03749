-- The ledger of blanks.
create table delivery (
    id uuid primary key,
    manufacturer text not null,
    batch text not null,
    transport_key_id text not null,
    received_by uuid not null references officer (id),
    received_at timestamptz not null
);
create table chip (
    id text primary key,
    delivery_id uuid not null references delivery (id),
    transport_key_id text not null,
    office text not null,
    custody uuid references station (id),
    state text not null,
    state_data jsonb not null
);
create index chip_stock on chip (office, state);

-- A document belongs to one application and one chip; what it holds rests sealed.
create table document (
    id uuid primary key,
    application_id uuid not null references application (id),
    serial text not null references chip (id),
    state text not null,
    files bytea not null,
    prepared bytea not null,
    sod bytea,
    sod_sha256 bytea,
    issued date not null,
    expires date,
    made_at timestamptz not null,
    unique (serial, application_id)
);
create table perso_order (
    id uuid primary key,
    serial text not null references chip (id),
    station_id uuid not null references station (id),
    document_id uuid,
    script jsonb not null,
    challenge bytea not null,
    challenge_used_at timestamptz,
    made_at timestamptz not null
);
create index perso_order_serial on perso_order (serial);
