//! Steps 1 to 10 of one citizen, and every way off the road.

use crypto::lds::{DataGroup, Dg1, Dg13, File};
use crypto::perso::problem::ProblemCode;
use crypto::perso::protocol::Next;
use crypto::perso::{self, LifeCycle, Receipt};
use crypto::pki::{State, TrustStore};
use crypto::sod::Sod;
use crypto::suite::Hash;
use issuance::applications::hand_over::{HandOverError, hand_over};
use issuance::applications::model::{ChangeReason, Kind, TransitionError};
use issuance::applications::steps::{self as counter, CounterError};
use issuance::cards::{CardError, steps as cards};
use issuance::deed::{Object, Occasion};
use issuance::ground::ids::PersonId;
use issuance::ground::{Id, Randomness};
use issuance::keys::{self, InitOptions, KeyName, KeyStore};
use issuance::population::model::Declaration;
use issuance::production::intake::IntakeOutcome;
use issuance::production::personalization::{PersonalizationOutcome, Proof};
use issuance::production::{self, ProductionError, withdrawal};
use issuance::web::Problem;
use issuance::{numbering, population};

use crate::offices::{
    LOST, OTHER_PARENTS, Offices, appoint, approves_too, declaration, enrol, key_of, moves, photograph, within,
};
use crate::tables::fresh_database;

/// Runs a test on SQLite.
macro_rules! on_sqlite {
    ($($name:ident),* $(,)?) => { $(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let offices = Offices::open(None).await;
            walk::$name(&offices).await;
            offices.counts_are_true().await;
        }
    )* };
}

on_sqlite!(
    a_citizen_gets_a_card,
    a_new_card_revokes_the_old_one_in_the_same_act,
    a_number_is_given_once_and_for_life,
    an_officer_does_not_approve_their_own_work,
    a_cut_anywhere_is_healed_by_the_next_order,
    a_lost_receipt_is_made_up_for_by_a_report,
    a_spoiled_chip_gives_the_application_to_another,
    a_cancelled_application_takes_its_chip_along,
    a_receipt_is_believed_only_on_the_chips_own_word,
    an_order_counts_once,
    a_station_is_answered_for_its_own_chips_only,
    blanks_are_accounted_for_from_the_day_they_arrive,
    an_office_sees_its_own,
    a_declaration_that_no_card_can_carry_is_declined_with_its_reason,
    a_card_is_for_who_may_have_one,
    a_revoked_signer_signs_nothing_more_and_says_so,
);

/// A document was signed, its chip not written yet, when the signer was revoked and another one took over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_document_of_a_revoked_signer_is_made_anew() {
    let mut offices = Offices::open(None).await;
    let person = offices.citizen().await;
    offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(1).await;
    offices.orders(&chip).await.unwrap();
    let store = KeyStore::open(offices.data.path(), None).unwrap();
    let revoked = offices.state.signer.now().certificate(KeyName::DocumentSigner).serial().clone();
    keys::rotate(&store, KeyName::DocumentSigner, offices.clock.now(), &mut Randomness::System.draw()).unwrap();
    keys::issue_crl(&store, std::slice::from_ref(&revoked), offices.clock.now()).unwrap();
    offices.starts_again().await;
    offices.card(&mut chip).await;
    let sod = Sod::parse(chip.file(File::Sod)).unwrap();
    assert_ne!(*sod.signer_certificate().unwrap().serial(), revoked);
    let mut trust = TrustStore::new(vec![offices.csca()]);
    trust.add_list(offices.state.crl.read().await.unwrap().1).unwrap();
    sod.verify(&trust, offices.clock.now()).unwrap();
    assert_eq!(offices.revoked().await, 1, "the first document is on the list of revoked ones");
}

/// What the State of the authority is called stands on its cards as in its certificates.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_country_is_true_to_the_end() {
    let country = "UT/UTO".parse().unwrap();
    let options = InitOptions { country, nationality: "Utopia".to_owned(), ..InitOptions::default() };
    let offices = Offices::open_with(None, options).await;
    Box::pin(walk::a_citizen_gets_a_card(&offices)).await;
    let person = offices.citizen().await;
    offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(2).await;
    offices.card(&mut chip).await;
    let Dg1::Td1(mrz) = Dg1::parse(chip.file(File::DataGroup(DataGroup::DG1))).unwrap() else { panic!("no TD1") };
    assert_eq!((mrz.issuing_state.as_str(), mrz.nationality.as_str()), ("UTO", "UTO"));
    let dg13 = Dg13::parse(chip.file(File::DataGroup(DataGroup::DG13))).unwrap();
    assert_eq!(dg13.nationality.as_deref(), Some("Utopia"));
    let signer = Sod::parse(chip.file(File::Sod)).unwrap();
    let trust = TrustStore::new(vec![offices.csca()]);
    let verified = signer.verify(&trust, offices.clock.now()).unwrap();
    let names: Vec<_> = verified.signer().states().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["C=UT", "L=UTO"]);
    let claimed = State::of_code(&mrz.issuing_state).unwrap();
    assert!(verified.signer().states().iter().all(|(_, state)| state.agrees(claimed)));
    assert_eq!(verified.signer().country(), "UT");
}

/// The long ones over PostgreSQL, one after the other on one database: the test process's own, or the empty one that
/// `ISSUANCE_TEST_DATABASE` names. Skipped, aloud, without PostgreSQL.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_road_over_postgresql() {
    let named = std::env::var("ISSUANCE_TEST_DATABASE").ok();
    let Some(url) = named.or_else(fresh_database) else { return };
    let offices = Offices::open(Some(url)).await;
    Box::pin(walk::a_citizen_gets_a_card(&offices)).await;
    walk::a_cut_anywhere_is_healed_by_the_next_order(&offices).await;
    Box::pin(walk::a_spoiled_chip_gives_the_application_to_another(&offices)).await;
    Box::pin(walk::a_cancelled_application_takes_its_chip_along(&offices)).await;
    walk::a_receipt_is_believed_only_on_the_chips_own_word(&offices).await;
    offices.counts_are_true().await;
}

mod walk {
    use super::*;

    pub async fn a_citizen_gets_a_card(offices: &Offices) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        let sod = chip.file(File::Sod).to_vec();
        assert_eq!(offices.status(&sod).await, "personalized");
        let wrong = within!(offices, offices.counter, deed => hand_over(deed, card, "0000000000"));
        assert!(matches!(wrong, Err(HandOverError::Slip)));
        let slip = application.slip.0.to_lowercase();
        let revoked = within!(offices, offices.counter, deed => hand_over(deed, card, &slip)).unwrap();
        assert_eq!(revoked, []);
        assert_eq!(offices.status(&sod).await, "active");
        assert_eq!(offices.application(application.id).await.stage.name(), "handed-over");
        reads_like_a_border_guard(offices, &chip);
        let trail = offices.trail(Object::Application(application.id)).await;
        let told = ["approved", "bound", "captured", "read", "registered"].map(|act| format!("application-{act}"));
        assert_eq!(trail, told);
    }

    pub async fn a_revoked_signer_signs_nothing_more_and_says_so(offices: &Offices) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        assert!(offices.state.signer.now().complaints(offices.clock.now()).await.is_empty());
        let store = KeyStore::open(offices.data.path(), None).unwrap();
        let serial = offices.state.signer.now().certificate(KeyName::DocumentSigner).serial().clone();
        keys::issue_crl(&store, &[serial], offices.clock.now()).unwrap();
        let problem = Problem::from(offices.personalizes(&mut chip).await.unwrap_err());
        assert_eq!(problem.code(), ProblemCode::SignerRevoked);
        assert_eq!(offices.application(application.id).await.stage.name(), "approved", "no chip was bound for nothing");
        let complaints = offices.state.signer.now().complaints(offices.clock.now()).await;
        assert!(complaints.len() == 1 && complaints[0].contains("issuance rotate ds"), "{complaints:?}");
        assert_eq!(offices.health().await, ("degraded".to_owned(), complaints));
    }

    /// Passive authentication over what the chip really holds, and what it says.
    fn reads_like_a_border_guard(offices: &Offices, chip: &crate::chip::Chip) {
        let sod = Sod::parse(chip.file(File::Sod)).unwrap();
        let verified = sod.verify(&TrustStore::new(vec![offices.csca()]), offices.clock.now()).unwrap();
        let groups = [DataGroup::DG1, DataGroup::DG2, DataGroup::DG13, DataGroup::DG14, DataGroup::DG15];
        assert_eq!(verified.groups(), groups);
        for group in groups {
            verified.check(group, chip.file(File::DataGroup(group))).unwrap();
        }
        let Dg1::Td1(mrz) = Dg1::parse(chip.file(File::DataGroup(DataGroup::DG1))).unwrap() else { panic!("no TD1") };
        let number = mrz.personal_number().unwrap();
        assert_eq!(number.birth_year(), 2000);
        let dg13 = Dg13::parse(chip.file(File::DataGroup(DataGroup::DG13))).unwrap();
        assert_eq!(dg13.name.as_deref(), Some("Nguyễn Thị Mẫu"));
        assert_eq!(dg13.residence.as_deref(), Some("Số 1 Phố Mẫu, Tỉnh Mẫu"));
        assert_eq!(dg13.issued.as_deref(), Some("22/11/2026"));
        assert_eq!(dg13.expiry.as_deref(), Some("05/01/2040"), "26 years old: good until 40");
        let key = key_of(chip.file(File::DataGroup(DataGroup::DG15)));
        key.verify_plain(Hash::Sha256, b"8 bytes!", &chip.signs(b"8 bytes!")).unwrap();
    }

    pub async fn a_new_card_revokes_the_old_one_in_the_same_act(offices: &Offices) {
        let person = offices.citizen().await;
        let first = offices.approved(person, Kind::First).await;
        let mut old_chip = offices.initialised(1).await;
        let old = offices.card(&mut old_chip).await;
        within!(offices, offices.counter, deed => hand_over(deed, old, &first.slip.0)).unwrap();
        assert!(matches!(offices.applies(person, Kind::First).await, Err(CounterError::CardAlreadyHeld)));
        let change = offices.approved(person, Kind::Change(ChangeReason::Damaged)).await;
        assert_eq!(change.fee, 50_000);
        let mut new_chip = offices.initialised(2).await;
        let new = offices.card(&mut new_chip).await;
        assert_eq!(offices.status(old_chip.file(File::Sod)).await, "active", "until the citizen has the new one");
        let revoked = within!(offices, offices.counter, deed => hand_over(deed, new, &change.slip.0)).unwrap();
        assert_eq!(revoked, [old]);
        assert_eq!(offices.status(old_chip.file(File::Sod)).await, "revoked");
        assert_eq!(offices.status(new_chip.file(File::Sod)).await, "active");
        within!(offices, offices.counter, deed => cards::report_loss(deed, new, LOST)).unwrap();
        assert_eq!(offices.status(new_chip.file(File::Sod)).await, "suspended");
        assert_eq!(offices.revoked().await, 2);
        let again = within!(offices, offices.counter, deed => cards::report_loss(deed, new, LOST));
        assert!(matches!(again, Err(CardError::Status(_))));
    }

    pub async fn a_number_is_given_once_and_for_life(offices: &Offices) {
        let person = offices.citizen().await;
        let numbers = &offices.state.numbers;
        let establish = async |person: PersonId| {
            within!(offices, offices.registrar, deed => numbering::steps::establish(deed, numbers, person, OTHER_PARENTS)).unwrap()
        };
        let number = establish(person).await;
        assert_eq!(establish(person).await, number);
        let other = offices.citizen().await;
        assert_ne!(establish(other).await, number);
        assert_eq!(number.province(), "003".parse().unwrap());
    }

    pub async fn an_officer_does_not_approve_their_own_work(offices: &Offices) {
        let person = offices.citizen().await;
        let application = offices.applies(person, Kind::First).await.unwrap();
        assert!(matches!(offices.applies(person, Kind::First).await, Err(CounterError::AlreadyOpen(Some(_)))));
        let early = offices.approves(&offices.approver, application.id).await;
        assert!(matches!(early, Err(CounterError::Transition(TransitionError::NotFrom("registered")))));
        offices.captures(application.id).await;
        for own in [&offices.capture, &offices.registrar] {
            let own = approves_too(offices, own, application.id).await;
            assert!(matches!(own, Err(CounterError::Transition(TransitionError::SameOfficer))));
        }
        let own = within!(offices, offices.registrar, deed => counter::refuse(deed, application.id, "other face"));
        assert!(matches!(own, Err(CounterError::Transition(TransitionError::SameOfficer))));
        offices.approves(&offices.approver, application.id).await.unwrap();
        let twice = offices.approves(&offices.approver, application.id).await;
        assert!(matches!(twice, Err(CounterError::Transition(TransitionError::SameOfficer))));
    }

    pub async fn a_cut_anywhere_is_healed_by_the_next_order(offices: &Offices) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.blank(11).await;
        for commands in 0.. {
            chip.dies_after = Some(commands);
            if offices.takes_in(&mut chip).await.unwrap() == IntakeOutcome::Initialised {
                break;
            }
        }
        for commands in 0.. {
            chip.dies_after = Some(commands);
            let ordered = offices.orders(&chip).await.unwrap();
            assert_eq!(ordered.application, application.id, "a chip stays bound to its application");
            let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
            match offices.reports(&chip, &ordered, &receipt).await.unwrap() {
                PersonalizationOutcome::Incomplete { next } => assert_eq!(next, Next::Present),
                PersonalizationOutcome::Personalized { .. } => break,
            }
        }
        assert_eq!(offices.application(application.id).await.stage.name(), "personalized");
        let over = offices.orders(&chip).await;
        assert_eq!(code(over.unwrap_err()), "chip-already-personalized");
    }

    pub async fn a_lost_receipt_is_made_up_for_by_a_report(offices: &Offices) {
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut chip = offices.blank(1).await;
        let presentation = chip.presentation();
        let floor = &offices.state.production;
        let order =
            within!(offices, offices.station, deed => production::intake::order(deed, floor, &presentation)).unwrap();
        perso::play(&mut chip, &order, &mut |_| {});
        assert_eq!(chip.life_cycle, LifeCycle::Initialised);
        assert_eq!(offices.takes_in(&mut chip).await.unwrap(), IntakeOutcome::Initialised);
        let ordered = offices.orders(&chip).await.unwrap();
        perso::play(&mut chip, &ordered.order, &mut |_| {});
        assert_eq!(chip.life_cycle, LifeCycle::Personalized);
        let report = offices.orders(&chip).await.unwrap();
        assert_eq!(report.order.purpose, perso::Purpose::Report);
        let (receipt, _) = perso::play(&mut chip, &report.order, &mut |_| {});
        let unproved = offices.receives(&receipt, None).await.unwrap();
        assert_eq!(unproved, PersonalizationOutcome::Incomplete { next: Next::ActiveAuthentication });
        assert!(matches!(
            offices.reports(&chip, &report, &receipt).await.unwrap(),
            PersonalizationOutcome::Personalized { .. }
        ));
    }

    pub async fn a_spoiled_chip_gives_the_application_to_another(offices: &Offices) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut torn = offices.initialised(21).await;
        let ordered = offices.orders(&torn).await.unwrap();
        perso::play(&mut torn, &ordered.order, &mut |_| {});
        let sod = torn.file(File::Sod).to_vec();
        let (station, serial) = (&offices.station, torn.serial);
        let silent = within!(offices, station, deed => withdrawal::spoil(deed, &serial, "torn", " "));
        assert_eq!(code(silent.unwrap_err()), "evidence-missing");
        within!(offices, station, deed => withdrawal::spoil(deed, &serial, "torn", "journal 7")).unwrap();
        assert_eq!(offices.status(&sod).await, "revoked", "it may be on the chip");
        assert_eq!(offices.application(application.id).await.stage.name(), "approved");
        assert_eq!(code(offices.orders(&torn).await.unwrap_err()), "chip-spoiled");
        let twice = within!(offices, station, deed => withdrawal::spoil(deed, &serial, "torn", "journal 7"));
        assert_eq!(code(twice.unwrap_err()), "chip-spoiled");
        let mut chip = offices.initialised(22).await;
        let card = offices.card(&mut chip).await;
        assert_ne!(chip.file(File::Sod), sod);
        // A finished card takes an officer and a witness.
        let station = within!(offices, station, deed => withdrawal::spoil(deed, &chip.serial, "torn", "journal 8"));
        assert_eq!(code(station.unwrap_err()), "chip-already-personalized");
        let (stock, serial, witness) = (&offices.stock, chip.serial, &offices.approver);
        within!(offices, stock, deed => withdrawal::write_off(deed, &serial, "blurred print", witness.id)).unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "personalized", "before the witness has confirmed it");
        within!(offices, witness, deed => withdrawal::confirm_write_off(deed, &serial, "blurred print")).unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        let late = within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0));
        assert!(matches!(late, Err(HandOverError::Card(CardError::Status(_)))));
        assert_eq!(offices.application(application.id).await.stage.name(), "approved");
        let mut third = offices.initialised(23).await;
        offices.card(&mut third).await;
    }

    pub async fn a_cancelled_application_takes_its_chip_along(offices: &Offices) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(31).await;
        let ordered = offices.orders(&chip).await.unwrap();
        within!(offices, offices.capture, deed => withdrawal::cancel(deed, application.id, "moved abroad")).unwrap();
        let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
        assert_eq!(code(offices.reports(&chip, &ordered, &receipt).await.unwrap_err()), "application-cancelled");
        assert_eq!(code(offices.orders(&chip).await.unwrap_err()), "application-cancelled");
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        // The person may apply again.
        offices.approved(person, Kind::First).await;
        let mut other = offices.initialised(32).await;
        offices.card(&mut other).await;
    }

    pub async fn a_receipt_is_believed_only_on_the_chips_own_word(offices: &Offices) {
        let person = offices.citizen().await;
        offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(41).await;
        let ordered = offices.orders(&chip).await.unwrap();
        let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
        let mut forged = receipt.clone();
        forged.responses.last_mut().unwrap()[3] ^= 1;
        assert_eq!(code(offices.reports(&chip, &ordered, &forged).await.unwrap_err()), "receipt-forged");
        let short = Receipt { responses: receipt.responses[..4].to_vec(), ..receipt.clone() };
        let outcome = offices.reports(&chip, &ordered, &short).await.unwrap();
        assert_eq!(outcome, PersonalizationOutcome::Incomplete { next: Next::Present });
        let signature = chip.signs(b"another ");
        let wrong = Proof { challenge: &ordered.challenge, signature: &signature };
        assert_eq!(code(offices.receives(&receipt, Some(wrong)).await.unwrap_err()), "active-authentication-failed");
        let other = Proof { challenge: b"another ", signature: &signature };
        assert_eq!(code(offices.receives(&receipt, Some(other)).await.unwrap_err()), "challenge-unknown");
        let unknown = Receipt { order: "nobody's".into(), ..receipt.clone() };
        assert_eq!(code(offices.reports(&chip, &ordered, &unknown).await.unwrap_err()), "order-unknown");
        offices.reports(&chip, &ordered, &receipt).await.unwrap();
    }

    pub async fn an_order_counts_once(offices: &Offices) {
        for _ in 0..2 {
            let person = offices.citizen().await;
            offices.approved(person, Kind::First).await;
        }
        let mut chip = offices.initialised(1).await;
        let mut other = offices.initialised(2).await;
        let ordered = offices.orders(&chip).await.unwrap();
        let (receipt, _) = perso::play(&mut other, &ordered.order, &mut |_| {});
        let refused = offices.reports(&chip, &ordered, &receipt).await;
        assert_eq!(code(refused.unwrap_err()), "receipt-forged", "another chip answers with its own serial and keys");
        let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
        offices.reports(&chip, &ordered, &receipt).await.unwrap();
        assert_eq!(code(offices.reports(&chip, &ordered, &receipt).await.unwrap_err()), "challenge-used");
        offices.card(&mut other).await;
    }

    pub async fn a_station_is_answered_for_its_own_chips_only(offices: &Offices) {
        let mut chip = offices.blank(1).await;
        let other = enrol(offices.state.deeds(), "counter-2").await;
        let floor = &offices.state.production;
        let presentation = chip.presentation();
        let foreign = within!(offices, other, deed => production::intake::order(deed, floor, &presentation));
        assert_eq!(code(foreign.unwrap_err()), "chip-in-other-custody");
        let order =
            within!(offices, offices.station, deed => production::intake::order(deed, floor, &presentation)).unwrap();
        let (receipt, _) = perso::play(&mut chip, &order, &mut |_| {});
        let foreign = within!(offices, other, deed => production::intake::receipt(deed, floor, &receipt));
        assert_eq!(code(foreign.unwrap_err()), "order-unknown");
        let mut stranger = chip.presentation();
        stranger.serial.0[0] = 0xee;
        let unknown = within!(offices, offices.station, deed => production::intake::order(deed, floor, &stranger));
        assert_eq!(code(unknown.unwrap_err()), "chip-unknown");
    }

    pub async fn blanks_are_accounted_for_from_the_day_they_arrive(offices: &Offices) {
        let chip = offices.blank(1).await;
        assert_eq!(code(offices.orders(&chip).await.unwrap_err()), "chip-not-initialised");
        let (serials, floor) = ([chip.serial], &offices.state.production);
        let delivery = |key| production::steps::Delivery {
            manufacturer: "Maker",
            batch: "2",
            transport_key_id: key,
            firmware: None,
            serials: &serials,
        };
        let twice = within!(offices, offices.stock, deed => production::steps::deliver(deed, floor, delivery("maker")));
        assert_eq!(code(twice.unwrap_err()), "serial-already-delivered");
        let keyless =
            within!(offices, offices.stock, deed => production::steps::deliver(deed, floor, delivery("nobody")));
        assert_eq!(code(keyless.unwrap_err()), "transport-key-unknown");
        let waiting = offices.initialised(2).await;
        assert_eq!(code(offices.orders(&waiting).await.unwrap_err()), "nothing-to-personalize");
        let mut locked = offices.initialised(3).await;
        locked.life_cycle = LifeCycle::Locked;
        assert_eq!(code(offices.orders(&locked).await.unwrap_err()), "chip-life-cycle-unexpected");
        let mut again = offices.initialised(4).await;
        assert_eq!(code(offices.takes_in(&mut again).await.unwrap_err()), "chip-already-initialised");
    }

    pub async fn an_office_sees_its_own(offices: &Offices) {
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let stranger = appoint(offices.state.deeds(), issuance::ground::Role::Capture).await;
        let stranger = moves(offices.state.deeds(), &stranger, "district-2").await;
        let read = within!(offices, stranger, deed => counter::read(deed, application.id, Occasion::default()));
        assert_eq!(code_of(read.unwrap_err()), "other-office");
        let read = within!(offices, stranger, deed => population::steps::read(deed, person, Occasion::default()));
        assert_eq!(code_of(read.unwrap_err()), "other-office");
        let seen = within!(offices, offices.approver, deed => counter::read(deed, application.id, Occasion::default()))
            .unwrap();
        let portrait = counter::portrait_of(&offices.state.counter, &seen).await.unwrap();
        assert_eq!(seen.stage.name(), "approved");
        assert!(portrait.is_some_and(|portrait| portrait.len() < 27_000));
        assert!(offices.trail(Object::Application(application.id)).await.contains(&"application-read".to_owned()));
    }

    pub async fn a_declaration_that_no_card_can_carry_is_declined_with_its_reason(offices: &Offices) {
        let declines = async |declaration: &Declaration| {
            let register = &offices.state.register;
            let declined =
                within!(offices, offices.registrar, deed => population::steps::declare(deed, register, declaration));
            code_of(declined.unwrap_err())
        };
        let sound = declaration();
        let named = Declaration { full_name: "Nguyễn 漢 Mẫu".into(), ..sound.clone() };
        assert_eq!(declines(&named).await, "name-not-writable");
        let dated = Declaration { birth_date: "30/02/2000".into(), ..sound.clone() };
        assert_eq!(declines(&dated).await, "date-impossible");
        let mut placed = sound;
        placed.birth_registration.province = "005".into();
        assert_eq!(declines(&placed).await, "province-unassigned");
        assert_eq!(declines(&Declaration::default()).await, "declaration-incomplete");
    }

    pub async fn a_card_is_for_who_may_have_one(offices: &Offices) {
        assert_eq!(
            code_of(offices.applies(Id::from_uuid(uuid::Uuid::nil()), Kind::First).await.unwrap_err()),
            "person-unknown"
        );
        let person = offices.citizen().await;
        let application = offices.applies(person, Kind::First).await.unwrap();
        let portrait = "no such object".to_owned();
        let blank = within!(offices, offices.capture, deed => counter::capture(deed, application.id, portrait, " "));
        assert_eq!(code_of(blank.unwrap_err()), "features-unfit");
        let refused = counter::develop(&offices.state.counter, "***".to_owned(), None).await.unwrap_err();
        assert_eq!(code_of(refused), "portrait-not-base64");
        assert!(photograph().len() > 20_000);
        offices.captures(application.id).await;
        let unsaid = within!(offices, offices.approver, deed => counter::refuse(deed, application.id, ""));
        assert_eq!(code_of(unsaid.unwrap_err()), "reason-missing");
        let refused =
            within!(offices, offices.approver, deed => counter::refuse(deed, application.id, "other face")).unwrap();
        assert_eq!(refused.stage.name(), "refused");
    }
}

fn code(error: ProductionError) -> &'static str {
    code_of(error)
}

/// The word that a caller is told.
fn code_of(error: impl Into<Problem>) -> &'static str {
    let problem: Problem = error.into();
    problem.code().word()
}
