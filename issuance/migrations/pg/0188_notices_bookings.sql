-- A notice is about an application or about a booking.
alter table notice alter column application_id drop not null;
alter table notice add column booking_id uuid;
create index notice_booking on notice (booking_id, id) where booking_id is not null;
