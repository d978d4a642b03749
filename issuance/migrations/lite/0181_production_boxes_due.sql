-- The day by which a box is received (null for boxes of before), and how one ended that was not received: it was called back, or its case was settled.
alter table stock_box add column due_on TEXT;
alter table stock_box add column ended TEXT;
alter table stock_box add column ended_by TEXT;
alter table stock_box add column ended_at INTEGER;
create index stock_box_on_its_way on stock_box (due_on) where received_at is null and ended_at is null;
