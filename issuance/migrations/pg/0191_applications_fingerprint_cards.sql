-- The ten-print card of an application: of each finger the name of its sealed image, or why there is none. What the images show lies with the objects.
create table fingerprint_card (
    application_id uuid primary key references application (id),
    person_id uuid not null,
    prints jsonb not null,
    version bigint,
    mac bytea
);
