-- The last line of a file whose person was compared with the register, to find people who were declared twice; null before.
alter table import_batch add column doubles_line bigint;
