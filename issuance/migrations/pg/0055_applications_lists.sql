-- Lists of applications, each along an index in the order of registration.
create index application_list on application (office, id);
create index application_stage on application (office, stage, id);
create index application_slip on application (slip);
