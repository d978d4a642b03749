-- Holidays by year, as the configuration says them: written at each start. Days that are set by hand (`calendar_day`) go before them.
create table holiday_year (
    year bigint primary key,
    announced boolean not null,
    days jsonb not null
);
