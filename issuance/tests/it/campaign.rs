//! The campaign: what is expected, collected, entered, verified and in quarantine, by command and by HTTP.

use std::fs;
use std::process::Command;

use issuance::ground::Role;
use issuance::population::campaign;
use issuance::population::quality::{Deltas, Level, Mark, count};
use issuance::store::Db;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::macros::date;

use crate::backup::{run, succeeds};
use crate::house::House;
use crate::quality::declaration;
use crate::{postgres, tables};

#[tokio::test]
async fn what_a_version_before_planned_and_collected_is_there() {
    for url in [Some(None), postgres::fresh_database().map(Some)].into_iter().flatten() {
        let data = tempfile::tempdir().unwrap();
        let all = issuance::server::migrations();
        let before: Vec<_> = all.iter().filter(|migration| migration.version < 126).copied().collect();
        let db = Db::open(url.as_deref(), data.path(), &before).await.unwrap();
        let mut tx = db.begin_upkeep().await.unwrap();
        let plan = sql!("insert into campaign_plan (commune, expected, due) values ($1, $2, $3)");
        for (commune, expected, due) in [
            ("001/001/00001", 7, date!(2026 - 06 - 30)),
            ("001/004/00001", 9, date!(2026 - 12 - 31)),
            ("001/001/00004", 5, date!(2026 - 12 - 31)),
        ] {
            tx.run(plan, args![commune, expected, due]).await.unwrap();
        }
        let forms = sql!("insert into campaign_collected (commune, day, forms) values ($1, $2, $3)");
        for (commune, day) in [("001/001/00001", date!(2026 - 06 - 30)), ("001/004/00001", date!(2026 - 12 - 31))] {
            tx.run(forms, args![commune, day, 3]).await.unwrap();
        }
        tx.commit().await.unwrap();
        db.close().await;
        let db = Db::open(url.as_deref(), data.path(), &all).await.unwrap();
        let mut tx = db.begin_read().await.unwrap();
        let reference = issuance::population::reference::Reference::new(&[]);
        let everything = String::new().parse().unwrap();
        let today = date!(2027 - 01 - 01);
        let view = campaign::campaign(&mut tx, &reference, Level::Commune, &everything, today).await.unwrap();
        let rows: Vec<_> = view.items.iter().map(|one| (one.place.as_str(), one.expected, one.collected)).collect();
        assert_eq!(rows, [("001/001/00001", 9, 6), ("001/001/00004", 5, 0)]);
    }
}

/// A commune goes from one district to another between the plan, the forms and the answer.
#[tokio::test]
async fn a_commune_that_changes_district_is_one_row() {
    for url in [Some(None), tables::fresh_database().map(Some)].into_iter().flatten() {
        let tables = tempfile::tempdir().unwrap();
        let day = crate::house::now().date() + time::Duration::days(3);
        let rows = format!(
            "table,code,valid_from,within,name_vi,name_en,successor\ncommunes,00001,{day},002,Phúc Xá,Phuc Xa,\n"
        );
        std::fs::write(tables.path().join("2026.csv"), rows).unwrap();
        let opened = House::open_with(|settings| {
            settings.database.clone_from(&url);
            settings.population.reorganisations = Some(tables.path().into());
        });
        let house = Box::new(Box::pin(opened).await);
        let registrar = house.officer("registrar", &[Role::Registrar], "district-1").await;
        let body = serde_json::to_value(declaration("Nguyễn Thị Một")).unwrap();
        assert_eq!(registrar.post("/api/v1/declarations", "one", body).await.status, 201);
        let deeds = house.service.offices().deeds();
        let reference = house.service.offices().register.reference();
        let today = crate::house::now().date();
        let plan = format!("commune,expected,begins,due\n00001,4,2021-01-01,{}\n", day + time::Duration::days(30));
        let forms = format!("commune,day,forms\n00001,{today},3\n00001,{day},1\n");
        let mut deed = deeds.open(issuance::ground::actor::Service).await.unwrap();
        campaign::expect(&mut deed, &campaign::read_plans(&plan, reference).unwrap()).await.unwrap();
        campaign::collect(&mut deed, &campaign::read_collected(&forms, reference, day).unwrap()).await.unwrap();
        deed.commit().await.unwrap();
        let show = async |of: &str| {
            let mut tx = deeds.db().begin_read().await.unwrap();
            let (today, of) = (deeds.source().clock().today(), of.parse().unwrap());
            let view = campaign::campaign(&mut tx, reference, Level::Commune, &of, today).await.unwrap();
            let row =
                |one: &campaign::Progress| (one.place.clone(), one.expected, one.collected, one.entered, one.verified);
            view.items.iter().map(row).collect::<Vec<_>>()
        };
        assert_eq!(show("").await, [("001/001/00001".to_owned(), 4, 4, 1, 1)]);
        house.clock.advance(time::Duration::days(4));
        let moved = [("001/002/00001".to_owned(), 4, 4, 1, 1)];
        assert_eq!(show("").await, moved);
        assert_eq!(show("001/002").await, moved);
        assert_eq!(show("001/001").await, []);
        Box::pin(house.service.stop()).await;
    }
}

#[tokio::test]
async fn the_campaign_counts_what_was_expected_collected_entered_and_put_into_quarantine() {
    for url in [Some(None), tables::fresh_database().map(Some)].into_iter().flatten() {
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
