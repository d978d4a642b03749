//! A chip key is used once, for ever: a second chip with a known key is refused, on both databases.

use crypto::identity::CardSerial;
use crypto::perso;
use crypto::scp03::MasterKey;
use issuance::production::intake::{self, IntakeOutcome};
use issuance::production::steps::Delivery;
use issuance::production::{self, ProductionError, withdrawal};
use issuance::web::Problem;
use issuance::{args, sql};

use crate::chip::Chip;
use crate::offices::{Offices, TRANSPORT_MASTER, within};
use crate::postgres::fresh_database;

/// A blank that makes the same keys as every other one with this number: the test chip's randomness follows from the
/// last byte of its serial.
async fn twin(offices: &Offices, series: u8, number: u8) -> Chip {
    let serial = CardSerial([series, 1, 2, 3, 4, 5, 6, 7, 8, number]);
    let (serials, production, station) = ([serial], &offices.state.production, offices.station.id);
    let delivery = Delivery { manufacturer: "Maker", batch: "twins", transport_key_id: "maker", serials: &serials };
    within!(offices, offices.stock, deed => production::steps::deliver(deed, production, delivery)).unwrap();
    within!(offices, offices.stock, deed => production::steps::give_custody(deed, &serials, station)).unwrap();
    Chip::blank(serial, MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff))
}

async fn known_keys(offices: &Offices) -> i64 {
    let mut tx = offices.state.deeds().db().begin_read().await.unwrap();
    tx.one(sql!("select count(*) as n from chip_key"), args![]).await.unwrap().unwrap().get("n").unwrap()
}

fn is_refused(outcome: Result<IntakeOutcome, ProductionError>) {
    let problem = Problem::from(outcome.unwrap_err());
    assert_eq!(problem.code().word(), "chip-key-known");
    assert_eq!(problem.code().about().word(), "chip");
}

async fn a_second_chip_with_a_known_key_is_refused(offices: &Offices) {
    let (mut first, mut second) = (twin(offices, 0x10, 1).await, twin(offices, 0x20, 1).await);
    assert_eq!(offices.takes_in(&mut first).await.unwrap(), IntakeOutcome::Initialised);
    assert_eq!(known_keys(offices).await, 2, "both keys of the chip");
    is_refused(offices.takes_in(&mut second).await);
    assert_eq!(known_keys(offices).await, 2);
    // The chip itself is a blank of the ledger still, and never becomes a card with these keys.
    is_refused(offices.takes_in(&mut second).await);
    let another = offices.initialised(2).await;
    assert_ne!(another.serial, first.serial);
    assert_eq!(known_keys(offices).await, 4);
}

async fn the_keys_of_a_spoiled_chip_stay_known(offices: &Offices) {
    let (mut first, mut second) = (twin(offices, 0x30, 3).await, twin(offices, 0x40, 3).await);
    offices.takes_in(&mut first).await.unwrap();
    let serial = first.serial;
    within!(offices, offices.station, deed => withdrawal::spoil(deed, &serial, "torn", "journal 1")).unwrap();
    is_refused(offices.takes_in(&mut second).await);
}

/// Both receipts at the same moment: one chip has the keys, the other is refused, and none waits for ever.
async fn two_receipts_with_one_key_pair_at_once(offices: &Offices) {
    let production = &offices.state.production;
    for number in 10..14 {
        let mut receipts = vec![];
        for series in [0x50, 0x60] {
            let mut chip = twin(offices, series, number).await;
            let presentation = chip.presentation();
            let order =
                within!(offices, offices.station, deed => intake::order(deed, production, &presentation)).unwrap();
            receipts.push(perso::play(&mut chip, &order, &mut |_| {}).0);
        }
        let receive = async |at: usize| within!(offices, offices.station, deed => intake::receipt(deed, production, &receipts[at]));
        let (one, two) = tokio::join!(receive(0), receive(1));
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        is_refused(if one.is_ok() { two } else { one });
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_chip_key_is_used_once_for_ever() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Offices::open(database).await;
        Box::pin(a_second_chip_with_a_known_key_is_refused(&offices)).await;
        the_keys_of_a_spoiled_chip_stay_known(&offices).await;
        Box::pin(two_receipts_with_one_key_pair_at_once(&offices)).await;
    }
}
