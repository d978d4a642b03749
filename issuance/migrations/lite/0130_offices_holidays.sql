-- Holidays by year, as the configuration says them: written at each start. Days that are set by hand (`calendar_day`) go before them.
create table holiday_year (
    year INTEGER primary key,
    announced INTEGER not null,
    days TEXT not null
);
