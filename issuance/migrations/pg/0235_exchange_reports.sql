-- What partners reported and an officer of the register decides: births that are held, with the message sealed until the decision, and changes
-- of the register that were proposed. The identifier is that of the answer, which the partner asks by.
create table exchange_report (
    id uuid primary key references exchange_request (id),
    partner_id uuid not null references partner (id),
    service text not null,
    office text not null,
    reasons text not null,
    message bytea,
    change_id uuid,
    person_id uuid references person (id),
    state text not null,
    reason text,
    decided_by uuid references officer (id),
    decided_at timestamptz,
    version bigint,
    mac bytea
);
create index exchange_report_state on exchange_report (office, state, id);
