-- The queue of an office as its page shows it: the most urgent first.
create index application_owner_due on application (owner_office, owner, due_on, id) where owner is not null;
