-- One-time tokens with which officers set their passwords, and what two administrators do together.
alter table officer add column token_hash BLOB;
alter table officer add column token_until INTEGER;
-- The password was not chosen by its owner: nothing else is done before it is changed.
alter table officer add column password_due INTEGER not null default 0;
create unique index officer_token on officer (token_hash);
-- No foreign key to the officer: an appointment that is not confirmed leaves its proposal only.
create table officer_proposal (
    id TEXT primary key,
    officer_id TEXT not null,
    office TEXT not null,
    change TEXT not null,
    reason TEXT not null,
    -- Null: by the owner of the key file, offline.
    proposed_by TEXT references officer (id),
    proposed_at INTEGER not null,
    expires_at INTEGER not null,
    -- Then it takes effect without a second administrator, if none signed in since.
    effective_at INTEGER,
    token_hash BLOB,
    outcome TEXT,
    decided_by TEXT references officer (id),
    decided_at INTEGER
);
create index officer_proposal_open on officer_proposal (outcome, proposed_at);
