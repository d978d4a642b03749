//! Commands beside a service leave its tables as they are: an older one may go on until it is started again.

use std::path::Path;
use std::process::Command;

use crypto::identity::CardSerial;
use issuance::ground::{Randomness, Role};
use issuance::production::{self, CHIP};
use issuance::store::Db;
use issuance::{Service, args, server, sql};
use serde_json::json;

use crate::house::{self, House};
use crate::{postgres, tables};

/// What commands of the database are asked: those that only look, and those that do something beside the service.
const BESIDE: &[&[&str]] = &[
    &["batches"],
    &["campaign", "collected", "/dev/null"],
    &["campaign", "expect", "/dev/null"],
    &["campaign", "show"],
    &["cells"],
    &["fees", "--office", "o-1"],
    &["import", "--officer", "x", "/dev/null"],
    &["leases", "list"],
    &["leases", "show", NOBODY],
    &["leases", "take", "--holder", "x", "--province", "001", "--year", "2026"],
    &["notices", "list"],
    &["notices", "send"],
    &["officer", "list"],
    &["officer", "lock", "admin"],
    &["overdue"],
    &["quality"],
    &["quarantine", "export", NOBODY],
    &["quarantine", "list"],
    &["retention", "list"],
    &["retention", "run", "--dry-run"],
    &["station", "list"],
    &["station", "revoke", "x", "--yes"],
    &["status"],
    &["stock", "balances"],
    &["stock", "check"],
    &["verify"],
];
/// Commands that do not ask for tables: of the folder or of files alone, those that make, save or put back a database,
/// and those whose own tests say what they do about one.
const OTHERS: &[&str] = &[
    "agreement",
    "archive",
    "backup",
    "births",
    "completions",
    "config",
    "crl",
    "duplicates",
    "generate",
    "help",
    "init",
    "man",
    "migrate",
    "openapi",
    "partner",
    "purpose",
    "reconcile",
    "rekey",
    "renew-server",
    "restore",
    "rotate",
    "rules",
    "sandbox",
    "serve",
    "stages",
    "transport-key",
];
const NOBODY: &str = "00000000-0000-0000-0000-00000000000a";

fn issuance(data: &Path, database: Option<&str>, arguments: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.args(arguments).env("ISSUANCE_DATA", data).env_remove("ISSUANCE_DATABASE");
    if let Some(url) = database {
        command.env("ISSUANCE_DATABASE", url);
    }
    let done = command.output().unwrap();
    let said = [done.stdout, done.stderr].map(|text| String::from_utf8(text).unwrap()).concat();
    (done.status.code(), said)
}

#[test]
fn every_command_stands_in_one_of_the_two_lists() {
    let help = Command::new(env!("CARGO_BIN_EXE_issuance")).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let block = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let there: Vec<&str> = block.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(there.len() > 30, "{help}");
    for command in there {
        let beside = BESIDE.iter().any(|arguments| arguments[0] == command);
        assert!(beside != OTHERS.contains(&command), "{command}");
    }
}

/// Takes the last step of the tables back, as a database of the version before has it.
async fn one_step_back(db: &Db) {
    let mut tx = db.begin_upkeep().await.unwrap();
    // A later step looks at the column of the last one.
    tx.run(sql!("drop view v_posting_order"), args![]).await.unwrap();
    tx.run(sql!("drop index posting_range"), args![]).await.unwrap();
    tx.run(sql!("drop index chip_unposted"), args![]).await.unwrap();
    let column = sql!(pg "alter table posting drop column seq", lite "delete from posting where 1 = 0");
    tx.run(column, args![]).await.unwrap();
    assert_eq!(tx.run(sql!("delete from _sqlx_migrations where version in (185, 201)"), args![]).await.unwrap(), 2);
    tx.commit().await.unwrap();
}

async fn steps_of(db: &Db) -> u64 {
    let mut tx = db.begin_read().await.unwrap();
    let row = tx.one(sql!("select count(*) as n from _sqlx_migrations"), args![]).await.unwrap();
    row.unwrap().number("n").unwrap()
}

#[tokio::test]
async fn no_command_beside_the_service_migrates_and_each_says_what_to_do() {
    for database in [Some(None), postgres::fresh_database().map(Some)].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let settings = house::settings(&folder, database.clone());
        let (data, url) = (settings.data.clone(), database.as_deref());
        let rng = &mut Randomness::seeded(1).draw();
        server::init(&settings, &issuance::keys::InitOptions::default(), "admin", house::now(), rng).unwrap();
        for arguments in BESIDE {
            // These make the tables of an empty database, or ask for an officer.
            if matches!(arguments[0], "import" | "notices" | "retention") {
                continue;
            }
            let (code, said) = issuance(&data, url, arguments);
            assert_eq!(code, Some(1), "{arguments:?}: {said}");
            assert!(said.contains("nothing was served here yet") && said.trim().lines().count() == 1, "{said}");
        }
        assert!(!data.join("citizen-card.sqlite").exists(), "nothing that looks makes a database");

        Service::start(&settings, None, Randomness::seeded(2)).await.unwrap().stop().await;
        let db = Db::connect(url, &data).await.unwrap();
        one_step_back(&db).await;
        let before = steps_of(&db).await;
        for arguments in BESIDE {
            let (code, said) = issuance(&data, url, arguments);
            assert_eq!(code, Some(1), "{arguments:?}: {said}");
            let remedy = "run `issuance migrate`, and restart the service";
            assert!(said.contains(remedy) && said.trim().lines().count() == 1, "{arguments:?}: {said}");
        }
        assert_eq!(steps_of(&db).await, before);
        // The remedy is one.
        let (code, said) = issuance(&data, url, &["migrate"]);
        assert_eq!(code, Some(0), "{said}");
        for arguments in [&["status"][..], &["stock", "check"], &["verify"], &["overdue"]] {
            let (code, said) = issuance(&data, url, arguments);
            assert!(code != Some(1), "{arguments:?}: {said}");
        }
        db.close().await;
    }
}

/// An older service that goes on after a newer program migrated enters and moves chips without postings.
#[tokio::test]
async fn the_start_opens_chips_that_an_older_service_left_without_postings() {
    for database in [Some(None), tables::fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::pin(House::open(database.clone())).await;
        let keeper = house.officer("keeper", &[Role::Stock], "o-1").await;
        let blanks: Vec<String> = (1..=3).map(|n| CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, n]).to_string()).collect();
        let body = json!({"manufacturer": "M", "batch": "1", "transport_key_id": "maker", "serials": blanks});
        assert_eq!(keeper.post("/api/v1/stock/deliveries", "d", body).await.status, 201);
        let deeds = house.service.offices().deeds().clone();
        let checked = async || production::check_ledger(&mut deeds.db().begin_read().await.unwrap()).await.unwrap();
        // Two that were there when the newer program came, of which the older service moved one;
        // a third that it entered.
        tables::by_hand(deeds.db(), async |tx| {
            tx.run(sql!("update posting set n = 2, version = null, mac = null"), args![]).await?;
            tx.run(sql!("delete from stock_tally"), args![]).await?;
            let tally =
                sql!("insert into stock_tally (account, n) values ('supplier', -2), ('office/o-1/delivered', 2)");
            tx.run(tally, args![]).await?;
            for (serial, office) in blanks.iter().zip(["o-1", "o-2", "o-2"]) {
                let sql =
                    sql!("update chip set posting_id = null, office = $1, version = null, mac = null where id = $2");
                tx.run(sql, args![office, serial]).await?;
                tx.seal(&CHIP, serial.clone()).await?;
            }
            let posting = tx.one(sql!("select id from posting"), args![]).await?.unwrap();
            let posting: issuance::ground::ids::PostingId = issuance::ground::Id::of(&posting, "id")?;
            tx.seal(&production::POSTING, posting).await
        })
        .await;
        assert_ne!(checked().await.complaints, Vec::<String>::new());
        Box::pin(production::open_chips_of_before(&deeds)).await.unwrap();
        let whole = checked().await;
        assert_eq!((whole.complaints, whole.postings), (vec![], 3), "what was there, what left it, what came");
        Box::pin(production::open_chips_of_before(&deeds)).await.unwrap();
        assert_eq!(checked().await.postings, 3, "once");

        // A start does it; what another hand changed is no reason for a posting.
        tables::by_hand(deeds.db(), async |tx| {
            let sql = sql!("update chip set office = 'o-9' where id = $1");
            tx.run(sql, args![&blanks[0]]).await.map(|_| ())
        })
        .await;
        let House { folder, service, .. } = house;
        service.stop().await;
        let settings = house::settings(&folder, database.clone());
        let again = Service::start(&settings, None, Randomness::seeded(3)).await.unwrap();
        let deeds = again.offices().deeds().clone();
        let complaints =
            production::check_ledger(&mut deeds.db().begin_read().await.unwrap()).await.unwrap().complaints;
        assert!(complaints.iter().any(|complaint| complaint.contains("o-9")), "{complaints:?}");
        again.stop().await;
    }
}
