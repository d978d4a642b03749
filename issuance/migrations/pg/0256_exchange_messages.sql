-- How the data exchange layer calls a question that a carrier brought: an answered message comes no second time with another content.
alter table exchange_request add column message_id text;
alter table exchange_request add column query_id text;
create unique index exchange_request_message on exchange_request (partner_id, system_id, message_id)
    where message_id is not null and signature <> '';
