-- The office that sent a box: a case about it belongs to both offices. Null for cases of before, where the box says it.
alter table stock_case add column from_office TEXT;
create index stock_case_from on stock_case (from_office, id);
