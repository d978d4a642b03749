-- Numbers are compared byte by byte, whatever collation the database has.
alter table personal_number alter column personal_number type text collate "C";
