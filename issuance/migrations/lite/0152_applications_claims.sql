-- Which officer has an application before them, for some minutes. It stands for the move that the application had made then: a step ends it. It gives
-- no right and takes none for longer than it lasts, so it carries no MAC.
create table application_claim (
    application_id TEXT primary key references application (id),
    officer_id TEXT not null references officer (id),
    claimed_at INTEGER not null,
    until INTEGER not null,
    moves INTEGER not null
);
create index application_claim_officer on application_claim (officer_id, until);
