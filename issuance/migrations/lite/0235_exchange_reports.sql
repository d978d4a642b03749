-- What partners reported and an officer of the register decides: births that are held, with the message sealed until the decision, and changes
-- of the register that were proposed. The identifier is that of the answer, which the partner asks by.
create table exchange_report (
    id TEXT primary key references exchange_request (id),
    partner_id TEXT not null references partner (id),
    service TEXT not null,
    office TEXT not null,
    reasons TEXT not null,
    message BLOB,
    change_id TEXT,
    person_id TEXT references person (id),
    state TEXT not null,
    reason TEXT,
    decided_by TEXT references officer (id),
    decided_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index exchange_report_state on exchange_report (office, state, id);
