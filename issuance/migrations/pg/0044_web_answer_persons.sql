-- Of whom an answer tells: giving it again is a record about them.
alter table answer add column persons jsonb;
