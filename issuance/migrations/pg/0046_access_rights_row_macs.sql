-- Sessions and proposals about officers carry a MAC (`store::seal`): either makes an administrator.
alter table session add column version bigint;
alter table session add column mac bytea;
alter table officer_proposal add column version bigint;
alter table officer_proposal add column mac bytea;
-- The officer's roles when it was made: a proposal about an officer who has changed since is refused.
alter table officer_proposal add column roles jsonb;
-- Seconds in which the service showed the alarm of a proposal by the owner of the key file, and when they were counted last.
alter table officer_proposal add column shown_for bigint;
alter table officer_proposal add column shown_at timestamptz;
-- An administrator was seen at work since: then it takes no effect by itself.
alter table officer_proposal add column administrator_seen_at timestamptz;
