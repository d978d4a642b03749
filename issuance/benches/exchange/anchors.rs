//! The anchors: plain SQL for `pgbench`.

/// The transaction of the aim: begin, point select, a record with its index of the person, commit.
pub const AIM: &str = r"
\set n random(0, :people - 1)
begin;
select id, office, personal_number, record, findings from person where personal_number = '0013' || lpad(:n::text, 8, '0');
insert into audit_entry (id, at, actor, office, action, object, person_id, purpose)
  values (gen_random_uuid(), now(), 'partner/bench', null, 'exchange-answered', 'exchange-request/bench',
          ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid, 'exchange');
commit;
";

/// The record alone.
pub const INSERT: &str = r"
\set n random(0, :people - 1)
begin;
insert into audit_entry (id, at, actor, office, action, object, person_id, purpose)
  values (gen_random_uuid(), now(), 'partner/bench', null, 'exchange-answered', 'exchange-request/bench',
          ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid, 'exchange');
commit;
";

macro_rules! asked {
    () => {
        r"
\set n random(0, :people - 1)
begin;
select s.*, p.* from partner_system s join partner p on p.id = s.partner_id
  where s.fingerprint = decode(substr(:print::text, 2), 'hex');
commit;
begin;
select * from partner_system where id = (:system::text)::uuid;
select * from partner where id = (:partner::text)::uuid;
select * from agreement where partner_id = (:partner::text)::uuid and valid_from <= now() and valid_to > now()
  and ended_at is null and signed_at is not null and protected_at is not null order by id;
select id, office, personal_number, record, findings from person where personal_number = '0013' || lpad(:n::text, 8, '0');
select (select count(*) from (select id from exchange_request where partner_id = (:partner::text)::uuid
          and officer = 'bench' and id > '01900000-0000-7000-8000-000000000000' and missed limit 30) o) as a,
       (select count(*) from (select id from exchange_request where partner_id = (:partner::text)::uuid
          and subject = sha256(:n::text::bytea) and id > '01900000-0000-7000-8000-000000000000' and missed limit 30) s) as b;
"
    };
}
macro_rules! kept {
    () => {
        r"
insert into exchange_request (id, partner_id, system_id, request, request_sha256, at, agreement_id, purpose, service,
    officer, unit, case_number, fields, outcome, subject, missed, answer, answer_sha256, signature, kept_until)
  values (gen_random_uuid(), (:partner::text)::uuid, (:system::text)::uuid, gen_random_uuid()::text,
    sha256(:n::text::bytea), now(), (:agreement::text)::uuid, 'bench', 'confirm', 'bench', 'unit', 'HS-1',
    'birth_date,full_name,personal_number', 'confirmed', sha256(:n::text::bytea), false,
    decode(repeat('5a', 460), 'hex'), sha256(:n::text::bytea), repeat('s', 200), now() + interval '30 days');
insert into audit_entry (id, at, actor, office, action, object, person_id, purpose, related, reason)
  values (gen_random_uuid(), now(), 'partner/bench', null, 'exchange-answered', 'exchange-request/bench',
          ('00000000-0000-7000-8000-' || lpad(to_hex(:n::int), 12, '0'))::uuid, 'exchange', 'agreement/bench', 'confirmed');
"
    };
}

/// All that a question asks of the database, gate included, with what it keeps.
pub const ALL: &str = concat!(asked!(), kept!(), "commit;\n");

/// The same without the record and the kept answer.
pub const UNKEPT: &str = concat!(asked!(), "commit;\n");
