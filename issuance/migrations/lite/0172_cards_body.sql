-- Whether the body of a card was compared with its chip: null where no check is due, else 'awaited' or 'checked'.
alter table card add column body TEXT;
