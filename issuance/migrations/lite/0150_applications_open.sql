-- The oldest application of each stage that is not an end, whatever stages there are.
drop index application_open;
create index application_open on application (stage, registered_at) where stage not in ('refused', 'handed-over', 'cancelled');
