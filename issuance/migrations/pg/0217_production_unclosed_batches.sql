-- The batches of cards that an office has not closed, for the page of its factory.
create index card_batch_unclosed on card_batch (office, id) where state <> 'closed';
