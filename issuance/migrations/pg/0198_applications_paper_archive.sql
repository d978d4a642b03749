-- Where the papers of the citizen's old identity card lie: by when an officer says it, and what the officer said. Ends with its application.
create table classification (
    application_id uuid primary key references application (id),
    person_id uuid not null,
    office text not null,
    due_on date,
    papers text,
    province text,
    needed boolean,
    classified_by uuid references officer (id),
    classified_at timestamptz,
    ended_at timestamptz,
    version bigint,
    mac bytea
);
create index classification_waits on classification (due_on, application_id) where papers is null and ended_at is null;
-- Questions to the archive of a province, and what it answered. `words` and `answer` are emptied with the dossier.
create table archive_request (
    id uuid primary key,
    application_id uuid not null references application (id),
    person_id uuid not null,
    ordinal bigint not null,
    papers text not null,
    province text,
    from_office text not null,
    to_office text not null,
    words text not null,
    asked_by uuid not null references officer (id),
    asked_at timestamptz not null,
    due_on date not null,
    outcome text,
    answer jsonb,
    answered_by uuid references officer (id),
    answered_at timestamptz,
    ended_at timestamptz,
    version bigint,
    mac bytea
);
create index archive_request_application on archive_request (application_id, ordinal);
create index archive_request_waits on archive_request (due_on, id) where answered_at is null and ended_at is null;
create index archive_request_office on archive_request (to_office, id);
