-- The oldest application of each stage that is not an end, with the stage of cards on their way.
drop index application_open;
create index application_open on application (stage, registered_at)
    where stage in ('registered', 'captured', 'returned', 'checked', 'locally-approved', 'approved', 'held', 'in-production', 'shipped', 'personalized');
