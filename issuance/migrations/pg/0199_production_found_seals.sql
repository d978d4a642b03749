-- The number of the seal that a parcel had when it was received.
alter table stock_box add column found_seal text;
