-- A matter of PostgreSQL: here texts are compared byte by byte already.
select 1;
