-- Blanks of a batch that another station or office has since.
alter table production_batch add column moved bigint;
