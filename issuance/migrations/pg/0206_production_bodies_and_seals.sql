-- What one officer read from the body of a card that its chip does not hold: another officer decides.
create table body_doubt (
    serial text primary key,
    card_id uuid not null,
    differs text not null,
    read_by uuid not null,
    read_at timestamptz not null,
    version bigint,
    mac bytea
);
-- The seals that parcels of an office were closed with: one number is used once. A number that was used twice before stands here once.
create table used_seal (
    from_office text not null,
    seal text not null,
    box_id uuid not null,
    primary key (from_office, seal)
);
insert into used_seal (from_office, seal, box_id)
select from_office, upper(replace(seal, ' ', '')), id from stock_box where seal is not null order by id
on conflict (from_office, seal) do nothing;
create index print_job_lying on print_job (id) where state in ('pending', 'written');
