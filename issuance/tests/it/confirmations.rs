//! Confirmations that a system asks at the same moment are answered in one transaction, and each as if it had come
//! alone.

use std::collections::BTreeSet;

use axum::extract::FromRef as _;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use issuance::exchange::{Asked, Exchange, Service, Subject, ask};
use issuance::ground::Id;
use issuance::ground::actor::Partner;
use issuance::store::Argument;
use issuance::{args, sql};
use serde_json::{Value, json};

use crate::exchange::{Joined, agreed, asks, grant, joined, person, question};
use crate::house::{House, on_both};

/// Persons of the register, each with name, date of birth and number.
async fn persons(house: &House, count: usize) -> Vec<(String, String, String, String)> {
    let mut all = Vec::new();
    for (n, name) in NAMES.iter().enumerate().take(count) {
        let (name, birth) = (format!("Nguyễn Thị Mẫu {name}"), format!("1{n}/05/1990"));
        let (id, number) = person(house, &name, &birth, json!({})).await;
        all.push((id, name, birth, number));
    }
    all
}

const NAMES: [&str; 9] = ["An", "Ba", "Chi", "Dung", "Em", "Giang", "Hoa", "Khanh", "Lan"];

async fn confirming(house: &House) -> Joined {
    let joined = joined(house).await;
    agreed(house, &joined, &joined.partner, "TT-1", json!([grant("confirm", &["full_name", "birth_date"])])).await;
    joined
}

#[tokio::test]
async fn of_many_at_once_each_is_answered_as_if_it_had_come_alone() {
    on_both(async |house| {
        let joined = confirming(house).await;
        let persons = persons(house, 8).await;
        // Of six one is right, one says another name, one a number that no person has; one names a purpose that is not
        // agreed, one a field that is not, and one a programme for its officer.
        let questions: Vec<Value> = (0..96_usize)
            .map(|n| {
                let (_, name, birth, number) = &persons[n % 8];
                let mut asked = question(&format!("r-{n}"), number, name, birth);
                asked["officer"] = json!(format!("officer-{n}"));
                match n % 6 {
                    0 => {}
                    1 => asked["subject"]["full_name"] = json!("Trần Văn Khác"),
                    2 => asked["subject"]["personal_number"] = json!(format!("0031909{n:05}")),
                    3 => asked["purpose"] = json!("not-agreed"),
                    4 => asked["subject"]["sex"] = json!("F"),
                    _ => asked["officer"] = json!("robot"),
                }
                asked
            })
            .collect();
        let each = questions.iter().map(|asked| asks(&joined.system, "confirm", asked.clone()));
        let said: Vec<_> = futures_util::stream::iter(each).buffered(16).collect().await;
        for (n, said) in said.iter().enumerate() {
            let (status, said_is) = match n % 6 {
                0 => (200, "confirmed"),
                1 | 2 => (200, "not-confirmed"),
                3 | 4 => (403, "exchange-not-agreed"),
                _ => (422, "exchange-request-unfit"),
            };
            let word = if status == 200 { said.body["outcome"].as_str().unwrap_or_default() } else { said.code() };
            assert_eq!((said.status, word), (status, said_is), "{n}: {said:?}");
            if status == 200 {
                assert_eq!(said.body["request"], json!(format!("r-{n}")), "each hears its own answer");
            }
        }
        // One record of each question that was answered, about its person; none of the others says answered.
        for (n, said) in said.iter().enumerate().filter(|(_, said)| said.status == 200) {
            let object = format!("exchange-request/{}", said.body["answer"].as_str().unwrap());
            let id: Id<()> = persons[n % 8].0.parse().unwrap();
            let about = sql!(
                "select count(*) as n from audit_entry where object = $1 and action = 'exchange-answered'
                 and person_id = $2"
            );
            let expected = i64::from(n % 6 != 2);
            assert_eq!(house.count(about, args![object.as_str(), id.uuid()]).await, expected, "{n}");
            let all = sql!("select count(*) as n from audit_entry where object = $1");
            assert_eq!(house.count(all, args![object.as_str()]).await, 1, "{n}");
        }
        let answered = sql!("select count(*) as n from audit_entry where action = 'exchange-answered'");
        assert_eq!(house.count(answered, args![]).await, 48);
        // What was answered is given again, the same to the byte.
        for n in [0, 1, 2] {
            let again = asks(&joined.system, "confirm", questions[n].clone()).await;
            assert_eq!((again.status, &again.body), (200, &said[n].body));
        }
    })
    .await;
}

/// A question as the office's verb takes it.
fn asked(n: usize, request: &str, (_, name, birth, number): &(String, String, String, String)) -> Asked {
    Asked {
        request: request.to_owned(),
        request_sha256: [u8::try_from(n).unwrap(); 32],
        purpose: "tax-number".to_owned(),
        case: "HS-1".to_owned(),
        officer: format!("officer-{n}"),
        unit: "Chi cục Thử".to_owned(),
        asked_at: None,
        service: Service::Confirm,
        fields: None,
        subject: Subject {
            personal_number: number.clone().try_into().unwrap(),
            full_name: name.clone().try_into().unwrap(),
            birth_date: birth.clone().try_into().unwrap(),
            ..Subject::default()
        },
    }
}

fn system(joined: &Joined) -> Partner {
    Partner {
        id: joined.partner.parse().unwrap(),
        code: "p-thue".parse().unwrap(),
        system: joined.system_id.parse().unwrap(),
        name: "may-chu-1".to_owned(),
        carried: None,
    }
}

#[tokio::test]
async fn those_at_once_are_one_transaction_and_one_that_came_before_holds_up_no_other() {
    on_both(async |house| {
        let joined = confirming(house).await;
        let persons = persons(house, 9).await;
        let (deeds, exchange) = (house.service.offices().deeds(), Exchange::from_ref(house.service.offices()));
        let partner = system(&joined);
        let ask = |asked: Asked| ask(deeds, &exchange, partner.clone(), asked);
        let all = join_all((0..8).map(|n| ask(asked(n, &format!("r-{n}"), &persons[n])))).await;
        assert!(all.iter().all(Result::is_ok));
        // The first is answered at once, the second by the other task; those that came meanwhile are one transaction.
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        if tx.pg().is_some() {
            let rows = tx.all(sql!("select distinct xmin::text as word from exchange_request"), args![]).await.unwrap();
            assert!(rows.len() < 8, "{} transactions", rows.len());
            let of_records =
                sql!("select distinct xmin::text as word from audit_entry where action = 'exchange-answered'");
            let of_records = tx.all(of_records, args![]).await.unwrap();
            let word = |row: &issuance::store::Record| row.get::<String>("word").unwrap();
            let (of_answers, of_records): (BTreeSet<_>, BTreeSet<_>) =
                (rows.iter().map(word).collect(), of_records.iter().map(word).collect());
            assert_eq!(of_answers, of_records, "an answer and its record are one transaction");
        }
        drop(tx);
        // Three came before with another content, and two of the new ones have one identifier.
        let requests = ["r-0", "n-1", "r-2", "n-3", "n-4", "r-5", "same", "n-7", "same"];
        let all = join_all((0..9).map(|n| ask(asked(n + 100, requests[n], &persons[n])))).await;
        let statuses: Vec<_> =
            all.iter().map(|answered| answered.as_ref().map(drop).map_err(|no| no.code().word())).collect();
        let reused = Err("exchange-request-reused");
        for n in [1, 3, 4, 7] {
            assert_eq!(statuses[n], Ok(()), "{n}");
        }
        for n in [0, 2, 5] {
            assert_eq!(statuses[n], reused, "{n}");
        }
        assert!([[Ok(()), reused], [reused, Ok(())]].contains(&[statuses[6], statuses[8]]), "one of two: {statuses:?}");
        let kept = sql!("select count(*) as n from exchange_request where outcome = 'confirmed'");
        assert_eq!(house.count(kept, args![]).await, 8 + 5);
        let records = sql!("select count(*) as n from audit_entry where action = 'exchange-answered'");
        assert_eq!(
            house.count(records, args![]).await,
            8 + 5,
            "what nothing came of left no record that says answered"
        );
    })
    .await;
}

#[tokio::test]
async fn what_ended_is_ended_for_all_that_are_asked_at_once() {
    on_both(async |house| {
        let joined = confirming(house).await;
        let persons = persons(house, 6).await;
        let (deeds, exchange) = (house.service.offices().deeds(), Exchange::from_ref(house.service.offices()));
        let partner = system(&joined);
        let codes = async |first: usize| -> BTreeSet<String> {
            let each = (0..6).map(|n| {
                let asked = asked(first + n, &format!("r-{}", first + n), &persons[n]);
                ask(deeds, &exchange, partner.clone(), asked)
            });
            let said = join_all(each).await;
            said.iter()
                .map(|said| said.as_ref().map_or_else(|no| no.code().word(), |_| "answered").to_owned())
                .collect()
        };
        assert_eq!(codes(0).await, BTreeSet::from(["answered".to_owned()]));
        // Another hand writes into the agreement: it allows nothing.
        let change = sql!(
            pg "update agreement set valid_to = valid_to + interval '1 day'",
            lite "update agreement set valid_to = valid_to + 86400000000",
        );
        let back = sql!(
            pg "update agreement set valid_to = valid_to - interval '1 day'",
            lite "update agreement set valid_to = valid_to - 86400000000",
        );
        let by_hand = async |statement| {
            let mut tx = deeds.db().begin_upkeep().await.unwrap();
            tx.run(statement, args![]).await.unwrap();
            tx.commit().await.unwrap();
        };
        by_hand(change).await;
        assert!(!codes(10).await.contains("answered"));
        by_hand(back).await;
        assert_eq!(codes(20).await, BTreeSet::from(["answered".to_owned()]));
        // The system is taken away between the gate and the verb.
        let path = format!("/api/v1/partner-systems/{}/revocation", joined.system_id);
        let revoked = joined.bao.post(&path, "revoked", json!({"reason": "bị lộ"})).await;
        assert_eq!(revoked.status, 200, "{revoked:?}");
        assert!(!codes(30).await.contains("answered"));
        let kept = sql!("select count(*) as n from exchange_request where outcome = 'confirmed'");
        assert_eq!(house.count(kept, args![]).await, 12);
    })
    .await;
}

#[tokio::test]
async fn a_few_rows_go_in_with_one_statement_and_those_that_are_there_are_passed_over() {
    on_both(async |house| {
        confirming(house).await;
        let insert = sql!(
            "insert into exchange_usage (agreement_id, place, day, used) values ($1, $2, $3, $4)
             on conflict (agreement_id, place, day) do nothing"
        );
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        assert_eq!(tx.insert_few(insert, Vec::new()).await.unwrap(), 0);
        let agreement = tx.one(sql!("select id from agreement"), args![]).await.unwrap().unwrap();
        let agreement = agreement.get::<uuid::Uuid>("id").unwrap();
        let day = time::macros::date!(2021 - 07 - 01);
        let row = |place: i64| -> Vec<Argument> { args![agreement, place, day, place * 10] };
        assert_eq!(tx.insert_few(insert, vec![row(1), row(2), row(3)]).await.unwrap(), 3);
        assert_eq!(tx.insert_few(insert, vec![row(3), row(4), row(4), row(5)]).await.unwrap(), 2);
        let all = tx.all(sql!("select place, used from exchange_usage order by place"), args![]).await.unwrap();
        let all: Vec<(i64, i64)> =
            all.iter().map(|row| (row.get("place").unwrap(), row.get("used").unwrap())).collect();
        assert_eq!(all, [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]);
    })
    .await;
}
