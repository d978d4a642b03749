-- What other authorities may ask, for what, and what they were told. Purposes and agreements are data: each is proposed by one officer and signed by another.
create table exchange_purpose (
    id text primary key,
    name_vi text not null,
    name_en text not null,
    law text not null,
    dpv text,
    drafted_by uuid not null references officer (id),
    drafted_at timestamptz not null,
    confirmed_by uuid references officer (id),
    confirmed_at timestamptz,
    version bigint,
    mac bytea
);
create table agreement (
    id uuid primary key,
    partner_id uuid not null references partner (id),
    number text not null unique,
    basis text not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    kept_days bigint not null,
    grants jsonb not null,
    drafted_by uuid not null references officer (id),
    drafted_at timestamptz not null,
    signed_by uuid references officer (id),
    signed_at timestamptz,
    protected_by uuid references officer (id),
    protected_at timestamptz,
    ended_by uuid references officer (id),
    ended_at timestamptz,
    end_reason text,
    version bigint,
    mac bytea
);
create index agreement_partner on agreement (partner_id, id);
-- One row per request of a partner, answered or refused. The answer rests sealed, for as long as the agreement says; its digest and signature stay.
create table exchange_request (
    id uuid primary key,
    partner_id uuid not null references partner (id),
    system_id uuid not null references partner_system (id),
    request text not null,
    request_sha256 bytea not null,
    at timestamptz not null,
    agreement_id uuid references agreement (id),
    purpose text not null,
    service text not null,
    officer text not null,
    unit text not null,
    case_number text not null,
    fields text not null,
    outcome text not null,
    subject bytea not null,
    missed boolean not null,
    answer bytea,
    answer_sha256 bytea not null,
    signature text not null,
    kept_until timestamptz not null,
    unique (partner_id, request)
);
create index exchange_request_officer on exchange_request (partner_id, officer, id) where missed;
create index exchange_request_subject on exchange_request (partner_id, subject, id) where missed;
create index exchange_request_kept on exchange_request (kept_until) where answer is not null;
-- How much of the day's quota of a grant is spent. It is spent in stretches that a process reserves.
create table exchange_usage (
    agreement_id uuid not null references agreement (id),
    place bigint not null,
    day date not null,
    used bigint not null,
    primary key (agreement_id, place, day)
);
-- The names by which partners know persons whose number they do not have.
create table exchange_pseudonym (
    partner_id uuid not null references partner (id),
    pseudonym text not null,
    person_id uuid not null references person (id),
    primary key (partner_id, pseudonym)
);
create index exchange_pseudonym_person on exchange_pseudonym (person_id);
