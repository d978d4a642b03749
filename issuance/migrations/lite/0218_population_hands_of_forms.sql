-- Every officer who typed a bit of a form: none of them reads the paper a second time. None for what was typed before.
alter table declaration_form add column hands TEXT;
