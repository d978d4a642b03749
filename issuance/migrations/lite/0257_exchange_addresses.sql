-- Addresses of partners' systems to which notifications go, and the certificates that the server there must follow from: named by two officers.
create table partner_address (
    id TEXT primary key,
    partner_id TEXT not null references partner (id),
    system_id TEXT not null references partner_system (id),
    address TEXT not null,
    roots TEXT not null,
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
create unique index partner_address_named on partner_address (system_id, address) where ended_at is null;
