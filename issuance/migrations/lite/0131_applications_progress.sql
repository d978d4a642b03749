-- Who has an application, since when and until which day, and under which terms it was opened. Written with each move; the next start gives
-- them to applications of before. Ends have neither owner nor due day.
alter table application add column owner_office TEXT;
alter table application add column owner TEXT;
alter table application add column due_on TEXT;
alter table application add column promised_on TEXT;
alter table application add column moved_at INTEGER;
alter table application add column moves INTEGER;
alter table application add column terms TEXT;
create index application_owner on application (owner_office, owner, id) where owner is not null;
create index application_due on application (due_on, id) where due_on is not null;
-- Defects: an application that waits without owner or due day.
create index application_ownerless on application (id)
    where stage not in ('refused', 'handed-over', 'cancelled') and (owner is null or due_on is null);
-- The oldest application of each stage that is not an end.
drop index application_open;
create index application_open on application (stage, registered_at)
    where stage in ('registered', 'captured', 'returned', 'checked', 'locally-approved', 'approved', 'held', 'in-production', 'personalized');
-- What was said about a late application: once for each of its moves and each kind.
create table application_reminder (
    application_id TEXT not null references application (id),
    moves INTEGER not null,
    kind TEXT not null,
    said_at INTEGER not null,
    primary key (application_id, moves, kind)
);
