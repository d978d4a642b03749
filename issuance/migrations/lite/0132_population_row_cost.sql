-- What a row of `person` costs a server is a matter of PostgreSQL: here the record is text, and texts are compared byte by byte, already.
select 1;
