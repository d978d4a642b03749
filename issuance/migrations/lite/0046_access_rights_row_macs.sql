-- Sessions and proposals about officers carry a MAC (`store::seal`): either makes an administrator.
alter table session add column version INTEGER;
alter table session add column mac BLOB;
alter table officer_proposal add column version INTEGER;
alter table officer_proposal add column mac BLOB;
-- The officer's roles when it was made: a proposal about an officer who has changed since is refused.
alter table officer_proposal add column roles TEXT;
-- Seconds in which the service showed the alarm of a proposal by the owner of the key file, and when they were counted last.
alter table officer_proposal add column shown_for INTEGER;
alter table officer_proposal add column shown_at INTEGER;
-- An administrator was seen at work since: then it takes no effect by itself.
alter table officer_proposal add column administrator_seen_at INTEGER;
