-- A card whose chip was recalled before it was handed over: it is not handed over. Cards are found by their chips.
alter table card add column recalled INTEGER;
create index card_serial on card (serial);
