-- Write-offs that wait for the witness who was named: nothing is written off before the witness confirms it.
create table write_off (
    serial text primary key references chip (id),
    reason text not null,
    witness uuid not null,
    proposed_by uuid not null,
    proposed_at timestamptz not null
);
