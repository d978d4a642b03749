//! What is printed on the body of a card, and the check that body and chip carry the same citizen. On SQLite and on
//! PostgreSQL.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crypto::identity::CardSerial;
use issuance::applications::hand_over::{hand_over, hand_over_settled};
use issuance::applications::model::{Application, Kind, Stage};
use issuance::applications::progress::{miss, remind_citizens};
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, CardBatchId, CardId, PrintJobId};
use issuance::ground::{Officer, Role};
use issuance::population::history::EventKind;
use issuance::production::card_batches::{self, Wanted};
use issuance::production::card_faces::{self, Which};
use issuance::production::print_jobs::{self, Body, BodyVerdict};
use issuance::production::{self, ends, withdrawal};
use issuance::web::Problem;
use issuance::{args, notices, numbering, sql};
use serde_json::{Value, json};
use time::macros::datetime;

use crate::chip::Chip;
use crate::offices::{OTHER_PARENTS, Offices, appoint, declaration, moves, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

fn word<T>(said: Result<T, impl Into<Problem>>) -> Result<T, &'static str> {
    said.map_err(|error| error.into().code().word())
}

/// Runs a scenario at offices that print and check, on SQLite, then on PostgreSQL.
async fn on_both(scenario: impl AsyncFn(&Offices, &Path)) {
    Box::pin(on_both_where(true, scenario)).await;
}

/// As [`on_both`], at offices that print, and demand the check of the body or do not.
async fn on_both_where(body_check: bool, scenario: impl AsyncFn(&Offices, &Path)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let folder = tempfile::tempdir().unwrap();
        let outbox = folder.path().to_owned();
        let offices = Box::pin(Offices::open_where(database, datetime!(2026-11-22 08:30 UTC), |settings| {
            settings.production.print_jobs = Some(outbox);
            settings.production.body_check = body_check;
        }))
        .await;
        Box::pin(scenario(&offices, folder.path())).await;
    }
}

/// Does the work of the service's worker. Returns the files of data that lie in the outbox then.
async fn written(offices: &Offices, outbox: &Path) -> Vec<PathBuf> {
    print_jobs::write_out(&offices.state.production, offices.state.deeds()).await.unwrap();
    jobs(outbox)
}

/// The files of data in the outbox, each of which has its faces beside it. There is nothing else.
fn jobs(outbox: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(outbox).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let of =
        |ending: &str| files.iter().filter(|file| file.extension().unwrap() == ending).cloned().collect::<Vec<_>>();
    let (data, faces) = (of("json"), of("pdf"));
    assert_eq!(data.len() + faces.len(), files.len(), "{files:?}");
    assert_eq!(data.iter().map(|file| file.with_extension("pdf")).collect::<Vec<_>>(), faces);
    data
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
    finds(offices, by, id, read, None).await.map(|(verdict, _)| verdict == BodyVerdict::Matches)
}

/// What a check finds, with the chip of another card that it names. `chip`: what the chip in the body told a reader.
async fn finds(
    offices: &Offices,
    by: &Officer,
    id: ApplicationId,
    read: &(String, String),
    chip: Option<CardSerial>,
) -> Result<(BodyVerdict, Option<CardSerial>), &'static str> {
    let production = &offices.state.production;
    let body = Body { mrz: &read.0, qr: &read.1, chip };
    word(within!(offices, by, deed => print_jobs::check_body(deed, production, id, body)))
        .map(|checked| (checked.verdict, checked.other))
}

/// A batch of what is approved, released by two officers; the second one.
async fn released(offices: &Offices) -> (CardBatchId, Officer) {
    let second = appoint(offices.state.deeds(), Role::Stock).await;
    let wanted = Wanted { priority: 0, cut_off: None, most: 10 };
    let batch = within!(offices, offices.stock, deed => card_batches::draft(deed, wanted)).unwrap().id;
    within!(offices, second, deed => card_batches::release(deed, batch)).unwrap();
    (batch, second)
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
        let faces = files[0].with_extension("pdf");
        for file in [&files[0], &faces] {
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert!(fs::read(&faces).unwrap().starts_with(b"%PDF-"));
        // What a process left that ended in the middle of a file is removed after a while.
        let left = outbox.join(format!("{}.4242.new", PrintJobId::nil()));
        fs::write(&left, b"half a card").unwrap();
        let long_ago = offices.clock.now() - time::Duration::hours(2);
        fs::File::options().write(true).open(&left).unwrap().set_modified(long_ago.into()).unwrap();
        assert_eq!(written(offices, outbox).await, files);
        // Another order for the same chip is the same job, and the work done again is the same file.
        let card = offices.card(&mut chip).await;
        assert_eq!(written(offices, outbox).await, files);
        let sheet: Value = serde_json::from_slice(&fs::read(&files[0]).unwrap()).unwrap();
        assert_eq!(sheet["chip"], chip.serial.to_string(), "a scanner can tell which chip belongs in it");
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
            assert_eq!(jobs(outbox).len(), 1, "the other one is there");
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
            assert_eq!(jobs(outbox).len(), 1, "the third one is there");
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
    on_both_where(false, async |offices, outbox| {
        let mut made = Vec::new();
        for number in [1, 2] {
            let application = approved(offices).await;
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
        let read = body(&written(offices, outbox).await[0]);
        assert_eq!(checks(offices, &offices.stock, made[0].0.id, &read).await, Ok(true));
        assert_eq!(takes(true, &made[0]).await, Ok(()), "checked, it goes");
        assert_eq!(takes(false, &made[1]).await, Ok(()), "where it is not demanded, it goes without");
    })
    .await;
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
async fn a_body_that_differs_for_two_officers_spoils_both_and_stops_the_batch() {
    on_both(async |offices, outbox| {
        let application = approved(offices).await;
        let deeds = offices.state.deeds();
        let (quality, other) = (appoint(deeds, Role::Stock).await, appoint(deeds, Role::Stock).await);
        let (batch, second) = released(offices).await;
        let mut chip = offices.initialised(1).await;
        let card = personalized(offices, &mut chip, batch).await;
        let mut read = body(&written(offices, outbox).await[0]);
        let releaser = checks(offices, &second, application.id, &read).await;
        assert_eq!(releaser, Err("second-officer-needed"), "who released the batch does not check it");
        let before = offices.revoked().await;
        read.1 = read.1.replace("Mẫu", "Mẩu");
        assert_eq!(finds(offices, &quality, application.id, &read, None).await, Ok((BodyVerdict::Doubted, None)));
        assert_eq!(finds(offices, &other, application.id, &read, None).await, Ok((BodyVerdict::Spoiled, None)));
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
        within!(offices, offices.stock, deed => card_batches::close(deed, batch)).unwrap();
        for officer in [&offices.stock, &second] {
            let releaser = checks(offices, officer, application.id, &body(&files[0])).await;
            assert_eq!(releaser, Err("second-officer-needed"), "also when the batch is closed");
        }
        assert_eq!(checks(offices, &quality, application.id, &body(&files[0])).await, Ok(true));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_officers_word_spoils_no_card_and_another_ones_reading_decides() {
    on_both(async |offices, outbox| {
        let application = approved(offices).await;
        let deeds = offices.state.deeds();
        let (quality, other) = (appoint(deeds, Role::Stock).await, appoint(deeds, Role::Stock).await);
        let (batch, _) = released(offices).await;
        let mut chip = offices.initialised(1).await;
        let card = personalized(offices, &mut chip, batch).await;
        let right = body(&written(offices, outbox).await[0]);
        let wrong = (right.0.clone(), right.1.replace("Mẫu", "Mẩu"));
        let before = offices.revoked().await;
        assert_eq!(finds(offices, &quality, application.id, &wrong, None).await, Ok((BodyVerdict::Doubted, None)));
        assert_eq!(offices.revoked().await, before);
        let stage = offices.application(application.id).await.stage;
        assert!(matches!(stage, Stage::Personalized { .. }), "{stage:?}");
        assert_eq!(fetches(offices, card, &application).await, Err("body-check-needed"), "it goes nowhere");
        let next = offices.initialised(2).await;
        assert_eq!(takes(offices, &next, batch).await, Err("batch-paused"), "the tray is stopped");
        for read in [&wrong, &right] {
            let alone = finds(offices, &quality, application.id, read, None).await;
            assert_eq!(alone, Err("second-officer-needed"), "one person");
        }
        assert_eq!(written(offices, outbox).await.len(), 1, "what was printed is still there to be compared");
        assert_eq!(finds(offices, &other, application.id, &right, None).await, Ok((BodyVerdict::Matches, None)));
        assert_eq!(fetches(offices, card, &application).await, Ok(()));
        let trail = offices.trail(Object::Card(card)).await;
        assert!(["body-checked", "body-doubted"].iter().all(|told| trail.contains(&(*told).to_owned())), "{trail:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_body_or_the_chip_of_another_card_is_told_and_spoils_nothing() {
    on_both(async |offices, outbox| {
        let applications = [approved(offices).await, approved(offices).await];
        let quality = appoint(offices.state.deeds(), Role::Stock).await;
        let (batch, _) = released(offices).await;
        let (mut one, mut other) = (offices.initialised(1).await, offices.initialised(2).await);
        personalized(offices, &mut one, batch).await;
        let card = personalized(offices, &mut other, batch).await;
        written(offices, outbox).await;
        let own = body(&job_of(offices, outbox, &applications[0]).await.0);
        let foreign = body(&job_of(offices, outbox, &applications[1]).await.0);
        let (id, before) = (applications[0].id, offices.revoked().await);
        let another = Ok((BodyVerdict::AnotherCard, Some(other.serial)));
        assert_eq!(finds(offices, &quality, id, &foreign, None).await, another, "the body of the other card");
        assert_eq!(finds(offices, &quality, id, &own, Some(other.serial)).await, another, "the chip of the other card");
        assert_eq!(offices.revoked().await, before);
        let stages = [offices.application(id).await, offices.application(applications[1].id).await];
        assert_eq!(stages.map(|application| application.stage.name()), ["personalized", "personalized"]);
        let trail = offices.trail(Object::Card(card)).await;
        assert!(trail.contains(&"body-of-another-card".to_owned()), "whose card was looked at is told: {trail:?}");
        let next = offices.initialised(3).await;
        assert_eq!(takes(offices, &next, batch).await, Err("batch-exhausted"), "the tray goes on");
        // Zone of one card, code of the other: that is the body of neither.
        let mixed = (foreign.0.clone(), own.1.clone());
        assert_eq!(finds(offices, &quality, id, &mixed, None).await, Ok((BodyVerdict::Doubted, None)));
        let second = applications[1].id;
        let matches = finds(offices, &quality, second, &foreign, Some(other.serial)).await;
        assert_eq!(matches, Ok((BodyVerdict::Matches, None)), "its own chip, and its own body");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_doubt_of_an_officer_who_keeps_the_stock_no_more_does_not_count() {
    on_both(async |offices, outbox| {
        let application = approved(offices).await;
        let deeds = offices.state.deeds();
        let (quality, other) = (appoint(deeds, Role::Stock).await, appoint(deeds, Role::Stock).await);
        let mut chip = offices.initialised(1).await;
        offices.card(&mut chip).await;
        let mut read = body(&written(offices, outbox).await[0]);
        read.1.push('x');
        assert_eq!(finds(offices, &quality, application.id, &read, None).await, Ok((BodyVerdict::Doubted, None)));
        crate::offices::employs(deeds, &quality, &[Role::HandOver]).await;
        let first_now = finds(offices, &other, application.id, &read, None).await;
        assert_eq!(first_now, Ok((BodyVerdict::Doubted, None)), "this reading is the first one now");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_printed_ends_with_its_card_also_where_no_check_is_asked() {
    on_both_where(false, async |offices, outbox| {
        let mut made = Vec::new();
        for number in 1..=6 {
            let application = approved(offices).await;
            let mut chip = offices.initialised(number).await;
            let card = offices.card(&mut chip).await;
            made.push((application, card, chip.serial));
            offices.clock.advance(time::Duration::seconds(1));
        }
        assert_eq!(written(offices, outbox).await.len(), 6);
        let [fetched, lost, spoiled, dead, lapsed, waits] = &made[..] else { unreachable!() };
        assert_eq!(fetches(offices, fetched.1, &fetched.0).await, Ok(()));
        within!(offices, offices.stock, deed => ends::report_lost(deed, &lost.2, "not in the drawer")).unwrap();
        let (stock, witness) = (&offices.stock, &offices.approver);
        within!(offices, stock, deed => withdrawal::write_off(deed, &spoiled.2, "bent", witness.id)).unwrap();
        within!(offices, witness, deed => withdrawal::confirm_write_off(deed, &spoiled.2, "bent")).unwrap();
        changes(offices, dead.0.person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        // As a restored database has it: the document is gone.
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql = sql!("update document set state = 'dropped' where serial = $1");
        assert_eq!(tx.run(sql, args![lapsed.2.to_string()]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let left = written(offices, outbox).await;
        let (file, _) = job_of(offices, outbox, &waits.0).await;
        assert_eq!(left, [file], "the card that waits for its holder alone");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_whose_body_is_not_checked_is_announced_to_no_citizen_and_missed_by_none() {
    on_both(async |offices, outbox| {
        let applications = [approved(offices).await, approved(offices).await];
        let deeds = offices.state.deeds();
        let quality = appoint(deeds, Role::Stock).await;
        let (batch, _) = released(offices).await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_faces_of_a_card_are_shown_to_its_office_alone_and_each_look_is_recorded() {
    on_both(async |offices, _| {
        approved(offices).await;
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        let (production, occasion) = (&offices.state.production, issuance::deed::Occasion::default());
        for which in [Which::Front, Which::Back] {
            let read = within!(offices, offices.counter, deed => card_faces::read(deed, production, card, occasion));
            assert!(read.unwrap().picture(which).await.unwrap().starts_with(b"\x89PNG"));
        }
        let read = async || offices.trail(Object::Card(card)).await.iter().filter(|said| *said == "card-read").count();
        assert_eq!(read().await, 2);
        let deeds = offices.state.deeds();
        let stranger = moves(deeds, &appoint(deeds, Role::HandOver).await, "007").await;
        let refused = within!(offices, stranger, deed => card_faces::read(deed, production, card, occasion));
        assert_eq!(word(refused).map(drop), Err("other-office"));
        let nobody =
            within!(offices, offices.counter, deed => card_faces::read(deed, production, CardId::nil(), occasion));
        assert_eq!(word(nobody).map(drop), Err("card-unknown"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_no_card_can_show_is_refused_before_there_is_a_card() {
    on_both(async |offices, outbox| {
        let mut declaration = declaration();
        let place = declaration.permanent_residence.as_mut().unwrap();
        place.detail = "Số 1 漢 Phố Mẫu".into();
        let person = offices.declares(&declaration).await;
        within!(offices, offices.registrar, deed => {
            numbering::steps::establish(deed, &offices.state.numbers, person, OTHER_PARENTS)
        })
        .unwrap();
        let application = offices.applies(person, Kind::First).await.unwrap();
        offices.captures(application.id).await;
        let said = offices.approves(&offices.approver, application.id).await;
        assert_eq!(word(said).map(drop), Err("card-not-composable"));
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

async fn takes(offices: &Offices, chip: &Chip, batch: CardBatchId) -> Result<(), &'static str> {
    use issuance::production::personalization::{self, Wish};
    let (deeds, production) = (offices.state.deeds(), &offices.state.production);
    let wish = Wish::Batch(batch);
    word(personalization::prepare(deeds, production, &offices.station, &chip.presentation(), wish).await).map(drop)
}

async fn personalized(offices: &Offices, chip: &mut Chip, batch: CardBatchId) -> CardId {
    takes(offices, chip, batch).await.unwrap();
    offices.card(chip).await
}
