-- What other authorities may ask, for what, and what they were told. Purposes and agreements are data: each is proposed by one officer and signed by another.
create table exchange_purpose (
    id TEXT primary key,
    name_vi TEXT not null,
    name_en TEXT not null,
    law TEXT not null,
    dpv TEXT,
    drafted_by TEXT not null references officer (id),
    drafted_at INTEGER not null,
    confirmed_by TEXT references officer (id),
    confirmed_at INTEGER,
    version INTEGER,
    mac BLOB
);
create table agreement (
    id TEXT primary key,
    partner_id TEXT not null references partner (id),
    number TEXT not null unique,
    basis TEXT not null,
    valid_from INTEGER not null,
    valid_to INTEGER not null,
    kept_days INTEGER not null,
    grants TEXT not null,
    drafted_by TEXT not null references officer (id),
    drafted_at INTEGER not null,
    signed_by TEXT references officer (id),
    signed_at INTEGER,
    protected_by TEXT references officer (id),
    protected_at INTEGER,
    ended_by TEXT references officer (id),
    ended_at INTEGER,
    end_reason TEXT,
    version INTEGER,
    mac BLOB
);
create index agreement_partner on agreement (partner_id, id);
-- One row per request of a partner, answered or refused. The answer rests sealed, for as long as the agreement says; its digest and signature stay.
create table exchange_request (
    id TEXT primary key,
    partner_id TEXT not null references partner (id),
    system_id TEXT not null references partner_system (id),
    request TEXT not null,
    request_sha256 BLOB not null,
    at INTEGER not null,
    agreement_id TEXT references agreement (id),
    purpose TEXT not null,
    service TEXT not null,
    officer TEXT not null,
    unit TEXT not null,
    case_number TEXT not null,
    fields TEXT not null,
    outcome TEXT not null,
    subject BLOB not null,
    missed INTEGER not null,
    answer BLOB,
    answer_sha256 BLOB not null,
    signature TEXT not null,
    kept_until INTEGER not null,
    unique (partner_id, request)
);
create index exchange_request_officer on exchange_request (partner_id, officer, id) where missed;
create index exchange_request_subject on exchange_request (partner_id, subject, id) where missed;
create index exchange_request_kept on exchange_request (kept_until) where answer is not null;
-- How much of the day's quota of a grant is spent. It is spent in stretches that a process reserves.
create table exchange_usage (
    agreement_id TEXT not null references agreement (id),
    place INTEGER not null,
    day TEXT not null,
    used INTEGER not null,
    primary key (agreement_id, place, day)
);
-- The names by which partners know persons whose number they do not have.
create table exchange_pseudonym (
    partner_id TEXT not null references partner (id),
    pseudonym TEXT not null,
    person_id TEXT not null references person (id),
    primary key (partner_id, pseudonym)
);
create index exchange_pseudonym_person on exchange_pseudonym (person_id);
