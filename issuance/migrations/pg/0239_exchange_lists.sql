-- Lists that partners confirm in stretches: opened under an agreement by two of the partner's officers.
create table exchange_list (
    id uuid primary key,
    partner_id uuid not null references partner (id),
    agreement_id uuid not null references agreement (id),
    request text not null,
    request_sha256 bytea not null,
    purpose text not null,
    case_number text not null,
    officer text not null,
    second_officer text not null,
    unit text not null,
    announced bigint not null,
    at timestamptz not null,
    unique (partner_id, request)
);
-- The stretches of a list that were answered. The answer itself is that of the request.
create table exchange_stretch (
    list_id uuid not null references exchange_list (id),
    number bigint not null,
    request_id uuid not null references exchange_request (id),
    lines bigint not null,
    confirmed bigint not null,
    primary key (list_id, number)
);
