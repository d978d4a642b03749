//! What is printed on the body of a card, and the check that body and chip carry the same citizen. On SQLite and on
//! PostgreSQL.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use issuance::applications::hand_over::{hand_over, hand_over_settled};
use issuance::applications::model::{Application, Kind, Stage};
use issuance::applications::progress::{miss, remind_citizens};
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, CardId};
use issuance::ground::{Officer, Role};
use issuance::production::card_batches::{self, Wanted};
use issuance::production::print_jobs::{self, Body};
use issuance::production::{self, withdrawal};
use issuance::web::Problem;
use issuance::{args, notices, sql};
use serde_json::Value;
use time::macros::datetime;

use crate::chip::Chip;
use crate::offices::{Offices, appoint, within};
use crate::postgres::fresh_database;

fn word<T>(said: Result<T, impl Into<Problem>>) -> Result<T, &'static str> {
    said.map_err(|error| error.into().code().word())
}

/// Runs a scenario at offices that print and check, on SQLite, then on PostgreSQL.
async fn on_both(scenario: impl AsyncFn(&Offices, &Path)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = folder.path().to_owned();
        let offices = Box::pin(Offices::open_where(database, datetime!(2026-11-22 08:30 UTC), |settings| {
            settings.production.print_jobs = Some(outbox);
            settings.production.body_check = true;
        }))
        .await;
        Box::pin(scenario(&offices, folder.path())).await;
    }
}

/// Does the work of the service's worker. Returns the files that lie in the outbox then.
async fn written(offices: &Offices, outbox: &Path) -> Vec<PathBuf> {
    print_jobs::write_out(&offices.state.production, offices.state.deeds()).await.unwrap();
    let mut files: Vec<_> = fs::read_dir(outbox).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

async fn approved(offices: &Offices) -> Application {
    let person = offices.citizen().await;
    offices.approved(person, Kind::First).await
}

/// What a scanner reads from the body that was printed from this file.
fn body(file: &Path) -> (String, String) {
    let sheet: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    let lines: Vec<&str> = sheet["back"]["mrz"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    (lines.join("\n"), sheet["front"]["qr"].as_str().unwrap().to_owned())
}

async fn checks(
    offices: &Offices,
    by: &Officer,
    id: ApplicationId,
    read: &(String, String),
) -> Result<bool, &'static str> {
    let production = &offices.state.production;
    let body = Body { mrz: &read.0, qr: &read.1 };
    word(within!(offices, by, deed => print_jobs::check_body(deed, production, id, body)))
        .map(|checked| checked.matches)
}

async fn fetches(offices: &Offices, card: CardId, application: &Application) -> Result<(), &'static str> {
    word(within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0))).map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_is_one_file_in_the_outbox_until_its_body_is_checked() {
    on_both(async |offices, outbox| {
        let application = approved(offices).await;
        let mut chip = offices.initialised(1).await;
        let ordered = offices.orders(&chip).await.unwrap();
        drop(ordered);
        let files = written(offices, outbox).await;
        assert_eq!(files.len(), 1);
        assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);
        // Another order for the same chip is the same job, and the work done again is the same file.
        let card = offices.card(&mut chip).await;
        assert_eq!(written(offices, outbox).await, files);
        let sheet: Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
        assert_eq!(
            (&sheet["front"]["name"], &sheet["front"]["birth"]),
            (&"Nguyễn Thị Mẫu".into(), &"05/01/2000".into())
        );
        assert_eq!(sheet["front"]["qr"].as_str().unwrap().split('|').count(), 7);
        assert!(
            sheet["front"]["portrait"].as_str().unwrap().len() > 1000
                && sheet["back"]["can"].as_str().unwrap().len() == 6
        );
        let trail = offices.trail(Object::Application(application.id)).await;
        assert_eq!(trail.iter().filter(|action| *action == "print-job-made").count(), 1, "{trail:?}");
        let read = body(&files[0]);
        assert_eq!(checks(offices, &offices.stock, application.id, &read).await, Ok(true));
        assert_eq!(written(offices, outbox).await, Vec::<PathBuf>::new(), "it is removed");
        assert_eq!(checks(offices, &offices.stock, application.id, &read).await, Ok(true), "once more changes nothing");
        assert_eq!(fetches(offices, card, &application).await, Ok(()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_whose_document_cannot_be_read_stops_no_other() {
    on_both(async |offices, outbox| {
        for number in [1, 2] {
            approved(offices).await;
            let mut chip = offices.initialised(number).await;
            offices.card(&mut chip).await;
            offices.clock.advance(time::Duration::seconds(1));
        }
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql =
            sql!("update document set files = $1 where id = (select document_id from print_job order by id limit 1)");
        assert_eq!(tx.run(sql, args![vec![0_u8; 64]]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        for _ in 0..2 {
            let said = print_jobs::write_out(&offices.state.production, offices.state.deeds()).await;
            assert!(said.is_err(), "health shows it");
            assert_eq!(fs::read_dir(outbox).unwrap().count(), 1, "the other one is there");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_jobs_cannot_be_read_those_behind_them_are_written() {
    on_both(async |offices, outbox| {
        for number in [1, 2, 3] {
            approved(offices).await;
            let mut chip = offices.initialised(number).await;
            offices.card(&mut chip).await;
            offices.clock.advance(time::Duration::seconds(1));
        }
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql =
            sql!("update document set files = $1 where id in (select document_id from print_job order by id limit 2)");
        assert_eq!(tx.run(sql, args![vec![0_u8; 64]]).await.unwrap(), 2);
        tx.commit().await.unwrap();
        // One job at a time: the first two fill more than a page.
        for _ in 0..2 {
            let said = print_jobs::write_some(&offices.state.production, offices.state.deeds(), 1).await.unwrap_err();
            assert!(said.to_string().starts_with("2 print jobs were passed over, the first one "), "{said}");
            assert_eq!(fs::read_dir(outbox).unwrap().count(), 1, "the third one is there");
        }
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let waiting = async |tx: &mut _, at| production::print_jobs_waiting_since(tx, at).await.unwrap();
        let now = offices.clock.now();
        assert_eq!((waiting(&mut tx, now).await, waiting(&mut tx, now - time::Duration::hours(1)).await), (2, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_was_made_before_the_check_was_demanded_waits_for_it_all_the_same() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = folder.path().to_owned();
        let offices = Box::pin(Offices::open_where(database, datetime!(2026-11-22 08:30 UTC), |settings| {
            settings.production.print_jobs = Some(outbox);
        }))
        .await;
        let mut made = Vec::new();
        for number in [1, 2] {
            let application = approved(&offices).await;
            let mut chip = offices.initialised(number).await;
            made.push((application, offices.card(&mut chip).await));
            offices.clock.advance(time::Duration::seconds(1));
        }
        let demands = offices.state.counter.clone().with_body_check(true);
        let takes = async |demanded: bool, (application, card): &(Application, CardId)| {
            let counter = if demanded { &demands } else { &offices.state.counter };
            let slip = &application.slip.0;
            word(within!(offices, offices.counter, deed => hand_over_settled(deed, counter, *card, slip))).map(drop)
        };
        assert_eq!(takes(true, &made[0]).await, Err("body-check-needed"));
        let read = body(&written(&offices, folder.path()).await[0]);
        assert_eq!(checks(&offices, &offices.stock, made[0].0.id, &read).await, Ok(true));
        assert_eq!(takes(true, &made[0]).await, Ok(()), "checked, it goes");
        assert_eq!(takes(false, &made[1]).await, Ok(()), "where it is not demanded, it goes without");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_is_handed_over_only_after_another_officer_checked_its_body() {
    on_both(async |offices, outbox| {
        let application = approved(offices).await;
        let mut chip = offices.initialised(1).await;
        let early = checks(offices, &offices.stock, application.id, &(String::new(), String::new())).await;
        assert_eq!(early, Err("stage-does-not-allow"));
        let card = offices.card(&mut chip).await;
        assert_eq!(fetches(offices, card, &application).await, Err("body-check-needed"));
        let read = body(&written(offices, outbox).await[0]);
        let alone = checks(offices, &offices.approver, application.id, &read).await;
        assert_eq!(alone, Err("second-officer-needed"), "who approved it does not check it");
        let captured = checks(offices, &offices.capture, application.id, &read).await;
        assert_eq!(captured, Err("second-officer-needed"), "who captured it does not check it");
        let two_lines: Vec<_> = read.0.lines().take(2).collect();
        let slips =
            [(String::new(), String::new()), (two_lines.join("\n"), read.1.clone()), (read.0.clone(), " ".into())];
        for slip in slips {
            let slipped = checks(offices, &offices.stock, application.id, &slip).await;
            assert_eq!(slipped, Err("body-unreadable"), "a slip of the scanner spoils no card");
        }
        let spaced = (read.0.replace('\n', "\r\n "), format!("{} ", read.1));
        assert_eq!(checks(offices, &offices.stock, application.id, &spaced).await, Ok(true), "a scanner's line ends");
        assert_eq!(fetches(offices, card, &application).await, Ok(()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_differs_spoils_both_and_stops_the_batch() {
    on_both(async |offices, outbox| {
        let application = approved(offices).await;
        let deeds = offices.state.deeds();
        let (second, quality) = (appoint(deeds, Role::Stock).await, appoint(deeds, Role::Stock).await);
        let wanted = Wanted { priority: 0, cut_off: None, most: 10 };
        let batch = within!(offices, offices.stock, deed => card_batches::draft(deed, wanted)).unwrap().id;
        within!(offices, second, deed => card_batches::release(deed, batch)).unwrap();
        let mut chip = offices.initialised(1).await;
        let card = personalized(offices, &mut chip, batch).await;
        let mut read = body(&written(offices, outbox).await[0]);
        let releaser = checks(offices, &second, application.id, &read).await;
        assert_eq!(releaser, Err("second-officer-needed"), "who released the batch does not check it");
        let before = offices.revoked().await;
        read.1 = read.1.replace("Mẫu", "Mẩu");
        assert_eq!(checks(offices, &quality, application.id, &read).await, Ok(false));
        assert_eq!(offices.revoked().await, before + 1, "kiosks refuse the document");
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Approved { .. }), "it waits for another chip: {stage:?}");
        assert_eq!(fetches(offices, card, &application).await, Err("card-status-does-not-allow"));
        assert_eq!(written(offices, outbox).await, Vec::<PathBuf>::new(), "what was printed is not printed again");
        let spoiled =
            within!(offices, offices.stock, deed => withdrawal::write_off(deed, &chip.serial, "x", quality.id));
        assert_eq!(word(spoiled).map(drop), Err("chip-spoiled"));
        let mut next = offices.initialised(2).await;
        assert_eq!(takes(offices, &next, batch).await, Err("batch-paused"));
        let trail = offices.trail(Object::CardBatch(batch)).await;
        assert!(trail.contains(&"card-batch-paused".to_owned()), "{trail:?}");
        within!(offices, offices.stock, deed => card_batches::resume(deed, batch)).unwrap();
        personalized(offices, &mut next, batch).await;
        let files = written(offices, outbox).await;
        assert_eq!(files.len(), 1, "it is printed anew");
        assert_eq!(checks(offices, &quality, application.id, &body(&files[0])).await, Ok(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_whose_body_is_not_checked_is_announced_to_no_citizen_and_missed_by_none() {
    on_both(async |offices, outbox| {
        let applications = [approved(offices).await, approved(offices).await];
        let deeds = offices.state.deeds();
        let (second, quality) = (appoint(deeds, Role::Stock).await, appoint(deeds, Role::Stock).await);
        let wanted = Wanted { priority: 0, cut_off: None, most: 10 };
        let batch = within!(offices, offices.stock, deed => card_batches::draft(deed, wanted)).unwrap().id;
        within!(offices, second, deed => card_batches::release(deed, batch)).unwrap();
        for number in [1, 2] {
            let mut chip = offices.initialised(number).await;
            personalized(offices, &mut chip, batch).await;
        }
        written(offices, outbox).await;
        let said = async |id: ApplicationId| {
            let told = within!(offices, offices.capture, deed => notices::steps::of_application(deed, id)).unwrap();
            told.iter().map(|(notice, _)| notice.kind.word()).collect::<Vec<_>>()
        };
        let deadlines = offices.state.counter.deadlines();
        let reminds = async || Box::pin(remind_citizens(deeds, deadlines)).await.unwrap();
        offices.clock.advance(time::Duration::days(60));
        // It waits at the office, and for no citizen: it is late there.
        assert_eq!((Box::pin(miss(deeds)).await.unwrap(), reminds().await), (0, 0));
        let none: [&str; 0] = [];
        assert_eq!(said(applications[0].id).await, none);
        let closed = within!(offices, offices.stock, deed => card_batches::close(deed, batch)).unwrap().closed.unwrap();
        assert_eq!((closed.good, closed.left, closed.spoiled), (2, 0, 0));
        // Compared, it is announced once, and the time to fetch it begins on that day.
        let late = offices.application(applications[0].id).await.progress.due.unwrap();
        assert!(late < offices.clock.today());
        for application in &applications {
            let (file, card) = job_of(offices, outbox, application).await;
            assert_eq!(fetches(offices, card, application).await, Err("body-check-needed"));
            for _ in 0..2 {
                assert_eq!(checks(offices, &quality, application.id, &body(&file)).await, Ok(true));
            }
            assert_eq!(said(application.id).await, ["ready"]);
            let due = offices.application(application.id).await.progress.due.unwrap();
            assert!(due > offices.clock.today() + time::Duration::days(40), "thirty-two working days: {due}");
        }
        let (_, card) = job_of(offices, outbox, &applications[0]).await;
        assert_eq!(fetches(offices, card, &applications[0]).await, Ok(()));
        // The other one is reminded, and never comes.
        offices.clock.advance(time::Duration::days(8));
        assert_eq!((Box::pin(miss(deeds)).await.unwrap(), reminds().await), (0, 1));
        offices.clock.advance(time::Duration::days(60));
        assert_eq!(Box::pin(miss(deeds)).await.unwrap(), 1);
        assert_eq!(said(applications[1].id).await, ["ready", "reminder", "not-fetched"]);
        offices.clock.advance(time::Duration::days(120));
        within!(offices, offices.stock, deed => withdrawal::give_up(deed, applications[1].id)).unwrap();
        assert_eq!(written(offices, outbox).await, Vec::<PathBuf>::new());
    })
    .await;
}

/// The file that was printed for an application, and its card.
async fn job_of(offices: &Offices, outbox: &Path, application: &Application) -> (PathBuf, CardId) {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!(
        "select print_job.id as job, card.id as card from print_job join card on card.serial = print_job.serial
         where print_job.application_id = $1"
    );
    let row = tx.one(sql, args![application.id]).await.unwrap().unwrap();
    let job: issuance::ground::Id<()> = issuance::ground::Id::of(&row, "job").unwrap();
    (outbox.join(format!("{job}.json")), CardId::of(&row, "card").unwrap())
}

async fn takes(offices: &Offices, chip: &Chip, batch: issuance::ground::ids::CardBatchId) -> Result<(), &'static str> {
    use issuance::production::personalization::{self, Wish};
    let (deeds, production) = (offices.state.deeds(), &offices.state.production);
    let wish = Wish::Batch(batch);
    word(personalization::prepare(deeds, production, &offices.station, &chip.presentation(), wish).await).map(drop)
}

async fn personalized(offices: &Offices, chip: &mut Chip, batch: issuance::ground::ids::CardBatchId) -> CardId {
    takes(offices, chip, batch).await.unwrap();
    offices.card(chip).await
}
