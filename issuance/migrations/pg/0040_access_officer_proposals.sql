-- One-time tokens with which officers set their passwords, and what two administrators do together.
alter table officer add column token_hash bytea;
alter table officer add column token_until timestamptz;
-- The password was not chosen by its owner: nothing else is done before it is changed.
alter table officer add column password_due boolean not null default false;
create unique index officer_token on officer (token_hash);
-- No foreign key to the officer: an appointment that is not confirmed leaves its proposal only.
create table officer_proposal (
    id uuid primary key,
    officer_id uuid not null,
    office text not null,
    change jsonb not null,
    reason text not null,
    -- Null: by the owner of the key file, offline.
    proposed_by uuid references officer (id),
    proposed_at timestamptz not null,
    expires_at timestamptz not null,
    -- Then it takes effect without a second administrator, if none signed in since.
    effective_at timestamptz,
    token_hash bytea,
    outcome text,
    decided_by uuid references officer (id),
    decided_at timestamptz
);
create index officer_proposal_open on officer_proposal (outcome, proposed_at);
