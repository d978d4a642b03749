-- Officers who opened an application or captured for it, whenever: none of them decides on it.
create table application_officer (
    application_id uuid not null references application (id),
    officer_id uuid not null references officer (id),
    primary key (application_id, officer_id)
);
