//! What is kept no longer is erased, with its content key; what is under a legal hold is not; the trail tells both.

use std::fs;
use std::path::{Path, PathBuf};

use issuance::applications::model::Kind;
use issuance::applications::steps as counter;
use issuance::deed::{Object, Occasion};
use issuance::ground::ids::{ApplicationId, HoldId};
use issuance::ground::{Officer, Role};
use issuance::holds::{HoldState, LEGAL_HOLD, Named};
use issuance::retention::{self, Figures, HoldError};
use issuance::web::Problem;
use issuance::{args, production, sql};
use serde_json::json;
use time::Duration;

use crate::house::on_both;
use crate::offices::{Offices, appoint, moves, photograph, within};
use crate::tables::fresh_database;

/// Runs a test on SQLite and on PostgreSQL.
async fn both(test: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        Box::pin(test(offices.as_ref())).await;
    }
}

/// Runs; where months passed in which nothing happened, an administrator says first that the clock is right.
pub async fn runs(offices: &Offices, dry: bool) -> Vec<Figures> {
    if let Ok(figures) = tries(offices, dry).await {
        return figures;
    }
    retention::confirm_the_clock(offices.state.deeds()).await.unwrap();
    tries(offices, dry).await.unwrap()
}

async fn tries(offices: &Offices, dry: bool) -> Result<Vec<Figures>, retention::RetentionError> {
    let state = &offices.state;
    // The officers of these tests have sessions that end at once.
    let sessions = retention::Rule { term: Duration::days(10_000), ..state.retention.sessions.clone() };
    let settings = retention::Settings { sessions, ..state.retention.clone() };
    Box::pin(retention::run(&settings, &state.counter, state.deeds(), dry, None, |_| {})).await
}

async fn erased(offices: &Offices, dry: bool) -> (u64, u64) {
    let figures = runs(offices, dry).await;
    assert!(figures.iter().all(|figures| figures.failed == 0 && figures.finished), "{figures:?}");
    (figures[0].erased, figures[1].erased)
}

/// An application that a second officer refused.
pub async fn refused(offices: &Offices) -> ApplicationId {
    let person = offices.citizen().await;
    let application = offices.applies(person, Kind::First).await.unwrap();
    offices.captures(application.id).await;
    within!(offices, offices.approver, deed => counter::refuse(deed, application.id, "other face")).unwrap();
    application.id
}

pub fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// How many objects, and how many content keys there are.
fn objects(offices: &Offices) -> (usize, usize) {
    (files(&offices.data.path().join("objects")).len(), files(&offices.data.path().join("content-keys")).len())
}

async fn trail(offices: &Offices, action: &str) -> i64 {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let sql = sql!("select count(*) as n from audit_entry where action = $1");
    tx.one(sql, args![action]).await.unwrap().unwrap().get("n").unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_application_loses_portrait_and_features_when_its_terms_are_over_and_says_so() {
    both(async |offices| {
        let id = refused(offices).await;
        let open = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
        offices.captures(open).await;
        assert_eq!((objects(offices), erased(offices, false).await), ((2, 2), (0, 0)));
        // Ninety days to complain, and ninety more.
        offices.clock.advance(Duration::days(180));
        assert_eq!(erased(offices, false).await, (0, 0), "the last day to complain is not over");
        offices.clock.advance(Duration::days(2));
        assert_eq!((erased(offices, true).await, objects(offices)), ((1, 0), (2, 2)), "a dry run changes nothing");
        assert_eq!((erased(offices, false).await, objects(offices)), ((1, 0), (1, 1)));
        assert_eq!((erased(offices, false).await, trail(offices, "portrait-erased").await), ((0, 0), 1));
        assert_eq!(trail(offices, "retention-run").await, 2, "the run, and that the clock was said to be right");

        let approver = &offices.approver;
        let read = within!(offices, approver, deed => counter::read_portrait(deed, id)).unwrap_err();
        assert!(read.to_string().contains("Decree 13/2023"), "{read}");
        let problem = Problem::from(read);
        assert_eq!((problem.code().word(), problem.status().as_u16()), ("erased", 410));
        let keeping = within!(offices, approver, deed => async {
            let application = counter::read(deed, id, Occasion::default()).await?;
            assert_eq!(counter::portrait_of(&offices.state.counter, &application).await.unwrap(), None);
            counter::keeping(deed, &application).await.map_err(counter::CounterError::from)
        })
        .unwrap();
        assert!(keeping.erased.portrait.is_some() && keeping.erased.dossier.is_none(), "{keeping:?}");

        offices.clock.advance(Duration::days(365));
        assert_eq!(erased(offices, false).await, (0, 1));
        let application = offices.application(id).await;
        assert_eq!(application.stage.capture_of().unwrap().features, "");
        assert_eq!(trail(offices, "dossier-erased").await, 1);
        assert_eq!(offices.application(open).await.stage.capture_of().unwrap().features, "Nốt ruồi");
        assert_eq!(objects(offices), (1, 1), "what is under way is kept, however old");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_application_that_had_a_chip_loses_the_files_of_its_card() {
    both(async |offices| {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let chip = offices.initialised(1).await;
        let station = offices.station.clone();
        offices.prepares(&station, &chip).await.unwrap();
        within!(offices, offices.capture, deed => production::withdrawal::cancel(deed, application.id, "x")).unwrap();
        offices.clock.advance(Duration::days(366));
        assert_eq!((erased(offices, false).await, objects(offices)), ((1, 1), (0, 0)));
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select count(*) as n from document where length(files) > 0 or length(prepared) > 0");
        let left: i64 = tx.one(sql, args![]).await.unwrap().unwrap().get("n").unwrap();
        assert_eq!(left, 0);
    })
    .await;
}

/// Two officers of the national office.
async fn two(offices: &Offices) -> [Officer; 2] {
    let deeds = offices.state.deeds();
    let [one, other] = [appoint(deeds, Role::Registrar).await, appoint(deeds, Role::Auditor).await];
    [moves(deeds, &one, "national").await, moves(deeds, &other, "national").await]
}

fn code<T: std::fmt::Debug>(said: Result<T, HoldError>) -> &'static str {
    Problem::from(said.unwrap_err()).code().word()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_under_a_legal_hold_is_erased_until_two_officers_end_it() {
    both(async |offices| {
        let [one, other] = two(offices).await;
        let (held, free) = (refused(offices).await, refused(offices).await);
        let propose = async |officer: &Officer, named, id| {
            within!(offices, officer, deed => retention::steps::propose(deed, named, id, "complaint 12"))
        };
        let here = appoint(offices.state.deeds(), Role::Registrar).await;
        assert_eq!(code(propose(&here, Named::Application, held.uuid()).await), "other-office");
        assert_eq!(code(propose(&one, Named::Application, one.id.uuid()).await), "application-unknown");
        assert_eq!(code(propose(&one, Named::Person, one.id.uuid()).await), "person-unknown");
        assert_eq!(code(propose(&one, Named::Card, one.id.uuid()).await), "card-unknown");
        let hold = propose(&one, Named::Application, held.uuid()).await.unwrap().id;
        let confirm = async |officer: &Officer| within!(offices, officer, deed => retention::steps::confirm(deed, hold));
        assert_eq!(code(confirm(&one).await), "second-officer-needed");
        confirm(&other).await.unwrap();
        assert_eq!(code(confirm(&other).await), "legal-hold-state");

        offices.clock.advance(Duration::days(182));
        let figures = runs(offices, false).await;
        assert_eq!((figures[0].erased, figures[0].held), (1, 1), "{figures:?}");
        let portrait = async |id| within!(offices, offices.approver, deed => counter::read_portrait(deed, id));
        assert!(portrait(held).await.is_ok() && portrait(free).await.is_err());
        let approver = appoint(offices.state.deeds(), Role::Approver).await;
        let keeping = within!(offices, approver, deed => async {
            let application = counter::read(deed, held, Occasion::default()).await?;
            counter::keeping(deed, &application).await.map_err(counter::CounterError::from)
        });
        assert_eq!(keeping.unwrap().hold, Some(hold), "an officer who reads it sees the hold");

        let release = async |officer: &Officer| within!(offices, officer, deed => retention::steps::release(deed, hold));
        assert_eq!(code(release(&one).await), "legal-hold-state");
        within!(offices, one, deed => retention::steps::propose_release(deed, hold, "decided")).unwrap();
        assert_eq!(code(release(&one).await), "second-officer-needed");
        assert_eq!(runs(offices, false).await[0].held, 1, "one officer ends nothing");
        assert_eq!(release(&other).await.unwrap().state(offices.clock.now()), HoldState::Released);
        assert_eq!(erased(offices, false).await, (1, 0));
        assert_eq!(objects(offices), (0, 0));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proposed_hold_stands_for_a_week_and_one_of_another_hand_lets_nothing_be_erased() {
    both(async |offices| {
        let id = refused(offices).await;
        let person = offices.application(id).await.person;
        offices.clock.advance(Duration::days(182));
        let [one, other] = two(offices).await;
        let propose = async || {
            within!(offices, one, deed => retention::steps::propose(deed, Named::Person, person.uuid(), "an inquiry"))
        };
        let hold: HoldId = propose().await.unwrap().id;
        assert_eq!(runs(offices, false).await[0].held, 1, "a person's hold keeps each application");
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let ended = sql!("update legal_hold set proposed_at = $1 where id = $2");
        tx.run(ended, args![offices.clock.now() - Duration::days(9), hold]).await.unwrap();
        tx.commit().await.unwrap();
        // Also of a person whom the row names no more: no run erases anything while a hold cannot be believed.
        let refused = tries(offices, false).await.map(|figures| figures[0].erased).unwrap_err().to_string();
        assert!(refused.contains(&hold.to_string()), "another hand made it lapse: {refused}");
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update legal_hold set proposed_at = $1 where id = $2"), args![offices.clock.now(), hold]).await.unwrap();
        assert!(tx.sealed(&LEGAL_HOLD, hold).await.is_ok(), "as it was");
        tx.commit().await.unwrap();
        offices.clock.advance(Duration::days(7));
        let confirmed = within!(offices, other, deed => retention::steps::confirm(deed, hold));
        assert_eq!(code(confirmed), "legal-hold-state", "it has lapsed");
        assert_eq!(erased(offices, false).await, (1, 0));
    })
    .await;
}

/// A hand with SQL and without the key says that an application is closed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_application_itself_says_whether_it_is_closed_and_since_when() {
    both(async |offices| {
        let (open, closed) = (offices.approved(offices.citizen().await, Kind::First).await, refused(offices).await);
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let long_ago = offices.clock.now() - Duration::days(1000);
        let sql = sql!(
            "insert into closed_application (application_id, person_id, closed_at, handed_over) values ($1, $2, $3, $4)"
        );
        tx.run(sql, args![open.id, open.person, long_ago, false]).await.unwrap();
        let sql = sql!("update closed_application set closed_at = $1 where application_id = $2");
        tx.run(sql, args![long_ago, closed]).await.unwrap();
        tx.commit().await.unwrap();
        let figures = runs(offices, false).await;
        assert_eq!((figures[0].erased, figures[0].failed, objects(offices)), (0, 1, (2, 2)), "{figures:?}");
        // What an older version wrote as the moment is put right by that look.
        assert_eq!(runs(offices, true).await[0].erased, 0);
        offices.clock.advance(Duration::days(182));
        assert_eq!(runs(offices, false).await[0].erased, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portrait_that_no_application_has_is_swept_after_a_week() {
    use base64::Engine as _;
    both(async |offices| {
        let id = refused(offices).await;
        let photograph = base64::engine::general_purpose::STANDARD.encode(photograph());
        let lonely = counter::develop(&offices.state.counter, photograph, None).await.unwrap();
        let sweeps = async |dry| retention::sweep(&offices.state.counter, offices.state.deeds(), dry).await.unwrap();
        assert_eq!(sweeps(false).await, 0, "an upload may be under way");
        for file in ["objects", "content-keys"].into_iter().flat_map(|root| files(&offices.data.path().join(root))) {
            let old = fs::metadata(&file).unwrap().modified().unwrap() - std::time::Duration::from_hours(8 * 24);
            fs::File::options().write(true).open(file).unwrap().set_modified(old).unwrap();
        }
        assert_eq!((sweeps(true).await, objects(offices)), (1, (2, 2)));
        assert_eq!((sweeps(false).await, objects(offices)), (1, (1, 1)));
        assert!(!offices.data.path().join("objects").join(&lonely[..2]).join(&lonely[2..]).exists());
        let kept = within!(offices, offices.approver, deed => counter::read_portrait(deed, id)).unwrap();
        assert!(counter::portrait_of(&offices.state.counter, &kept).await.unwrap().is_some());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_and_sessions_go_by_their_terms_in_pieces() {
    both(async |offices| {
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        for number in 0..120 {
            let sql = sql!("insert into answer (caller, idempotency_key, request_hash, at) values ('x', $1, $2, $3)");
            let at = offices.clock.now() - Duration::days(if number < 110 { 8 } else { 6 });
            tx.run(sql, args![number.to_string(), [0_u8; 32], at]).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(runs(offices, true).await[2].erased, 110);
        assert_eq!(runs(offices, false).await[2].erased, 110);
        assert_eq!((runs(offices, false).await[2].erased, trail(offices, "retention-run").await), (0, 3));
    })
    .await;
}

#[tokio::test]
async fn legal_holds_are_put_listed_and_ended_over_http() {
    on_both(async |house| {
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
        let declaration = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
            "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
        let person = registrar.post("/api/v1/declarations", "k-1", declaration).await.body["person_id"].clone();
        let one = house.officer("one", &[Role::Registrar], "national").await;
        let other = house.officer("other", &[Role::Auditor], "national").await;
        let body = json!({"kind": "person", "id": person, "grounds": "An inquiry"});
        assert_eq!(registrar.post("/api/v1/legal-holds", "k-2", body.clone()).await.code(), "other-office");
        assert_eq!(registrar.get("/api/v1/legal-holds").await.code(), "other-office");
        for key in ["k-3", "k-4"] {
            let made = one.post("/api/v1/legal-holds", key, body.clone()).await;
            assert_eq!((made.status, &made.body["state"]), (200, &json!("proposed")), "{made:?}");
        }
        let page = other.get("/api/v1/legal-holds?limit=1").await;
        let next = page.body["next"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/legal-holds/{}", page.body["items"][0]["id"].as_str().unwrap());
        assert_eq!(
            other.get(&format!("/api/v1/legal-holds?after={next}")).await.body["items"].as_array().unwrap().len(),
            1
        );
        let said = other.post(&format!("{path}/confirmation"), "k-5", json!({})).await;
        assert_eq!((said.status, &said.body["state"]), (200, &json!("confirmed")), "{said:?}");
        let grounds = json!({"grounds": "It is over"});
        let said = other.post(&format!("{path}/release"), "k-6", grounds).await;
        assert_eq!(said.body["state"], "release-proposed", "{said:?}");
        // Taken back before it took effect, by whichever of the two; and proposed again.
        let withdrawal = format!("{path}/release/withdrawal");
        for (officer, key) in [(&other, "k-9"), (&one, "k-10")] {
            let said = officer.post(&withdrawal, key, json!({})).await;
            assert_eq!((&said.body["state"], &said.body["release_grounds"]), (&json!("confirmed"), &json!(null)));
            assert_eq!(officer.post(&withdrawal, &format!("{key}-again"), json!({})).await.code(), "legal-hold-state");
            let refused = one.post(&format!("{path}/release/confirmation"), &format!("{key}-c"), json!({})).await;
            assert_eq!(refused.code(), "legal-hold-state", "nothing is proposed any more");
            let again = json!({"grounds": "It is over after all"});
            let said = other.post(&format!("{path}/release"), &format!("{key}-p"), again).await;
            assert_eq!(said.body["state"], "release-proposed", "{said:?}");
        }
        let said = one.post(&format!("{path}/release/confirmation"), "k-7", json!({})).await;
        assert_eq!(said.body["state"], "released", "{said:?}");
        let unknown = format!("/api/v1/legal-holds/{}/confirmation", crate::house::NIL);
        assert_eq!(one.post(&unknown, "k-8", json!({})).await.code(), "legal-hold-unknown");
        let object = Object::Person(person.as_str().unwrap().parse().unwrap()).to_string();
        assert!(object.starts_with("person/"));
        let told = sql!("select count(*) as n from audit_entry where action like 'legal-hold-%' and person_id = $1");
        let id: issuance::ground::ids::PersonId = person.as_str().unwrap().parse().unwrap();
        assert_eq!(house.count(told, args![id]).await, 9);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_set_ahead_erases_nothing_until_it_is_said_to_be_right() {
    both(async |offices| {
        let deeds = offices.state.deeds();
        let believed = async || tries(offices, false).await.map(|all| all[0].erased).map_err(|error| error.to_string());
        refused(offices).await;
        offices.clock.advance(Duration::days(30));
        assert_eq!(believed().await.unwrap(), 0, "not due yet");
        offices.clock.advance(Duration::days(400));
        assert_eq!(tries(offices, true).await.unwrap()[0].erased, 1, "due, if the clock were right");
        assert!(believed().await.unwrap_err().contains("--clock-is-right"));
        // What is recorded under the wrong clock proves nothing.
        offices.citizen().await;
        offices.clock.advance(Duration::days(1));
        offices.citizen().await;
        assert!(believed().await.unwrap_err().contains("is the clock right?"));
        retention::confirm_the_clock(deeds).await.unwrap();
        assert_eq!(believed().await.unwrap(), 1);
        // A year in which something happens each month.
        for _ in 0..12 {
            offices.clock.advance(Duration::days(30));
            offices.citizen().await;
        }
        believed().await.unwrap();
        offices.clock.advance(Duration::days(32));
        assert!(believed().await.is_err());
        // It was set back to where it was right.
        offices.clock.advance(Duration::days(-803));
        believed().await.unwrap();
    })
    .await;
}
