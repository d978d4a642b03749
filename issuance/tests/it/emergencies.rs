//! Looks in emergencies: the glass can be broken at once, each look is told aloud, the citizen sees it, and another
//! officer judges it.

use std::time::{Duration as Real, Instant};

use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::exchange::person;
use crate::house::{self, Caller, House, on_both};

const LOOKS: &str = "/api/v1/emergency-looks";

fn emergency(number: &str) -> Value {
    json!({"personal_number": number, "reason": "bất tỉnh sau tai nạn, cần báo người thân", "case": "115-2026-0042"})
}

async fn complains(house: &House, words: &str, does: bool) {
    let began = Instant::now();
    while house.anyone().get("/health").await.body.to_string().contains(words) != does {
        assert!(began.elapsed() < Real::from_mins(1), "health: {words}");
        tokio::time::sleep(Real::from_millis(20)).await;
    }
}

/// The officer in a session that begins now.
async fn again(house: &House, name: &str) -> Caller {
    let mut fresh = house.anyone();
    fresh.token = Some(fresh.signs_in(name, house::PASSWORD).await.body["token"].as_str().unwrap().into());
    fresh
}

/// Opens a look, and returns its identifier.
async fn opens(officer: &Caller, key: &str, number: &str) -> String {
    let opened = officer.post(LOOKS, key, emergency(number)).await;
    assert_eq!(opened.status, 200, "{opened:?}");
    opened.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_officer_breaks_the_glass_the_citizen_sees_it_and_another_officer_judges_it() {
    on_both(async |house| {
        let (id, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1990", json!({})).await;
        let night = house.officer("night", &[Role::Registrar], "o-2").await;
        assert_eq!(night.get(&format!("/api/v1/persons/{id}")).await.code(), "other-office", "no case, no look");

        let opened = night.post(LOOKS, "e-1", emergency(&number)).await;
        assert_eq!((opened.status, &opened.body["person_id"]), (200, &json!(id)), "{opened:?}");
        assert!(!opened.body.to_string().contains("Mẫu"), "opening tells nothing of the person");
        let look = opened.body["id"].as_str().unwrap();
        let path = format!("{LOOKS}/{look}/person");
        let read = night.get(&path).await;
        assert_eq!((read.status, &read.body["person"]["full_name"]), (200, &json!("Nguyễn Thị Mẫu")), "{read:?}");
        let other = house.officer("other", &[Role::Registrar], "o-2").await;
        assert_eq!(other.get(&path).await.code(), "emergency-look-over", "it is one officer's");
        assert_eq!(other.get(&format!("{LOOKS}/{}/person", house::NIL)).await.code(), "emergency-look-unknown");

        // The citizen sees it at the counter.
        let counter = house.officer("counter", &[Role::Capture], "o-1").await;
        let told = counter.get(&format!("/api/v1/persons/{id}/looks")).await.body;
        let services: Vec<&str> =
            told["looks"].as_array().unwrap().iter().filter_map(|look| look["service"].as_str()).collect();
        for service in ["emergency-look-opened", "emergency-look-read"] {
            assert_eq!(services.iter().filter(|there| **there == service).count(), 1, "{service}: {told}");
        }

        // Another officer of the national office judges it, once.
        let bao = house.officer("bao", &[Role::DataProtection], "national").await;
        let listed = bao.get(LOOKS).await.body;
        assert_eq!(listed["items"].as_array().map(Vec::len), Some(1), "{listed}");
        assert_eq!(listed["items"][0]["reason"], emergency(&number)["reason"]);
        let review = format!("{LOOKS}/{look}/review");
        let found = json!({"verdict": "not-justified", "remarks": "the hospital knows of no such patient"});
        let elsewhere = house.officer("elsewhere", &[Role::Auditor], "o-2").await;
        assert_eq!(elsewhere.post(&review, "r-0", found.clone()).await.code(), "other-office");
        let judged = bao.post(&review, "r-1", found.clone()).await;
        assert_eq!((judged.status, &judged.body["verdict"]), (200, &json!("not-justified")), "{judged:?}");
        assert_eq!(bao.post(&review, "r-2", found).await.code(), "agreement-state-unfit", "once");
        assert_eq!(bao.get(LOOKS).await.body["items"], json!([]));
        let kept = bao.get(&format!("{LOOKS}/{look}")).await.body;
        assert_eq!(kept["remarks"], json!("the hospital knows of no such patient"));

        // An hour later the person is closed again.
        house.clock.advance(Duration::minutes(59));
        let night = again(house, "night").await;
        assert_eq!(night.get(&path).await.status, 200);
        house.clock.advance(Duration::minutes(1));
        assert_eq!(night.get(&path).await.code(), "emergency-look-over");
    })
    .await;
}

#[tokio::test]
async fn numbers_are_not_tried_out_in_emergencies() {
    on_both(async |house| {
        let night = house.officer("night", &[Role::Capture], "o-2").await;
        let bao = house.officer("bao", &[Role::Auditor], "national").await;
        // Ten at once: three are opened, also where the number is no person's or none at all.
        let numbers = ["000190000999", "no number", "000190000998"];
        let asked = (0..10).map(|n| {
            let (night, number) = (&night, numbers[n % 3]);
            async move { night.post(LOOKS, &format!("e-{n}"), emergency(number)).await }
        });
        let said = futures_util::future::join_all(asked).await;
        let opened: Vec<_> = said.iter().filter(|said| said.status == 200).collect();
        assert_eq!(opened.len(), 3, "{said:?}");
        assert!(opened.iter().all(|said| said.body["person_id"].is_null()));
        assert_eq!(said.iter().filter(|said| said.code() == "emergency-looks-unreviewed").count(), 7, "{said:?}");
        let look = opened[0].body["id"].as_str().unwrap();
        assert_eq!(night.get(&format!("{LOOKS}/{look}/person")).await.code(), "person-unknown");
        assert_eq!(bao.get(LOOKS).await.body["items"].as_array().map(Vec::len), Some(3), "each is reviewed");
        let found = json!({"verdict": "justified", "remarks": "a mistyped number"});
        assert_eq!(bao.post(&format!("{LOOKS}/{look}/review"), "r-1", found).await.status, 200);
        opens(&night, "e-11", "000190000997").await;
    })
    .await;
}

#[tokio::test]
async fn who_looked_does_not_judge_and_a_review_that_is_late_is_told() {
    on_both(async |house| {
        let both = house.officer("both", &[Role::Registrar, Role::Auditor], "national").await;
        let look = opens(&both, "e-1", "000190000999").await;
        let found = json!({"verdict": "justified", "remarks": "I say so"});
        let review = format!("{LOOKS}/{look}/review");
        assert_eq!(both.post(&review, "r-1", found.clone()).await.code(), "second-officer-needed");
        house.officer("bao", &[Role::DataProtection], "national").await;
        house.officer("night", &[Role::Registrar], "o-2").await;
        complains(house, "waits too long for its review", false).await;
        house.clock.advance(Duration::days(3));
        complains(house, "waits too long for its review", true).await;
        let (bao, night) = (again(house, "bao").await, again(house, "night").await);
        assert_eq!(bao.post(&review, "r-2", found).await.status, 200);
        complains(house, "waits too long for its review", false).await;

        // One that another hand called reviewed is none: its row does not hold.
        let look = opens(&night, "e-2", "000190000999").await;
        crate::tables::by_hand(house.service.offices().deeds().db(), async |tx| {
            let sql = sql!("update emergency_look set reason = 'in order' where reviewed_at is null");
            tx.run(sql, args![]).await.map(|_| ())
        })
        .await;
        assert_eq!(bao.get(&format!("{LOOKS}/{look}")).await.code(), "record-tampered");
        assert_eq!(bao.get(LOOKS).await.body["items"][0]["tampered"], json!(true), "the list shows it");
    })
    .await;
}

#[tokio::test]
async fn a_reviewer_who_reads_what_an_emergency_was_leaves_a_record_about_the_person() {
    on_both(async |house| {
        let (id, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1990", json!({})).await;
        let night = house.officer("night", &[Role::Registrar], "o-2").await;
        let look = opens(&night, "e-1", &number).await;
        opens(&night, "e-2", "000190000999").await;
        let bao = house.officer("bao", &[Role::DataProtection], "national").await;
        let about =
            sql!("select count(*) as n from audit_entry where person_id = $1 and action = 'emergency-looks-listed'");
        let person: issuance::ground::ids::PersonId = id.parse().unwrap();
        // The list has the officer's words: what befell the person.
        assert_eq!(bao.get(LOOKS).await.body["items"][0]["person_id"], json!(id));
        assert_eq!(house.count(about, args![person]).await, 1);
        assert_eq!(bao.get(&format!("{LOOKS}/{look}")).await.status, 200);
        assert_eq!(house.count(about, args![person]).await, 2);
        // The citizen is told of it.
        let counter = house.officer("counter", &[Role::Capture], "o-1").await;
        let told = counter.get(&format!("/api/v1/persons/{id}/looks")).await.body;
        assert!(told.to_string().contains("emergency-looks-listed"), "{told}");
    })
    .await;
}

#[tokio::test]
async fn the_deputy_of_who_looked_does_not_judge_it() {
    on_both(async |house| {
        let (night, looked) = house.appointed("night", &[Role::Registrar], "national").await;
        let (bao, deputy) = house.appointed("bao", &[Role::Auditor], "national").await;
        let look = opens(&night, "e-1", "000190000999").await;
        let day = |n: i64| (house.clock.today() + Duration::days(n)).to_string();
        let body =
            json!({"officer": deputy, "stands_for": looked, "from": day(0), "to": day(3), "reason": "nghỉ phép"});
        let appointed = house.admin.post("/api/v1/deputies", "d-1", body).await;
        assert!([200, 201].contains(&appointed.status), "{appointed:?}");
        let review = format!("{LOOKS}/{look}/review");
        let found = json!({"verdict": "justified", "remarks": "I was there"});
        assert_eq!(bao.post(&review, "r-1", found.clone()).await.code(), "second-officer-needed");
        let other = house.officer("other", &[Role::Auditor], "national").await;
        assert_eq!(other.post(&review, "r-2", found).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn two_services_on_one_database_open_no_more_looks_than_one() {
    for database in [Some(None), crate::tables::fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::pin(House::open(database.clone())).await;
        let settings = house::settings(&house.folder, database);
        let randomness = issuance::ground::Randomness::seeded(9);
        let beside = issuance::server::Service::start(&settings, Some(house.clock.clone()), randomness).await.unwrap();
        let night = house.officer("night", &[Role::Capture], "o-2").await;
        let there = Caller { address: format!("https://{}", beside.address()), ..night.clone() };
        let asked = (0..12).map(|n| {
            let officer = if n % 2 == 0 { &night } else { &there };
            async move { officer.post(LOOKS, &format!("e-{n}"), emergency("000190000999")).await }
        });
        let said = futures_util::future::join_all(asked).await;
        assert_eq!(said.iter().filter(|said| said.status == 200).count(), 3, "{said:?}");
        beside.stop().await;
        house.service.stop().await;
    }
}
