-- Which sealed portraits were taken for an application, also those that a later capture replaced, and the closed applications that still hold
-- something: what retention erases is found here; whether it may be erased is judged by the application itself.
create table portrait (
    application_id uuid not null references application (id),
    name text not null,
    taken_at timestamptz not null,
    primary key (application_id, name)
);
create index portrait_name on portrait (name);
create table closed_application (
    application_id uuid primary key references application (id),
    person_id uuid not null,
    closed_at timestamptz not null,
    handed_over boolean not null,
    portrait_erased_at timestamptz,
    portrait_ground text,
    dossier_erased_at timestamptz,
    dossier_ground text
);
create index closed_application_portrait on closed_application (closed_at, application_id) where portrait_erased_at is null;
create index closed_application_dossier on closed_application (closed_at, application_id) where dossier_erased_at is null and not handed_over;

-- What was closed before this version: at the latest moment that a row tells; the first look of the job puts the right one in its place.
insert into portrait (application_id, name, taken_at)
    select id, stage_data -> 'capture' ->> 'portrait', registered_at from application
    where stage_data -> 'capture' ->> 'portrait' is not null;
insert into closed_application (application_id, person_id, closed_at, handed_over)
    select id, person_id, registered_at, stage = 'handed-over' from application where stage in ('refused', 'cancelled', 'handed-over');
