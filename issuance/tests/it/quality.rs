//! The four figures: exact after each declaration and each change, the same by HTTP, by command and counted anew.

use std::process::Command;

use issuance::ground::Role;
use issuance::ground::ids::PersonId;
use issuance::population::change::{self, Wanted};
use issuance::population::history::{Confidence, EventKind, Evidence, FactSource, Form};
use issuance::population::model::{Declaration, DeclaredPlace, DeclaredRelative};
use issuance::population::quality::{self, Deltas, Figures, Level, Mark};
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::backup::{run, succeeds};
use crate::house::House;
use crate::offices::{Offices, appoint, within};
use crate::tables;

pub fn declaration(name: &str) -> Declaration {
    let place = |province: &str, district: &str, commune: &str| DeclaredPlace {
        province: province.into(),
        district: district.into(),
        commune: commune.into(),
        detail: String::new(),
    };
    let relative = |name: &str| Some(DeclaredRelative { full_name: name.into(), ..Default::default() });
    Declaration {
        full_name: name.into(),
        birth_date: "05/01/2000".into(),
        sex: "F".into(),
        birth_registration: place("003", "", ""),
        place_of_origin: place("003", "", ""),
        ethnic_group: "01".into(),
        marital_status: "single".into(),
        permanent_residence: Some(place("001", "001", "00001")),
        father: relative("Nguyễn Văn Mẫu"),
        head_of_household: relative("Nguyễn Văn Mẫu"),
        relation_to_head: "con".into(),
        ..Default::default()
    }
}

async fn figures(offices: &Offices, level: Level, of: &str) -> Vec<Figures> {
    let (deeds, register) = (offices.state.deeds(), &offices.state.register);
    let mut tx = deeds.db().begin_read().await.unwrap();
    let asked = (level, &of.parse().unwrap());
    let term = (deeds.source().clock().today(), register.living_months());
    quality::figures(&mut tx, register.reference(), asked, term).await.unwrap()
}

/// Persons, right, enough, clean, living.
async fn country(offices: &Offices) -> [i64; 5] {
    let all = figures(offices, Level::Country, "").await;
    let [right, enough, clean, living] = all[0].words();
    assert_eq!(all.len(), 1);
    [all[0].persons, right, enough, clean, living]
}

/// One registrar proposes, a second one applies.
async fn changes(offices: &Offices, person: PersonId, kind: EventKind, changed: Value) {
    let evidence = Evidence {
        form: Form::Dc02,
        source: FactSource::CivilStatus,
        document: "Trích lục 12/2026".to_owned().try_into().unwrap(),
        confidence: Confidence::Proved,
    };
    let fields = changed.as_object().unwrap().clone();
    let wanted = Wanted { kind, valid_from: None, evidence, fields: &fields };
    let register = &offices.state.register;
    let proposal = within!(offices, offices.registrar, deed => change::propose(deed, register, person, wanted));
    let second = appoint(offices.state.deeds(), Role::Registrar).await;
    within!(offices, second, deed => change::apply(deed, register, proposal.unwrap().id)).unwrap();
}

async fn recounted(offices: &Offices) -> quality::Recount {
    let register = &offices.state.register;
    quality::recount(offices.state.deeds().db(), register.reference()).await.unwrap()
}

async fn follow(offices: &Offices) {
    assert_eq!(country(offices).await, [0; 5]);
    let one = offices.declares(&declaration("Nguyễn Thị Một")).await;
    assert_eq!(country(offices).await, [1; 5]);
    let incomplete = Declaration { relation_to_head: String::new(), ..declaration("Nguyễn Thị Hai") };
    let two = offices.declares(&incomplete).await;
    assert_eq!(country(offices).await, [2, 2, 1, 2, 2]);
    offices.declares(&declaration("Nguyễn Thị Một")).await;
    assert_eq!(country(offices).await, [3, 3, 2, 1, 3], "of two who are perhaps one neither is clean");
    changes(offices, two, EventKind::Corrected, json!({"relation_to_head": "con"})).await;
    assert_eq!(country(offices).await, [3, 3, 3, 1, 3]);

    let moved = json!({"permanent_residence": {"province": "079", "district": "760", "commune": "26740"}});
    changes(offices, one, EventKind::Moved, moved).await;
    let places = |of: Vec<Figures>| of.into_iter().map(|one| (one.place, one.persons)).collect::<Vec<_>>();
    let provinces = places(figures(offices, Level::Province, "").await);
    assert_eq!(provinces, [("001".to_owned(), 2), ("079".to_owned(), 1)]);
    let communes = figures(offices, Level::Commune, "079/760").await;
    assert_eq!(communes[0].name.as_deref(), Some("Bến Nghé"));
    assert_eq!(places(communes), [("079/760/26740".to_owned(), 1)]);
    assert_eq!(figures(offices, Level::District, "002").await, []);

    changes(offices, two, EventKind::Died, json!({"died": "2026-11-20"})).await;
    assert_eq!(country(offices).await[0], 2, "the dead are not counted");
    offices.clock.advance(Duration::days(30 * 26));
    assert_eq!(country(offices).await[4], 0, "two years without a confirmation");
    changes(offices, one, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
    assert_eq!(country(offices).await[4], 1);
    assert_eq!(recounted(offices).await, quality::Recount { persons: 3, differ: vec![] });
}

#[tokio::test]
async fn the_figures_follow_each_declaration_and_each_change_and_time() {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    Box::pin(follow(&offices)).await;
    if let Some(url) = tables::fresh_database() {
        let offices = Box::new(Box::pin(Offices::open(Some(url))).await);
        Box::pin(follow(&offices)).await;
    }
}

async fn add_up(offices: &Offices) {
    let one = offices.declares(&declaration("Nguyễn Thị Một")).await;
    let db = offices.state.deeds().db();
    let mark = Mark { commune: "001/001/00001".into(), month: 2026 * 12 + 10, words: 7 };
    for come in [true, false].into_iter().cycle().take(1200) {
        let mut deltas = Deltas::default();
        if come {
            deltas.add(&mark);
        } else {
            deltas.take(&mark);
        }
        let mut tx = db.begin_upkeep().await.unwrap();
        assert_eq!(quality::count(&mut tx, &deltas).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
    let before = country(offices).await;
    quality::add_up(db).await.unwrap();
    assert_eq!(country(offices).await, before);
    let mut tx = db.begin_upkeep().await.unwrap();
    let row = tx.one(sql!("select count(*) as n from quality_tally"), args![]).await.unwrap().unwrap();
    assert_eq!(row.number::<i64>("n").unwrap(), 1);
    assert_eq!(recounted(offices).await.differ, [""; 0]);

    // What a person is counted as, and the tally, are each compared with what they follow from.
    tx.run(sql!("update person set quality_words = 5 where id = $1"), args![one]).await.unwrap();
    tx.commit().await.unwrap();
    let found = recounted(offices).await.differ;
    assert!(found.len() == 2 && found[0].contains(&one.to_string()) && found[1].contains("001/001/00001"), "{found:?}");
}

#[tokio::test]
async fn what_is_counted_is_added_up_and_a_count_that_does_not_follow_is_named() {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    Box::pin(add_up(&offices)).await;
    if let Some(url) = tables::fresh_database() {
        let offices = Box::new(Box::pin(Offices::open(Some(url))).await);
        Box::pin(add_up(&offices)).await;
    }
}

#[tokio::test]
async fn persons_of_a_version_before_the_figures_are_counted_at_the_start() {
    let mut offices = Box::new(Box::pin(Offices::open(None)).await);
    offices.declares(&declaration("Nguyễn Thị Một")).await;
    offices.declares(&declaration("Nguyễn Thị Hai")).await;
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    let forget = sql!("update person set quality_commune = null, quality_month = null, quality_words = null");
    tx.run(forget, args![]).await.unwrap();
    tx.run(sql!("delete from quality_tally"), args![]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(country(&offices).await, [0; 5]);
    Box::pin(offices.starts_again()).await;
    assert_eq!(country(&offices).await, [2; 5]);
    assert_eq!(recounted(&offices).await.differ, [""; 0]);
}

/// Two processes of a new version start at once.
async fn counted_once(offices: &Offices) {
    let one = offices.declares(&declaration("Nguyễn Thị Một")).await;
    offices.declares(&declaration("Nguyễn Thị Hai")).await;
    let (db, register) = (offices.state.deeds().db(), &offices.state.register);
    let mut tx = db.begin_upkeep().await.unwrap();
    let forget = sql!("update person set quality_commune = null, quality_month = null, quality_words = null");
    tx.run(forget, args![]).await.unwrap();
    for empty in [sql!("delete from quality_tally"), sql!("delete from entry_tally")] {
        tx.run(empty, args![]).await.unwrap();
    }
    tx.commit().await.unwrap();
    // The other process has counted the first person, and has not committed yet.
    let mut other = db.begin_upkeep().await.unwrap();
    let today = offices.clock.today();
    let mark = Mark { commune: "001/001/00001".into(), month: 2026 * 12 + 10, words: 7 };
    issuance::population::store::quality::enter(&mut other, one, &mark, today).await.unwrap();
    let ours = quality::count_persons_of_before(db, register.reference());
    let theirs = async {
        // Ours waits by now, or comes later.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        other.commit().await.unwrap();
    };
    let (ours, ()) = tokio::join!(ours, theirs);
    ours.unwrap();
    assert_eq!(country(offices).await, [2; 5]);
    assert_eq!(recounted(offices).await.differ, [""; 0]);
    let mut tx = db.begin_read().await.unwrap();
    let entered = sql!("select cast(sum(entered) as bigint) as n from entry_tally");
    assert_eq!(tx.one(entered, args![]).await.unwrap().unwrap().get::<i64>("n").unwrap(), 2);
}

#[tokio::test]
async fn two_processes_that_start_at_once_count_each_person_once() {
    let offices = Box::new(Box::pin(Offices::open(None)).await);
    Box::pin(counted_once(&offices)).await;
    if let Some(url) = tables::fresh_database() {
        let offices = Box::new(Box::pin(Offices::open(Some(url))).await);
        Box::pin(counted_once(&offices)).await;
    }
}

#[tokio::test]
async fn the_figures_are_the_same_by_http_and_by_command_and_drawn() {
    for url in [Some(None), tables::fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::new(Box::pin(House::open(url.clone())).await);
        let registrar = house.officer("registrar", &[Role::Registrar], "district-1").await;
        for (key, name) in [("one", "Nguyễn Thị Một"), ("two", "Nguyễn Thị Hai")] {
            let body = serde_json::to_value(declaration(name)).unwrap();
            assert_eq!(registrar.post("/api/v1/declarations", key, body).await.status, 201);
        }
        let said = house.admin.get("/api/v1/quality?level=commune&of=001/001").await;
        assert_eq!(said.status, 200, "{:?}", said.body);
        let expected = json!([{"place": "001/001/00001", "name": "Phúc Xá", "persons": 2, "right": 2, "enough": 2,
            "clean": 2, "living": 2, "verified": 2}]);
        assert_eq!(said.body["items"], expected);
        assert_eq!(said.body["living_months"], 24);
        for query in ["of=1", "of=001/001/00001", "level=village", "of=001%00"] {
            let said = house.admin.get(&format!("/api/v1/quality?{query}")).await;
            assert_eq!((said.status, said.code()), (400, "query-malformed"), "{query}");
        }
        assert_eq!(house.anyone().get("/api/v1/quality").await.status, 401);

        let data = house.folder.path().join("data");
        let svg = house.folder.path().join("quality.svg");
        let command = |arguments: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
            command.arg("quality").arg("--data").arg(&data).args(arguments);
            if let Some(database) = &url {
                command.arg("--database").arg(database);
            }
            command
        };
        let told = succeeds(command(&["--level", "commune", "--province", "001/001", "--json"])).await;
        assert_eq!(serde_json::from_str::<Value>(&told).unwrap()["items"], expected);
        let told = succeeds(command(&["--csv", "--svg", svg.to_str().unwrap()])).await;
        assert_eq!(told, "place,name,persons,right,enough,clean,living,verified\n001,Hà Nội,2,2,2,2,2,2\n");
        let drawn = std::fs::read_to_string(&svg).unwrap();
        assert!(drawn.contains("Hà Nội") && drawn.matches("100.0 %").count() == 4);
        let told = succeeds(command(&["--level", "country"])).await;
        assert!(told.contains("VNM") && told.contains("100.0 %"), "{told}");
        let head = told.lines().next().unwrap();
        assert!(head.ends_with("      living    verified"), "{told}");
        assert_eq!(told.matches("100.0 %").count(), 5, "{told}");
        let (code, told) = run(command(&["--province", "1"])).await;
        assert_eq!((code, told.contains("a province (`001`)")), (Some(2), true), "{told}");
        Box::pin(house.service.stop()).await;
    }
}
