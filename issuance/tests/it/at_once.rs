//! Two at the same moment: one has the effect, the other is told so. On SQLite, and on
//! PostgreSQL, where they really meet.

use crypto::perso;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{ChangeReason, Kind};
use issuance::cards::model::{Revocation, Status};
use issuance::cards::steps as cards;
use issuance::deed::{Object, Occasion};
use issuance::ground::Role;
use issuance::production::withdrawal;
use issuance::web::Problem;
use issuance::{args, numbering, production, sql};

use crate::offices::{LOST, OTHER_PARENTS, Offices, appoint, declaration, enrol, within};
use crate::tables::fresh_database;

/// Runs a scenario on SQLite, then on PostgreSQL.
macro_rules! on_both {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            meet::$name(&Offices::open(None).await).await;
            if let Some(url) = fresh_database() {
                meet::$name(&Offices::open(Some(url)).await).await;
            }
        }
    )* };
}

on_both!(
    two_approvals,
    two_applications_of_one_person,
    two_numbers_for_one_person,
    two_stations_and_one_application,
    two_orders_and_two_receipts,
    two_hand_overs,
    a_loss_and_a_hand_over,
    a_receipt_and_a_write_off,
    a_cancellation_and_a_binding,
);

mod meet {
    use super::*;

    pub async fn two_approvals(offices: &Offices) {
        let other = appoint(offices.state.deeds(), Role::Approver).await;
        for _ in 0..5 {
            let person = offices.citizen().await;
            let application = offices.applies(person, Kind::First).await.unwrap();
            offices.captures(application.id).await;
            let (one, two) = tokio::join!(
                offices.approves(&offices.approver, application.id),
                offices.approves(&other, application.id)
            );
            assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
            let trail = offices.trail(Object::Application(application.id)).await;
            assert_eq!(trail.iter().filter(|action| *action == "application-approved").count(), 1);
        }
    }

    pub async fn two_applications_of_one_person(offices: &Offices) {
        for _ in 0..5 {
            let person = offices.citizen().await;
            let (one, two) = tokio::join!(offices.applies(person, Kind::First), offices.applies(person, Kind::First));
            assert!(one.is_ok() != two.is_ok());
        }
    }

    pub async fn two_numbers_for_one_person(offices: &Offices) {
        let numbers = &offices.state.numbers;
        for _ in 0..5 {
            let person = offices.declares(&declaration()).await;
            let number = async || {
                within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, OTHER_PARENTS)).unwrap()
            };
            let (one, two) = tokio::join!(number(), number());
            assert_eq!(one, two);
            let trail = offices.trail(Object::Person(person)).await;
            assert_eq!(trail, ["number-established", "number-read", "person-declared"]);
        }
    }

    /// Two stations of one office, one waiting application: one gets it, the other nothing.
    pub async fn two_stations_and_one_application(offices: &Offices) {
        let mut number = 50;
        let other = enrol(offices.state.deeds(), "counter-2").await;
        for _ in 0..3 {
            let mine = offices.initialised(number).await;
            let theirs = offices.initialised(number + 1).await;
            number += 2;
            let serials = [theirs.serial];
            within!(offices, offices.stock, deed => production::steps::give_custody(deed, &serials, other.id)).unwrap();
            let person = offices.citizen().await;
            let application = offices.approved(person, Kind::First).await;
            let (one, two) = tokio::join!(offices.prepares(&offices.station, &mine), offices.prepares(&other, &theirs));
            assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
            let stage = offices.application(application.id).await.stage;
            let winner = if one.is_ok() { mine.serial } else { theirs.serial };
            assert_eq!(stage.chip(), Some(winner));
            // A station has no say about a chip of another's.
            let stolen = offices.prepares(&other, &mine).await;
            assert_eq!(Problem::from(stolen.unwrap_err()).code().word(), "chip-in-other-custody");
        }
    }

    /// The same chip presented twice at once: one document, and one card, whichever order is played.
    pub async fn two_orders_and_two_receipts(offices: &Offices) {
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(60).await;
        let (one, two) = tokio::join!(offices.orders(&chip), offices.orders(&chip));
        let (one, _two) = (one.unwrap(), two.unwrap());
        let documents = sql!("select id from document where serial = $1");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(tx.all(documents, args![chip.serial.to_string()]).await.unwrap().len(), 1);
        drop(tx);
        let (receipt, _) = perso::play(&mut chip, &one.order, &mut |_| {});
        let (first, second) =
            tokio::join!(offices.reports(&chip, &one, &receipt), offices.reports(&chip, &one, &receipt));
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        let cards = sql!("select id from card where serial = $1");
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        assert_eq!(tx.all(cards, args![chip.serial.to_string()]).await.unwrap().len(), 1);
    }

    pub async fn two_hand_overs(offices: &Offices) {
        for number in 70..73 {
            let person = offices.citizen().await;
            let application = offices.approved(person, Kind::First).await;
            let mut chip = offices.initialised(number).await;
            let card = offices.card(&mut chip).await;
            let hand = async || within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0));
            let (one, two) = tokio::join!(hand(), hand());
            assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
            let trail = offices.trail(Object::Card(card)).await;
            assert_eq!(trail, ["card-handed-over", "card-personalized"]);
        }
    }

    /// The first of the two says why the old card is revoked; it is revoked either way, and the new one is active.
    pub async fn a_loss_and_a_hand_over(offices: &Offices) {
        for round in 0..3 {
            let person = offices.citizen().await;
            let first = offices.approved(person, Kind::First).await;
            let old = offices.card(&mut offices.initialised(80 + 2 * round).await).await;
            within!(offices, offices.counter, deed => hand_over(deed, old, &first.slip.0)).unwrap();
            let change = offices.approved(person, Kind::Change(ChangeReason::Damaged)).await;
            let new = offices.card(&mut offices.initialised(81 + 2 * round).await).await;
            let hand =
                async || within!(offices, offices.counter, deed => hand_over(deed, new, &change.slip.0)).unwrap();
            let lose = async || within!(offices, offices.counter, deed => cards::report_loss(deed, old, LOST));
            let (revoked, lost) = tokio::join!(hand(), lose());
            assert!(revoked.is_empty() == lost.is_ok(), "exactly one of them revoked it");
            let old = within!(offices, offices.counter, deed => cards::read(deed, old, Occasion::default())).unwrap();
            let why = if lost.is_ok() { Revocation::Lost } else { Revocation::Replaced };
            assert!(matches!(old.status, Status::Revoked { reason, .. } if reason == why), "{:?}", old.status);
            let new = within!(offices, offices.counter, deed => cards::read(deed, new, Occasion::default())).unwrap();
            assert!(matches!(new.status, Status::Active { .. }));
        }
    }

    /// The chip proves itself while the stock office writes it off: a card and then revoked, or no card at all.
    pub async fn a_receipt_and_a_write_off(offices: &Offices) {
        for number in 100..103 {
            let person = offices.citizen().await;
            let application = offices.approved(person, Kind::First).await;
            let mut chip = offices.initialised(number).await;
            let ordered = offices.orders(&chip).await.unwrap();
            let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
            let (serial, witness) = (chip.serial, &offices.approver);
            within!(offices, offices.stock, deed => withdrawal::write_off(deed, &serial, "torn", witness.id)).unwrap();
            let off = async || within!(offices, witness, deed => withdrawal::confirm_write_off(deed, &serial, "torn"));
            let (_, written) = tokio::join!(offices.reports(&chip, &ordered, &receipt), off());
            written.unwrap();
            assert_eq!(offices.status(chip.file(crypto::lds::File::Sod)).await, "revoked");
            assert_eq!(offices.application(application.id).await.stage.name(), "approved");
            let capture = &offices.capture;
            within!(offices, capture, deed => withdrawal::cancel(deed, application.id, "end of round")).unwrap();
        }
    }

    /// Neither waits for ever, and no chip stays bound to a cancelled application.
    pub async fn a_cancellation_and_a_binding(offices: &Offices) {
        for number in 110..115 {
            let person = offices.citizen().await;
            let application = offices.approved(person, Kind::First).await;
            let chip = offices.initialised(number).await;
            let cancel =
                async || within!(offices, offices.capture, deed => withdrawal::cancel(deed, application.id, "moved"));
            let (ordered, cancelled) = tokio::join!(offices.orders(&chip), cancel());
            if cancelled.is_err() {
                // The binding came between its look and its lock: the officer looks again.
                cancel().await.unwrap();
            }
            assert_eq!(offices.application(application.id).await.stage.name(), "cancelled");
            let later = offices.orders(&chip).await;
            assert!(later.is_err(), "{ordered:?} {later:?}");
        }
    }
}
