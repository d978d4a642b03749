-- What changed of persons, for those who follow them: written in the transaction of the change, taken by the exchange, which gives it its place.
create table deed_change (
    id bigserial primary key,
    person_id uuid not null,
    fields text not null,
    effective text
);
