//! Other authorities report under agreements: births with a number at once, deaths and changes of civil status.

use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};

use crate::exchange::{Joined, agreed, asks, grant, joined, partner, person, posts, system_of, verifies};
use crate::house::{House, Said, on_both};

const PURPOSE: &str = "tax-number";

pub fn newborn(name: &str, day: &str) -> Value {
    let place = json!({"province": "003"});
    json!({"full_name": name, "birth_date": day, "sex": "Nữ", "birth_registration": place, "place_of_origin": place,
        "ethnic_group": "01", "mother": {"full_name": "Trần Thị Thử"}, "registration": format!("Số {name} {day}")})
}

pub fn report(request: &str, service: &str, of: Value) -> Value {
    let mut body = json!({"request": request, "purpose": PURPOSE, "case": "KS-1", "officer": "tran.thi.thu",
        "unit": "UBND phường Thử"});
    body[service] = of;
    body
}

pub fn born(request: &str, name: &str) -> Value {
    report(request, "birth", newborn(name, "20/11/2026"))
}

pub async fn with_births(house: &House) -> Joined {
    let joined = joined(house).await;
    agreed(house, &joined, &joined.partner, "TT-KS", json!([grant("birth", &["personal_number"])])).await;
    joined
}

fn number(said: &Said) -> String {
    said.body["record"]["personal_number"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned()
}

async fn persons(house: &House) -> i64 {
    house.count(sql!("select count(*) as n from person"), args![]).await
}

#[tokio::test]
async fn a_birth_that_a_partner_reports_has_its_number_at_once_and_once() {
    on_both(async |house| {
        let joined = with_births(house).await;
        let body = serde_json::to_vec(&born("ks-1", "Nguyễn Thị Mầm")).unwrap();
        let (answer, signature) = posts(&joined.system, "birth", &body).await;
        let said: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!((&said["outcome"], &said["service"]), (&json!("numbered"), &json!("birth")), "{said}");
        assert!(said["record"]["personal_number"].as_str().unwrap().starts_with("003326"), "{said}");
        let fields: Vec<_> = said["record"].as_object().unwrap().keys().collect();
        assert_eq!(fields, ["personal_number"], "the mask of the agreement");
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        assert!(verifies(&keys, &signature, &answer));

        // The same bytes: the same answer, to the byte, and no second child.
        assert_eq!(posts(&joined.system, "birth", &body).await, (answer, signature));
        let changed = asks(&joined.system, "birth", born("ks-1", "Nguyễn Thị Mận")).await;
        assert_eq!((changed.status, changed.code()), (409, "exchange-request-reused"));
        assert_eq!(persons(house).await, 1);

        // Under another identifier: the child is in the register, and an officer looks.
        let again = asks(&joined.system, "birth", born("ks-2", "NGUYEN THI MAM")).await;
        assert_eq!((&again.body["outcome"], &again.body["reasons"]), (&json!("held"), &json!(["birth-recorded"])));
        assert!(again.body["record"].is_null() && !again.body.to_string().contains(&number_in(&said)), "{again:?}");
        assert_eq!(persons(house).await, 1);

        // The register knows who reported it, and the child's parents are told who looked.
        let child = {
            let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
            let row = tx.one(sql!("select id from person"), args![]).await.unwrap().unwrap();
            let child: issuance::ground::ids::PersonId = issuance::ground::Id::of(&row, "id").unwrap();
            child
        };
        let registrar = house.officer("lan", &[Role::Registrar], "national").await;
        let history = registrar.get(&format!("/api/v1/persons/{child}/history")).await;
        let event = &history.body["events"][0];
        assert_eq!(event["reported_by"], json!(joined.partner), "{history:?}");
        assert_eq!(event["evidence"]["source"], "civil-status");
        let counter = house.officer("hien", &[Role::HandOver], "national").await;
        let looks = counter.get(&format!("/api/v1/persons/{child}/looks")).await;
        let told: Vec<_> = looks.body["looks"].as_array().unwrap_or_else(|| panic!("{looks:?}")).iter().collect();
        let of_partner: Vec<_> = told.iter().filter(|look| look["service"] == "birth").collect();
        assert_eq!(of_partner.len(), 3, "numbered, told again, held: {looks:?}");
        let first = of_partner[2];
        assert_eq!((&first["outcome"], &first["unit"]), (&json!("numbered"), &json!("UBND phường Thử")));
        assert_eq!((&first["institution"], &first["fields"]), (&json!("Bộ Thử nghiệm"), &json!(["personal_number"])));
        assert!(!looks.body.to_string().contains("partner/"), "each row has a name: {looks:?}");
    })
    .await;
}

fn number_in(said: &Value) -> String {
    said["record"]["personal_number"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn ten_reports_of_one_child_at_once_give_one_number() {
    on_both(async |house| {
        let joined = with_births(house).await;
        let body = serde_json::to_vec(&born("ks-1", "Nguyễn Thị Mầm")).unwrap();
        let all = (0..10).map(|_| posts(&joined.system, "birth", &body));
        let answers = futures_util::future::join_all(all).await;
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "one answer");
        assert_eq!(persons(house).await, 1);
        // Ten identifiers: one number, and nine for an officer.
        let all = (0..10).map(|n| asks(&joined.system, "birth", born(&format!("kt-{n}"), "Lê Thị Mơ")));
        let said = futures_util::future::join_all(all).await;
        let numbered = said.iter().filter(|said| said.body["outcome"] == "numbered").count();
        let held = said.iter().filter(|said| said.body["outcome"] == "held").count();
        assert_eq!((numbered, held, persons(house).await), (1, 9, 2), "{said:?}");
    })
    .await;
}

#[tokio::test]
async fn a_birth_outside_the_agreement_or_with_a_fault_has_no_number() {
    on_both(async |house| {
        let joined = joined(house).await;
        let said = asks(&joined.system, "birth", born("ks-0", "Nguyễn Thị Mầm")).await;
        assert_eq!(said.code(), "exchange-not-agreed", "no agreement");
        let mut of_province = grant("birth", &["personal_number"]);
        of_province["provinces"] = json!(["003"]);
        of_province["per_day"] = json!(2);
        agreed(house, &joined, &joined.partner, "TT-KS", json!([of_province])).await;
        let mut elsewhere = born("ks-1", "Nguyễn Thị Mầm");
        elsewhere["birth"]["birth_registration"]["province"] = json!("001");
        let said = asks(&joined.system, "birth", elsewhere).await;
        assert_eq!(said.code(), "exchange-not-agreed", "another province: {said:?}");
        assert!(said.body["detail"].as_str().unwrap().contains("province of birth registration"));

        let mut leased = born("ks-2", "Nguyễn Thị Mầm");
        leased["birth"]["of_lease"] = json!({"lease_id": crate::house::NIL, "personal_number": "003326000000"});
        let said = asks(&joined.system, "birth", leased).await;
        assert_eq!((said.status, said.code()), (422, "body-invalid"), "leases are of offices: {said:?}");
        assert!(said.body.to_string().contains("of_lease"), "{said:?}");
        let mut acknowledged = born("ks-2", "Nguyễn Thị Mầm");
        acknowledged["birth"]["acknowledged"] = json!(true);
        assert_eq!(
            asks(&joined.system, "birth", acknowledged).await.code(),
            "body-invalid",
            "no machine answers for it"
        );

        let (mother, number) = person(house, "Trần Thị Thử", "05/01/1995", json!({})).await;
        let mut wrong = born("ks-3", "Nguyễn Thị Mầm");
        wrong["birth"]["mother"] = json!({"full_name": "Phạm Thị Lạ", "personal_number": number});
        let said = asks(&joined.system, "birth", wrong).await;
        assert_eq!((said.status, said.code()), (422, "parent-unknown"), "{said:?}");
        assert_eq!(said.body["errors"][0]["pointer"], "/birth/mother/personal_number");
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = 'exchange-refused'");
        let mother: issuance::ground::ids::PersonId = mother.parse().unwrap();
        assert_eq!(house.count(about, args![mother]).await, 1, "the mother sees the refusal that tells of her");
        let missed = sql!("select count(*) as n from exchange_request where missed");
        assert_eq!(house.count(missed, args![]).await, 1, "a guess");

        let mut later = born("ks-4", "Nguyễn Thị Mầm");
        later["birth"]["birth_date"] = json!("20/11/2099");
        assert_eq!(asks(&joined.system, "birth", later).await.code(), "date-in-future");
        assert_eq!(persons(house).await, 1, "the mother");
        // What was refused took nothing of the quota.
        for (request, name, spent) in [
            ("ks-5", "Nguyễn Thị Mầm", ""),
            ("ks-6", "Lê Thị Mơ", ""),
            ("ks-7", "Lò Thị Vượng", "exchange-quota-spent"),
        ] {
            assert_eq!(asks(&joined.system, "birth", born(request, name)).await.code(), spent, "{request}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_birth_that_is_held_has_a_number_when_an_officer_answers_for_it() {
    on_both(async |house| {
        let joined = with_births(house).await;
        let first = asks(&joined.system, "birth", born("ks-1", "Nguyễn Thị Thu Hà")).await;
        assert_eq!(first.body["outcome"], "numbered", "{first:?}");
        // Twins may be called so: a machine does not decide.
        let mut twin = born("ks-2", "Nguyễn Thị Hà Thu");
        twin["birth"]["registration"] = json!("Số 13/2026");
        let held = asks(&joined.system, "birth", twin.clone()).await;
        assert_eq!(held.body["outcome"], "held", "{held:?}");
        let reference = held.body["answer"].as_str().unwrap();
        let status = |n: u32| {
            let mut question = report(&format!("st-{n}"), "reference", json!(reference));
            question["case"] = json!(format!("KS-{n}"));
            asks_owned(&joined, question)
        };
        assert_eq!(status(1).await.body["outcome"], "held");

        let registrar = house.officer("lan", &[Role::Registrar], "national").await;
        let list = registrar.get("/api/v1/held-births").await;
        assert_eq!(list.body["items"][0]["id"], json!(reference), "{list:?}");
        assert!(!list.body.to_string().contains("Hà Thu"), "a list names no child");
        let elsewhere = house.officer("hoa", &[Role::Registrar], "o-1").await;
        assert_eq!(elsewhere.get(&format!("/api/v1/held-births/{reference}")).await.code(), "other-office");
        let read = registrar.get(&format!("/api/v1/held-births/{reference}")).await;
        assert_eq!(read.body["birth"]["full_name"], "Nguyễn Thị Hà Thu", "{read:?}");
        let path = format!("/api/v1/held-births/{reference}/registration");
        let nothing = registrar.post(&path, "h-0", json!({"because": ""})).await;
        assert_eq!(nothing.status, 422, "{nothing:?}");
        let done = registrar.post(&path, "h-1", json!({"because": "twins, two certificates"})).await;
        assert_eq!(done.status, 200, "{done:?}");
        assert_eq!(registrar.post(&path, "h-2", json!({"because": "again"})).await.code(), "exchange-report-unknown");
        let said = status(2).await;
        assert_eq!(said.body["outcome"], "numbered", "{said:?}");
        assert!(number(&said).starts_with("003326"));
        assert_ne!(number(&said), number(&first));
        assert_eq!(persons(house).await, 2);
        // An officer answers for the child, and the register still knows whose report it was.
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let row = tx.one(sql!("select id from person order by id desc limit 1"), args![]).await.unwrap().unwrap();
        let child: issuance::ground::ids::PersonId = issuance::ground::Id::of(&row, "id").unwrap();
        drop(tx);
        let history = registrar.get(&format!("/api/v1/persons/{child}/history")).await;
        assert_eq!(history.body["events"][0]["reported_by"], json!(joined.partner), "{history:?}");
        let kept = sql!("select count(*) as n from exchange_report where message is not null");
        assert_eq!(house.count(kept, args![]).await, 0, "the message is erased with the decision");

        // The child is recorded: the partner is told so, and no number.
        let again = asks(&joined.system, "birth", born("ks-3", "Nguyễn Thị Thu Hà")).await;
        let reference = again.body["answer"].as_str().unwrap();
        let path = format!("/api/v1/held-births/{reference}");
        let same = registrar.post(&format!("{path}/registration"), "h-3", json!({"because": "a twin?"})).await;
        assert_eq!((same.status, same.code()), (409, "birth-recorded"), "of one name and mother: {same:?}");
        let refusal = json!({"reason": "recorded-already", "because": "sent twice"});
        assert_eq!(registrar.post(&format!("{path}/refusal"), "h-4", refusal).await.status, 204);
        let said = asks(&joined.system, "report-status", report("st-3", "reference", json!(reference))).await;
        assert_eq!((&said.body["outcome"], &said.body["reasons"]), (&json!("refused"), &json!(["recorded-already"])));
        // Another partner's reference is none.
        let unknown = report("st-4", "reference", json!(crate::house::NIL));
        assert_eq!(asks(&joined.system, "report-status", unknown).await.code(), "exchange-report-unknown");
    })
    .await;
}

#[tokio::test]
async fn a_birth_that_is_held_has_no_number_once_its_partner_ended() {
    on_both(async |house| {
        let joined = with_births(house).await;
        asks(&joined.system, "birth", born("ks-1", "Nguyễn Thị Thu Hà")).await;
        let mut twin = born("ks-2", "Nguyễn Thị Hà Thu");
        twin["birth"]["registration"] = json!("Số 13/2026");
        let held = asks(&joined.system, "birth", twin).await;
        assert_eq!(held.body["outcome"], "held", "{held:?}");
        let end = format!("/api/v1/partners/{}/end", joined.partner);
        assert_eq!(joined.bao.post(&end, "p", json!({"reason": "its desk was broken into"})).await.status, 200);
        let registrar = house.officer("lan", &[Role::Registrar], "national").await;
        let path = format!("/api/v1/held-births/{}", held.body["answer"].as_str().unwrap());
        let said = registrar.post(&format!("{path}/registration"), "h-1", json!({"because": "twins"})).await;
        assert_eq!((said.status, said.code()), (409, "partner-state-unfit"), "{said:?}");
        assert_eq!(persons(house).await, 1);
        // It is read and refused as before, so that it waits not for ever.
        assert_eq!(registrar.get(&path).await.status, 200);
        let refusal = json!({"reason": "message-wrong", "because": "the partner ended"});
        assert_eq!(registrar.post(&format!("{path}/refusal"), "h-2", refusal).await.status, 204);
    })
    .await;
}

async fn asks_owned(joined: &Joined, question: Value) -> Said {
    asks(&joined.system, "report-status", question).await
}

fn about(number: &str, name: &str, birth: &str) -> Value {
    json!({"personal_number": number, "full_name": name, "birth_date": birth})
}

#[tokio::test]
async fn a_death_that_a_partner_reports_is_proposed_and_an_officer_applies_it() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-KT", json!([grant("death", &["life"])])).await;
        let (id, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1940", json!({})).await;
        let death = |request: &str, subject: Value, died: &str| {
            let mut body = report(request, "death", json!({"died": died, "registration": "Số 12/2026"}));
            body["subject"] = subject;
            asks_to(&joined, "death", body)
        };
        // Another name, another number: the same answer, and nothing is proposed.
        let mut same = vec![];
        for (request, subject) in [
            ("kt-1", about(&number, "Trần Thị Khác", "17/05/1940")),
            ("kt-2", about("003140999999", "Nguyễn Thị Mẫu", "17/05/1940")),
        ] {
            let mut no = death(request, subject, "19/11/2026").await;
            for own in ["request", "request_sha256", "answer", "answered_at"] {
                no.body.as_object_mut().unwrap().remove(own).unwrap();
            }
            same.push(no.body);
        }
        assert_eq!((&same[0]["outcome"], same[0] == same[1]), (&json!("not-found"), true), "{same:?}");
        let waiting = sql!("select count(*) as n from register_change");
        assert_eq!(house.count(waiting, args![]).await, 0);

        let right = || about(&number, "Nguyễn Thị Mẫu", "17/05/1940");
        let mut more = right();
        more["sex"] = json!("Nữ");
        assert_eq!(death("kt-3", more, "19/11/2026").await.code(), "exchange-request-unfit");
        let ahead = death("kt-4", right(), "19/11/2999").await;
        assert_eq!((ahead.status, ahead.code()), (422, "date-in-future"), "{ahead:?}");
        assert_eq!(ahead.body["errors"][0]["pointer"], "/death/died");
        let received = death("kt-5", right(), "19/11/2026").await;
        assert_eq!(received.body["outcome"], "received", "{received:?}");
        let reference = received.body["answer"].as_str().unwrap();
        let status = |n: u32| asks_owned(&joined, report(&format!("st-{n}"), "reference", json!(reference)));
        assert_eq!(status(1).await.body["outcome"], "proposed");

        let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        let list = lan.get("/api/v1/register-changes").await;
        let item = &list.body["items"][0];
        assert_eq!(item["reported_by"], json!(joined.partner), "{list:?}");
        let change = item["id"].as_str().unwrap();
        let view = lan.get(&format!("/api/v1/register-changes/{change}")).await;
        let evidence = &view.body["evidence"];
        assert_eq!((&evidence["form"], &evidence["source"]), (&json!("death-message"), &json!("civil-status")));
        assert_eq!(evidence["document"], "Số 12/2026, UBND phường Thử");
        // One officer is enough: the partner was the first, and is never the second.
        let applied = lan.post(&format!("/api/v1/register-changes/{change}/application"), "a-1", json!({})).await;
        assert_eq!(applied.status, 204, "{applied:?}");
        assert_eq!(status(2).await.body["outcome"], "applied");
        let history = lan.get(&format!("/api/v1/persons/{id}/history")).await;
        assert_eq!(history.body["events"][1]["reported_by"], json!(joined.partner), "{history:?}");
        let twice = death("kt-6", right(), "19/11/2026").await;
        assert_eq!(twice.code(), "change-unfit", "it is recorded: {twice:?}");
    })
    .await;
}

#[tokio::test]
async fn a_death_outside_the_agreement_is_not_found_and_another_partner_is_told_of_none() {
    on_both(async |house| {
        let joined = joined(house).await;
        let mut there = grant("death", &["life"]);
        there["provinces"] = json!(["004"]);
        agreed(house, &joined, &joined.partner, "TT-KT", json!([there])).await;
        let (_, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1940", json!({})).await;
        let away = json!({"permanent_residence": {"province": "004", "detail": "Số 9"}});
        let (_, reached) = person(house, "Trần Thị Xa", "17/05/1941", away).await;
        let dies = async |request: &str, subject: Value| {
            let mut body = report(request, "death", json!({"died": "19/11/2026", "registration": "Số 12/2026"}));
            body["subject"] = subject;
            asks_to(&joined, "death", body).await.body
        };
        let outside = dies("kt-1", about(&number, "Nguyễn Thị Mẫu", "17/05/1940")).await;
        assert_eq!(outside["outcome"], "not-found", "{outside}");
        let received = dies("kt-2", about(&reached, "Trần Thị Xa", "17/05/1941")).await;
        assert_eq!(received["outcome"], "received", "{received}");
        // The reference of a partner is none of another's.
        let other = partner(house, &joined.bao, "p-khac").await;
        let (system, _) = system_of(house, &joined.bao, &other, "may-khac").await;
        agreed(house, &joined, &other, "TT-K2", json!([grant("death", &["life"])])).await;
        let status = || report("st-1", "reference", received["answer"].clone());
        assert_eq!(asks(&system, "report-status", status()).await.code(), "exchange-report-unknown");
        assert_eq!(asks(&joined.system, "report-status", status()).await.body["outcome"], "proposed");
    })
    .await;
}

async fn asks_to(joined: &Joined, service: &str, body: Value) -> Said {
    asks(&joined.system, service, body).await
}

#[tokio::test]
async fn a_change_is_of_the_fields_of_the_agreement_and_is_turned_down_with_a_reason() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-HT", json!([grant("change", &["marital_status", "spouse"])])).await;
        let (_, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1990", json!({})).await;
        let change = |request: &str, of: Value| {
            let mut body = report(request, "change", of);
            body["subject"] = about(&number, "Nguyễn Thị Mẫu", "17/05/1990");
            asks_to(&joined, "change", body)
        };
        let married = |fields: Value| {
            json!({"kind": "marital-status-changed", "valid_from": "01/10/2026", "fields": fields,
                "registration": "Số 7/2026"})
        };
        let name = json!({"kind": "corrected", "fields": {"full_name": "Nguyễn Thị Mầu"}, "registration": "Số 8/2026"});
        let said = change("ht-1", name).await;
        assert_eq!(said.code(), "exchange-not-agreed", "{said:?}");
        let moved = json!({"kind": "moved", "fields": {"marital_status": "married"}, "registration": "Số 8/2026"});
        assert_eq!(change("ht-2", moved).await.code(), "body-invalid", "a move is no matter of civil status");
        let unfit = change("ht-3", married(json!({"marital_status": "perhaps"}))).await;
        assert_eq!(
            (unfit.status, &unfit.body["errors"][0]["pointer"]),
            (422, &json!("/change/fields/marital_status")),
            "{unfit:?}"
        );
        let received = change("ht-4", married(json!({"spouse": {"full_name": "Trần Văn Chồng"}}))).await;
        assert_eq!(received.body["outcome"], "received", "{received:?}");
        let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        let list = lan.get("/api/v1/register-changes").await;
        let path = format!("/api/v1/register-changes/{}/withdrawal", list.body["items"][0]["id"].as_str().unwrap());
        assert_eq!(lan.post(&path, "w-1", json!({})).await.status, 204);
        let status = report("st-1", "reference", received.body["answer"].clone());
        let said = asks(&joined.system, "report-status", status).await;
        assert_eq!((&said.body["outcome"], &said.body["reasons"]), (&json!("refused"), &json!(["turned-down"])));
        // A partner that ended reports nothing any more, and what it reported is no longer applied.
        let second = change("ht-5", married(json!({"spouse": {"full_name": "Trần Văn Chồng"}}))).await;
        assert_eq!(second.body["outcome"], "received", "{second:?}");
        let end = format!("/api/v1/partners/{}/end", joined.partner);
        assert_eq!(joined.bao.post(&end, "e-1", json!({"reason": "broken into"})).await.status, 200);
        let list = lan.get("/api/v1/register-changes").await;
        let path = format!("/api/v1/register-changes/{}/application", list.body["items"][0]["id"].as_str().unwrap());
        let said = lan.post(&path, "a-1", json!({})).await;
        assert_eq!((said.status, said.code()), (409, "change-stale"), "{said:?}");
    })
    .await;
}
