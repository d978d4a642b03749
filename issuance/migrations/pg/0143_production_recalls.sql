-- What the manufacturer says of the software on the chips.
alter table delivery add column firmware text;
-- Recalls of chips by lot, firmware or delivery; in force once a second officer confirmed it.
create table recall (
    id uuid primary key,
    kind text not null,
    value text not null,
    manufacturer text,
    reason text not null,
    proposed_by uuid not null,
    proposed_at timestamptz not null,
    confirmed_by uuid,
    confirmed_at timestamptz,
    version bigint,
    mac bytea
);
create index delivery_batch on delivery (batch);
create index delivery_firmware on delivery (firmware);
