//! The audit trail.

use issuance::access::{Caller, Role};
use issuance::args;
use issuance::audit::record;
use time::Duration;

use crate::house::on_both;

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
        let auditor = house.officer("auditor", &[Role::Auditor], "o-1").await;
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
