-- The partner that reported what happened to a person, where one did under an agreement: the officer of the row is then the one who signed
-- the agreement for the register.
alter table register_event add column partner_id TEXT;
alter table register_change add column partner_id TEXT;
