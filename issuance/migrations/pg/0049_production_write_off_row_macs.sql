-- Write-offs that wait for their witness carry a MAC (`store::seal`).
alter table write_off add column version bigint;
alter table write_off add column mac bytea;
