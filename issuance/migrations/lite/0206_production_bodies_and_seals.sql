-- What one officer read from the body of a card that its chip does not hold: another officer decides.
create table body_doubt (
    serial TEXT primary key,
    card_id TEXT not null,
    differs TEXT not null,
    read_by TEXT not null,
    read_at INTEGER not null,
    version INTEGER,
    mac BLOB
);
-- The seals that parcels of an office were closed with: one number is used once. A number that was used twice before stands here once.
create table used_seal (
    from_office TEXT not null,
    seal TEXT not null,
    box_id TEXT not null,
    primary key (from_office, seal)
);
insert into used_seal (from_office, seal, box_id)
select from_office, upper(replace(seal, ' ', '')), id from stock_box where seal is not null order by id
on conflict (from_office, seal) do nothing;
create index print_job_lying on print_job (id) where state in ('pending', 'written');
