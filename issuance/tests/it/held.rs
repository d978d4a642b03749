//! What no card can carry: declined at the register, refused at the decision, and taken out of the queue, so that one
//! application never stops an office.

use std::fs;

use crypto::lds::Dg13;
use issuance::applications::model::{Application, HoldReason, Kind, Stage, TransitionError};
use issuance::applications::steps::{self as counter, CounterError};
use issuance::deed::{Object, Occasion};
use issuance::ground::ids::{ApplicationId, PersonId};
use issuance::ground::{Officer, Permission, Role, blocking};
use issuance::population::PopulationError;
use issuance::population::model::{Declaration, DeclaredPlace};
use issuance::production::ProductionError;
use issuance::store::{Argument, Sql, StoreError};
use issuance::web::Problem;
use issuance::{args, numbering, population, sql};
use serde_json::json;

use crate::offices::{Offices, appoint, declaration, within};
use crate::tables::fresh_database;

/// Runs a test on SQLite and on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => {
        mod on_sqlite {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    super::$name(&super::Offices::open(None).await).await;
                }
            )*
        }
        mod on_postgresql {
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let Some(url) = super::fresh_database() else { return };
                    super::$name(&super::Offices::open(Some(url)).await).await;
                }
            )*
        }
    };
}

on_both!(
    a_field_that_a_card_has_no_room_for_declines_the_declaration,
    approval_rehearses_the_card,
    what_cannot_be_composed_is_held_and_the_queue_goes_on,
    a_row_without_meaning_does_not_stop_the_queue,
    without_the_folder_of_portraits_nothing_is_held,
    a_registrar_reads_and_releases_what_is_held,
    files_are_read_between_deeds,
);

async fn a_field_that_a_card_has_no_room_for_declines_the_declaration(offices: &Offices) {
    let declines = async |declaration: &Declaration| {
        let register = &offices.state.register;
        let declined =
            within!(offices, offices.registrar, deed => population::steps::declare(deed, register, declaration));
        match declined.unwrap_err() {
            PopulationError::Declined(declined) => {
                declined.0.into_iter().map(|finding| (finding.field, finding.code)).collect::<Vec<_>>()
            }
            other => panic!("{other}"),
        }
    };
    let too_long = |field: &str| vec![(field.to_owned(), "text-too-long".to_owned())];
    let place = |detail: String| DeclaredPlace { province: "003".into(), detail, ..DeclaredPlace::default() };
    // 400 bytes of detail are a text of a card, but with the province behind it they are not.
    let words = place("x".repeat(Dg13::MAX_TEXT));
    let residence = Declaration { permanent_residence: Some(words.clone()), ..declaration() };
    assert_eq!(declines(&residence).await, too_long("permanent_residence"));
    let origin = Declaration { place_of_origin: words, ..declaration() };
    assert_eq!(declines(&origin).await, too_long("place_of_origin"));
    let detail = Declaration { permanent_residence: Some(place("Đ".repeat(240))), ..declaration() };
    assert_eq!(declines(&detail).await, too_long("permanent_residence.detail"));
    let religion = Declaration { religion: "x".repeat(Dg13::MAX_TEXT + 1), ..declaration() };
    assert_eq!(declines(&religion).await, too_long("religion"));
    let all = Declaration { permanent_residence: detail.permanent_residence, ..religion };
    let fields: Vec<_> = declines(&all).await.into_iter().map(|(field, _)| field).collect();
    assert_eq!(fields, ["religion", "permanent_residence.detail"], "one answer names all that is wrong");
    // What just fits becomes a card.
    let fits = place("x".repeat(Dg13::MAX_TEXT - ", Tỉnh Mẫu".len()));
    let longest = Declaration { permanent_residence: Some(fits), religion: "x".repeat(400), ..declaration() };
    let person = offices.declares(&longest).await;
    within!(offices, offices.registrar, deed => numbering::steps::establish(deed, &offices.state.numbers, person, None))
        .unwrap();
    offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(1).await;
    offices.card(&mut chip).await;
}

async fn approval_rehearses_the_card(offices: &Offices) {
    let application = captured(offices).await;
    features(offices, &application, Dg13::MAX_TEXT + 1).await;
    let refused = offices.approves(&offices.approver, application.id).await;
    assert!(matches!(refused, Err(CounterError::Compose(_))), "{refused:?}");
    assert_eq!(code(refused.unwrap_err()), "card-not-composable");
    assert_eq!(stage(offices, application.id).await, "captured");
    features(offices, &application, Dg13::MAX_TEXT).await;
    // A row of the register without meaning is refused as what it is.
    let sound = record(offices, application.person).await;
    let mut long = sound.clone();
    long["permanent_residence"]["detail"] = json!("x".repeat(480));
    set_record(offices, application.person, long).await;
    let refused = offices.approves(&offices.approver, application.id).await.unwrap_err();
    assert!(matches!(&refused, CounterError::Store(StoreError::Inconsistent { table, .. }) if table == "person"));
    assert_eq!(code(refused), "record-inconsistent");
    assert_eq!(stage(offices, application.id).await, "captured");
    set_record(offices, application.person, sound).await;
    offices.approves(&offices.approver, application.id).await.unwrap();
}

async fn what_cannot_be_composed_is_held_and_the_queue_goes_on(offices: &Offices) {
    let mut queue = vec![];
    for _ in 0..4 {
        let person = offices.citizen().await;
        queue.push(offices.approved(person, Kind::First).await);
        offices.clock.advance(time::Duration::minutes(1));
    }
    let [long, faceless, senseless, sound] = &queue[..] else { unreachable!() };
    features(offices, long, Dg13::MAX_TEXT + 1).await;
    // All photographs of these tests are the same object: this one has another.
    let only = another_portrait(offices, faceless).await;
    fs::remove_file(object(offices, &only)).unwrap();
    let register = record(offices, senseless.person).await;
    set_record(offices, senseless.person, json!({ "full_name": "Nguyễn" })).await;

    let mut chip = offices.initialised(1).await;
    let ordered = offices.orders(&chip).await.unwrap();
    assert_eq!(ordered.application, sound.id, "the first that can become a card");
    assert_eq!(stage(offices, faceless.id).await, "approved", "missing once");
    let waiting = offices.initialised(2).await;
    for missing in 2..4 {
        assert_eq!(word(offices.orders(&waiting).await.unwrap_err()), "nothing-to-personalize");
        assert_eq!(stage(offices, faceless.id).await, if missing < 3 { "approved" } else { "held" }, "{missing}");
    }
    for (application, reason, owner) in [
        (long, HoldReason::NotComposable, Role::Registrar),
        (faceless, HoldReason::PortraitLost, Role::Capture),
        (senseless, HoldReason::RecordInconsistent, Role::Registrar),
    ] {
        let Stage::Held { hold, .. } = offices.application(application.id).await.stage else { panic!("not held") };
        assert_eq!((hold.reason, hold.owner), (reason, owner));
        let trail = offices.trail(Object::Application(application.id)).await;
        assert!(trail.contains(&"application-held".to_owned()), "{trail:?}");
        assert_eq!(held_record(offices, application).await, (reason.word().to_owned(), application.person.to_string()));
        let seen = within!(offices, offices.approver, deed => counter::read(deed, application.id, Occasion::default()))
            .unwrap();
        let portrait = counter::portrait_of(&offices.state.counter, &seen).await.unwrap();
        assert_eq!((seen.stage.name(), portrait.is_none()), ("held", reason == HoldReason::PortraitLost));
    }
    offices.card(&mut chip).await;

    // Nothing is left, and what is held stays held.
    assert_eq!(word(offices.orders(&waiting).await.unwrap_err()), "nothing-to-personalize");
    assert_eq!(stage(offices, long.id).await, "held");
    let decided = offices.approves(&offices.approver, long.id).await.unwrap_err();
    assert!(matches!(decided, CounterError::Transition(TransitionError::Held)));

    // Released while nothing is mended: still held. Mended: back in the queue.
    assert_eq!(code(release(offices, long.id).await.unwrap_err()), "card-not-composable");
    assert_eq!(stage(offices, long.id).await, "held");
    features(offices, long, 20).await;
    assert_eq!(release(offices, long.id).await.unwrap().stage.name(), "approved");
    set_record(offices, senseless.person, register).await;
    release(offices, senseless.id).await.unwrap();
    let mut chip = offices.initialised(3).await;
    assert_eq!(offices.orders(&chip).await.unwrap().application, long.id, "in its old place");
    offices.card(&mut chip).await;
    let mut chip = offices.initialised(4).await;
    assert_eq!(offices.orders(&chip).await.unwrap().application, senseless.id);
    offices.card(&mut chip).await;

    // A lost portrait is taken again, and then decided on again.
    assert_eq!(code(release(offices, faceless.id).await.unwrap_err()), "portrait-lost");
    offices.captures(faceless.id).await;
    assert_eq!(stage(offices, faceless.id).await, "captured");
    assert_eq!(word(offices.orders(&waiting).await.unwrap_err()), "nothing-to-personalize");
    offices.approves(&offices.approver, faceless.id).await.unwrap();
    let mut chip = offices.initialised(5).await;
    offices.card(&mut chip).await;
}

/// The last of a queue is held although no application is left for the chip: the holds are committed.
async fn a_row_without_meaning_does_not_stop_the_queue(offices: &Offices) {
    let person = offices.citizen().await;
    let senseless = offices.approved(person, Kind::First).await;
    let sound = stage_data(offices, senseless.id).await;
    set_stage_data(offices, senseless.id, json!({ "stage": "approved" })).await;
    let chip = offices.initialised(1).await;
    assert_eq!(word(offices.orders(&chip).await.unwrap_err()), "nothing-to-personalize");
    assert_eq!(column(offices, senseless.id).await, "held");
    let reason = HoldReason::RecordInconsistent.word().to_owned();
    assert_eq!(held_record(offices, &senseless).await, (reason, person.to_string()));
    offices.clock.advance(time::Duration::minutes(1));
    let person = offices.citizen().await;
    let next = offices.approved(person, Kind::First).await;
    assert_eq!(offices.orders(&chip).await.unwrap().application, next.id);
    // Mended by hand, it goes back into the queue.
    set_stage_data(offices, senseless.id, sound).await;
    by_hand(offices, sql!("update application set stage = 'approved' where id = $1"), args![senseless.id]).await;
    set_stage_data(offices, senseless.id, stage_data(offices, senseless.id).await).await;
    let mut chip = offices.initialised(2).await;
    assert_eq!(offices.orders(&chip).await.unwrap().application, senseless.id);
    offices.card(&mut chip).await;
}

/// The volume of the portraits is not mounted: its folder is gone, or empty.
async fn without_the_folder_of_portraits_nothing_is_held(offices: &Offices) {
    let mut queue = vec![];
    for _ in 0..2 {
        queue.push(offices.approved(offices.citizen().await, Kind::First).await.id);
    }
    let undecided = captured(offices).await;
    let mut chip = offices.initialised(1).await;
    let (objects, away) = (offices.data.path().join("objects"), offices.data.path().join("away"));
    fs::rename(&objects, &away).unwrap();
    for mounted in [false, true] {
        if mounted {
            fs::create_dir(&objects).unwrap();
        }
        for _ in 0..4 {
            let problem = Problem::from(offices.orders(&chip).await.unwrap_err());
            assert_eq!((problem.code().word(), problem.status().as_u16()), ("objects-unreadable", 503));
            assert!(problem.cause().unwrap().contains("objects"), "{problem:?}");
        }
        assert_eq!(code(offices.approves(&offices.approver, undecided.id).await.unwrap_err()), "objects-unreadable");
    }
    for id in &queue {
        assert_eq!(stage(offices, *id).await, "approved");
    }
    fs::remove_dir(&objects).unwrap();
    fs::rename(&away, &objects).unwrap();
    assert!(queue.contains(&offices.orders(&chip).await.unwrap().application));
    offices.card(&mut chip).await;
}

async fn a_registrar_reads_and_releases_what_is_held(offices: &Offices) {
    let registrar = appoint(offices.state.deeds(), Role::Registrar).await;
    assert!(registrar.may(Permission::ReadApplication) && registrar.may(Permission::Release));
    assert!(!registrar.may(Permission::Decide));
    let person = offices.citizen().await;
    let senseless = offices.approved(person, Kind::First).await.id;
    let read = async |id| {
        within!(offices, registrar, deed => counter::read(deed, id, Occasion::default())).map(|seen| seen.stage.name())
    };
    assert_eq!(code(read(senseless).await.unwrap_err()), "role-missing", "nothing is to be mended");
    let register = record(offices, person).await;
    set_record(offices, person, json!({ "full_name": "Nguyễn" })).await;
    let mut chip = offices.initialised(1).await;
    assert_eq!(word(offices.orders(&chip).await.unwrap_err()), "nothing-to-personalize");
    assert_eq!(read(senseless).await.unwrap(), "held");
    assert_eq!(code(releases(offices, &registrar, senseless).await.unwrap_err()), "record-inconsistent");
    set_record(offices, person, register).await;
    // The officer who declared the person does not.
    let involved = releases(offices, &offices.registrar, senseless).await.unwrap_err();
    assert_eq!(code(involved), "second-officer-needed");
    assert_eq!(releases(offices, &registrar, senseless).await.unwrap().stage.name(), "approved");
    offices.card(&mut chip).await;
}

/// The pool for work that blocks is taken, as by photographs that are decoded: a capture officer who reads, an approver
/// and a station wait for it, and keep no other writer waiting meanwhile.
async fn files_are_read_between_deeds(offices: &Offices) {
    let [read, approved, held] = [captured(offices).await, captured(offices).await, captured(offices).await];
    let seen = offices.sees(&offices.approver, approved.id).await.unwrap();
    offices.approves(&offices.approver, held.id).await.unwrap();
    features(offices, &held, Dg13::MAX_TEXT + 1).await;
    let mut chip = offices.initialised(1).await;
    assert_eq!(word(offices.orders(&chip).await.unwrap_err()), "nothing-to-personalize");
    features(offices, &held, 20).await;
    let waiting = offices.approved(offices.citizen().await, Kind::First).await;

    let (let_go, taken): (Vec<_>, Vec<_>) = (0..blocking::AT_ONCE).map(|_| std::sync::mpsc::channel::<()>()).unzip();
    let (begun, begins) = std::sync::mpsc::channel();
    let turns = taken.into_iter().map(|taken| {
        let begun = begun.clone();
        tokio::spawn(blocking::run(move || {
            begun.send(()).unwrap();
            let _ = taken.recv();
        }))
    });
    let turns: Vec<_> = turns.collect();
    (0..blocking::AT_ONCE).for_each(|_| begins.recv().unwrap());
    let (looks, decides, releases, orders) = (
        async {
            let seen =
                within!(offices, offices.capture, deed => counter::read(deed, read.id, Occasion::default())).unwrap();
            counter::portrait_of(&offices.state.counter, &seen).await.map(|portrait| assert!(portrait.is_some()))
        },
        async {
            let portrait = offices.fetches(approved.id).await?;
            let counter = &offices.state.counter;
            within!(offices, offices.approver, deed => counter::approve(deed, counter, approved.id, seen, portrait))
                .map(drop)
        },
        async { release(offices, held.id).await.map(drop) },
        async {
            let any = [approved.id, held.id, waiting.id];
            offices.orders(&chip).await.map(|ordered| assert!(any.contains(&ordered.application)))
        },
    );
    let writes = async {
        // Long enough for the others to come as far as they do without a turn.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        // A number of another birth year takes a block of the counters in the folder.
        let person = offices.declares(&Declaration { birth_date: "05/01/1990".into(), ..declaration() }).await;
        let establishes = async {
            let numbers = &offices.state.numbers;
            within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, None))
        };
        let minute = std::time::Duration::from_mins(1);
        tokio::time::timeout(minute, establishes).await.expect("no writer waits for a turn").unwrap();
        // Only now: if a writer had waited for a turn, the lock would not have come before the ten seconds of SQLite.
        drop(let_go);
    };
    let (looked, decided, released, ordered, ()) = tokio::join!(looks, decides, releases, orders, writes);
    looked.unwrap();
    decided.unwrap();
    released.unwrap();
    ordered.unwrap();
    for turn in turns {
        turn.await.unwrap();
    }
    offices.card(&mut chip).await;
}

async fn captured(offices: &Offices) -> Application {
    let person = offices.citizen().await;
    let application = offices.applies(person, Kind::First).await.unwrap();
    offices.captures(application.id).await;
    offices.application(application.id).await
}

async fn release(offices: &Offices, id: ApplicationId) -> Result<Application, CounterError> {
    releases(offices, &offices.approver, id).await
}

async fn releases(offices: &Offices, officer: &Officer, id: ApplicationId) -> Result<Application, CounterError> {
    let portrait = offices.fetches(id).await?;
    within!(offices, officer, deed => counter::release(deed, &offices.state.counter, id, portrait))
}

/// The stage, if column and content agree.
async fn stage(offices: &Offices, id: ApplicationId) -> String {
    let stage = offices.application(id).await.stage.name().to_owned();
    assert_eq!(column(offices, id).await, stage);
    stage
}

async fn column(offices: &Offices, id: ApplicationId) -> String {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select id, stage from application where id = $1"), args![id]).await.unwrap().unwrap();
    row.get("stage").unwrap()
}

async fn stage_data(offices: &Offices, id: ApplicationId) -> serde_json::Value {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select id, stage_data from application where id = $1"), args![id]).await.unwrap().unwrap();
    row.get("stage_data").unwrap()
}

async fn record(offices: &Offices, id: PersonId) -> serde_json::Value {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select id, record from person where id = $1"), args![id]).await.unwrap().unwrap();
    row.get("record").unwrap()
}

async fn set_record(offices: &Offices, id: PersonId, record: serde_json::Value) {
    by_hand(offices, sql!("update person set record = $1 where id = $2"), args![Argument::Json(Some(record)), id])
        .await;
}

async fn set_stage_data(offices: &Offices, id: ApplicationId, stage: serde_json::Value) {
    let sql = sql!("update application set stage_data = $1 where id = $2");
    by_hand(offices, sql, args![Argument::Json(Some(stage)), id]).await;
    // What is tried here is a row of the service's own that no card can carry, not one that another hand changed.
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    tx.seal(&issuance::applications::store::APPLICATION, id).await.unwrap();
    tx.commit().await.unwrap();
}

/// Features of so many bytes, written past the counter.
pub async fn features(offices: &Offices, application: &Application, bytes: usize) {
    let mut stage = stage_data(offices, application.id).await;
    stage["capture"]["features"] = json!("x".repeat(bytes));
    set_stage_data(offices, application.id, stage).await;
}

/// Gives an application a portrait that no other has. Returns the object's name.
async fn another_portrait(offices: &Offices, application: &Application) -> String {
    use base64::Engine as _;
    let picture = image::RgbImage::from_fn(480, 640, |x, y| {
        let shade = |n: u32| u8::try_from(n % 251).unwrap();
        image::Rgb([shade(x / 3), shade(y / 3), shade((x * y) % 89 + 40)])
    });
    let mut jpeg = vec![];
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 90).encode_image(&picture).unwrap();
    let photograph = base64::engine::general_purpose::STANDARD.encode(jpeg);
    let name = counter::develop(&offices.state.counter, photograph, None).await.unwrap();
    let mut stage = stage_data(offices, application.id).await;
    stage["capture"]["portrait"] = json!(name);
    set_stage_data(offices, application.id, stage).await;
    name
}

fn object(offices: &Offices, name: &str) -> std::path::PathBuf {
    offices.data.path().join("objects").join(&name[..2]).join(&name[2..])
}

/// Edits the database past the service.
async fn by_hand(offices: &Offices, sql: Sql, arguments: Vec<Argument>) {
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    assert_eq!(tx.run(sql, arguments).await.unwrap(), 1);
    tx.commit().await.unwrap();
}

/// Reason and person of the record that an application was held.
async fn held_record(offices: &Offices, application: &Application) -> (String, String) {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select id, reason, person_id from v_audit_entry where object = $1 and action = 'application-held'");
    let rows = tx.all(sql, args![Object::Application(application.id).to_string()]).await.unwrap();
    assert_eq!(rows.len(), 1);
    (rows[0].get("reason").unwrap(), rows[0].get::<uuid::Uuid>("person_id").unwrap().to_string())
}

fn word(error: ProductionError) -> &'static str {
    code(error)
}

/// The word that a caller is told.
fn code(error: impl Into<Problem>) -> &'static str {
    let problem: Problem = error.into();
    problem.code().word()
}
