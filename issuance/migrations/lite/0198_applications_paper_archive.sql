-- Where the papers of the citizen's old identity card lie: by when an officer says it, and what the officer said. Ends with its application.
create table classification (
    application_id TEXT primary key references application (id),
    person_id TEXT not null,
    office TEXT not null,
    due_on TEXT,
    papers TEXT,
    province TEXT,
    needed INTEGER,
    classified_by TEXT references officer (id),
    classified_at INTEGER,
    ended_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index classification_waits on classification (due_on, application_id) where papers is null and ended_at is null;
-- Questions to the archive of a province, and what it answered. `words` and `answer` are emptied with the dossier.
create table archive_request (
    id TEXT primary key,
    application_id TEXT not null references application (id),
    person_id TEXT not null,
    ordinal INTEGER not null,
    papers TEXT not null,
    province TEXT,
    from_office TEXT not null,
    to_office TEXT not null,
    words TEXT not null,
    asked_by TEXT not null references officer (id),
    asked_at INTEGER not null,
    due_on TEXT not null,
    outcome TEXT,
    answer TEXT,
    answered_by TEXT references officer (id),
    answered_at INTEGER,
    ended_at INTEGER,
    version INTEGER,
    mac BLOB
);
create index archive_request_application on archive_request (application_id, ordinal);
create index archive_request_waits on archive_request (due_on, id) where answered_at is null and ended_at is null;
create index archive_request_office on archive_request (to_office, id);
