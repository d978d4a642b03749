-- Who has an application, since when and until which day, and under which terms it was opened. Written with each move; the next start gives
-- them to applications of before. Ends have neither owner nor due day.
alter table application add column owner_office text;
alter table application add column owner text;
alter table application add column due_on date;
alter table application add column promised_on date;
alter table application add column moved_at timestamptz;
alter table application add column moves bigint;
alter table application add column terms jsonb;
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
    application_id uuid not null references application (id),
    moves bigint not null,
    kind text not null,
    said_at timestamptz not null,
    primary key (application_id, moves, kind)
);
