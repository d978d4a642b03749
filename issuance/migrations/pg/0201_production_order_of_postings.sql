-- The order in which postings were written, under one name on both engines.
create view v_posting_order as select id, serial, place from (select posting.*, seq as place from posting) ordered;
