//! The citizen says at the counter what is wrong in the register, on SQLite and on PostgreSQL.

use issuance::applications::CounterError;
use issuance::applications::model::{Application, Kind};
use issuance::applications::register_check::{self, RegisterField};
use issuance::deed::Object;
use issuance::ground::ids::ApplicationId;
use issuance::ground::{Officer, Role};
use issuance::population::change;
use issuance::population::history::EventKind;
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;

use crate::offices::{Offices, appoint, approves_too, within};
use crate::register_history::{changes, proposes};
use crate::tables::fresh_database;

/// Runs a test on SQLite and on PostgreSQL.
async fn both(test: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        Box::pin(test(offices.as_ref())).await;
    }
}

async fn says(
    offices: &Offices,
    officer: &Officer,
    id: ApplicationId,
    disagrees: &[RegisterField],
) -> Result<Application, CounterError> {
    within!(offices, officer, deed => register_check::say(deed, id, disagrees.to_vec()))
}

/// The code of a refusal, and what it says.
fn told<T: std::fmt::Debug>(refused: Result<T, CounterError>) -> (String, String) {
    let error = refused.unwrap_err();
    let words = error.to_string();
    (Problem::from(error).code().word().to_owned(), words)
}

async fn captured(offices: &Offices) -> Application {
    let application = offices.applies(offices.citizen().await, Kind::First).await.unwrap();
    offices.captures(application.id).await;
    application
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_card_is_approved_before_the_register_is_changed_in_each_field_that_the_citizen_named() {
    both(async |offices| {
        let Application { id, person, .. } = captured(offices).await;
        use RegisterField::{BloodGroup, Religion};
        says(offices, &offices.capture, id, &[Religion, BloodGroup, Religion]).await.unwrap();
        let (code, words) = told(offices.approves(&offices.approver, id).await);
        assert_eq!(code, "register-change-open");
        assert!(words.ends_with("religion, blood_group"), "{words}");
        // Another field than those settles nothing, one of two settles one.
        changes(offices, person, EventKind::Corrected, json!({"marital_status": "single"})).await;
        assert!(told(offices.approves(&offices.approver, id).await).1.ends_with("religion, blood_group"));
        changes(offices, person, EventKind::Corrected, json!({"religion": "Phật giáo"})).await;
        assert!(told(offices.approves(&offices.approver, id).await).1.ends_with(": blood_group"));
        changes(offices, person, EventKind::Corrected, json!({"blood_group": "O"})).await;
        assert_eq!(offices.approves(&offices.approver, id).await.unwrap().stage.name(), "approved");
        assert_eq!(told(says(offices, &offices.capture, id, &[]).await).0, "stage-does-not-allow");
        let trail = offices.trail(Object::Application(id)).await;
        assert!(trail.contains(&"application-register-checked".to_owned()), "{trail:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_citizen_takes_it_back_and_an_officer_who_noted_it_does_not_approve() {
    both(async |offices| {
        let id = captured(offices).await.id;
        let clerk = appoint(offices.state.deeds(), Role::Capture).await;
        says(offices, &clerk, id, &[RegisterField::Mother]).await.unwrap();
        assert_eq!(told(offices.approves(&offices.approver, id).await).0, "register-change-open");
        says(offices, &clerk, id, &[]).await.unwrap();
        assert_eq!(told(approves_too(offices, &clerk, id).await).0, "second-officer-needed");
        offices.approves(&offices.approver, id).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_card_is_approved_while_a_change_of_the_person_waits() {
    both(async |offices| {
        let Application { id, person, .. } = captured(offices).await;
        says(offices, &offices.capture, id, &[]).await.unwrap();
        let changed = json!({"religion": "Phật giáo"});
        let open = proposes(offices, &offices.registrar, person, EventKind::Corrected, changed).await.unwrap();
        let (code, words) = told(offices.approves(&offices.approver, id).await);
        assert_eq!((code.as_str(), words.contains("waits")), ("register-change-open", true), "{words}");
        within!(offices, offices.registrar, deed => change::withdraw(deed, open.id)).unwrap();
        offices.approves(&offices.approver, id).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_word_of_the_citizen_that_another_hand_changed_is_not_believed() {
    both(async |offices| {
        let id = captured(offices).await.id;
        says(offices, &offices.capture, id, &[RegisterField::Father]).await.unwrap();
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update register_check set disagrees = '[]' where application_id = $1"), args![id]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(told(offices.approves(&offices.approver, id).await).0, "record-tampered");
    })
    .await;
}
