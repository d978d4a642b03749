//! What is no whole portrait gets on no card; what the second officer has not seen is not approved.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use issuance::applications::model::{Application, DossierDigest, Kind};
use issuance::applications::portrait::{PortraitError, on_chip, passport_portrait};
use issuance::applications::steps as counter;
use issuance::ground::ids::ApplicationId;
use issuance::ground::{Officer, Role};
use issuance::numbering;
use issuance::web::Problem;

use crate::offices::{OTHER_PARENTS, Offices, appoint, approves_too, declaration, photograph, within};
use crate::tables::fresh_database;

/// What the counter says to a photograph.
async fn developed(offices: &Offices, photograph: &[u8]) -> Result<String, &'static str> {
    let developed = counter::develop(&offices.state.counter, STANDARD.encode(photograph), None).await;
    developed.map_err(|error| Problem::from(error).code().word())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_photograph_that_ends_early_is_damaged() {
    let (offices, whole) = (Offices::open(None).await, photograph());
    assert!(developed(&offices, &whole).await.is_ok());
    for percent in [30, 60, 90] {
        let cut = &whole[..whole.len() * percent / 100];
        assert_eq!(developed(&offices, cut).await, Err("portrait-damaged"), "{percent} %");
        let ended = [cut, &[0xff, 0xd9]].concat();
        assert_eq!(developed(&offices, &ended).await, Err("portrait-damaged"), "{percent} % and an end marker");
    }
    let unended = &whole[..whole.len() - 2];
    assert_eq!(developed(&offices, unended).await, Err("portrait-damaged"), "all rows and no end marker");
}

#[test]
fn what_a_camera_writes_behind_the_picture_gets_nowhere() {
    let whole = photograph();
    let more = [&whole[..], b"a preview, or a second payload"].concat();
    assert_eq!(passport_portrait(&more, None), passport_portrait(&whole, None));
}

#[test]
fn a_portrait_that_lost_a_part_is_not_written_on_a_chip() {
    let portrait = passport_portrait(&photograph(), None).unwrap();
    let face = |jpeg: &[u8]| crypto::lds::Dg2::new(on_chip(jpeg).jpeg.to_vec(), 420, 560);
    assert!(face(&portrait).is_ok());
    for end in [portrait.len() * 3 / 10, portrait.len() * 9 / 10, portrait.len() - 2] {
        assert!(face(&portrait[..end]).is_err(), "cut at {end}");
        assert!(face(&[&portrait[..end.min(portrait.len() - 20)], &[0xff, 0xd9]].concat()).is_err(), "ended at {end}");
    }
    assert_eq!(passport_portrait(&portrait[..portrait.len() / 2], None), Err(PortraitError::Damaged));
}

/// Captures with these features. Returns the application.
async fn captured(offices: &Offices, officer: &Officer, id: ApplicationId, features: &str) -> Application {
    let photograph = STANDARD.encode(photograph());
    let portrait = counter::develop(&offices.state.counter, photograph, None).await.unwrap();
    within!(offices, officer, deed => counter::capture(deed, id, portrait, features)).unwrap()
}

/// What the service says to an approval of what was seen.
async fn approved(
    offices: &Offices,
    officer: &Officer,
    id: ApplicationId,
    seen: Option<DossierDigest>,
) -> Result<(), &'static str> {
    let portrait = offices.fetches(id).await.unwrap();
    let said = within!(offices, officer, deed => counter::approve(deed, &offices.state.counter, id, seen, portrait));
    said.map(drop).map_err(|error| Problem::from(error).code().word())
}

async fn an_officer_approves_only_what_that_officer_saw(offices: &Offices) {
    let person = offices.citizen().await;
    let id = offices.applies(person, Kind::First).await.unwrap().id;
    let approver = &offices.approver;
    captured(offices, &offices.capture, id, "Nốt ruồi").await;
    assert_eq!(approved(offices, approver, id, None).await, Err("dossier-not-seen"));
    let first = offices.sees(approver, id).await.unwrap();
    // The same portrait, other features; then the same features again, taken anew.
    for features in ["Sẹo", "Nốt ruồi"] {
        captured(offices, &offices.capture, id, features).await;
        assert_eq!(approved(offices, approver, id, first).await, Err("portrait-changed"), "{features}");
    }
    let colleague = appoint(offices.state.deeds(), Role::Approver).await;
    let passed_on = offices.sees(&colleague, id).await.unwrap();
    assert_eq!(approved(offices, approver, id, passed_on).await, Err("portrait-changed"), "another officer's");
    assert_eq!(offices.application(id).await.stage.name(), "captured");
    let seen = offices.sees(approver, id).await.unwrap();
    assert_eq!(approved(offices, approver, id, seen).await, Ok(()));
}

async fn an_officer_who_ever_had_a_hand_in_it_does_not_decide(offices: &Offices) {
    let numberer = appoint(offices.state.deeds(), Role::Registrar).await;
    let [opener, first, second] = [
        appoint(offices.state.deeds(), Role::Capture).await,
        appoint(offices.state.deeds(), Role::Capture).await,
        appoint(offices.state.deeds(), Role::Capture).await,
    ];
    let person = offices.declares(&declaration()).await;
    let numbers = &offices.state.numbers;
    within!(offices, numberer, deed => numbering::steps::establish(deed, numbers, person, OTHER_PARENTS)).unwrap();
    let office = opener.office.clone();
    let request =
        counter::Request { person, kind: Kind::First, office: &office, exempt: false, claim: None, acknowledged: None };
    let id = within!(offices, opener, deed => counter::register(deed, &offices.state.counter, request)).unwrap().id;
    captured(offices, &first, id, "Nốt ruồi").await;
    captured(offices, &second, id, "Nốt ruồi").await;
    let hands = [("declared", &offices.registrar), ("numbered", &numberer), ("opened", &opener)];
    for (did, officer) in [&hands[..], &[("captured before", &first), ("captured last", &second)]].concat() {
        let refused = approves_too(offices, officer, id).await.map(drop);
        let refused = refused.map_err(|error| Problem::from(error).code().word());
        assert_eq!(refused, Err("second-officer-needed"), "{did}");
        let refused = within!(offices, officer, deed => counter::refuse(deed, id, "another face")).map(drop);
        let refused = refused.map_err(|error| Problem::from(error).code().word());
        assert_eq!(refused, Err("second-officer-needed"), "{did}");
    }
    offices.approves(&offices.approver, id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_officer_is_a_second_one_who_saw() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let offices = Offices::open(database).await;
        an_officer_approves_only_what_that_officer_saw(&offices).await;
        Box::pin(an_officer_who_ever_had_a_hand_in_it_does_not_decide(&offices)).await;
    }
}
