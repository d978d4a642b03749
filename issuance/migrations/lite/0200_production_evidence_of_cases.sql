-- What a case about signed and produced was opened for, as a digest: another difference of the same chip is another case.
alter table stock_case add column evidence TEXT;
