-- A card that was reported lost counts no more until this moment; then it is revoked for good.
alter table card add column suspended_until timestamptz;
create index card_suspended on card (suspended_until);
