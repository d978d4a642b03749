-- What a question costs a server is a matter of PostgreSQL.
select 1;
