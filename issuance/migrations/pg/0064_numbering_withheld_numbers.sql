-- Numbers that were given and whose person the restored register does not know: never given again.
create table withheld_number (
    personal_number text primary key,
    withheld_at timestamptz not null
);
