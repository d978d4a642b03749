-- Lists of the stock, each along an index in the order of serials.
create index chip_list on chip (office, id);
create index chip_state on chip (office, state, id);
create index chip_custody on chip (custody, id);
create index chip_delivery on chip (delivery_id, id);
