-- What is to be printed on the bodies of cards: one job for each document, written to the outbox as a file and removed when its body was checked.
create table print_job (
    id uuid primary key,
    document_id uuid not null unique,
    application_id uuid not null,
    serial text not null,
    state text not null,
    made_at timestamptz not null
);
create index print_job_open on print_job (id) where state in ('pending', 'ending');
create index print_job_serial on print_job (serial);
