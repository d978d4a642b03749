//! The audit trail.

use issuance::access::{Caller, Role};
use issuance::args;
use issuance::audit::record;
use serde_json::json;
use time::Duration;

use crate::house::{PASSWORD, on_both};

#[tokio::test]
async fn a_row_is_there_if_and_only_if_the_deed_is() {
    on_both(async |house| {
        let app = house.service.app();
        for commit in [false, true] {
            let mut tx = app.begin().await.unwrap();
            record(&mut tx, app, &Caller::Service, "tested", "thing/1", "test").await.unwrap();
            if commit {
                tx.commit().await.unwrap();
            }
            let rows = house.count("select count(*) as n from audit where action = $1", args!["tested"]).await;
            assert_eq!(rows, i64::from(commit));
        }
    })
    .await;
}

#[tokio::test]
async fn reading_the_trail_is_in_the_trail() {
    on_both(async |house| {
        let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
        let (_, station) = house.station("counter-1").await;
        let path = format!("/api/audit?object=station/{station}");
        house.clock.advance(Duration::microseconds(1));
        let first = auditor.get(&path).await;
        let rows = first.body["rows"].as_array().unwrap().clone();
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0]["action"], "station-enrolled");
        assert!(rows[0]["actor"].as_str().unwrap().starts_with("officer/"));
        house.clock.advance(Duration::microseconds(1));
        let second = auditor.get(&path).await;
        let rows = second.body["rows"].as_array().unwrap().clone();
        assert_eq!((rows.len(), &rows[1]["action"]), (2, &"audit-read".into()));
        let after = auditor.get(&format!("{path}&after={}", rows[1]["id"].as_str().unwrap())).await;
        assert_eq!(after.body["rows"].as_array().unwrap().len(), 1, "only the second reading");
        assert_eq!(auditor.get("/api/audit").await.code(), "query-malformed");
    })
    .await;
}

#[tokio::test]
async fn an_auditor_of_one_office_sees_what_that_office_did() {
    on_both(async |house| {
        let local = house.officer("local", &[Role::Admin], "o-1").await;
        let body = |name: &str| json!({"username": name, "password": PASSWORD, "roles": ["stock"], "office": "o-1"});
        let by_local = local.post("/api/officers", "k-1", body("hoa")).await.body["id"].as_str().unwrap().to_owned();
        let by_admin =
            house.admin.post("/api/officers", "k-2", body("mai")).await.body["id"].as_str().unwrap().to_owned();
        for (office, sees) in [("o-1", [1, 0]), ("o-2", [0, 0]), ("national", [1, 1])] {
            let auditor = house.officer(&format!("auditor-{office}"), &[Role::Auditor], office).await;
            for (made, sees) in [&by_local, &by_admin].into_iter().zip(sees) {
                let trail = auditor.get(&format!("/api/audit?object=officer/{made}")).await;
                let rows = trail.body["rows"].as_array().unwrap();
                assert_eq!(rows.iter().filter(|row| row["action"] == "officer-made").count(), sees, "{office}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn who_reaches_for_what_is_not_theirs_is_in_the_trail() {
    on_both(async |house| {
        let stranger = house.officer("stranger", &[Role::Admin], "o-2").await;
        let (_, station) = house.station("counter-1").await;
        let path = format!("/api/stations/{station}/revocation");
        assert_eq!(stranger.post(&path, "k-1", json!({"reason": "x"})).await.code(), "other-office");
        assert_eq!(stranger.get("/api/persons/0").await.code(), "role-missing");
        let told = "select count(*) as n from audit where action = 'access-refused' and object = $1 and purpose = $2";
        let reached = format!("stations/{station}/revocation");
        assert_eq!(house.count(told, args![reached, "other-office"]).await, 1);
        // Nobody looked whether it is there, so what stood in the path is not kept.
        assert_eq!(house.count(told, args!["persons/{id}", "role-missing"]).await, 1);
    })
    .await;
}
