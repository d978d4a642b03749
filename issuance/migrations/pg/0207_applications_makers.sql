-- The office that makes the cards of a batch: it has the applications in it that wait for a chip. None for what was in a batch before.
alter table batch_item add column office text;
