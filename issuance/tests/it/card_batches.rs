//! Batches of cards: released by two officers, taken by stations under a lease with a fence, closed when each
//! application is a card or has left. On SQLite and on PostgreSQL.

use std::collections::BTreeMap;

use crypto::identity::CardSerial;
use crypto::perso::{self, Receipt};
use issuance::applications::model::{Application, Kind, Stage};
use issuance::applications::steps as counter;
use issuance::deed::Object;
use issuance::ground::ids::{ApplicationId, CardBatchId};
use issuance::ground::{Officer, Role, Station};
use issuance::population::history::EventKind;
use issuance::production::card_batches::{self, CardBatch, Wanted};
use issuance::production::personalization::{self, Ordered, PersonalizationOutcome, Proof, Wish};
use issuance::production::recalls::{self, RecallKind};
use issuance::production::{self, ProductionError, withdrawal};
use issuance::web::Problem;
use issuance::{args, sql};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use time::Duration;

use crate::chip::Chip;
use crate::offices::{Offices, appoint, enrol, moves, within};
use crate::register_history::changes;
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            Box::pin(batched::$name(&Offices::open(None).await)).await;
            if let Some(url) = fresh_database() {
                Box::pin(batched::$name(&Offices::open(Some(url)).await)).await;
            }
        }
    )* };
}

on_both!(
    a_batch_is_released_by_another_officer_and_by_no_other_session_of_the_same_one,
    what_is_in_a_batch_is_bound_from_it_alone_and_in_its_order,
    a_batch_closes_when_each_application_is_a_card_or_has_left_it,
    a_paused_batch_gives_no_item_and_what_is_begun_is_finished,
    what_is_not_begun_can_be_taken_out_of_a_batch,
    a_silent_chip_loses_its_item_only_when_no_other_waits_and_the_lease_ran_out,
    a_late_receipt_is_believed_while_the_item_is_with_its_chip,
    a_lease_that_was_given_under_a_clock_that_was_ahead_holds_no_item,
    of_several_askers_each_gets_the_item_of_a_silent_chip,
    a_process_that_lost_the_lease_gets_no_order,
    a_citizen_who_dies_leaves_the_batch,
    a_recalled_chip_gets_no_item_and_the_item_waits,
    a_station_of_another_office_gets_no_item,
);

fn word<T>(said: Result<T, impl Into<Problem>>) -> Result<T, &'static str> {
    said.map_err(|error| error.into().code().word())
}

/// The applications of so many citizens, approved one after the other.
async fn approved(offices: &Offices, citizens: usize) -> Vec<Application> {
    let mut approved = Vec::new();
    for _ in 0..citizens {
        let person = offices.citizen().await;
        approved.push(offices.approved(person, Kind::First).await);
        offices.clock.advance(Duration::seconds(1));
    }
    approved
}

async fn drafts(offices: &Offices, by: &Officer, most: u32) -> CardBatchId {
    let wanted = Wanted { priority: 1, cut_off: None, most };
    within!(offices, by, deed => card_batches::draft(deed, wanted)).unwrap().id
}

async fn releases(offices: &Offices, by: &Officer, id: CardBatchId) -> Result<CardBatch, &'static str> {
    word(within!(offices, by, deed => card_batches::release(deed, id)))
}

/// A batch of what is approved, released by two officers.
async fn released(offices: &Offices, most: u32) -> CardBatchId {
    let second = appoint(offices.state.deeds(), Role::Stock).await;
    let id = drafts(offices, &offices.stock, most).await;
    releases(offices, &second, id).await.unwrap();
    id
}

/// Asks for an order for a chip, as a station does that works on a batch.
async fn orders(
    offices: &Offices,
    station: &Station,
    chip: &Chip,
    wish: Wish<'_>,
    fence: Option<u64>,
) -> Result<Ordered, ProductionError> {
    let (deeds, production, presentation) = (offices.state.deeds(), &offices.state.production, chip.presentation());
    let given = personalization::prepare(deeds, production, station, &presentation, wish).await?;
    let fence = given.or(fence);
    within!(offices, station, deed => personalization::order(deed, production, &presentation, fence))
}

async fn takes(offices: &Offices, chip: &Chip, batch: CardBatchId) -> Result<Ordered, &'static str> {
    word(orders(offices, &offices.station, chip, Wish::Batch(batch), None).await)
}

fn plays(chip: &mut Chip, ordered: &Ordered) -> (Receipt, Vec<u8>) {
    let (receipt, _) = perso::play(chip, &ordered.order, &mut |_| {});
    (receipt, chip.signs(&ordered.challenge))
}

async fn receives(
    offices: &Offices,
    station: &Station,
    ordered: &Ordered,
    (receipt, signature): &(Receipt, Vec<u8>),
) -> Result<PersonalizationOutcome, &'static str> {
    let production = &offices.state.production;
    let proof = Some(Proof { challenge: &ordered.challenge, signature });
    word(within!(offices, station, deed => personalization::receipt(deed, production, receipt, proof)))
}

/// Makes a chip the card of the next item.
async fn makes(offices: &Offices, chip: &mut Chip, batch: CardBatchId) -> Result<ApplicationId, &'static str> {
    let ordered = takes(offices, chip, batch).await?;
    let played = plays(chip, &ordered);
    receives(offices, &offices.station, &ordered, &played).await?;
    Ok(ordered.application)
}

/// Waiting, leased, done, left, spoiled chips.
async fn counted(offices: &Offices, batch: CardBatchId) -> [u64; 5] {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    let progress = card_batches::progress(&mut tx, batch, offices.clock.now()).await.unwrap();
    let counts = progress.counts;
    [counts.waiting, counts.leased, counts.done, counts.left, counts.spoiled()]
}

async fn closes(offices: &Offices, batch: CardBatchId) -> Result<[u64; 3], &'static str> {
    let closed = word(within!(offices, offices.stock, deed => card_batches::close(deed, batch)))?.closed.unwrap();
    Ok([closed.good, closed.left, closed.spoiled])
}

/// Another session of the same officer.
async fn in_another_session(offices: &Offices, officer: &Officer) -> Officer {
    let deeds = offices.state.deeds();
    let officer = Officer { session: deeds.source().id(), ..officer.clone() };
    let mut tx = deeds.db().begin_upkeep().await.unwrap();
    let session = sql!(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $4)"
    );
    let token = officer.session.to_string().into_bytes();
    tx.run(session, args![officer.session, token, officer.id, deeds.source().now()]).await.unwrap();
    tx.seal(&issuance::access::SESSION, officer.session).await.unwrap();
    tx.commit().await.unwrap();
    officer
}

mod batched {
    use super::*;

    pub async fn a_batch_is_released_by_another_officer_and_by_no_other_session_of_the_same_one(offices: &Offices) {
        let applications = approved(offices, 2).await;
        let id = drafts(offices, &offices.stock, 10).await;
        let again = in_another_session(offices, &offices.stock).await;
        assert_eq!(releases(offices, &again, id).await.map(drop), Err("second-officer-needed"), "one person");
        let chip = offices.initialised(1).await;
        assert_eq!(takes(offices, &chip, id).await.map(drop), Err("batch-unknown"), "a draft holds nothing");
        let deeds = offices.state.deeds();
        let far = moves(deeds, &appoint(deeds, Role::Stock).await, "district-2").await;
        assert_eq!(releases(offices, &far, id).await.map(drop), Err("other-office"));
        let second = appoint(deeds, Role::Stock).await;
        let batch = releases(offices, &second, id).await.unwrap();
        assert_eq!((batch.items, batch.released.unwrap().by), (Some(2), second.id));
        assert_eq!(releases(offices, &second, id).await.map(drop), Err("batch-state-unfit"), "once");
        for application in &applications {
            let trail = offices.trail(Object::Application(application.id)).await;
            assert!(trail.contains(&"application-batched".to_owned()), "{trail:?}");
        }
        // A draft that is a week old, or whose officer has left, is drafted anew.
        let old = drafts(offices, &second, 10).await;
        offices.clock.advance(Duration::days(7));
        let fresh = in_another_session(offices, &offices.stock).await;
        assert_eq!(releases(offices, &fresh, old).await.map(drop), Err("proposal-stale"));
    }

    pub async fn what_is_in_a_batch_is_bound_from_it_alone_and_in_its_order(offices: &Offices) {
        let applications = approved(offices, 3).await;
        // It takes those that were approved first, and no more than it may.
        let id = released(offices, 2).await;
        let mut chip = offices.initialised(1).await;
        let slip = &applications[0].slip;
        assert_eq!(word(offices.prepares_for(slip, &chip).await), Err("slip-not-waiting"));
        let other = orders(offices, &offices.station, &chip, Wish::Next, None).await.unwrap();
        assert_eq!(
            (other.application, other.lease.is_none()),
            (applications[2].id, true),
            "the queue is what is in no batch"
        );
        let played = plays(&mut chip, &other);
        receives(offices, &offices.station, &other, &played).await.unwrap();
        let mut made = Vec::new();
        for number in 2..=3 {
            let mut chip = offices.initialised(number).await;
            made.push(makes(offices, &mut chip, id).await.unwrap());
        }
        assert_eq!(made, [applications[0].id, applications[1].id]);
        let left_over = offices.initialised(4).await;
        assert_eq!(takes(offices, &left_over, id).await.map(drop), Err("batch-exhausted"));
        assert_eq!(word(offices.prepares(&offices.station, &left_over).await), Err("nothing-to-personalize"));
    }

    pub async fn a_batch_closes_when_each_application_is_a_card_or_has_left_it(offices: &Offices) {
        let applications = approved(offices, 3).await;
        let id = released(offices, 10).await;
        let mut card = offices.initialised(1).await;
        makes(offices, &mut card, id).await.unwrap();
        let torn = offices.initialised(2).await;
        takes(offices, &torn, id).await.unwrap();
        assert_eq!(counted(offices, id).await, [1, 1, 1, 0, 0]);
        assert_eq!(closes(offices, id).await, Err("batch-unfinished"));
        within!(offices, offices.station, deed => withdrawal::spoil(deed, &torn.serial, "torn", "none")).unwrap();
        assert_eq!(counted(offices, id).await, [2, 0, 1, 0, 1], "the application waits for another chip");
        let mut next = offices.initialised(3).await;
        assert_eq!(makes(offices, &mut next, id).await, Ok(applications[1].id), "it is the first one that waits");
        let withdrawn = applications[2].id;
        within!(offices, offices.capture, deed => counter::withdraw(deed, withdrawn, "Không còn nhu cầu")).unwrap();
        assert_eq!(counted(offices, id).await, [0, 0, 2, 1, 1]);
        assert_eq!(closes(offices, id).await, Ok([2, 1, 1]));
        assert_eq!(closes(offices, id).await, Err("batch-state-unfit"), "once");
        let blank = offices.initialised(4).await;
        assert_eq!(takes(offices, &blank, id).await.map(drop), Err("batch-closed"));
        // What was a card and is spoiled afterwards waits in the queue, and is in no batch.
        let witness = offices.approver.clone();
        within!(offices, offices.stock, deed => withdrawal::write_off(deed, &card.serial, "bent", witness.id)).unwrap();
        within!(offices, witness, deed => withdrawal::confirm_write_off(deed, &card.serial, "bent")).unwrap();
        let ordered = orders(offices, &offices.station, &blank, Wish::Next, None).await.unwrap();
        assert_eq!(ordered.application, applications[0].id);
    }

    pub async fn a_paused_batch_gives_no_item_and_what_is_begun_is_finished(offices: &Offices) {
        approved(offices, 2).await;
        let id = released(offices, 10).await;
        let (mut begun, blank) = (offices.initialised(1).await, offices.initialised(2).await);
        takes(offices, &begun, id).await.unwrap();
        let pause = async |reason: &'static str| {
            word(within!(offices, offices.stock, deed => card_batches::pause(deed, id, reason))).map(drop)
        };
        assert_eq!(pause("  ").await, Err("evidence-missing"));
        assert_eq!(pause("the printer is out of ribbon").await, Ok(()));
        assert_eq!(pause("again").await, Err("batch-state-unfit"));
        assert_eq!(takes(offices, &blank, id).await.map(drop), Err("batch-paused"));
        assert!(makes(offices, &mut begun, id).await.is_ok(), "a chip that is bound is finished");
        within!(offices, offices.stock, deed => card_batches::resume(deed, id)).unwrap();
        assert!(takes(offices, &blank, id).await.is_ok());
    }

    pub async fn what_is_not_begun_can_be_taken_out_of_a_batch(offices: &Offices) {
        let applications = approved(offices, 3).await;
        let id = released(offices, 10).await;
        let (mut card, begun) = (offices.initialised(1).await, offices.initialised(2).await);
        makes(offices, &mut card, id).await.unwrap();
        takes(offices, &begun, id).await.unwrap();
        let cancelled = within!(offices, offices.stock, deed => card_batches::cancel(deed, id, "no blanks left"));
        assert_eq!(cancelled.unwrap().state.word(), "released", "what is begun goes on");
        assert_eq!(counted(offices, id).await, [0, 1, 1, 1, 0]);
        let blank = offices.initialised(3).await;
        assert_eq!(takes(offices, &blank, id).await.map(drop), Err("batch-exhausted"));
        let free = orders(offices, &offices.station, &blank, Wish::Next, None).await.unwrap();
        assert_eq!(free.application, applications[2].id, "it waits in the queue again");
        let draft = drafts(offices, &offices.stock, 10).await;
        let ended = within!(offices, offices.stock, deed => card_batches::cancel(deed, draft, "not needed")).unwrap();
        assert_eq!(ended.state.word(), "closed");
    }

    pub async fn a_silent_chip_loses_its_item_only_when_no_other_waits_and_the_lease_ran_out(offices: &Offices) {
        let applications = approved(offices, 2).await;
        let id = released(offices, 10).await;
        let other = enrol(offices.state.deeds(), "counter-2").await;
        let (mut silent, mut second, mut third) =
            (offices.initialised(1).await, offices.initialised(2).await, offices.initialised(3).await);
        let late = takes(offices, &silent, id).await.unwrap();
        let played = plays(&mut silent, &late);
        // The station vanishes with the receipt. Its item is its own until the lease ran out.
        offices.clock.advance(Duration::minutes(10));
        let taken = makes(offices, &mut second, id).await.unwrap();
        assert_eq!(taken, applications[1].id, "one that waits comes before one that is silent");
        assert_eq!(takes(offices, &third, id).await.map(drop), Err("batch-exhausted"), "the lease is not over");
        offices.clock.advance(Duration::seconds(1));
        let before = offices.revoked().await;
        let foreign = orders(offices, &other, &third, Wish::Batch(id), None).await;
        assert_eq!(word(foreign).map(drop), Err("chip-in-other-custody"));
        let ordered = takes(offices, &third, id).await.unwrap();
        assert_eq!((ordered.application, ordered.lease.as_ref().unwrap().fence), (applications[0].id, 2));
        assert_eq!(offices.revoked().await, before + 1, "what may stand on the silent chip is refused by kiosks");
        assert_eq!(counted(offices, id).await, [0, 1, 1, 0, 1]);
        // Whatever the old holder says now is refused with a code of its own.
        let refused = receives(offices, &offices.station, &late, &played).await;
        assert_eq!(refused.map(drop), Err("batch-item-elsewhere"));
        assert_eq!(takes(offices, &silent, id).await.map(drop), Err("batch-item-elsewhere"));
        let played = plays(&mut third, &ordered);
        receives(offices, &offices.station, &ordered, &played).await.unwrap();
        let refused = receives(offices, &offices.station, &late, &plays(&mut silent, &late)).await;
        assert_eq!(refused.map(drop), Err("batch-item-elsewhere"), "also after the other one is the card");
        assert_eq!(closes(offices, id).await, Ok([2, 0, 1]));
    }

    pub async fn a_lease_that_was_given_under_a_clock_that_was_ahead_holds_no_item(offices: &Offices) {
        let applications = approved(offices, 2).await;
        let id = released(offices, 10).await;
        let (ahead, renewed, next) =
            (offices.initialised(1).await, offices.initialised(2).await, offices.initialised(3).await);
        offices.clock.jump(Duration::days(1));
        takes(offices, &ahead, id).await.unwrap();
        takes(offices, &renewed, id).await.unwrap();
        offices.clock.jump(Duration::days(-1));
        // A chip that is still at work gets a lease of today.
        let now = offices.clock.now();
        let order = orders(offices, &offices.station, &renewed, Wish::Batch(id), Some(1)).await.unwrap();
        let lease = order.lease.unwrap();
        assert!((now..=now + Duration::minutes(10)).contains(&lease.until), "{}", lease.until);
        assert_eq!(lease.fence, 1, "the holder keeps its fence");
        // The item of one that went silent is not kept until tomorrow.
        let taken = takes(offices, &next, id).await.unwrap();
        assert_eq!(taken.application, applications[0].id);
        assert_eq!(takes(offices, &ahead, id).await.map(drop), Err("batch-item-elsewhere"));
        let last = offices.initialised(4).await;
        assert_eq!(takes(offices, &last, id).await.map(drop), Err("batch-exhausted"), "leases of today hold");
    }

    pub async fn of_several_askers_each_gets_the_item_of_a_silent_chip(offices: &Offices) {
        let applications = approved(offices, 3).await;
        let id = released(offices, 10).await;
        let mut silent = Vec::new();
        for number in 1..=3 {
            let chip = offices.initialised(number).await;
            takes(offices, &chip, id).await.unwrap();
            silent.push(chip.serial);
        }
        let askers = [4, 5, 6];
        let mut chips = Vec::new();
        for number in askers {
            chips.push(offices.initialised(number).await);
        }
        offices.clock.advance(Duration::minutes(11));
        // All of them find the same chip silent, and wait for it.
        let held = match crate::locks::is_postgres(offices).await {
            true => {
                let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
                let sql = sql!("select id from chip where id = $1");
                tx.one_locked(sql, args![silent[0].to_string()]).await.unwrap().unwrap();
                Some(tx)
            }
            false => None,
        };
        let lets_go = async {
            if let Some(tx) = held {
                crate::locks::waiting(offices, 3).await;
                tx.commit().await.unwrap();
            }
        };
        let take = async |chip| takes(offices, chip, id).await.map(|ordered| ordered.application);
        let (one, two, three, ()) = tokio::join!(take(&chips[0]), take(&chips[1]), take(&chips[2]), lets_go);
        let mut taken: Vec<ApplicationId> = [one, two, three].into_iter().map(Result::unwrap).collect();
        taken.sort_unstable();
        let mut all: Vec<ApplicationId> = applications.iter().map(|application| application.id).collect();
        all.sort_unstable();
        assert_eq!(taken, all, "each has an item of its own");
        assert_eq!(counted(offices, id).await, [0, 3, 0, 0, 3]);
    }

    pub async fn a_late_receipt_is_believed_while_the_item_is_with_its_chip(offices: &Offices) {
        let applications = approved(offices, 1).await;
        let id = released(offices, 10).await;
        let mut chip = offices.initialised(1).await;
        let ordered = takes(offices, &chip, id).await.unwrap();
        let played = plays(&mut chip, &ordered);
        offices.clock.advance(Duration::days(2));
        let outcome = receives(offices, &offices.station, &ordered, &played).await.unwrap();
        assert!(matches!(outcome, PersonalizationOutcome::Personalized { .. }), "{outcome:?}");
        let stage = offices.application(applications[0].id).await.stage;
        assert!(matches!(stage, Stage::Personalized { .. }), "{stage:?}");
        let blank = offices.initialised(2).await;
        assert_eq!(takes(offices, &blank, id).await.map(drop), Err("batch-exhausted"), "nothing is made twice");
    }

    pub async fn a_process_that_lost_the_lease_gets_no_order(offices: &Offices) {
        approved(offices, 1).await;
        let id = released(offices, 10).await;
        let mut chip = offices.initialised(1).await;
        let old = takes(offices, &chip, id).await.unwrap();
        let fence = old.lease.as_ref().unwrap().fence;
        let asks = async |chip: &Chip, fence| {
            let ordered = orders(offices, &offices.station, chip, Wish::Batch(id), fence).await;
            word(ordered).map(|ordered| ordered.lease.unwrap().fence)
        };
        assert_eq!((fence, asks(&chip, Some(1)).await), (1, Ok(1)), "the holder keeps its fence");
        // The program starts again and knows no fence; what the old process still asks is refused.
        assert_eq!(asks(&chip, None).await, Ok(2));
        assert_eq!(asks(&chip, Some(1)).await, Err("lease-lost"));
        let order = orders(offices, &offices.station, &chip, Wish::Batch(id), Some(2)).await.unwrap();
        assert_eq!(order.lease.as_ref().unwrap().fence, 2);
        let played = plays(&mut chip, &order);
        assert!(receives(offices, &offices.station, &order, &played).await.is_ok());
        assert_eq!(receives(offices, &offices.station, &order, &played).await.map(drop), Err("challenge-used"));
    }

    pub async fn a_citizen_who_dies_leaves_the_batch(offices: &Offices) {
        let applications = approved(offices, 2).await;
        let id = released(offices, 10).await;
        let chip = offices.initialised(1).await;
        takes(offices, &chip, id).await.unwrap();
        for application in &applications {
            changes(offices, application.person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        }
        assert_eq!(counted(offices, id).await, [0, 0, 0, 2, 1], "one on a chip, one that waited");
        assert_eq!(takes(offices, &offices.initialised(2).await, id).await.map(drop), Err("batch-exhausted"));
        assert_eq!(closes(offices, id).await, Ok([0, 2, 1]));
    }

    pub async fn a_station_of_another_office_gets_no_item(offices: &Offices) {
        approved(offices, 1).await;
        let id = released(offices, 10).await;
        let chip = offices.initialised(1).await;
        let far = Station { office: "district-2".parse().unwrap(), ..offices.station.clone() };
        let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
        let sql = sql!("update station set office = 'district-2' where id = $1");
        assert_eq!(tx.change(&issuance::access::STATION, far.id, sql, args![far.id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let asked = orders(offices, &far, &chip, Wish::Batch(id), None).await;
        assert_eq!(word(asked).map(drop), Err("batch-unknown"), "that there is one is not told");
        assert_eq!(counted(offices, id).await, [1, 0, 0, 0, 0]);
    }

    pub async fn a_recalled_chip_gets_no_item_and_the_item_waits(offices: &Offices) {
        approved(offices, 1).await;
        let id = released(offices, 10).await;
        let chip = offices.initialised(1).await;
        let deeds = offices.state.deeds();
        let one = moves(deeds, &appoint(deeds, Role::Stock).await, "national").await;
        let two = moves(deeds, &appoint(deeds, Role::Stock).await, "national").await;
        let wanted = recalls::Wanted { kind: RecallKind::Lot, value: "1", manufacturer: None, reason: "weak numbers" };
        let recall = within!(offices, one, deed => recalls::propose(deed, wanted)).unwrap().id;
        within!(offices, two, deed => recalls::confirm(deed, recall)).unwrap();
        assert_eq!(takes(offices, &chip, id).await.map(drop), Err("chip-recalled"));
        assert_eq!(counted(offices, id).await, [1, 0, 0, 0, 0]);
    }
}

/// One step of a history: what is done, with which chip, and whether it dies just before it becomes true.
type Moment = (Step, u8, bool);

#[derive(Clone, Copy, Debug)]
enum Step {
    /// A chip is presented, and an order asked for.
    Present,
    /// As [`Present`](Self::Present), by the process that has the fence.
    PresentAgain,
    /// A chip plays its last order.
    Play,
    /// The last receipt of a chip is sent, perhaps once more, perhaps late.
    Report,
    /// A station gives a chip up.
    Spoil,
    /// Time passes: leases run out.
    Wait,
    Pause,
    Resume,
}

fn histories() -> impl Strategy<Value = Vec<Moment>> {
    let step = prop_oneof![
        6 => Just(Step::Present),
        2 => Just(Step::PresentAgain),
        6 => Just(Step::Play),
        6 => Just(Step::Report),
        1 => Just(Step::Spoil),
        2 => Just(Step::Wait),
        1 => Just(Step::Pause),
        2 => Just(Step::Resume),
    ];
    proptest::collection::vec((step, any::<u8>(), prop::bool::weighted(0.25)), 20..50)
}

/// A chip on a reader, and what its station still has of it.
struct Held {
    chip: Chip,
    station: Station,
    ordered: Option<Ordered>,
    played: Option<(Receipt, Vec<u8>)>,
}

struct Factory {
    offices: Offices,
    batch: CardBatchId,
    chips: Vec<Held>,
}

const CITIZENS: u64 = 3;
const CHIPS: u8 = 7;

impl Factory {
    async fn open(database: Option<String>) -> Self {
        let offices = Offices::open(database).await;
        approved(&offices, usize::try_from(CITIZENS).unwrap()).await;
        let batch = released(&offices, 10).await;
        let mut chips = Vec::new();
        for number in 1..=CHIPS {
            let (chip, station) = (offices.initialised(number).await, offices.station.clone());
            chips.push(Held { chip, station, ordered: None, played: None });
        }
        Self { offices, batch, chips }
    }

    async fn does(&mut self, (step, which, dies): Moment) {
        let (offices, batch) = (&self.offices, self.batch);
        let which = usize::from(which) % self.chips.len();
        let held = &mut self.chips[which];
        let production = &offices.state.production;
        match step {
            Step::Present | Step::PresentAgain => {
                let (deeds, presentation) = (offices.state.deeds(), held.chip.presentation());
                let prepared =
                    personalization::prepare(deeds, production, &held.station, &presentation, Wish::Batch(batch)).await;
                // The service dies between the binding and the order.
                let Ok(given) = prepared else { return };
                if dies {
                    return;
                }
                let known = held.ordered.as_ref().and_then(|ordered| ordered.lease.as_ref()).map(|lease| lease.fence);
                let fence = if matches!(step, Step::PresentAgain) { known } else { None };
                let fence = given.or(fence);
                let station = held.station.clone();
                let ordered =
                    within!(offices, station, deed => personalization::order(deed, production, &presentation, fence));
                if let Ok(ordered) = ordered {
                    (held.ordered, held.played) = (Some(ordered), None);
                }
            }
            Step::Play => {
                if let Some(ordered) = &held.ordered {
                    held.chip.dies_after = dies.then_some(5);
                    let (receipt, _) = perso::play(&mut held.chip, &ordered.order, &mut |_| {});
                    held.chip.dies_after = None;
                    let signature = held.chip.signs(&ordered.challenge);
                    held.played = Some((receipt, signature));
                }
            }
            Step::Report => {
                if let Some((ordered, (receipt, signature))) = held.ordered.as_ref().zip(held.played.as_ref()) {
                    let proof = Some(Proof { challenge: &ordered.challenge, signature });
                    let mut deed = offices.state.deeds().open(held.station.clone()).await.unwrap();
                    let said = personalization::receipt(&mut deed, production, receipt, proof).await;
                    if said.is_ok() && !dies {
                        deed.commit().await.unwrap();
                    }
                }
            }
            Step::Spoil => {
                let mut deed = offices.state.deeds().open(held.station.clone()).await.unwrap();
                if withdrawal::spoil(&mut deed, &held.chip.serial, "torn", "none").await.is_ok() && !dies {
                    deed.commit().await.unwrap();
                }
            }
            Step::Wait => offices.clock.advance(Duration::minutes(11)),
            Step::Pause => {
                _ = within!(offices, offices.stock, deed => card_batches::pause(deed, batch, "a look at the tray"));
            }
            Step::Resume => _ = within!(offices, offices.stock, deed => card_batches::resume(deed, batch)),
        }
    }

    /// What must hold after every step: nothing is lost, nothing is doubled.
    async fn is_in_order(&self) {
        let [waiting, leased, done, left, spoiled] = counted(&self.offices, self.batch).await;
        assert_eq!((waiting + leased + done, left), (CITIZENS, 0), "each application is somewhere, once");
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let rows = tx.all(sql!("select id, state, state_data from chip order by id"), args![]).await.unwrap();
        let mut cards = BTreeMap::<String, Vec<CardSerial>>::new();
        let mut by_state = BTreeMap::<String, u64>::new();
        for row in &rows {
            let (state, data): (String, serde_json::Value) =
                (row.get("state").unwrap(), row.json("state_data").unwrap());
            *by_state.entry(state.clone()).or_default() += 1;
            if let Some(application) = data["application"].as_str().filter(|_| state != "spoiled") {
                cards.entry(application.to_owned()).or_default().push(row.parsed("id").unwrap());
            }
        }
        for (application, serials) in &cards {
            assert_eq!(serials.len(), 1, "{application} is on two chips: {serials:?}");
        }
        let of = |state: &str| by_state.get(state).copied().unwrap_or(0);
        assert_eq!((of("bound"), of("personalized")), (leased, done), "chips are what the items say");
        assert!(of("spoiled") >= spoiled, "a chip that was spoiled before it was bound is none of the batch");
        let active = sql!("select count(*) as n from card where status = 'personalized'");
        let active: u64 = tx.one(active, args![]).await.unwrap().unwrap().number("n").unwrap();
        assert_eq!(active, done);
        let balances = production::balances(&mut tx).await.unwrap();
        assert_eq!((balances.sum, balances.complaints()), (0, vec![]));
        let alarms = production::disagreements(&mut tx, self.offices.clock.now()).await.unwrap();
        assert_eq!(alarms, Vec::<String>::new(), "what was signed and what was produced agree");
    }

    /// Finishes what the chips that are left can finish; then the batch closes, and in = good + left.
    async fn ends(&mut self) {
        let (offices, batch) = (&self.offices, self.batch);
        _ = within!(offices, offices.stock, deed => card_batches::resume(deed, batch));
        for _ in 0..3 {
            offices.clock.advance(Duration::minutes(11));
            for held in &mut self.chips {
                let Ok(ordered) = takes(offices, &held.chip, batch).await else { continue };
                let played = plays(&mut held.chip, &ordered);
                assert!(receives(offices, &held.station, &ordered, &played).await.is_ok());
            }
        }
        let [waiting, leased, done, _, _] = counted(offices, batch).await;
        let blanks = self.blanks().await;
        assert!(leased == 0 && (waiting == 0 || blanks == 0), "{waiting} wait beside {blanks} blanks");
        if waiting == 0 {
            assert_eq!((closes(offices, batch).await.unwrap()[0], done), (CITIZENS, CITIZENS));
        } else {
            assert_eq!(closes(offices, batch).await, Err("batch-unfinished"));
        }
    }

    async fn blanks(&self) -> u64 {
        let mut tx = self.offices.state.deeds().db().begin_read().await.unwrap();
        let sql = sql!("select count(*) as n from chip where state = 'initialised'");
        tx.one(sql, args![]).await.unwrap().unwrap().number("n").unwrap()
    }
}

async fn lived(history: Vec<Moment>, database: Option<String>) {
    let mut factory = Box::pin(Factory::open(database)).await;
    for moment in history {
        Box::pin(factory.does(moment)).await;
        factory.offices.clock.advance(Duration::seconds(1));
        Box::pin(factory.is_in_order()).await;
    }
    Box::pin(factory.ends()).await;
    Box::pin(factory.is_in_order()).await;
}

fn histories_double_nothing(cases: u32, database: impl Fn() -> Option<Option<String>>) {
    let config = Config { cases, max_shrink_iters: 24, failure_persistence: None, ..Config::default() };
    let lived = |history| {
        let Some(database) = database() else { return Ok(()) };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(Box::pin(lived(history, database)));
        Ok(())
    };
    TestRunner::new(config).run(&histories(), lived).unwrap();
}

#[test]
fn random_histories_with_crashes_and_lost_leases_double_nothing_on_sqlite() {
    histories_double_nothing(6, || Some(None));
}

#[test]
fn random_histories_with_crashes_and_lost_leases_double_nothing_on_postgresql() {
    histories_double_nothing(2, || fresh_database().map(Some));
}
