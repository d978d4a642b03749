-- A counter per cell, and every number that was ever given, under the number itself: the distribution key of a sharded register,
-- so that the shard that holds a number also sees that no second person has it.
create table number_cell (
    id text primary key,
    next bigint not null
);
create table personal_number (
    personal_number text primary key,
    person_id uuid not null references person (id),
    established_by uuid not null references officer (id),
    established_at timestamptz not null
);
