//! The audit trail, and the deed that cannot do without it.

use axum::extract::FromRequestParts as _;
use axum::http::Request;
use issuance::deed::{Action, Deed, DeedError, Object, Purpose};
use issuance::ground::Role;
use issuance::ground::actor::Service;
use issuance::ground::ids::PersonId;
use issuance::store::{Sql, StoreError};
use issuance::web::{IdempotencyKey, Stamp};
use issuance::{args, sql};
use serde_json::json;
use time::Duration;

use crate::house::{House, NIL, on_both};

/// Something that a verb writes; any table will do.
const WRITE: Sql = sql!("insert into signing_key (id, name, used) values ($1, 'deed', 0)");
const WRITTEN: Sql = sql!("select count(*) as n from signing_key where name = 'deed'");
const RECORDED: Sql = sql!("select count(*) as n from audit_entry where action = 'unit-changed'");

/// A record that names this person, or none.
async fn records(deed: &mut Deed<Service>, person: Option<PersonId>) {
    let object = Object::Unit("o-1".to_owned());
    deed.record(Action::UnitChanged, object, person, Purpose::Administration).await.unwrap();
}

/// How many rows the verb left, and how many records.
async fn left(house: &House) -> (i64, i64) {
    (house.count(WRITTEN, args![]).await, house.count(RECORDED, args![]).await)
}

#[tokio::test]
async fn a_record_is_there_if_and_only_if_the_deed_is() {
    on_both(async |house| {
        for commit in [false, true] {
            let mut deed = house.service.offices().deeds().open(Service).await.unwrap();
            deed.tx().run(WRITE, args!["a"]).await.unwrap();
            records(&mut deed, None).await;
            if commit {
                deed.commit().await.unwrap();
            } else {
                drop(deed);
            }
            assert_eq!(left(house).await, (i64::from(commit), i64::from(commit)));
        }
    })
    .await;
}

#[tokio::test]
async fn a_deed_without_a_record_does_not_commit() {
    on_both(async |house| {
        let mut deed = house.service.offices().deeds().open(Service).await.unwrap();
        deed.tx().run(WRITE, args!["a"]).await.unwrap();
        let refused = deed.commit().await.unwrap_err();
        assert!(matches!(refused, DeedError::Unrecorded { entries: 0, unnamed: 0 }), "{refused}");
        assert_eq!(left(house).await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_deed_that_saw_a_person_does_not_commit_without_a_record_that_names_the_person() {
    on_both(async |house| {
        let deeds = house.service.offices().deeds();
        let (seen, other): (PersonId, PersonId) = (deeds.source().id(), deeds.source().id());
        for named in [None, Some(other)] {
            let mut deed = deeds.open(Service).await.unwrap();
            deed.saw(seen);
            deed.tx().run(WRITE, args!["a"]).await.unwrap();
            records(&mut deed, named).await;
            let refused = deed.commit().await.unwrap_err();
            assert!(matches!(refused, DeedError::Unrecorded { entries: 1, unnamed: 1 }), "{refused}");
            assert_eq!(left(house).await, (0, 0));
        }
        let mut deed = deeds.open(Service).await.unwrap();
        deed.saw(seen);
        deed.tx().run(WRITE, args!["a"]).await.unwrap();
        records(&mut deed, Some(seen)).await;
        // Read again after the record: another one is due.
        deed.saw(seen);
        records(&mut deed, Some(seen)).await;
        deed.commit().await.unwrap();
        assert_eq!(left(house).await, (1, 2));
    })
    .await;
}

/// As a handler would: neither effect nor answer nor record remains, and the caller is told of a fault of the service.
#[tokio::test]
async fn a_handler_whose_verb_leaves_no_record_has_no_effect_and_no_answer() {
    on_both(async |house| {
        let desk = &house.service.offices().desk;
        let verb = async |deed: &mut Deed<Service>| deed.tx().run(WRITE, args!["a"]).await;
        let read = desk.look(Service, verb).await.unwrap_err();
        let (mut parts, ()) = Request::builder().header("Idempotency-Key", "k").body(()).unwrap().into_parts();
        let key = IdempotencyKey::from_request_parts(&mut parts, &()).await.unwrap();
        let write = desk.write(Service, Stamp { key, request_hash: [0; 32] }, verb).await.unwrap_err();
        for problem in [read, write] {
            assert_eq!(problem.code().word(), "internal");
            assert!(problem.cause().unwrap().contains("0 records"), "{problem:?}");
        }
        assert_eq!(left(house).await, (0, 0));
        let answers = sql!("select count(*) as n from answer where caller = 'service'");
        assert_eq!(house.count(answers, args![]).await, 0);

        // A read that hands out a person's data without a record that names the person hands out nothing.
        let person: PersonId = desk.deeds().source().id();
        let unnamed = desk.look(Service, async |deed| {
            deed.saw(person);
            records(deed, None).await;
            Ok::<_, StoreError>("personal data")
        });
        assert_eq!(unnamed.await.unwrap_err().code().word(), "internal");
        assert_eq!(left(house).await, (0, 0));
    })
    .await;
}

#[tokio::test]
async fn a_question_that_names_nothing_is_refused_with_the_forms() {
    on_both(async |house| {
        let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
        let id = crate::house::NIL;
        let unfit = [id.to_owned(), format!("person:{id}"), "card/".to_owned(), format!("/{id}"), format!("Card/{id}")];
        for object in unfit {
            for query in [format!("object={object}"), format!("actor={object}"), format!("person={id}&object={object}")]
            {
                let said = auditor.get(&format!("/api/v1/audit?{query}")).await;
                assert_eq!((said.status, said.code()), (400, "query-malformed"), "{query}");
                let detail = said.body["detail"].as_str().unwrap();
                assert!(detail.contains("card/<id>") && !detail.contains(id), "{detail}");
            }
        }
        for query in
            ["object=card/x", "object=trail-of/officer/x", "object=officer-proposals", "object=persons/x/number"]
                .into_iter()
                .chain(["actor=officer/x", "actor=station/x", "actor=anyone", "actor=service"])
        {
            assert_eq!(auditor.get(&format!("/api/v1/audit?{query}")).await.status, 200, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn reading_the_trail_is_in_the_trail() {
    on_both(async |house| {
        let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
        let (_, station) = house.station("counter-1").await;
        let path = format!("/api/v1/audit?object=station/{station}");
        house.clock.advance(Duration::microseconds(1));
        let first = auditor.get(&path).await;
        let rows = first.body["items"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["action"], "station-enrolled");
        assert_eq!(rows[0]["purpose"], "administration");
        assert!(rows[0]["actor"].as_str().unwrap().starts_with("officer/"));
        house.clock.advance(Duration::microseconds(1));
        let second = auditor.get(&path).await;
        let rows = second.body["items"].as_array().unwrap().clone();
        assert_eq!((rows.len(), &rows[1]["action"]), (2, &"audit-read".into()));
        let page = auditor.get(&format!("{path}&limit=2")).await;
        let after = auditor.get(&format!("{path}&after={}", page.body["next"].as_str().unwrap())).await;
        let rows = after.body["items"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "only the second and the third reading");
        assert_eq!(auditor.get("/api/v1/audit").await.code(), "query-malformed");
    })
    .await;
}

#[tokio::test]
async fn reading_what_was_done_about_a_person_is_done_about_the_person() {
    on_both(async |house| {
        let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
        let person: PersonId = house.service.offices().deeds().source().id();
        for earlier in 0..2 {
            house.clock.advance(Duration::microseconds(1));
            let said = auditor.get(&format!("/api/v1/audit?person={person}")).await;
            let rows = said.body["items"].as_array().unwrap();
            assert_eq!(rows.len(), earlier, "{said:?}");
            for row in rows {
                assert_eq!((&row["action"], &row["person_id"]), (&json!("audit-read"), &json!(person)));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_auditor_of_one_office_sees_what_was_done_by_it_and_to_it() {
    on_both(async |house| {
        let local = house.officer("local", &[Role::Admin], "o-1").await;
        let body = |name: &str| json!({"username": name, "roles": ["stock"], "office": "o-1"});
        let by_local = local.post("/api/v1/officers", "k-1", body("hoa")).await.body["id"].as_str().unwrap().to_owned();
        let by_admin =
            house.admin.post("/api/v1/officers", "k-2", body("mai")).await.body["id"].as_str().unwrap().to_owned();
        // Also what another office did to an officer of its own.
        for (office, sees) in [("o-1", [1, 1]), ("o-2", [0, 0]), ("national", [1, 1])] {
            let auditor = house.officer(&format!("auditor-{office}"), &[Role::Auditor], office).await;
            for (made, sees) in [&by_local, &by_admin].into_iter().zip(sees) {
                let trail = auditor.get(&format!("/api/v1/audit?object=officer/{made}")).await;
                let rows = trail.body["items"].as_array().unwrap();
                assert_eq!(rows.iter().filter(|row| row["action"] == "officer-proposed").count(), sees, "{office}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_access_is_in_the_trail_with_its_code() {
    on_both(async |house| {
        let stranger = house.officer("stranger", &[Role::Admin], "o-2").await;
        let (_, station) = house.station("counter-1").await;
        let path = format!("/api/v1/stations/{station}/revocation");
        assert_eq!(stranger.post(&path, "k-1", json!({"reason": "x"})).await.code(), "other-office");
        assert_eq!(stranger.get(&format!("/api/v1/persons/{NIL}")).await.code(), "role-missing");
        let told = sql!(
            "select count(*) as n from audit_entry where action = 'access-refused' and purpose = 'work'
             and object = $1 and reason = $2 and office = 'o-2' and person_id is null and related is null"
        );
        let reached = format!("stations/{station}/revocation");
        assert_eq!(house.count(told, args![reached, "other-office"]).await, 1);
        // The person was not looked up, so the identifier in the path is not kept.
        assert_eq!(house.count(told, args!["persons/{id}", "role-missing"]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn an_administrators_reason_is_in_the_trail() {
    on_both(async |house| {
        let (_, station) = house.station("counter-1").await;
        let path = format!("/api/v1/stations/{station}/revocation");
        assert_eq!(house.admin.post(&path, "k-1", json!({"reason": "stolen"})).await.status, 200);
        let told = sql!(
            "select count(*) as n from audit_entry where action = 'station-revoked' and object = $1
             and reason = 'stolen' and office = 'national'"
        );
        assert_eq!(house.count(told, args![format!("station/{station}")]).await, 1);
    })
    .await;
}
