-- Officers who had a hand in an application: each row carries a MAC (`store::seal`), and the application, which has one
-- too, how many there are, so that one who was deleted is missed.
alter table application_officer add column version INTEGER;
alter table application_officer add column mac BLOB;
alter table application add column officers INTEGER;
