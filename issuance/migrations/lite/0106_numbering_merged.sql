-- A number that was cancelled since its person's record was merged into another one: undone with the merge.
alter table personal_number add column merged_into TEXT;
