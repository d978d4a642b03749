-- Objections that were answered are listed for those who answer: by role and office, the newest first.
create index objection_answered on objection (role, office, id) where answered_at is not null;
