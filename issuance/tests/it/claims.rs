//! An officer has an application before them, and the second one is told, on SQLite and on PostgreSQL.

use issuance::access::OFFICER;
use issuance::applications::claims::{self, Claim};
use issuance::applications::hand_over::{HandOverError, hand_over};
use issuance::applications::model::Kind;
use issuance::applications::{CounterError, steps as counter};
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, OfficerId};
use issuance::ground::{Officer, Role};
use issuance::population::history::EventKind;
use issuance::store::Argument;
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::deadlines::TwoPlaces;
use crate::house::Caller;
use crate::offices::{Offices, appoint, moves, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

/// Runs a test on SQLite and on PostgreSQL.
async fn both(test: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        Box::pin(test(offices.as_ref())).await;
    }
}

/// An application that waits for its approval.
async fn captured(offices: &Offices) -> ApplicationId {
    let id = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
    offices.captures(id).await;
    id
}

async fn takes(offices: &Offices, officer: &Officer, id: ApplicationId) -> Result<Claim, CounterError> {
    within!(offices, officer, deed => claims::claim(deed, &offices.state.counter, id))
}

/// Code of a refusal, and the officer whom it names.
fn told<T: std::fmt::Debug>(refused: Result<T, CounterError>) -> (String, Option<OfficerId>) {
    let error = refused.unwrap_err();
    let officer = if let CounterError::Claimed { by, .. } = error { Some(by) } else { None };
    (Problem::from(error).code().word().to_owned(), officer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_an_officer_has_an_application_no_other_takes_a_step() {
    both(async |offices| {
        let id = captured(offices).await;
        let (first, second) = (&offices.approver, appoint(offices.state.deeds(), Role::Approver).await);
        let taken = takes(offices, first, id).await.unwrap();
        assert_eq!(taken.until, offices.clock.now() + Duration::minutes(15));
        let who = ("application-claimed".to_owned(), Some(first.id));
        assert_eq!(told(takes(offices, &second, id).await), who);
        assert_eq!(told(offices.approves(&second, id).await), who, "reading is free, approving is not");
        assert_eq!(told(within!(offices, second, deed => counter::refuse(deed, id, "x"))), who);
        assert_eq!(told(within!(offices, offices.capture, deed => counter::withdraw(deed, id, "x"))), who);
        assert_eq!(told(within!(offices, second, deed => claims::release(deed, id))), who);
        // Taken again, the minutes begin anew.
        offices.clock.advance(Duration::minutes(10));
        let again = takes(offices, first, id).await.unwrap();
        assert_eq!((again.since, again.until), (taken.since, taken.until + Duration::minutes(10)));
        // A step ends it, and who has none to take there does not take it.
        offices.approves(first, id).await.unwrap();
        assert_eq!(told(takes(offices, first, id).await).0, "stage-does-not-allow");
        takes(offices, &offices.capture, id).await.unwrap();
        within!(offices, offices.capture, deed => claims::release(deed, id)).unwrap();
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        let slip = offices.application(id).await.slip.0;
        let beside = appoint(offices.state.deeds(), Role::HandOver).await;
        takes(offices, &beside, id).await.unwrap();
        let hands_over = async || within!(offices, offices.counter, deed => hand_over(deed, card, &slip));
        let refused = hands_over().await.map_err(|error| match error {
            HandOverError::Counter(source) => *source,
            other => panic!("{other}"),
        });
        assert_eq!(told(refused).1, Some(beside.id));
        within!(offices, beside, deed => claims::release(deed, id)).unwrap();
        hands_over().await.unwrap();
        assert_eq!(told(takes(offices, first, id).await).0, "stage-does-not-allow", "an end is not taken");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_ends_by_itself_and_with_the_officers_service() {
    both(async |offices| {
        let id = captured(offices).await;
        let deeds = offices.state.deeds();
        let second = appoint(deeds, Role::Approver).await;
        takes(offices, &offices.approver, id).await.unwrap();
        offices.clock.advance(Duration::minutes(15));
        takes(offices, &second, id).await.unwrap();
        // Another office: the claim is over, and a step of others goes on.
        moves(deeds, &second, "district-2").await;
        takes(offices, &offices.approver, id).await.unwrap();
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let leaves = sql!("update officer set disabled_at = $1 where id = $2");
        let arguments = args![offices.clock.now(), offices.approver.id];
        tx.change(&OFFICER, offices.approver.id, leaves, arguments).await.unwrap();
        tx.commit().await.unwrap();
        let third = appoint(deeds, Role::Approver).await;
        offices.approves(&third, id).await.unwrap();
        let trail = offices.trail(Object::Application(id)).await;
        assert_eq!(trail.iter().filter(|action| *action == "application-claimed").count(), 3, "{trail:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_is_of_an_officer_who_may_take_a_step_and_is_not_renewed_without_end() {
    both(async |offices| {
        let id = captured(offices).await;
        let deeds = offices.state.deeds();
        let counter = &offices.counter;
        assert_eq!(told(takes(offices, counter, id).await).0, "stage-does-not-allow", "there is no card to hand over");
        // Renewed each quarter of an hour, it lasts two hours and no longer.
        let first = takes(offices, &offices.approver, id).await.unwrap();
        let mut last = first.clone();
        for _ in 0..9 {
            offices.clock.advance(Duration::minutes(14));
            if last.until > offices.clock.now() {
                last = takes(offices, &offices.approver, id).await.unwrap();
            }
        }
        assert_eq!(last.until, first.since + Duration::hours(2));
        let second = appoint(deeds, Role::Approver).await;
        takes(offices, &second, id).await.unwrap();
        // Another role: the claim is over.
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let other = sql!("update officer set roles = $1 where id = $2");
        let roles = Argument::json(&[Role::Auditor]);
        tx.change(&OFFICER, second.id, other, args![roles, second.id]).await.unwrap();
        tx.commit().await.unwrap();
        takes(offices, &offices.approver, id).await.unwrap();
        within!(offices, offices.approver, deed => counter::refuse(deed, id, "x")).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_does_not_wait_for_an_officer_who_has_the_application() {
    both(async |offices| {
        let id = captured(offices).await;
        takes(offices, &offices.approver, id).await.unwrap();
        let person = offices.application(id).await.person;
        changes(offices, person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        assert_eq!(offices.application(id).await.stage.name(), "cancelled");
    })
    .await;
}

#[tokio::test]
async fn lists_show_who_has_an_application_and_which_are_free() {
    crate::house::on_both(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let TwoPlaces { head, chief, id, .. } = &places;
        let listed = async |officer: &Caller, query: &str| -> Vec<Value> {
            let said = officer.get(&format!("/api/v1/applications?{query}")).await;
            said.body["items"].as_array().unwrap_or_else(|| panic!("{said:?}")).clone()
        };
        let counts = async || {
            let (free, mine) = (listed(chief, "owner=approver&claimed=free").await, listed(head, "claimed=me").await);
            (free.len(), mine.len(), listed(chief, "claimed=me").await.len())
        };
        assert_eq!(counts().await, (1, 0, 0));
        let path = format!("/api/v1/applications/{id}/claim");
        let taken = head.post(&path, "k-1", json!({})).await;
        let me = head.get("/api/v1/me").await.body["id"].clone();
        assert_eq!(taken.body["claimed_by"], me, "{taken:?}");
        assert!(head.post(&path, "k-1", json!({})).await.replayed, "a double click takes it once");
        assert_eq!(counts().await, (0, 1, 0));
        let item = &listed(chief, "owner=approver").await[0];
        assert_eq!((&item["claimed_by"], &item["claimed_until"]), (&me, &taken.body["claimed_until"]));
        let read = chief.get(&format!("/api/v1/applications/{id}")).await;
        assert_eq!(read.body["claimed_by"], me, "{read:?}");
        let second = chief.post(&path, "k-2", json!({})).await;
        let who = json!(format!("officer/{}", me.as_str().unwrap()));
        assert_eq!((second.code(), &second.body["object"]), ("application-claimed", &who));
        head.post(&format!("{path}/release"), "k-3", json!({})).await;
        assert_eq!(counts().await, (1, 0, 0));
        for query in ["claimed=free", "claimed=me&owner=approver", "claimed=me&overdue=true", "claimed=you"] {
            let said = chief.get(&format!("/api/v1/applications?{query}")).await;
            assert_eq!(said.code(), "query-malformed", "{query}");
        }
    })
    .await;
}
