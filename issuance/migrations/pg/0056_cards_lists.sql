-- Lists of cards, each along an index in the order of issue.
create index card_list on card (office, id);
create index card_status on card (office, status, id);
