//! A chip key is used once, for ever: a second chip with a known key is refused, on both databases.

use crypto::identity::CardSerial;
use crypto::perso;
use crypto::scp03::MasterKey;
use issuance::applications::model::Kind;
use issuance::ground::Randomness;
use issuance::keys::{CardKeys, KeyStore};
use issuance::production::intake::{self, IntakeOutcome};
use issuance::production::personalization::PersonalizationOutcome;
use issuance::production::steps::Delivery;
use issuance::production::{self, ProductionError, withdrawal};
use issuance::server::{self, Settings};
use issuance::web::Problem;
use issuance::{args, sql};

use crate::chip::Chip;
use crate::offices::{Offices, TRANSPORT_MASTER, within};
use crate::tables::fresh_database;

/// A blank that makes the same keys as every other one with this number: the test chip's randomness follows from the
/// last byte of its serial.
async fn twin(offices: &Offices, series: u8, number: u8) -> Chip {
    let serial = CardSerial([series, 1, 2, 3, 4, 5, 6, 7, 8, number]);
    let (serials, production, station) = ([serial], &offices.state.production, offices.station.id);
    let delivery = Delivery {
        manufacturer: "Maker",
        batch: "twins",
        transport_key_id: "maker",
        firmware: None,
        serials: &serials,
    };
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

/// Another version of the master key is for the chips that are taken in from then on. What is in stock, what is being
/// taken in and what was cut there keep the version that they have, and become cards with it.
async fn another_master_key_is_for_new_chips(offices: &mut Offices, database: Option<String>) {
    let old = offices.initialised(1).await;
    // An order from before, whose receipt comes after; and a chip that was cut behind PUT KEY.
    let (mut late, mut cut) = (offices.blank(2).await, offices.blank(3).await);
    let order = async |offices: &Offices, chip: &Chip| {
        let (presentation, production) = (chip.presentation(), &offices.state.production);
        within!(offices, offices.station, deed => intake::order(deed, production, &presentation)).unwrap()
    };
    let (for_late, for_cut) = (order(offices, &late).await, order(offices, &cut).await);
    let receipt = perso::play(&mut late, &for_late, &mut |_| {}).0;
    let mut short = for_cut.clone();
    short.commands.truncate(4);
    perso::play(&mut cut, &short, &mut |_| {});
    assert_eq!((late.presentation().key_version, cut.presentation().key_version), (1, 1));

    let settings = Settings { database, ..Settings::new(offices.data.path()) };
    let store = KeyStore::open(&settings.data, None).unwrap();
    CardKeys::rotate(&store.locked().unwrap(), &mut Randomness::seeded(5).draw()).unwrap();
    let (clock, mut settings) = (offices.clock.clone(), settings);
    settings.population.extra_provinces = vec!["003=Tỉnh Mẫu".parse().unwrap()];
    offices.state = server::Offices::open(&settings, Some(clock), Randomness::seeded(8)).await.unwrap();

    let production = &offices.state.production;
    let done = within!(offices, offices.station, deed => intake::receipt(deed, production, &receipt)).unwrap();
    assert_eq!(done, IntakeOutcome::Initialised);
    assert_eq!(offices.takes_in(&mut cut).await.unwrap(), IntakeOutcome::Initialised);
    let new = offices.initialised(4).await;
    let versions = [&old, &late, &cut, &new].map(|chip| chip.presentation().key_version);
    assert_eq!(versions, [1, 1, 1, 2]);
    for mut chip in [old, cut, new] {
        offices.approved(offices.citizen().await, Kind::First).await;
        assert!(matches!(offices.personalizes(&mut chip).await.unwrap(), PersonalizationOutcome::Personalized { .. }));
    }
    let status = offices.state.watch.look(offices.state.deeds()).await.map(|()| offices.state.watch.latest().unwrap());
    let counted: Vec<_> = status.unwrap().card_masters.iter().map(|one| (one.version, one.stock, one.cards)).collect();
    assert_eq!(counted, [(1, 1, 2), (2, 0, 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chips_keep_the_version_of_the_master_key_that_they_have() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let mut offices = Box::pin(Offices::open(database.clone())).await;
        Box::pin(another_master_key_is_for_new_chips(&mut offices, database)).await;
    }
}
