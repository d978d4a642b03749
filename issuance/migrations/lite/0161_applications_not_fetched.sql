-- The oldest application of each stage that is not an end: also of cards that were not fetched.
drop index application_open;
create index application_open on application (stage, registered_at)
    where stage in ('registered', 'captured', 'returned', 'checked', 'locally-approved', 'approved', 'held', 'in-production', 'personalized', 'not-fetched');
