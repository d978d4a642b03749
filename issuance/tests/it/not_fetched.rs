//! Cards that are not fetched: kept for a while, handed over to the citizen who still comes, destroyed else. On
//! SQLite and on PostgreSQL.

use crypto::lds::File;
use issuance::applications::hand_over;
use issuance::applications::model::{Kind, NOT_FETCHED, Stage};
use issuance::applications::progress::miss;
use issuance::deed::Object;
use issuance::ground::Role;
use issuance::ground::ids::{ApplicationId, CardId};
use issuance::notices::steps;
use issuance::population::history::EventKind;
use issuance::production::ends::{self, Wanted};
use issuance::production::{ProductionError, withdrawal};
use issuance::web::Problem;
use serde_json::json;
use time::Duration;
use time::macros::date;

use crate::chip::Chip;
use crate::offices::{Offices, appoint, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

async fn on_both(scenario: impl AsyncFn(&Offices)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Box::new(Box::pin(Offices::open(database)).await);
        Box::pin(scenario(offices.as_ref())).await;
    }
}

/// A card that waits, with its slip and its chip.
async fn waits(offices: &Offices, number: u8) -> (ApplicationId, String, CardId, Chip) {
    let application = offices.approved(offices.citizen().await, Kind::First).await;
    let mut chip = offices.initialised(number).await;
    let card = offices.card(&mut chip).await;
    (application.id, application.slip.0, card, chip)
}

async fn misses(offices: &Offices) -> u32 {
    Box::pin(miss(offices.state.deeds())).await.unwrap()
}

async fn notices(offices: &Offices, id: ApplicationId) -> Vec<&'static str> {
    let all = within!(offices, offices.approver, deed => steps::of_application(deed, id)).unwrap();
    all.iter().map(|(notice, _)| notice.kind.word()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_is_not_fetched_in_time_is_kept_and_still_handed_over() {
    on_both(async |offices| {
        let (id, slip, card, _) = waits(offices, 1).await;
        let due = offices.application(id).await.progress.due.unwrap();
        offices.clock.advance(Duration::days((due - offices.clock.today()).whole_days()));
        assert_eq!(misses(offices).await, 0, "on the last day it is in time");
        offices.clock.advance(Duration::days(1));
        let (one, two) = tokio::join!(misses(offices), misses(offices));
        assert_eq!((one + two, misses(offices).await), (1, 0), "two processes at once do it once");
        let application = offices.application(id).await;
        assert!(matches!(application.stage, Stage::NotFetched { .. }), "{:?}", application.stage);
        let (owner, kept) = (application.progress.owner.unwrap(), application.progress.due.unwrap());
        assert_eq!((owner.0.as_str(), owner.1), ("district-1", Role::Stock));
        // Sixty working days from 6 January, over Tết.
        assert!(kept > date!(2027 - 04 - 01) && kept < date!(2027 - 04 - 20), "{kept}");
        assert_eq!(notices(offices, id).await, ["ready", "not-fetched"]);

        let early = within!(offices, offices.stock, deed => withdrawal::give_up(deed, id)).unwrap_err();
        assert!(matches!(early, ProductionError::Kept(day) if day == kept), "{early}");
        assert_eq!(Problem::from(early).code().word(), "period-unfit");
        within!(offices, offices.counter, deed => hand_over::hand_over(deed, card, &slip)).unwrap();
        assert!(matches!(offices.application(id).await.stage, Stage::HandedOver { .. }));
        assert_eq!((misses(offices).await, notices(offices, id).await.len()), (0, 2));
        offices.counts_are_true().await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_card_that_nobody_fetches_is_revoked_and_destroyed_before_two_witnesses() {
    on_both(async |offices| {
        let (id, slip, card, chip) = waits(offices, 1).await;
        let (sod, serial) = (chip.file(File::Sod).to_vec(), chip.presentation().serial);
        let no = within!(offices, offices.stock, deed => withdrawal::give_up(deed, id)).unwrap_err();
        assert_eq!(Problem::from(no).code().word(), "stage-does-not-allow", "it is not late at all");
        offices.clock.advance(Duration::days(60));
        assert_eq!(misses(offices).await, 1);
        offices.clock.advance(Duration::days(120));
        let given_up = within!(offices, offices.stock, deed => withdrawal::give_up(deed, id)).unwrap();
        let Stage::Cancelled { reason, withdrawn: false, given_up: true, decision } = &given_up.stage else {
            panic!("{given_up:?}")
        };
        assert_eq!((reason.as_str(), decision.by), (NOT_FETCHED, offices.stock.id));
        assert_eq!((offices.status(&sod).await.as_str(), offices.revoked().await), ("revoked", 1));
        assert_eq!(notices(offices, id).await, ["ready", "not-fetched", "destroyed"]);
        let late = within!(offices, offices.counter, deed => hand_over::hand_over(deed, card, &slip));
        assert!(late.is_err(), "what is revoked is not handed over");
        let twice = within!(offices, offices.stock, deed => withdrawal::give_up(deed, id)).unwrap_err();
        assert_eq!(Problem::from(twice).code().word(), "stage-does-not-allow");

        let witness = appoint(offices.state.deeds(), Role::HandOver).await;
        let witnesses = [offices.counter.id, witness.id];
        let wanted = Wanted { serials: &[serial], method: "cut", witnesses };
        let proposed = within!(offices, offices.stock, deed => ends::propose_destruction(deed, wanted)).unwrap();
        within!(offices, offices.counter, deed => ends::confirm_destruction(deed, proposed.id)).unwrap();
        let done = within!(offices, witness, deed => ends::confirm_destruction(deed, proposed.id)).unwrap();
        assert!(done.is_done());
        let trail = offices.trail(Object::Application(id)).await;
        for action in ["card-not-fetched", "application-cancelled"] {
            assert_eq!(trail.iter().filter(|told| *told == action).count(), 1, "{trail:?}");
        }
        offices.counts_are_true().await;
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let balances = issuance::production::balances(&mut tx).await.unwrap();
        assert_eq!((balances.sum, balances.complaints()), (0, vec![]));
        drop(tx);
        // The citizen may apply again.
        let person = given_up.person;
        offices.applies(person, Kind::First).await.unwrap();
    })
    .await;
}

/// The words of an officer are no fact: the citizen is not told of a card that never was.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_that_is_cancelled_with_the_words_of_a_card_that_was_not_fetched_had_no_card() {
    on_both(async |offices| {
        let id = offices.applies(offices.citizen().await, Kind::First).await.unwrap().id;
        within!(offices, offices.capture, deed => withdrawal::cancel(deed, id, NOT_FETCHED)).unwrap();
        assert_eq!(notices(offices, id).await, Vec::<&str>::new());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_death_ends_an_application_whose_card_is_kept() {
    on_both(async |offices| {
        let (id, _, _, chip) = waits(offices, 1).await;
        offices.clock.advance(Duration::days(60));
        assert_eq!(misses(offices).await, 1);
        let person = offices.application(id).await.person;
        changes(offices, person, EventKind::Died, json!({"died": "2027-01-10"})).await;
        assert!(matches!(offices.application(id).await.stage, Stage::Cancelled { .. }));
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        assert_eq!(notices(offices, id).await, ["ready", "not-fetched"], "the dead are told nothing");
    })
    .await;
}
