-- What of a card was made before its chip is presented: the object that holds it, the day of issue that it is for, and after how many moves of the application it was made; without an object it could not be made.
create table made_ahead (
    application_id TEXT primary key,
    day TEXT not null,
    moves INTEGER not null,
    object TEXT,
    made_at INTEGER not null
);
