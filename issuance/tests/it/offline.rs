//! What the owner of the key file does about officers and stations without signing in.

use issuance::deed::{DeedError, Dismissed, Object};
use issuance::{args, sql};
use serde_json::Value;

use crate::backup::{issuance, run, succeeds};
use crate::offices::{Offices, enrol};
use crate::tables::fresh_database;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stations_are_listed_and_revoked_without_signing_in() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::pin(Offices::open(database.clone())).await;
        let other = enrol(offices.state.deeds(), "counter-2").await;
        let station = |arguments: &[&str]| {
            let mut command = issuance(database.as_deref());
            command.arg("station").arg("--data").arg(offices.data.path()).args(arguments);
            command
        };
        let listed = async || -> Value { serde_json::from_str(&succeeds(station(&["list", "--json"])).await).unwrap() };
        let states = |listed: &Value| {
            let of =
                |one: &Value| (one["name"].as_str().unwrap().to_owned(), one["state"].as_str().unwrap().to_owned());
            listed.as_array().unwrap().iter().map(of).collect::<Vec<_>>()
        };
        let named = |one: &str, two: &str| {
            vec![("counter-1".to_owned(), one.to_owned()), ("counter-2".to_owned(), two.to_owned())]
        };
        assert_eq!(states(&listed().await), named("in-use", "in-use"));
        // A script must say that it means it, and a name that is none changes nothing.
        let (code, said) = run(station(&["revoke", "counter-1"])).await;
        assert!(code == Some(1) && said.contains("--yes"), "{said}");
        for arguments in [&["revoke", "counter-9", "--yes"][..], &["revoke", "counter-9"]] {
            let (code, said) = run(station(arguments)).await;
            assert!(code == Some(1) && said.contains("no station is called `counter-9`"), "{said}");
            assert!(!said.contains("for good"), "nothing is asked about a station that is not there: {said}");
        }
        assert!(offices.state.deeds().open(offices.station.clone()).await.is_ok());
        let said = succeeds(station(&["revoke", "counter-1", "--yes"])).await;
        assert!(said.contains("counter-1 is revoked"), "{said}");
        let refused = offices.state.deeds().open(offices.station.clone()).await;
        assert!(matches!(refused, Err(DeedError::Dismissed(Dismissed::Station))));
        let trail = offices.trail(Object::Station(offices.station.id)).await;
        assert_eq!(trail, ["station-enrolled", "station-revoked"]);
        assert_eq!(states(&listed().await), named("revoked", "in-use"));

        // A record that another hand changed is named.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql = sql!("update station set office = 'district-9' where id = $1");
        assert_eq!(tx.run(sql, args![other.id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let (code, said) = run(station(&["list"])).await;
        assert!(code == Some(1) && said.contains(&format!("station {}", other.id)), "{said}");
        assert!(said.contains("changed-by-another-hand"), "{said}");
        let (code, said) = run(station(&["revoke", "counter-2", "--yes"])).await;
        assert!(code == Some(1) && said.contains(&other.id.to_string()), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_done_about_officers_offline_is_told_to_scripts() {
    let offices = Box::pin(Offices::open(None)).await;
    let officer = |arguments: &[&str]| {
        let mut command = issuance(None);
        command.arg("officer").arg("--data").arg(offices.data.path()).args(arguments);
        command
    };
    let json =
        async |arguments: &[&str]| -> Value { serde_json::from_str(&succeeds(officer(arguments)).await).unwrap() };
    let listed = json(&["list", "--json"]).await;
    let admin = listed.as_array().unwrap().iter().find(|one| one["username"] == "admin").unwrap();
    assert_eq!((admin["roles"][0].as_str(), admin["office"].as_str()), (Some("admin"), Some("national")));
    let name = listed.as_array().unwrap().iter().find(|one| one["roles"][0] == "stock").unwrap()["username"].clone();
    let name = name.as_str().unwrap();
    let proposed = json(&["propose-reset", name, "--json"]).await;
    assert!(proposed["token"].is_string() && proposed["effective_at"].is_string(), "{proposed}");
    assert_eq!(json(&["lock", name, "--json"]).await["state"], "disabled");
}
