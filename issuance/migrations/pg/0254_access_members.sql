-- Members of a data exchange layer (X-Road) that systems of partners are, and the instance for whose members a carrier asks.
alter table partner_system add column member text;
alter table partner_system add column carries text;
create unique index partner_system_member on partner_system (member) where member is not null and revoked_at is null;
