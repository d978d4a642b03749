-- What changed of persons, for those who follow them: written in the transaction of the change, taken by the exchange, which gives it its place.
create table deed_change (
    id INTEGER primary key,
    person_id TEXT not null,
    fields TEXT not null,
    effective TEXT
);
