-- Why a card in the citizen's hand must be changed (Law 59/2014/QH13, Art. 23(1)): what is written on it is no longer what the register holds.
alter table card add column must_change text;
