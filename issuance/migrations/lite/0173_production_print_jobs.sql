-- What is to be printed on the bodies of cards: one job for each document, written to the outbox as a file and removed when its body was checked.
create table print_job (
    id TEXT primary key,
    document_id TEXT not null unique,
    application_id TEXT not null,
    serial TEXT not null,
    state TEXT not null,
    made_at INTEGER not null
);
create index print_job_open on print_job (id) where state in ('pending', 'ending');
create index print_job_serial on print_job (serial);
