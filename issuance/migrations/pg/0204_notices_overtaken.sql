-- Notices that did not leave, as they were overtaken or their citizen is dead, are counted at each look.
create index notice_not_sent on notice (state, channel) where state in ('overtaken', 'recipient-dead');
