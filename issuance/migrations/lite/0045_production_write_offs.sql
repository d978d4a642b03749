-- Write-offs that wait for the witness who was named: nothing is written off before the witness confirms it.
create table write_off (
    serial TEXT primary key references chip (id),
    reason TEXT not null,
    witness TEXT not null,
    proposed_by TEXT not null,
    proposed_at INTEGER not null
);
