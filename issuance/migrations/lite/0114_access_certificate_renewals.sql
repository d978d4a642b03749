-- The certificate that one of an officer renews: it ends when the new one is first used.
alter table officer_certificate add column renews TEXT;
create index officer_certificate_renews on officer_certificate (renews);
