//! The campaign: what is expected, collected, entered, verified and in quarantine, by command and by HTTP.

use std::fs;
use std::process::Command;

use issuance::ground::Role;
use issuance::population::quality::{Deltas, Mark, count};
use serde_json::{Value, json};

use crate::backup::{run, succeeds};
use crate::house::House;
use crate::postgres;
use crate::quality::declaration;

#[tokio::test]
async fn the_campaign_counts_what_was_expected_collected_entered_and_put_into_quarantine() {
    for url in [Some(None), postgres::fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::new(Box::pin(House::open(url.clone())).await);
        let folder = house.folder.path();
        let file = |name: &str, text: &str| {
            fs::write(folder.join(name), text).unwrap();
            folder.join(name).to_str().unwrap().to_owned()
        };
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.arg("campaign").args(arguments).arg("--data").arg(folder.join("data"));
            if let Some(database) = &url {
                command.arg("--database").arg(database);
            }
            command
        };
        let plan =
            file("plan.csv", "commune,expected,begins,due\n00001,4,2021-01-01,2021-04-30\n26740,9,,2021-04-30\n");
        assert_eq!(succeeds(command(&["expect", &plan])).await, "2 lines taken.\n");
        let forms = file("forms.csv", "commune,day,forms\n00001,2021-01-02,3\n00001,2021-01-03,1\n");
        for _ in 0..2 {
            assert_eq!(succeeds(command(&["collected", &forms])).await, "2 lines taken.\n", "twice is once");
        }
        let wrong = file("wrong.csv", "commune,day,forms\n26740,2021-01-02,9\n26740,2021-02-30,1\n");
        let (code, told) = run(command(&["collected", &wrong])).await;
        assert!(code == Some(1) && told.contains("wrong.csv: line 3: a day is written"), "{told}");

        let registrar = house.officer("registrar", &[Role::Registrar], "district-1").await;
        for (key, name) in [("one", "Nguyễn Thị Một"), ("two", "Nguyễn Thị Hai")] {
            let body = serde_json::to_value(declaration(name)).unwrap();
            assert_eq!(registrar.post("/api/v1/declarations", key, body).await.status, 201);
        }
        // As an import does: a whole file in one count.
        let deeds = house.service.offices().deeds();
        let today = deeds.source().clock().today();
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let mut deltas = Deltas::default();
        deltas.quarantine("001/001/00001", today, 3);
        deltas.quarantine("001/001/00001", today, -1);
        let mark = Mark { commune: "001/001/".into(), month: 24_250, words: 1 };
        deltas.add(&mark);
        deltas.enter(&mark, today);
        count(&mut tx, &deltas).await.unwrap();
        tx.commit().await.unwrap();

        let said = house.admin.get("/api/v1/campaign?level=commune&of=001/001").await;
        assert_eq!(said.status, 200, "{:?}", said.body);
        let items = said.body["items"].as_array().unwrap();
        assert_eq!(items.len(), 2, "{items:?}");
        let due = "2021-04-30";
        let left = time::Duration::days(14);
        let unknown = json!({"place": "001/001/", "name": null, "expected": 0, "collected": 0, "entered": 1, "verified": 0,
            "quarantined": 0, "entered_tenths": null, "planned": 0, "behind": 0, "behind_days": 0, "due": null,
            "lately": 1, "done_on": null});
        assert_eq!(items[0], unknown);
        let known = json!({"place": "001/001/00001", "name": "Phúc Xá", "expected": 4, "collected": 4, "entered": 2,
            "verified": 2, "quarantined": 2, "entered_tenths": 500, "planned": 4, "behind": 2, "behind_days": 61,
            "due": due, "lately": 2, "done_on": (today + left).to_string()});
        assert_eq!(items[1], known);
        assert_eq!((&said.body["provinces"], &said.body["provinces_handed_in"]), (&json!(1), &json!(1)));

        let told = succeeds(command(&["show", "--level", "country", "--json"])).await;
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!((&told["provinces"], &told["provinces_handed_in"]), (&json!(2), &json!(1)));
        assert_eq!((&told["items"][0]["expected"], &told["items"][0]["entered"]), (&json!(13), &json!(3)));
        let told = succeeds(command(&["show", "--csv"])).await;
        assert!(told.contains("\n079,Hồ Chí Minh,9,0,0,0,0,9,9,"), "{told}");
        let told = succeeds(command(&["show"])).await;
        assert!(told.contains("Handed in: 1 of 2 provinces.") && told.contains("behind the plan"), "{told}");
        Box::pin(house.service.stop()).await;
    }
}
