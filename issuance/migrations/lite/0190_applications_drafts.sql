-- What a counter took for an application and has not sent yet: features, the name of the portrait, and what was found in the photograph. It gives no
-- right, and the officer who sends it names what that officer saw, so it carries no MAC. A step of the application ends it.
create table application_draft (
    application_id TEXT primary key references application (id),
    features TEXT not null,
    portrait TEXT,
    findings TEXT not null,
    saved_by TEXT not null references officer (id),
    saved_at INTEGER not null
);
