-- A counter per cell, and every number that was ever given, under the number itself: the distribution key of a sharded register,
-- so that the shard that holds a number also sees that no second person has it.
create table number_cell (
    id TEXT primary key,
    next INTEGER not null
);
create table personal_number (
    personal_number TEXT primary key,
    person_id TEXT not null references person (id),
    established_by TEXT not null references officer (id),
    established_at INTEGER not null
);
