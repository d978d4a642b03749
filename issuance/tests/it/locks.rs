//! The order of locks: chip, application, card. A verb that waits for one of them holds none of those behind it, so
//! that no two wait for each other. On PostgreSQL, where rows are locked singly.

use crypto::lds::{DataGroup, Dg1, Dg13, File};
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::Kind;
use issuance::cards::qr;
use issuance::ground::Role;
use issuance::ground::ids::{ApplicationId, CardId};
use issuance::population::history::EventKind;
use issuance::production::print_jobs::{self, Body};
use issuance::production::withdrawal;
use issuance::web::Problem;
use issuance::{args, sql};
use serde_json::json;
use time::Duration;

use crate::chip::Chip;
use crate::offices::{Offices, appoint, within};
use crate::parcels::Factory;
use crate::register_history::changes;
use crate::tables::fresh_database;

/// True for offices on PostgreSQL.
pub async fn is_postgres(offices: &Offices) -> bool {
    offices.state.deeds().db().begin_read().await.unwrap().pg().is_some()
}

/// Returns once so many transactions of the house wait for a lock.
pub async fn waiting(offices: &Offices, many: u64) {
    let sql = sql!(
        "select count(*) as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    );
    loop {
        let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
        let waiting: u64 = tx.one(sql, args![]).await.unwrap().unwrap().number("n").unwrap();
        drop(tx);
        if waiting >= many {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Runs a verb while another transaction has the application, and looks whether it holds the card meanwhile.
async fn holds_no_card_while_it_waits(
    offices: &Offices,
    (application, card): (ApplicationId, CardId),
    what: &str,
    verb: impl Future<Output = Result<(), &'static str>>,
) {
    let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
    let locked = sql!("select id from application where id = $1");
    tx.one_locked(locked, args![application]).await.unwrap().unwrap();
    let look = async {
        waiting(offices, 1).await;
        let free = sql!("select id from card where id = $1 for no key update nowait");
        let found = tx.one(free, args![card]).await;
        assert!(matches!(found, Ok(Some(_))), "{what} waits for the application with the card in hand");
        tx.commit().await.unwrap();
    };
    let (done, ()) = tokio::join!(verb, look);
    assert_eq!(done, Ok(()), "{what}");
}

fn word<T>(said: Result<T, impl Into<Problem>>) -> Result<(), &'static str> {
    said.map(drop).map_err(|error| error.into().code().word())
}

/// What stands on the body that belongs to a chip, but for the last letter of the code.
fn misread(chip: &Chip) -> (String, String) {
    let zone = Dg1::characters(chip.file(File::DataGroup(DataGroup::DG1))).unwrap();
    let code = qr::text(&Dg13::parse(chip.file(File::DataGroup(DataGroup::DG13))).unwrap());
    (String::from_utf8_lossy(zone).into_owned(), format!("{code}x"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_verb_that_waits_for_an_application_holds_its_card() {
    let Some(url) = fresh_database() else { return };
    let offices = &Box::new(Box::pin(Offices::open(Some(url))).await);
    let mut made = Vec::new();
    for number in 1..=4 {
        let application = offices.approved(offices.citizen().await, Kind::First).await;
        let mut chip = offices.initialised(number).await;
        made.push((application, offices.card(&mut chip).await, chip));
        offices.clock.advance(Duration::seconds(1));
    }
    let of = |at: usize| (made[at].0.id, made[at].1);

    let handed =
        async { word(within!(offices, offices.counter, deed => hand_over(deed, made[0].1, &made[0].0.slip.0))) };
    Box::pin(holds_no_card_while_it_waits(offices, of(0), "a hand-over", handed)).await;

    let (serial, witness) = (made[1].2.serial, &offices.approver);
    within!(offices, offices.stock, deed => withdrawal::write_off(deed, &serial, "bent", witness.id)).unwrap();
    let off = async { word(within!(offices, witness, deed => withdrawal::confirm_write_off(deed, &serial, "bent"))) };
    Box::pin(holds_no_card_while_it_waits(offices, of(1), "a write-off", off)).await;

    let (mrz, code) = misread(&made[2].2);
    let (id, production) = (made[2].0.id, &offices.state.production);
    let quality = appoint(offices.state.deeds(), Role::Stock).await;
    let read = Body { mrz: &mrz, qr: &code, chip: None };
    let check = async { word(within!(offices, quality, deed => print_jobs::check_body(deed, production, id, read))) };
    Box::pin(holds_no_card_while_it_waits(offices, of(2), "a check of a body", check)).await;

    let death = async {
        changes(offices, made[3].0.person, EventKind::Died, json!({"died": "2026-11-20"})).await;
        Ok(())
    };
    Box::pin(holds_no_card_while_it_waits(offices, of(3), "a death", death)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_parcel_that_waits_for_an_application_holds_no_card() {
    let Some(url) = fresh_database() else { return };
    let factory = &Box::new(Box::pin(Factory::open(Some(url))).await);
    let made = Box::pin(factory.makes(1)).await;
    let ship = async { factory.ships(&[made[0].2], "district-1").await.map(drop) };
    let of = (made[0].0.id, made[0].1);
    Box::pin(holds_no_card_while_it_waits(&factory.offices, of, "a parcel", ship)).await;
}

/// The citizen takes the card while it is written off and its body is read: each is done or refused, and none is sent
/// away because two waited for each other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_card_that_three_reach_for_at_once_is_never_too_busy() {
    let Some(url) = fresh_database() else { return };
    let offices = &Box::new(Box::pin(Offices::open(Some(url))).await);
    let quality = &appoint(offices.state.deeds(), Role::Stock).await;
    for number in 1..=6 {
        let application = offices.approved(offices.citizen().await, Kind::First).await;
        let mut chip = offices.initialised(number).await;
        let (card, serial, witness) = (offices.card(&mut chip).await, chip.serial, &offices.approver);
        within!(offices, offices.stock, deed => withdrawal::write_off(deed, &serial, "bent", witness.id)).unwrap();
        let ((mrz, code), production, id) = (misread(&chip), &offices.state.production, application.id);
        let read = Body { mrz: &mrz, qr: &code, chip: None };
        let (handed, off, checked) = tokio::join!(
            async { word(within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0))) },
            async { word(within!(offices, witness, deed => withdrawal::confirm_write_off(deed, &serial, "bent"))) },
            async { word(within!(offices, quality, deed => print_jobs::check_body(deed, production, id, read))) },
        );
        for said in [handed, off, checked] {
            let fits =
                ["application-moved-on", "body-check-needed", "card-status-does-not-allow", "stage-does-not-allow"];
            assert!(said.is_ok() || said.is_err_and(|code| fits.contains(&code)), "{said:?}");
        }
        offices.clock.advance(Duration::seconds(1));
        let stage = offices.application(id).await.stage.name();
        assert!(["approved", "handed-over"].contains(&stage), "{stage}");
        if stage == "approved" {
            let capture = &offices.capture;
            within!(offices, capture, deed => withdrawal::cancel(deed, id, "end of round")).unwrap();
        }
    }
}
