//! The trust bundle, opened as a kiosk opens it.

use std::time::{Duration as Wait, Instant};

use crypto::pki::trust_bundle::{self, TrustBundle};
use crypto::pki::{Certificate, Crl};
use issuance::applications::hand_over::hand_over;
use issuance::applications::model::Kind;
use issuance::ground::Role;
use issuance::keys::{self, KeyStore};
use issuance::{args, sql};
use reqwest::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use serde_json::json;
use time::Duration;

use crate::house::{House, on_both};
use crate::offices::{Offices, appoint, enrol, within};

/// An answer of `GET /api/v1/trust-bundle`.
struct Fetched {
    status: u16,
    tag: String,
    bytes: Vec<u8>,
}

async fn fetched(house: &House, known: Option<&str>) -> Fetched {
    let caller = house.anyone();
    let mut request = caller.client.get(format!("{}/api/v1/trust-bundle", caller.address));
    if let Some(known) = known {
        request = request.header(IF_NONE_MATCH, known);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()[CACHE_CONTROL], "no-cache", "kept, and asked for again");
    let tag = response.headers()[ETAG].to_str().unwrap().to_owned();
    Fetched { status: response.status().as_u16(), tag, bytes: response.bytes().await.unwrap().to_vec() }
}

/// Waits until there is another bundle than the one with this tag: here the worker looks every 20 ms, in a service
/// every second. The wait is long enough for a slow machine.
async fn another(house: &House, than: &str) -> Fetched {
    let began = Instant::now();
    loop {
        let fetched = fetched(house, Some(than)).await;
        if fetched.status == 200 {
            assert_ne!(fetched.tag, than);
            return fetched;
        }
        assert!(began.elapsed() < Wait::from_secs(20), "no other bundle");
        tokio::time::sleep(Wait::from_millis(10)).await;
    }
}

fn csca(house: &House) -> Certificate {
    Certificate::parse(&std::fs::read(house.folder.path().join("data/csca.der")).unwrap()).unwrap()
}

fn opened(house: &House, fetched: &Fetched) -> TrustBundle {
    trust_bundle::open(&fetched.bytes, &csca(house), house.clock.now()).unwrap()
}

#[tokio::test]
async fn a_kiosk_opens_the_bundle_with_the_csca_that_it_was_given() {
    on_both(async |house| {
        let csca = csca(house);
        let bundle = opened(house, &fetched(house, None).await);
        assert_eq!(bundle.contents().cscas, [csca.der()]);
        let caller = house.anyone();
        let crl = caller.client.get(format!("{}/api/v1/crl", caller.address)).send().await.unwrap();
        let crl = crl.bytes().await.unwrap().to_vec();
        assert_eq!(bundle.contents().crls, std::slice::from_ref(&crl));
        Crl::parse(&crl).unwrap().verify(&csca).unwrap();
        assert!(!bundle.is_stale(house.clock.now() + Duration::days(6)));
        assert!(bundle.is_stale(house.clock.now() + Duration::days(8)));
    })
    .await;
}

#[tokio::test]
async fn asking_often_does_not_sign_often() {
    on_both(async |house| {
        let first = fetched(house, None).await;
        for _ in 0..5 {
            let again = fetched(house, None).await;
            assert_eq!((again.status, &again.tag, &again.bytes), (200, &first.tag, &first.bytes));
        }
        house.clock.advance(Duration::minutes(61));
        let second = another(house, &first.tag).await;
        assert_ne!(second.bytes, first.bytes, "an hour later it is made anew");
        let signed = sql!("select count(*) as n from trust_bundle where signed is not null");
        assert_eq!(house.count(signed, args![]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn a_kiosk_that_has_the_bundle_is_not_sent_it_again() {
    on_both(async |house| {
        let first = fetched(house, None).await;
        assert_eq!(first.status, 200);
        let (tag, listed) = (&first.tag, format!("W/\"a,b\", W/{} ,\"other\"", first.tag));
        for known in [tag.clone(), format!("\"other\", {tag}"), format!("W/{tag}"), listed, "*".to_owned()] {
            let again = fetched(house, Some(&known)).await;
            assert_eq!((again.status, &again.tag, again.bytes.len()), (304, &first.tag, 0), "{known}");
        }
        let within = format!("\"a,{tag},b\"");
        for unknown in ["\"other\"", first.tag.trim_matches('"'), "\"other\", *", &within] {
            assert_eq!(fetched(house, Some(unknown)).await.bytes, first.bytes, "{unknown}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_card_that_was_reported_lost_is_in_another_bundle_within_a_second() {
    Box::pin(on_both(async |house| {
        let deeds = house.service.offices().deeds();
        let offices = Offices {
            state: house.service.offices().clone(),
            clock: house.clock.clone(),
            registrar: appoint(deeds, Role::Registrar).await,
            capture: appoint(deeds, Role::Capture).await,
            approver: appoint(deeds, Role::Approver).await,
            stock: appoint(deeds, Role::Stock).await,
            counter: appoint(deeds, Role::HandOver).await,
            station: enrol(deeds, "counter-1").await,
            data: tempfile::tempdir().unwrap(),
        };
        let person = offices.citizen().await;
        let application = offices.approved(person, Kind::First).await;
        let mut chip = offices.initialised(1).await;
        let card = offices.card(&mut chip).await;
        within!(offices, offices.counter, deed => hand_over(deed, card, &application.slip.0)).unwrap();
        let sod = crypto::sod::Sod::parse(chip.file(crypto::lds::File::Sod)).unwrap().fingerprint();
        let before = fetched(house, None).await;
        assert!(!opened(house, &before).is_revoked(&sod));

        let counter = house.officer("counter", &[Role::HandOver], "district-1").await;
        let lost = counter
            .post(
                &format!("/api/v1/cards/{card}/loss"),
                "k",
                json!({"reported_by": "holder", "grounds": "left on a bus"}),
            )
            .await;
        assert_eq!((lost.status, &lost.body["status"]), (200, &json!("suspended")), "{lost:?}");
        assert!(opened(house, &another(house, &before.tag).await).is_revoked(&sod));
    }))
    .await;
}

#[tokio::test]
async fn a_new_list_of_the_csca_is_in_another_bundle_within_a_second() {
    on_both(async |house| {
        let before = fetched(house, None).await;
        let store = KeyStore::open(&house.folder.path().join("data"), None).unwrap();
        let list = keys::issue_crl(&store, &[], house.clock.now()).unwrap();
        let bundle = opened(house, &another(house, &before.tag).await);
        assert_eq!(bundle.contents().crls, [list.der()]);
    })
    .await;
}

/// The handler reads no table: it answers while a writing transaction holds the lock of SQLite, and even without a
/// database.
#[tokio::test]
async fn the_bundle_is_served_from_memory() {
    on_both(async |house| {
        let first = fetched(house, None).await;
        let db = house.service.offices().deeds().db();
        let writing = db.begin_upkeep().await.unwrap();
        assert_eq!(fetched(house, None).await.bytes, first.bytes);
        drop(writing);
        db.close().await;
        assert_eq!(house.anyone().get("/health").await.code(), "database-unreachable");
        assert_eq!(fetched(house, None).await.bytes, first.bytes);
        assert_eq!(fetched(house, Some(&first.tag)).await.status, 304);
    })
    .await;
}

/// What is left of a bundle without its signature: as many rows as are given here, as by a signer that failed.
async fn unsigned(house: &House) -> i64 {
    house.count(sql!("select count(*) as n from trust_bundle where signed is null"), args![]).await
}

#[tokio::test]
async fn a_signer_that_cannot_sign_leaves_nothing_and_is_named_by_health() {
    for database in [Some(None), crate::tables::fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::pin(House::open_with(|settings| {
            settings.database = database;
            settings.keys.signing_key_limit = 2;
        }))
        .await;
        let first = fetched(&house, None).await;
        house.clock.advance(Duration::minutes(61));
        let last = another(&house, &first.tag).await;
        let says = "run `issuance rotate trust-list-signer`";
        let health = house.anyone().get("/health").await.body.to_string();
        assert!(!health.contains(says), "it has signed, and can: {health}");
        house.clock.advance(Duration::minutes(61));
        until_health(&house, |health| health["status"] == "degraded" && health.to_string().contains(says)).await;
        // Many more ticks of the worker.
        tokio::time::sleep(Wait::from_millis(400)).await;
        assert_eq!(unsigned(&house).await, 0);
        assert_eq!(fetched(&house, None).await.bytes, last.bytes, "kiosks get the last one");
        house.service.stop().await;
    }
}

#[tokio::test]
async fn bundles_that_were_never_signed_go_with_the_next_one() {
    on_both(async |house| {
        let first = fetched(house, None).await;
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        for ago in 1..4 {
            let (id, at) = (house.service.offices().deeds().source().id::<()>().uuid(), house.clock.now());
            let sql = sql!("insert into trust_bundle (id, issued_at, frame_hash, prepared) values ($1, $2, $3, $3)");
            tx.run(sql, args![id, at - Duration::seconds(ago), [7; 32]]).await.unwrap();
        }
        tx.commit().await.unwrap();
        assert_eq!(unsigned(house).await, 3);
        house.clock.advance(Duration::minutes(61));
        another(house, &first.tag).await;
        assert_eq!(unsigned(house).await, 0);
    })
    .await;
}

/// Waits until health has this status. Returns its answer.
pub async fn until_health_is(house: &House, status: &str) -> serde_json::Value {
    until_health(house, |health| health["status"] == status).await
}

/// Waits until health is as wanted. Returns its answer.
async fn until_health(house: &House, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
    let began = Instant::now();
    loop {
        let health = house.anyone().get("/health").await.body;
        if wanted(&health) {
            return health;
        }
        assert!(began.elapsed() < Wait::from_secs(30), "{health}");
        tokio::time::sleep(Wait::from_millis(20)).await;
    }
}

/// A bundle that was made under a clock that was ahead is replaced at once when the clock is right again.
#[tokio::test]
async fn a_bundle_of_tomorrow_does_not_stay() {
    Box::pin(on_both(async |house| {
        let made = || house.service.offices().trust.issued_at().expect("a bundle is in force");
        for days in [1, -1] {
            house.clock.advance(Duration::days(days));
            let began = Instant::now();
            while (made() - house.clock.now()).abs() > Duration::minutes(1) {
                assert!(began.elapsed() < Wait::from_secs(30), "no bundle of now after {days} days");
                tokio::time::sleep(Wait::from_millis(20)).await;
            }
        }
        // It is made once, and not again with every look.
        let first = made();
        tokio::time::sleep(Wait::from_millis(300)).await;
        assert_eq!(made(), first);
    }))
    .await;
}
