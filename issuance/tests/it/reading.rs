//! Reading a person of another office: what opens it, when it ends, who sees it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::house::{Caller, House, PASSWORD, Said, on_both};

/// A person of the office `o-1`, with number and card-less.
struct Citizen {
    id: String,
    number: String,
}

impl Citizen {
    async fn of(house: &House) -> Self {
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
        let declaration = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
            "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
        let declared = registrar.post("/api/v1/declarations", "k-1", declaration).await;
        let id = declared.body["person_id"].as_str().unwrap().to_owned();
        let number = registrar.post(&format!("/api/v1/persons/{id}/number"), "k-2", json!({})).await;
        assert_eq!(number.status, 200, "{number:?}");
        let read = registrar.get(&format!("/api/v1/persons/{id}")).await;
        Self { number: read.body["personal_number"].as_str().unwrap().to_owned(), id }
    }

    fn claim(&self) -> Value {
        json!({"personal_number": self.number, "birth_date": "05/01/2000", "full_name": "nguyễn thị mẫu"})
    }

    fn path(&self) -> String {
        format!("/api/v1/persons/{}", self.id)
    }

    async fn applies(&self, at: &Caller, key: &str, claim: Option<Value>) -> Said {
        let mut body = json!({"person_id": self.id, "kind": "first", "office": "o-2"});
        if let Some(claim) = claim {
            body["claim"] = claim;
        }
        at.post("/api/v1/applications", key, body).await
    }
}

async fn again(house: &House, name: &str) -> Caller {
    let mut caller = house.anyone();
    caller.token = caller.signs_in(name, PASSWORD).await.body["token"].as_str().map(str::to_owned);
    caller
}

#[tokio::test]
async fn an_office_reads_another_offices_person_only_while_the_citizen_has_a_case_there() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let capture = house.officer("capture", &[Role::Capture], "o-2").await;
        assert_eq!(capture.get(&citizen.path()).await.code(), "other-office");
        assert_eq!(citizen.applies(&capture, "k-1", None).await.code(), "claim-needed");
        assert_eq!(capture.get(&citizen.path()).await.code(), "other-office");

        let opened = citizen.applies(&capture, "k-2", Some(citizen.claim())).await;
        assert_eq!(opened.status, 201, "{opened:?}");
        let case = opened.body["id"].as_str().unwrap();
        assert_eq!(capture.get(&citizen.path()).await.status, 200);
        let named = sql!(
            "select count(*) as n from audit_entry where action = 'person-read' and office = 'o-2' and related = $1"
        );
        assert_eq!(house.count(named, args![format!("application/{case}")]).await, 1, "the record names the case");

        let path = format!("/api/v1/applications/{case}/cancellation");
        assert_eq!(capture.post(&path, "k-3", json!({"reason": "went home"})).await.status, 200);
        assert_eq!(capture.get(&citizen.path()).await.code(), "other-office", "the right ends with the case");
        assert_eq!(citizen.applies(&capture, "k-4", Some(citizen.claim())).await.status, 201);
        assert_eq!(capture.get(&citizen.path()).await.status, 200, "and comes back with another one");
    })
    .await;
}

#[tokio::test]
async fn a_wrong_claim_does_not_tell_what_is_wrong_and_three_slow_down() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let capture = house.officer("capture", &[Role::Capture], "o-2").await;
        let wrong = |field: &str, value: &str| {
            let mut claim = citizen.claim();
            claim[field] = json!(value);
            claim
        };
        let mut said = Vec::new();
        for (number, claim) in [
            wrong("birth_date", "06/01/2000"),
            wrong("full_name", "Nguyễn Thị Mẩu"),
            wrong("personal_number", "001300000000"),
        ]
        .into_iter()
        .enumerate()
        {
            let refused = citizen.applies(&capture, &format!("w-{number}"), Some(claim)).await;
            let mut body = refused.body.clone();
            body["request_id"] = json!(null);
            said.push((refused.status, body));
        }
        assert!(said.iter().all(|answer| *answer == said[0]), "{said:?}");
        assert_eq!((said[0].0, &said[0].1["code"]), (403, &json!("claim-mismatch")));
        let told = sql!("select count(*) as n from audit_entry where action = 'claim-refused' and object = $1");
        assert_eq!(house.count(told, args![format!("person/{}", citizen.id)]).await, 3);

        // Also the right one waits, and the wait grows.
        let slow = citizen.applies(&capture, "w-4", Some(citizen.claim())).await;
        assert_eq!((slow.status, slow.code()), (429, "claim-too-soon"));
        house.clock.advance(Duration::seconds(61));
        let fourth = citizen.applies(&capture, "w-5", Some(wrong("birth_date", "07/01/2000"))).await;
        assert_eq!(fourth.code(), "claim-mismatch");
        house.clock.advance(Duration::seconds(61));
        assert_eq!(citizen.applies(&capture, "w-6", Some(citizen.claim())).await.code(), "claim-too-soon");
        house.clock.advance(Duration::seconds(60));
        assert_eq!(citizen.applies(&capture, "w-7", Some(citizen.claim())).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn what_is_printed_on_the_citizens_card_is_a_claim_while_the_card_counts() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        house.officer("capture", &[Role::Capture], "o-2").await;
        let applies = async |key: &str, claim: Value| {
            house.clock.advance(Duration::hours(1)); // wrong claims wait
            let mut body = json!({"person_id": citizen.id, "kind": "change", "reason": "on-request", "office": "o-2"});
            body["claim"] = claim;
            again(house, "capture").await.post("/api/v1/applications", key, body).await.code().to_owned()
        };
        let shown = |issued: time::Date| {
            json!({"personal_number": citizen.number, "birth_date": "05/01/2000", "card_issued": issued.to_string()})
        };
        assert_eq!(applies("k-1", shown(house.clock.today())).await, "claim-mismatch", "there is no card");
        let (issued, (card, _)) = (house.clock.today(), card_of(house, &citizen).await);
        let change = async |status: Value| {
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            let set = sql!("update card set status = $1, status_data = $2 where id = $3");
            let (word, data) = (status["status"].as_str().unwrap().to_owned(), issuance::store::Argument::json(&status));
            let id: issuance::ground::ids::CardId = card.parse().unwrap();
            tx.change(&issuance::cards::CARD, id, set, args![word, data, id]).await.unwrap();
            tx.commit().await.unwrap();
        };
        let taken = json!({"by": crate::house::NIL, "at": "2026-01-01T00:00:00Z"});
        let loss = json!({"reported": taken, "by_holder": true, "grounds": "x", "until": "2100-01-01T00:00:00Z"});
        assert_eq!(applies("k-2", shown(issued)).await, "claim-mismatch", "it was not handed over");
        for lost in [
            json!({"status": "suspended", "handed_over": taken, "loss": loss, "undo": null}),
            json!({"status": "revoked", "reason": "lost", "at": "2026-01-01T00:00:00Z"}),
        ] {
            change(lost.clone()).await;
            assert_eq!(applies("k-3", shown(issued)).await, "claim-mismatch", "{lost}");
        }
        change(json!({"status": "active", "handed_over": taken})).await;
        let mut both = shown(issued);
        both["full_name"] = json!("Nguyễn Thị Mẩu");
        let mut numberless = shown(issued);
        numberless["personal_number"] = json!("");
        let other_day = shown(issued.previous_day().unwrap());
        // The fingerprint stands in answers and in the trust bundle: it proves nothing, not even beside what is right.
        let fingerprint = json!({"old_card": "07".repeat(32)});
        let mut beside = citizen.claim();
        beside["old_card"] = json!("07".repeat(32));
        for (number, wrong) in [both, numberless, other_day, fingerprint, beside].into_iter().enumerate() {
            assert_eq!(applies(&format!("w-{number}"), wrong.clone()).await, "claim-mismatch", "{wrong}");
        }
        assert_eq!(applies("k-4", shown(issued)).await, "");
    })
    .await;
}

#[tokio::test]
async fn an_office_that_takes_a_report_of_loss_is_not_told_whose_card_it_is() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let (card, _) = card_of(house, &citizen).await;
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let set = sql!("update card set status = 'active', status_data = $1 where id = $2");
        let taken = json!({"by": crate::house::NIL, "at": "2026-01-01T00:00:00Z"});
        let data = issuance::store::Argument::json(&json!({"status": "active", "handed_over": taken}));
        let id: issuance::ground::ids::CardId = card.parse().unwrap();
        tx.change(&issuance::cards::CARD, id, set, args![data, id]).await.unwrap();
        tx.commit().await.unwrap();
        let far = house.officer("far", &[Role::Capture], "o-2").await;
        let body = json!({"reported_by": "holder", "grounds": "left on a bus"});
        let said = far.post(&format!("/api/v1/cards/{card}/loss"), "k-1", body).await;
        assert_eq!((said.status, said.body["status"].as_str()), (200, Some("suspended")), "{said:?}");
        let told: Vec<&String> = said.body.as_object().unwrap().keys().collect();
        assert_eq!(told, ["id", "office", "status", "suspended_until"]);
    })
    .await;
}

#[tokio::test]
async fn a_slip_is_not_shown_to_an_officer_to_whom_it_is_to_be_shown() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let roles = [Role::Capture, Role::HandOver];
        let opener = house.officer("opener", &roles, "o-1").await;
        let counter = house.officer("counter", &roles, "o-1").await;
        let prints = house.officer("prints", &[Role::Capture], "o-1").await;
        let body = json!({"person_id": citizen.id, "kind": "first", "office": "o-1"});
        let opened = opener.post("/api/v1/applications", "k-1", body).await;
        let (slip, case) = (opened.body["slip"].as_str().unwrap(), opened.body["id"].as_str().unwrap());
        let path = format!("/api/v1/applications/{case}");
        assert_eq!(prints.get(&path).await.body["slip"], slip);
        assert_eq!(counter.get(&path).await.body["slip"], Value::Null);
        let (card, _) = card_for(house, &citizen, case.parse().unwrap()).await;
        // The stage is wrong for both: only the first is refused for what that officer knows.
        let hand_over = format!("/api/v1/cards/{card}/hand-over");
        let said = opener.post(&hand_over, "k-2", json!({"slip": slip})).await;
        assert_eq!((said.status, said.code()), (403, "second-officer-needed"));
        let said = counter.post(&hand_over, "k-2", json!({"slip": slip})).await;
        assert_eq!(said.code(), "stage-does-not-allow");
    })
    .await;
}

#[tokio::test]
async fn the_number_of_a_card_of_before_is_a_claim_with_date_and_name_where_the_register_knows_it() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let capture = house.officer("capture", &[Role::Capture], "o-2").await;
        let claim = |old: &str| {
            let mut claim = citizen.claim();
            (claim["personal_number"], claim["old_card"]) = (json!(""), json!(old));
            claim
        };
        let known = citizen.applies(&capture, "k-1", Some(claim("012345678"))).await;
        assert_eq!(known.code(), "claim-mismatch", "the register knows no old card");
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let id: uuid::Uuid = citizen.id.parse().unwrap();
        let row = tx.one(sql!("select record from person where id = $1"), args![id]).await.unwrap().unwrap();
        let mut record: Value = row.get("record").unwrap();
        record["old_id_number"] = json!("012345678");
        let set = sql!("update person set record = $1 where id = $2");
        tx.run(set, args![issuance::store::Argument::json(&record), id]).await.unwrap();
        tx.commit().await.unwrap();
        let mut nameless = claim("012345678");
        nameless["full_name"] = json!("");
        let mut both = claim("012345679");
        both["personal_number"] = json!(citizen.number);
        for (number, wrong) in [nameless, both].into_iter().enumerate() {
            let said = citizen.applies(&capture, &format!("w-{number}"), Some(wrong)).await;
            assert_eq!(said.code(), "claim-mismatch");
        }
        house.clock.advance(Duration::minutes(2));
        assert_eq!(citizen.applies(&capture, "k-2", Some(claim(" 012345678 "))).await.status, 201);

        // A registrar or an approver of any office reads once by such a claim, without a case.
        let elsewhere = house.officer("elsewhere", &[Role::Registrar], "o-3").await;
        assert_eq!(elsewhere.get(&citizen.path()).await.code(), "other-office");
        let reading = format!("{}/reading?purpose=numbering", citizen.path());
        let wrong = elsewhere.post(&reading, "k-1", json!({"claim": claim("012345679")})).await;
        assert_eq!(wrong.code(), "claim-mismatch");
        let read = elsewhere.post(&reading, "k-2", json!({"claim": claim("012345678")})).await;
        assert_eq!(read.body["person_id"], json!(citizen.id), "{read:?}");
        let read = elsewhere.post(&reading, "k-3", json!({"claim": citizen.claim()})).await;
        assert_eq!(read.body["personal_number"], json!(citizen.number), "{read:?}");
        assert_eq!(elsewhere.get(&citizen.path()).await.code(), "other-office", "no right is left");
        let strange = format!("{}/reading?case={}", citizen.path(), crate::house::NIL);
        let said = elsewhere.post(&strange, "k-5", json!({"claim": citizen.claim()})).await;
        assert_eq!(said.code(), "application-unknown");
        let told = sql!(
            "select count(*) as n from audit_entry
             where office = 'o-3' and action = $1 and purpose = $2 and cast(person_id as text) = $3"
        );
        let count =
            async |action: &str, purpose: &str| house.count(told, args![action, purpose, citizen.id.as_str()]).await;
        assert_eq!(count("person-read", "numbering").await, 2);
        assert_eq!(count("claim-refused", "registration").await, 1);
        for number in 0..2 {
            elsewhere.post(&reading, &format!("w-{number}"), json!({"claim": {}})).await;
        }
        let slow = elsewhere.post(&reading, "k-4", json!({"claim": citizen.claim()})).await;
        assert_eq!((slow.status, slow.code()), (429, "claim-too-soon"));
    })
    .await;
}

#[tokio::test]
async fn a_refusal_keeps_the_right_until_its_complaint_has_run_out() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let capture = house.officer("capture", &[Role::Capture], "o-2").await;
        let approver = house.officer("approver", &[Role::Approver], "o-2").await;
        let opened = citizen.applies(&capture, "k-1", Some(citizen.claim())).await;
        let case = format!("/api/v1/applications/{}", opened.body["id"].as_str().unwrap());
        let portrait = STANDARD.encode(crate::offices::photograph());
        let taken = json!({"portrait": portrait, "features": "x"});
        assert_eq!(capture.post(&format!("{case}/capture"), "k-2", taken).await.status, 200);
        let refused = approver.post(&format!("{case}/refusal"), "k-3", json!({"reason": "x"})).await;
        assert_eq!(refused.status, 200, "{refused:?}");
        assert_eq!(capture.get(&citizen.path()).await.status, 200);
        house.clock.advance(Duration::days(400));
        assert_eq!(again(house, "capture").await.get(&citizen.path()).await.code(), "other-office");
    })
    .await;
}

#[tokio::test]
async fn the_auditors_of_the_persons_own_office_see_who_looked_from_elsewhere() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let capture = house.officer("capture", &[Role::Capture], "o-2").await;
        let wrong = json!({"personal_number": citizen.number, "birth_date": "1999", "full_name": "x"});
        citizen.applies(&capture, "k-1", Some(wrong)).await;
        citizen.applies(&capture, "k-2", Some(citizen.claim())).await;
        capture.get(&citizen.path()).await;
        for (office, sees) in [("o-1", true), ("o-2", true), ("o-3", false)] {
            let auditor = house.officer(&format!("auditor-{office}"), &[Role::Auditor], office).await;
            let trail = auditor.get(&format!("/api/v1/audit?person={}", citizen.id)).await.body.to_string();
            for action in ["application-registered", "person-read", "claim-refused"] {
                assert_eq!(trail.contains(action), sees, "{action} by {office}: {trail}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_officer_names_the_case_for_which_a_person_is_read() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let capture = house.officer("capture", &[Role::Capture], "o-1").await;
        let far = house.officer("far", &[Role::Capture], "o-2").await;
        let read = async |case: &str| capture.get(&format!("{}?case={case}", citizen.path())).await;
        let named = async |case: &str| {
            let sql = sql!("select count(*) as n from audit_entry where action = 'person-read' and related = $1");
            house.count(sql, args![format!("application/{case}")]).await
        };
        let opened = async |at: &Caller, key: &str, office: &str| {
            let mut body = json!({"person_id": citizen.id, "kind": "first", "office": office});
            body["claim"] = citizen.claim();
            let opened = at.post("/api/v1/applications", key, body).await;
            let case = opened.body["id"].as_str().unwrap().to_owned();
            (case.clone(), format!("/api/v1/applications/{case}/cancellation"))
        };
        // One that does not exist, and one of another person.
        let nil = crate::house::NIL;
        assert_eq!((read(nil).await.status, read(nil).await.code()), (404, "application-unknown"));
        assert_eq!(read("x").await.code(), "query-malformed");
        let other = another(house).await;
        let body = json!({"person_id": other, "kind": "first", "office": "o-1"});
        let others = capture.post("/api/v1/applications", "k-1", body).await.body["id"].as_str().unwrap().to_owned();
        assert_eq!(read(&others).await.code(), "application-unknown");
        // Another office's: while it is open. The own office's: also afterwards.
        let (theirs, cancellation) = opened(&far, "k-1", "o-2").await;
        assert_eq!(read(&theirs).await.status, 200);
        assert_eq!(far.post(&cancellation, "k-2", json!({"reason": "went home"})).await.status, 200);
        assert_eq!(read(&theirs).await.code(), "application-unknown");
        let (own, cancellation) = opened(&capture, "k-2", "o-1").await;
        assert_eq!(capture.post(&cancellation, "k-3", json!({"reason": "went home"})).await.status, 200);
        assert_eq!(read(&own).await.status, 200);
        for (case, times) in [(nil, 0), (&others, 0), (&theirs, 1), (&own, 1)] {
            assert_eq!(named(case).await, times, "{case}");
        }
    })
    .await;
}

/// Another person of the office `o-1`, with a number.
async fn another(house: &House) -> String {
    let registrar = again(house, "registrar").await;
    let place = json!({"province": "001", "detail": "Số 2 Phố Mẫu"});
    let declaration = json!({"full_name": "Trần Văn Mẫu", "birth_date": "06/01/2000", "sex": "Nam",
        "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
    let declared = registrar.post("/api/v1/declarations", "another", declaration).await;
    let id = declared.body["person_id"].as_str().unwrap().to_owned();
    assert_eq!(registrar.post(&format!("/api/v1/persons/{id}/number"), "another-1", json!({})).await.status, 200);
    id
}

/// A card of this citizen, put in by hand: it was issued for an application that the house never saw.
async fn card_of(house: &House, citizen: &Citizen) -> (String, String) {
    card_for(house, citizen, house.service.offices().deeds().source().id()).await
}

/// A card of this citizen for this application, put in by hand.
async fn card_for(house: &House, citizen: &Citizen, case: issuance::ground::Id<()>) -> (String, String) {
    let card: issuance::ground::Id<()> = house.service.offices().deeds().source().id();
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let insert = sql!(
        "insert into card (id, person_id, application_id, serial, sod_sha256, office, issued, status, status_data)
         values ($1, $2, $3, '00000000000000000001', $4, 'o-1', $5, 'personalized', $6)"
    );
    let person: uuid::Uuid = citizen.id.parse().unwrap();
    let status = issuance::store::Argument::json(&json!({"status": "personalized"}));
    let arguments = args![card, person, case, [7; 32], house.clock.today(), status];
    tx.run(insert, arguments).await.unwrap();
    tx.seal(&issuance::cards::CARD, card).await.unwrap();
    tx.commit().await.unwrap();
    (card.to_string(), case.to_string())
}

#[tokio::test]
async fn every_read_of_a_person_carries_purpose_and_case() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let roles = [Role::Capture, Role::HandOver];
        let officer = house.officer("counter", &roles, "o-1").await;
        let body = json!({"person_id": citizen.id, "kind": "first", "office": "o-1"});
        let opened = officer.post("/api/v1/applications", "k-1", body).await;
        let application = opened.body["id"].as_str().unwrap().to_owned();
        let (card, issued_for) = card_of(house, &citizen).await;
        let case = application.as_str();
        let told = async |action: &str, purpose: &str, case: &str| {
            let sql = sql!(
                "select count(*) as n from audit_entry
                 where action = $1 and purpose = $2 and related = $3 and cast(person_id as text) = $4"
            );
            house.count(sql, args![action, purpose, format!("application/{case}"), citizen.id.as_str()]).await
        };
        for (path, action, own) in [
            (citizen.path(), "person-read", application.as_str()),
            (format!("/api/v1/applications/{application}"), "application-read", application.as_str()),
            (format!("/api/v1/cards/{card}"), "card-read", issued_for.as_str()),
        ] {
            assert_eq!(officer.get(&path).await.status, 200, "{path}");
            assert_eq!(told(action, "look-up", own).await, 1, "{action}: without words of the officer's");
            let asked = officer.get(&format!("{path}?purpose=hand-over&case={case}")).await;
            assert_eq!(asked.status, 200, "{path}: {asked:?}");
            // The case by which an office may read a person is known better than an officer says it.
            let named = if action == "person-read" { own } else { case };
            assert_eq!(told(action, "hand-over", named).await, 1, "{action}");
            for (query, code) in [
                ("purpose=curiosity", "query-malformed"),
                ("purpose=audit", "query-malformed"),
                ("purpose=decision", "role-missing"),
                ("case=x", "query-malformed"),
                ("why=x", "query-malformed"),
            ] {
                assert_eq!(officer.get(&format!("{path}?{query}")).await.code(), code, "{path} {query}");
            }
        }
        let read = sql!(
            "select count(*) as n from audit_entry where action in ('person-read', 'application-read', 'card-read')
                         and (related is null or person_id is null)"
        );
        assert_eq!(house.count(read, args![]).await, 1, "the registrar's read before there was a case");
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_is_given_again_is_a_record_about_the_same_person() {
    on_both(async |house| {
        let citizen = Citizen::of(house).await;
        let capture = house.officer("capture", &[Role::Capture], "o-2").await;
        let replayed = sql!(
            "select count(*) as n from audit_entry where action = 'answer-replayed' and office = 'o-2'
             and cast(person_id as text) = $1"
        );
        for times in 0..3 {
            let said = citizen.applies(&capture, "k-1", Some(citizen.claim())).await;
            assert_eq!((said.status, said.replayed), (201, times > 0), "{said:?}");
            assert_eq!(house.count(replayed, args![citizen.id.as_str()]).await, times);
        }
        let all = sql!("select count(*) as n from audit_entry where action = 'answer-replayed'");
        let officer = json!({"username": "lan", "roles": ["stock"], "office": "o-1"});
        for _ in 0..2 {
            house.admin.post("/api/v1/officers", "k-1", officer.clone()).await;
        }
        assert_eq!(house.count(all, args![]).await, 2, "about no person: no record");
    })
    .await;
}
