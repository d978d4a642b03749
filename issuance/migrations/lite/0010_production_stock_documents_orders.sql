-- The ledger of blanks.
create table delivery (
    id TEXT primary key,
    manufacturer TEXT not null,
    batch TEXT not null,
    transport_key_id TEXT not null,
    received_by TEXT not null references officer (id),
    received_at INTEGER not null
);
create table chip (
    id TEXT primary key,
    delivery_id TEXT not null references delivery (id),
    transport_key_id TEXT not null,
    office TEXT not null,
    custody TEXT references station (id),
    state TEXT not null,
    state_data TEXT not null
);
create index chip_stock on chip (office, state);

-- A document belongs to one application and one chip; what it holds rests sealed.
create table document (
    id TEXT primary key,
    application_id TEXT not null references application (id),
    serial TEXT not null references chip (id),
    state TEXT not null,
    files BLOB not null,
    prepared BLOB not null,
    sod BLOB,
    sod_sha256 BLOB,
    issued TEXT not null,
    expires TEXT,
    made_at INTEGER not null,
    unique (serial, application_id)
);
create table perso_order (
    id TEXT primary key,
    serial TEXT not null references chip (id),
    station_id TEXT not null references station (id),
    document_id TEXT,
    script TEXT not null,
    challenge BLOB not null,
    challenge_used_at INTEGER,
    made_at INTEGER not null
);
create index perso_order_serial on perso_order (serial);
