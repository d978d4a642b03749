-- One row for each name, birth date and sex that was ever declared, as SHA-256: who declares a person holds it, so that two declarations of
-- one person at the same moment see each other.
create table likeness (
    id BLOB primary key
);
