//! A report of loss: what it does at once, how two officers undo it, and when it is for good.

use crypto::lds::File;
use crypto::pki::trust_bundle;
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::{Kind, ReissueReason};
use issuance::cards::model::{Revocation, Status, UndoError};
use issuance::cards::{CardError, steps as cards};
use issuance::deed::Occasion;
use issuance::ground::ids::{CardId, PersonId};
use issuance::ground::{Id, Officer, Role};
use issuance::store::Argument;
use issuance::{args, sql, trust};
use reqwest::Method;
use serde_json::json;
use time::Duration;

use crate::chip::Chip;
use crate::house::{House, on_both};
use crate::offices::{LOST, Offices, appoint, within};
use crate::tables;

async fn on_both_offices(scenario: impl AsyncFn(&Offices)) {
    scenario(&Offices::open(None).await).await;
    if let Some(url) = tables::fresh_database() {
        scenario(&Offices::open(Some(url)).await).await;
    }
}

/// A citizen's card, handed over.
async fn card(offices: &Offices, number: u8) -> (CardId, Chip) {
    let person = offices.citizen().await;
    let application = offices.approved(person, Kind::First).await;
    let mut chip = offices.initialised(number).await;
    let card = offices.card(&mut chip).await;
    within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0)).unwrap();
    (card, chip)
}

async fn loses(offices: &Offices, card: CardId) -> Result<(), CardError> {
    within!(offices, offices.counter, deed => cards::report_loss(deed, card, LOST)).map(drop)
}

/// What a kiosk finds in a bundle that is built now.
async fn is_refused(offices: &Offices, chip: &Chip) -> bool {
    let fingerprint = crypto::sod::Sod::parse(chip.file(File::Sod)).unwrap().fingerprint();
    let (state, deeds) = (&offices.state, offices.state.deeds());
    // Bundles of one moment have no order.
    offices.clock.advance(Duration::seconds(1));
    if trust::is_due(&state.trust, deeds).await.unwrap() {
        trust::build(&state.trust, deeds).await.unwrap();
    }
    let mut tx = deeds.db().begin_read().await.unwrap();
    let newest = sql!("select signed, id from trust_bundle where signed is not null order by issued_at desc, id desc");
    let signed: Vec<u8> = tx.one(newest, args![]).await.unwrap().unwrap().get("signed").unwrap();
    trust_bundle::open(&signed, &offices.csca(), offices.clock.now()).unwrap().is_revoked(&fingerprint)
}

#[tokio::test]
async fn a_report_suspends_the_card_at_once_and_two_officers_bring_it_back() {
    Box::pin(on_both_offices(async |offices| {
        let (card, chip) = card(offices, 1).await;
        let (second, third) = (appoint(offices.state.deeds(), Role::HandOver).await, offices.capture.clone());
        assert!(!is_refused(offices, &chip).await);
        loses(offices, card).await.unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "suspended");
        assert!(is_refused(offices, &chip).await, "kiosks refuse it while it is suspended");
        assert!(matches!(loses(offices, card).await, Err(CardError::Status(_))), "a second report");

        let undo = async |by: &Officer| within!(offices, by, deed => cards::undo_loss(deed, card)).map(drop);
        assert!(undo(&second).await.is_err(), "no officer wanted it undone");
        within!(offices, second, deed => cards::propose_undo(deed, card, "found at home")).unwrap();
        for by in [&second, &offices.counter] {
            let refused = undo(by).await;
            assert!(matches!(refused, Err(CardError::Undo(UndoError::SameOfficer))), "{refused:?}");
        }
        assert!(is_refused(offices, &chip).await);
        undo(&third).await.unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "active");
        assert!(!is_refused(offices, &chip).await, "off the list again");

        // The end of the term comes, and finds nothing.
        offices.clock.advance(Duration::days(8));
        cards::end_suspensions(offices.state.deeds()).await.unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "active");
        loses(offices, card).await.unwrap();
        assert!(is_refused(offices, &chip).await, "lost again");
    }))
    .await;
}

#[tokio::test]
async fn after_the_term_the_card_is_revoked_for_good() {
    Box::pin(on_both_offices(async |offices| {
        let (card, chip) = card(offices, 1).await;
        let second = appoint(offices.state.deeds(), Role::HandOver).await;
        loses(offices, card).await.unwrap();
        within!(offices, second, deed => cards::propose_undo(deed, card, "found at home")).unwrap();
        offices.clock.advance(Duration::days(7) - Duration::seconds(1));
        cards::end_suspensions(offices.state.deeds()).await.unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "suspended");
        offices.clock.advance(Duration::seconds(1));
        let proposed = within!(offices, second, deed => cards::propose_undo(deed, card, "found late"));
        assert!(proposed.is_err(), "nor is it proposed after the term");
        let late = within!(offices, offices.capture, deed => cards::undo_loss(deed, card));
        assert!(late.is_err(), "also before the job has run");
        cards::end_suspensions(offices.state.deeds()).await.unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        assert!(is_refused(offices, &chip).await);
        let read = within!(offices, offices.counter, deed => cards::read(deed, card, Occasion::default())).unwrap();
        assert!(matches!(read.status, Status::Revoked { reason: Revocation::Lost, .. }), "{:?}", read.status);
        assert!(within!(offices, second, deed => cards::propose_undo(deed, card, "found")).is_err());
        let told = offices.trail(issuance::deed::Object::Card(card)).await;
        assert_eq!(told.iter().filter(|action| *action == "card-revoked").count(), 1, "{told:?}");
    }))
    .await;
}

/// Or the citizen would have two cards.
#[tokio::test]
async fn a_lost_card_does_not_come_back_beside_the_new_one() {
    Box::pin(on_both_offices(async |offices| {
        let (old, chip) = card(offices, 1).await;
        let read = within!(offices, offices.counter, deed => cards::read(deed, old, Occasion::default())).unwrap();
        loses(offices, old).await.unwrap();
        let second = appoint(offices.state.deeds(), Role::HandOver).await;
        within!(offices, second, deed => cards::propose_undo(deed, old, "found at home")).unwrap();
        let reissue = offices.approved(read.person, Kind::Reissue(ReissueReason::Lost)).await;
        let new = offices.card(&mut offices.initialised(2).await).await;
        within!(offices, offices.counter, deed => hand_over(deed, new, &reissue.slip.0)).unwrap();
        assert_eq!(offices.status(chip.file(File::Sod)).await, "revoked");
        assert!(within!(offices, offices.capture, deed => cards::undo_loss(deed, old)).is_err());
        assert!(is_refused(offices, &chip).await);
    }))
    .await;
}

#[tokio::test]
async fn a_report_gives_grounds() {
    on_both(async |house| {
        let counter = house.officer("counter", &[Role::HandOver], "o-1").await;
        let path = format!("/api/v1/cards/{}/loss", crate::house::NIL);
        for (grounds, code) in
            [("", "loss-grounds-missing"), (" \t", "loss-grounds-missing"), (&"x".repeat(401), "text-too-long")]
        {
            let body = json!({"reported_by": "holder", "grounds": grounds});
            let said = counter.asks(Method::POST, &path, Some("k"), Some(body)).await;
            assert_eq!(said.code(), code);
        }
        let none = counter.post(&path, "k", json!({"reported_by": "holder"})).await;
        assert_eq!(none.code(), "body-invalid");
        let some = counter.post(&path, "k", json!({"reported_by": "holder", "grounds": "left on a bus"})).await;
        assert_eq!(some.code(), "card-unknown");
    })
    .await;
}

/// A card in the citizen's hand, put in by hand.
async fn active_card(house: &House) -> CardId {
    let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
    let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
    let declaration = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
        "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
    let declared = registrar.post("/api/v1/declarations", "k-1", declaration).await;
    let person: PersonId = declared.body["person_id"].as_str().unwrap().parse().unwrap();
    let source = house.service.offices().deeds().source();
    let (card, other): (CardId, Id<()>) = (source.id(), source.id());
    let handed_over = json!({"by": other, "at": "2026-01-01T00:00:00Z"});
    let status = Argument::json(&json!({"status": "active", "handed_over": handed_over}));
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let insert = sql!(
        "insert into card (id, person_id, application_id, serial, sod_sha256, office, issued, status, status_data)
         values ($1, $2, $3, '00000000000000000001', $4, 'o-1', $5, 'active', $6)"
    );
    tx.run(insert, args![card, person, other, [7; 32], house.clock.today(), status]).await.unwrap();
    tx.seal(&issuance::cards::CARD, card).await.unwrap();
    tx.commit().await.unwrap();
    card
}

/// Over HTTP, with a term of its own: the service itself ends it.
#[tokio::test]
async fn the_service_ends_the_term_that_its_operator_set() {
    let urls = [None, tables::fresh_database()];
    for (first, url) in urls.into_iter().enumerate() {
        if first > 0 && url.is_none() {
            continue;
        }
        let house = House::open_with(|settings| {
            settings.database = url;
            settings.cards.loss_term = Duration::days(2);
            // Officers stay signed in over the term.
            settings.access.session_idle = Duration::days(9);
            settings.access.session_lifetime = Duration::days(9);
        })
        .await;
        let card = active_card(&house).await;
        let (path, loss) =
            (format!("/api/v1/cards/{card}"), json!({"reported_by": "holder", "grounds": "left on a bus"}));
        let counter = house.officer("counter", &[Role::HandOver], "o-1").await;
        let second = house.officer("second-counter", &[Role::Capture], "o-1").await;
        let third = house.officer("third-counter", &[Role::HandOver], "o-1").await;
        assert_eq!(counter.post(&format!("{path}/loss"), "k-1", loss.clone()).await.body["status"], "suspended");
        let found = json!({"grounds": "found"});
        assert_eq!(second.post(&format!("{path}/loss/undoing"), "k-1", found.clone()).await.status, 200);
        let undo = format!("{path}/loss/undoing/confirmation");
        assert_eq!(second.post(&undo, "k-2", json!({})).await.code(), "second-officer-needed");
        assert_eq!(counter.post(&undo, "k-2", json!({})).await.code(), "second-officer-needed");
        assert_eq!(third.post(&undo, "k-1", json!({})).await.body["status"], "active");

        let lost = counter.post(&format!("{path}/loss"), "k-3", loss).await;
        let until = lost.body["suspended_until"].as_str().unwrap().to_owned();
        assert_eq!(second.post(&format!("{path}/loss/undoing"), "k-3", found).await.status, 200);
        house.clock.advance(Duration::days(2));
        assert_eq!(third.post(&undo, "k-3", json!({})).await.code(), "card-status-does-not-allow", "{until}");
        let began = std::time::Instant::now();
        while counter.get(&path).await.body["status"] != "revoked" {
            assert!(began.elapsed() < std::time::Duration::from_mins(1), "still suspended");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        assert_eq!(counter.get(&path).await.body["reason"], "lost");
        house.service.stop().await;
    }
}
