//! Lists that a partner confirms: two of its officers, stretches that can be sent again, no more than is agreed.

use issuance::ground::ids::PersonId;
use issuance::{args, sql};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::exchange::{Joined, agreed, joined, person};
use crate::house::{House, PASSWORD, Said, on_both};

const PURPOSE: &str = "tax-number";
const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");

async fn agrees(house: &House, joined: &Joined, fields: &[&str], more: Value) -> String {
    let mut grant = json!({"purpose": PURPOSE, "service": "confirm-list", "fields": fields, "per_day": 1000});
    for (key, value) in more.as_object().unwrap() {
        grant[key] = value.clone();
    }
    agreed(house, joined, &joined.partner, "TT-L", json!([grant])).await
}

fn opening(request: &str, lines: u32) -> Value {
    json!({"request": request, "purpose": PURPOSE, "case": "KH-1", "officer": "nguyen.van.thu",
        "second_officer": "tran.thi.duyet", "unit": "Cục Thử", "lines": lines})
}

async fn posts(joined: &Joined, path: &str, body: Value) -> Said {
    joined.system.asks(Method::POST, &format!("/api/v1/exchange/lists{path}"), None, Some(body)).await
}

async fn opens(joined: &Joined, request: &str, lines: u32) -> String {
    let said = posts(joined, "", opening(request, lines)).await;
    assert_eq!(said.status, 200, "{said:?}");
    said.body["list"].as_str().unwrap().to_owned()
}

fn line(number: &str, name: &str, birth: &str) -> Value {
    json!({"personal_number": number, "full_name": name, "birth_date": birth})
}

async fn stretch(joined: &Joined, list: &str, number: u32, lines: &[Value]) -> Said {
    posts(joined, &format!("/{list}/stretches"), json!({"number": number, "lines": lines})).await
}

fn outcomes(said: &Said) -> Vec<&str> {
    assert_eq!(said.status, 200, "{said:?}");
    said.body["lines"].as_array().unwrap().iter().map(|line| line["outcome"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_list_is_confirmed_line_for_line_with_noise_and_no_data() {
    on_both(async |house| {
        let joined = joined(house).await;
        agrees(house, &joined, &["full_name", "birth_date", "sex"], json!({})).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({"old_id_number": "012345678"})).await;
        let list = opens(&joined, "l-1", 100).await;
        let old = json!({"old_id_number": "012345678", "full_name": MAU.0, "birth_date": MAU.1});
        let lines = [
            line(&number, "NGUYỄN THỊ MẪU", "1990-05-17"),
            line(&number, "Trần Thị Khác", MAU.1),
            line("003190999999", MAU.0, MAU.1),
            line("no number", MAU.0, MAU.1),
            line(&number, "", MAU.1),
            line("", MAU.0, MAU.1),
            json!({"pseudonym": "00", "full_name": MAU.0}),
            old,
            line(&number, MAU.0, MAU.1),
        ];
        let said = stretch(&joined, &list, 1, &lines).await;
        let no = "not-confirmed";
        assert_eq!(outcomes(&said), ["confirmed", no, no, no, "unfit", "unfit", "unfit", "confirmed", "confirmed"]);
        assert!(said.body["lines"][4]["why"].as_str().unwrap().contains("full_name"), "{said:?}");
        assert!(!said.body.to_string().contains(&number) && !said.body.to_string().contains("differs"));
        // One record about the person for the stretch; the citizen sees unit and purpose.
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = $2");
        let person: PersonId = id.parse().unwrap();
        assert_eq!(house.count(about, args![person, "exchange-answered"]).await, 1);
        let counter = house.officer("counter", &[issuance::ground::Role::Capture], "o-1").await;
        let looks = counter.get(&format!("/api/v1/persons/{id}/looks")).await.body;
        let look = looks["looks"].as_array().unwrap().iter().find(|look| look["service"] == "confirm-list").unwrap();
        assert_eq!((&look["unit"], &look["purpose"]), (&json!("Cục Thử"), &json!(PURPOSE)));

        // What was cut is sent again: the same bytes, the same answer; other lines, none.
        let again = stretch(&joined, &list, 1, &lines).await;
        assert_eq!(again.body, said.body);
        assert_eq!(stretch(&joined, &list, 1, &lines[..2]).await.code(), "exchange-request-reused");
        let state = joined.system.get(&format!("/api/v1/exchange/lists/{list}")).await.body;
        let figures = ["announced", "answered", "confirmed", "stretches"].map(|figure| state[figure].clone());
        assert_eq!(figures, [json!(100), json!(9), json!(3), json!([1])]);
    })
    .await;
}

#[tokio::test]
async fn a_list_takes_two_officers_an_agreement_and_its_quota() {
    on_both(async |house| {
        let joined = joined(house).await;
        assert_eq!(posts(&joined, "", opening("l-0", 10)).await.code(), "exchange-not-agreed");
        let agreement = agrees(house, &joined, &["full_name", "birth_date"], json!({"per_day": 5})).await;
        for (member, value) in [
            ("second_officer", json!("Nguyen.Van.Thu")),
            ("second_officer", json!("robot")),
            ("officer", json!("system")),
            ("lines", json!(0)),
            ("lines", json!(1_000_001)),
        ] {
            let mut unfit = opening("l-0", 10);
            unfit[member] = value;
            assert_eq!(posts(&joined, "", unfit).await.code(), "exchange-request-unfit", "{member}");
        }
        let mut other = opening("l-0", 10);
        other["purpose"] = json!("another");
        assert_eq!(posts(&joined, "", other).await.code(), "exchange-not-agreed");
        let list = opens(&joined, "l-1", 7).await;
        assert_eq!(opens(&joined, "l-1", 7).await, list, "the same request opens it once");
        assert_eq!(posts(&joined, "", opening("l-1", 8)).await.code(), "exchange-request-reused");
        let unknown = format!("/{}/stretches", crate::house::NIL);
        let one = json!({"number": 1, "lines": [line("003190999999", MAU.0, MAU.1)]});
        assert_eq!(posts(&joined, &unknown, one).await.code(), "exchange-list-unknown");

        let lines = vec![line("003190999999", MAU.0, MAU.1); 8];
        assert_eq!(stretch(&joined, &list, 1, &[]).await.code(), "exchange-request-unfit");
        assert_eq!(stretch(&joined, &list, 0, &lines[..1]).await.code(), "exchange-request-unfit");
        assert_eq!(stretch(&joined, &list, 1, &lines).await.code(), "exchange-request-unfit", "more than announced");
        assert_eq!(outcomes(&stretch(&joined, &list, 7, &lines[..3]).await).len(), 3);
        let spent = stretch(&joined, &list, 8, &lines[..3]).await;
        assert_eq!((spent.code(), spent.retry_after.is_some()), ("exchange-quota-spent", true), "{spent:?}");
        assert_eq!(outcomes(&stretch(&joined, &list, 8, &lines[..2]).await).len(), 2, "none of the three was spent");
        house.clock.advance(Duration::days(1));
        assert_eq!(outcomes(&stretch(&joined, &list, 9, &lines[..2]).await).len(), 2, "it goes on the next day");
        assert_eq!(
            stretch(&joined, &list, 10, &lines[..1]).await.code(),
            "exchange-request-unfit",
            "all were announced"
        );
        // A field that is not agreed; and an agreement that ended while the list was under way.
        let second = opens(&joined, "l-2", 10).await;
        let mut more = line("003190999999", MAU.0, MAU.1);
        more["sex"] = json!("Nữ");
        assert_eq!(stretch(&joined, &second, 1, &[more]).await.code(), "exchange-not-agreed");
        // The officer's session ended with the day.
        let mut bao = joined.bao.clone();
        bao.token = bao.signs_in("bao", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let ended = bao.post(&format!("/api/v1/agreements/{agreement}/end"), "end", json!({"reason": "over"})).await;
        assert_eq!(ended.body["state"], "ended", "{ended:?}");
        assert_eq!(stretch(&joined, &second, 1, &lines[..1]).await.code(), "exchange-not-agreed");
        // Nor is what was answered before given again, as of any other question.
        assert_eq!(stretch(&joined, &list, 7, &lines[..3]).await.code(), "exchange-not-agreed");
    })
    .await;
}

#[tokio::test]
async fn a_list_reaches_no_further_than_the_agreement_and_says_which_field_only_where_agreed() {
    on_both(async |house| {
        let joined = joined(house).await;
        agrees(house, &joined, &["full_name", "birth_date"], json!({"provinces": ["004"], "tells_which": true})).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let away = json!({"permanent_residence": {"province": "004", "detail": "Số 9"}});
        let (_, reached) = person(house, "Trần Thị Xa", MAU.1, away).await;
        let list = opens(&joined, "l-1", 10).await;
        let lines = [
            line(&number, MAU.0, MAU.1),
            line(&reached, "Trần Thị Xa", MAU.1),
            line(&reached, "Trần Thị Xa", "18/05/1990"),
        ];
        let said = stretch(&joined, &list, 1, &lines).await;
        assert_eq!(outcomes(&said), ["not-confirmed", "confirmed", "not-confirmed"]);
        let all = json!(["birth_date", "full_name", "personal_number"]);
        assert_eq!(
            (&said.body["lines"][0]["differs"], &said.body["lines"][2]["differs"]),
            (&all, &json!(["birth_date"]))
        );
        assert_eq!(said.body["lines"][1]["differs"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn the_same_stretch_twice_at_once_has_one_answer_and_costs_once() {
    on_both(async |house| {
        let joined = joined(house).await;
        agrees(house, &joined, &["full_name", "birth_date"], json!({})).await;
        let list = opens(&joined, "l-1", 10).await;
        let lines = vec![line("003190999999", MAU.0, MAU.1); 4];
        let (one, other) = tokio::join!(stretch(&joined, &list, 1, &lines), stretch(&joined, &list, 1, &lines));
        assert_eq!((one.status, &one.body), (200, &other.body));
        let used = sql!("select coalesce(sum(used), 0) as n from exchange_usage");
        let used = match house.service.offices().deeds().db().engine_name() {
            "sqlite" => house.count(used, args![]).await,
            _ => house.count(sql!("select coalesce(sum(used), 0)::bigint as n from exchange_usage"), args![]).await,
        };
        assert_eq!(used, 4);
    })
    .await;
}

#[tokio::test]
async fn a_list_is_no_way_to_try_out_what_is_so_of_one_person() {
    on_both(async |house| {
        let joined = joined(house).await;
        let confirm = json!({"purpose": PURPOSE, "service": "confirm", "fields": ["full_name", "birth_date"],
            "per_day": 1000});
        let list = json!({"purpose": PURPOSE, "service": "confirm-list", "fields": ["full_name", "birth_date"],
            "per_day": 1000});
        agreed(house, &joined, &joined.partner, "TT-L", json!([confirm, list])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({"old_id_number": "012345678"})).await;
        let (_, other) = person(house, "Trần Văn Khác", "02/03/1980", json!({})).await;
        // Every day of the year, under both numbers: ten are judged, as of questions one by one.
        let day = |n: i64| (time::macros::date!(1990 - 01 - 01) + Duration::days(n)).to_string();
        let tries: Vec<Value> = (0..365)
            .map(|n| match n % 2 {
                0 => line(&number, MAU.0, &day(n)),
                _ => json!({"old_id_number": "012345678", "full_name": MAU.0, "birth_date": day(n)}),
            })
            .chain([line(&other, "Trần Văn Khác", "02/03/1980")])
            .collect();
        let list = opens(&joined, "l-1", 1000).await;
        let said = stretch(&joined, &list, 1, &tries).await;
        let found = outcomes(&said);
        let (judged, rest) = found[..365].split_at(10);
        assert!(judged.iter().all(|outcome| *outcome == "not-confirmed"), "{judged:?}");
        assert!(rest.iter().all(|outcome| *outcome == "unfit"), "also the right day: {rest:?}");
        assert!(said.body["lines"][10]["why"].as_str().unwrap().contains("hour"), "{said:?}");
        assert_eq!(found[365], "confirmed", "another person is judged");
        // Another list, another stretch and a question of its own are no ways round it.
        let right = [line(&number, MAU.0, MAU.1)];
        assert_eq!(outcomes(&stretch(&joined, &list, 2, &right).await), ["unfit"]);
        let second = opens(&joined, "l-2", 1000).await;
        assert_eq!(outcomes(&stretch(&joined, &second, 1, &right).await), ["unfit"]);
        let question = crate::exchange::question("q-1", &number, MAU.0, MAU.1);
        assert_eq!(crate::exchange::asks(&joined.system, "confirm", question).await.code(), "exchange-guessing");
        // A number that no person has is counted alike.
        let none = vec![line("003190999999", MAU.0, MAU.1); 12];
        assert_eq!(outcomes(&stretch(&joined, &second, 2, &none).await)[9..], ["not-confirmed", "unfit", "unfit"]);
        house.clock.advance(Duration::minutes(61));
        assert_eq!(outcomes(&stretch(&joined, &second, 3, &right).await), ["confirmed"]);
        // What questions missed counts in lists too.
        for n in 0..10 {
            let miss = crate::exchange::question(&format!("q-{n}-m"), &number, MAU.0, "01/01/1991");
            assert_eq!(crate::exchange::asks(&joined.system, "confirm", miss).await.body["outcome"], "not-confirmed");
        }
        assert_eq!(outcomes(&stretch(&joined, &second, 4, &right).await), ["unfit"]);
    })
    .await;
}

#[tokio::test]
async fn a_number_of_an_old_card_that_two_have_confirms_none_and_stops_no_list() {
    on_both(async |house| {
        let joined = joined(house).await;
        agrees(house, &joined, &["full_name", "birth_date"], json!({})).await;
        let (one, _) = person(house, MAU.0, MAU.1, json!({"old_id_number": "012345678"})).await;
        let (other, _) = person(house, "Trần Văn Khác", "02/03/1980", json!({"old_id_number": "012345678"})).await;
        let list = opens(&joined, "l-1", 10).await;
        let old =
            |name: &str, birth: &str| json!({"old_id_number": "012345678", "full_name": name, "birth_date": birth});
        let said = stretch(&joined, &list, 1, &[old(MAU.0, MAU.1), old("Trần Văn Khác", "02/03/1980")]).await;
        assert_eq!(outcomes(&said), ["not-confirmed", "not-confirmed"]);
        // Both were looked at, and both are told of it.
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = 'exchange-answered'");
        for id in [one, other] {
            let person: PersonId = id.parse().unwrap();
            assert_eq!(house.count(about, args![person]).await, 1, "{id}");
        }
    })
    .await;
}
