-- The seal of a box with finished cards; null for a box of blanks.
alter table stock_box add column seal text;
