-- Lists that partners confirm in stretches: opened under an agreement by two of the partner's officers.
create table exchange_list (
    id TEXT primary key,
    partner_id TEXT not null references partner (id),
    agreement_id TEXT not null references agreement (id),
    request TEXT not null,
    request_sha256 BLOB not null,
    purpose TEXT not null,
    case_number TEXT not null,
    officer TEXT not null,
    second_officer TEXT not null,
    unit TEXT not null,
    announced INTEGER not null,
    at INTEGER not null,
    unique (partner_id, request)
);
-- The stretches of a list that were answered. The answer itself is that of the request.
create table exchange_stretch (
    list_id TEXT not null references exchange_list (id),
    number INTEGER not null,
    request_id TEXT not null references exchange_request (id),
    lines INTEGER not null,
    confirmed INTEGER not null,
    primary key (list_id, number)
);
