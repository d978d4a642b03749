//! Who looked at a person, among many records of the trail.

use std::time::Instant;

use issuance::store::Sql;
use issuance::{args, sql};
use serde_json::Value;

use crate::{Bench, clients, joined, people};

/// So many requests of a measurement.
const REQUESTS: usize = 300;
/// Records about the person with many looks.
const MANY: u64 = 5_000;

/// Puts so many records into the trail, of them [`MANY`] about one person, and asks who looked.
pub async fn measure(bench: &Bench, log: u64) {
    const FILL: Sql = sql!(
        pg "insert into audit_entry (id, at, actor, action, object, person_id, purpose, reason)
            select (lpad(to_hex((1700000000000 + n * 10) >> 16), 8, '0') || '-'
                    || lpad(to_hex((1700000000000 + n * 10) & 65535), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
                   to_timestamp(1700000000 + n / 100), 'partner/' || $3::text, 'exchange-answered',
                   'exchange-request/' || (lpad(to_hex((1700000000000 + n * 10) >> 16), 8, '0') || '-'
                    || lpad(to_hex((1700000000000 + n * 10) & 65535), 4, '0') || '-7000-8000-' || lpad(to_hex(n), 12, '0')),
                   ('00000000-0000-7000-8000-'
                    || lpad(to_hex(case when n % $4 = 0 then 0 else 1 + (n * 7919) % ($5 - 1) end), 12, '0'))::uuid,
                   'exchange', 'confirmed'
            from generate_series($1, $2 - 1) as g (n)",
        lite "select $1, $2, $3, $4, $5"
    );
    const ASKED: Sql = sql!(
        pg "insert into exchange_request (id, partner_id, system_id, request, request_sha256, at, agreement_id, purpose, service,
                officer, unit, case_number, fields, outcome, subject, missed, answer, answer_sha256, signature, kept_until)
            select e.id, $1, $2, 'looked-' || e.id, sha256('x'), e.at, $3, $4, 'confirm', 'officer', 'Chi cục Thử', 'HS-1',
                   'birth_date,full_name,personal_number', 'confirmed', sha256('x'), false, null, sha256('x'), '', e.at
            from audit_entry e where e.person_id = $5 and e.id < '018e0000-0000-7000-8000-000000000000'
               or e.person_id = $6 and e.id < '018e0000-0000-7000-8000-000000000000'",
        lite "select $1, $2, $3, $4, $5, $6"
    );
    let db = bench.service.offices().deeds().db();
    let began = Instant::now();
    let whole = |number: u64| i64::try_from(number).expect("few enough");
    for begin in (0..log).step_by(500_000) {
        let mut tx = db.begin_upkeep().await.expect("a transaction");
        let bounds = (whole(begin), whole(log.min(begin + 500_000)));
        let (every, people) = (whole((log / MANY).max(1)), whole(bench.people));
        tx.run(FILL, args![bounds.0, bounds.1, bench.joined.partner.id.to_string(), every, people])
            .await
            .expect("records");
        tx.commit().await.expect("kept");
    }
    let partner = &bench.joined.partner;
    let agreement: issuance::ground::ids::AgreementId = bench.joined.agreement.parse().expect("an id");
    let [many, few]: [issuance::ground::ids::PersonId; 2] = [0, 5].map(|n| people::person(n).parse().expect("an id"));
    let mut tx = db.begin_upkeep().await.expect("a transaction");
    tx.run(ASKED, args![partner.id, partner.system, agreement, joined::PURPOSE, many, few]).await.expect("requests");
    tx.run(sql!("analyze"), args![]).await.expect("statistics");
    tx.commit().await.expect("kept");
    eprintln!("{log} records after {:.0} s", began.elapsed().as_secs_f64());

    let client = joined::client(bench.folder.path());
    let base = format!("https://{}/api/v1/persons", bench.service.address());
    let asks = async |person: u64, before: Option<&str>| {
        let before = before.map(|id| format!("?before={id}")).unwrap_or_default();
        let request = client.get(format!("{base}/{}/looks{before}", people::person(person))).bearer_auth("tells");
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap_or_default());
        answer.json::<Value>().await.expect("JSON")
    };
    // A page in the middle.
    let mut middle = asks(0, None).await["before"].as_str().map(str::to_owned);
    for _ in 0..MANY / 200 {
        middle = asks(0, middle.as_deref()).await["before"].as_str().map(str::to_owned);
    }
    println!("\n| who looked, among {log} records | looks on the page | p50, ms | p95, ms | worst, ms |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    for (name, person, before) in
        [("many looks, page 1", 0, None), ("many looks, a page in the middle", 0, middle), ("few looks", 5, None)]
    {
        let shown = asks(person, before.as_deref()).await["looks"].as_array().expect("looks").len();
        let mut took = Vec::new();
        for _ in 0..REQUESTS {
            let began = Instant::now();
            asks(person, before.as_deref()).await;
            took.push(clients::microseconds(began.elapsed()));
        }
        took.sort_unstable();
        let at =
            |percent: usize| f64::from(u32::try_from(took[(took.len() - 1) * percent / 100]).unwrap_or(u32::MAX)) / 1e3;
        println!("| {name} | {shown} | {:.2} | {:.2} | {:.2} |", at(50), at(95), at(100));
    }
}
