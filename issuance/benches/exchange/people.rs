//! People of the register, put in by hand: one declared person, copied with other numbers and dates.

use issuance::store::Sql;
use issuance::{Service, args, sql};

use crate::joined::Joined;

/// All have one name: the number and the date of birth tell them apart.
pub const NAME: &str = "Nguyễn Thị Mẫu";

/// Number for life of a person of the bench.
pub fn number(person: u64) -> String {
    format!("0013{person:08}")
}

/// A number that no person has.
pub fn no_number(person: u64) -> String {
    format!("0014{person:08}")
}

/// Date of birth.
pub fn birth(person: u64) -> String {
    format!("03/02/{}", 1900 + person % 100)
}

/// The person whom the nth question is about: in an order that jumps about.
pub fn drawn(n: u64, people: u64) -> u64 {
    n.wrapping_mul(0x9e37_79b9_7f4a_7c15) % people
}

/// Identifier of a person.
pub fn person(number: u64) -> String {
    format!("00000000-0000-7000-8000-{number:012x}")
}

/// So many people in one statement.
const STEP: u64 = 250_000;

/// Copies the declared person so often.
pub async fn fill(service: &Service, joined: &Joined, people: u64) {
    const COPY: Sql = sql!(
        pg "insert into person (id, office, personal_number, record, likeness, findings, declared_by, declared_at, fold, born,
                                birth_year)
            select ('00000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, office, '0013' || lpad(n::text, 8, '0'),
                   replace(record::text, '17/05/1990', '03/02/' || (1900 + n % 100))::jsonb, n::text, findings, declared_by,
                   declared_at, fold || ' ' || n, (1900 + n % 100) * 10000 + 203, 1900 + n % 100
            from person, generate_series($1, $2 - 1) as g (n) where id = $3",
        lite "with recursive made (n) as (select $1 union all select n + 1 from made where n + 1 < $2)
              insert into person (id, office, personal_number, record, likeness, findings, declared_by, declared_at, fold, born,
                                  birth_year)
              select printf('00000000-0000-7000-8000-%012x', n), office, '0013' || printf('%08d', n),
                     replace(record, '17/05/1990', '03/02/' || (1900 + n % 100)), printf('%d', n), findings, declared_by,
                     declared_at, fold || ' ' || n, (1900 + n % 100) * 10000 + 203, 1900 + n % 100
              from person, made where id = $3"
    );
    let db = service.offices().deeds().db();
    let id: issuance::ground::ids::PersonId = joined.person.parse().expect("an id");
    for begin in (0..people).step_by(usize::try_from(STEP).expect("small")) {
        let bounds = [begin, people.min(begin + STEP)].map(|bound| i64::try_from(bound).expect("few enough"));
        let mut tx = db.begin_upkeep().await.expect("a transaction");
        tx.run(COPY, args![bounds[0], bounds[1], id]).await.expect("people");
        tx.commit().await.expect("kept");
    }
    for statement in [
        sql!(
            "insert into audit_home (person_id, office) select id, office from person where true on conflict do nothing"
        ),
        sql!("analyze"),
    ] {
        let mut tx = db.begin_upkeep().await.expect("a transaction");
        tx.run(statement, args![]).await.expect("done");
        tx.commit().await.expect("kept");
    }
}
