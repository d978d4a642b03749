//! The trust bundle, opened as a kiosk opens it.

use crypto::pki::{Certificate, Crl, trust_bundle};
use issuance::args;
use time::Duration;

use crate::house::{House, on_both};

async fn fetched(house: &House, path: &str) -> Vec<u8> {
    let caller = house.anyone();
    let response = caller.client.get(format!("{}{path}", caller.address)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn a_kiosk_opens_the_bundle_with_the_csca_that_it_was_given() {
    on_both(async |house| {
        let bytes = fetched(house, "/api/trust-bundle").await;
        let csca = Certificate::parse(&std::fs::read(house.folder.path().join("data/csca.der")).unwrap()).unwrap();
        let bundle = trust_bundle::open(&bytes, &csca, house.clock.now()).unwrap();
        assert_eq!(bundle.contents().cscas, [csca.der()]);
        let crl = fetched(house, "/api/crl").await;
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
        let first = fetched(house, "/api/trust-bundle").await;
        for _ in 0..5 {
            assert_eq!(fetched(house, "/api/trust-bundle").await, first);
        }
        house.clock.advance(Duration::minutes(61));
        assert_ne!(fetched(house, "/api/trust-bundle").await, first, "an hour later it is made anew");
        assert_eq!(house.count("select count(*) as n from trust_bundle where signed is not null", args![]).await, 2);
    })
    .await;
}
