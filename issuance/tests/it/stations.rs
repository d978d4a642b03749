//! Client certificates, TLS and the listener.

use issuance::ground::Randomness;
use issuance::keys::KeyStore;
use issuance::server::{Limits, ListenError, TlsListener};
use issuance::{Service, StartError};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use tokio::io::AsyncReadExt as _;

use crate::house::{self, NIL, on_both};

/// A station's route. The tests here ask only whether a caller gets there.
const ROUTE: &str = "/api/v1/station/intake/orders";

#[tokio::test]
async fn an_enrolled_station_passes_and_a_revoked_one_is_refused_on_the_same_connection() {
    on_both(async |house| {
        let (station, id) = house.station("counter-1").await;
        let said = station.post(ROUTE, "k-1", json!({})).await;
        assert!(said.status != 401 && said.status != 403, "{said:?}");
        let revoked =
            house.admin.post(&format!("/api/v1/stations/{id}/revocation"), "k-2", json!({"reason": "stolen"})).await;
        assert_eq!(revoked.status, 200);
        let said = station.post(ROUTE, "k-3", json!({})).await;
        assert_eq!((said.status, said.code()), (403, "station-revoked"));
        let unknown =
            house.admin.post(&format!("/api/v1/stations/{NIL}/revocation"), "k-4", json!({"reason": "x"})).await;
        assert_eq!((unknown.status, unknown.code()), (404, "station-not-found"));
        let malformed = house.admin.post("/api/v1/stations/counter-1/revocation", "k-5", json!({"reason": "x"})).await;
        assert_eq!((malformed.status, malformed.code()), (422, "identifier-malformed"));
    })
    .await;
}

#[tokio::test]
async fn without_certificate_no_station_route() {
    on_both(async |house| {
        let said = house.anyone().post(ROUTE, "k-1", json!({})).await;
        assert_eq!((said.status, said.code()), (401, "station-certificate-needed"));
        let said = house.admin.post(ROUTE, "k-2", json!({})).await;
        assert_eq!((said.status, said.code()), (401, "station-certificate-needed"), "a session does not help");
    })
    .await;
}

#[tokio::test]
async fn a_certificate_of_another_house_does_not_even_shake_hands() {
    let (house, other) = (house::House::open(None).await, house::House::open(None).await);
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
    let body = json!({"name": "stranger", "office": "o-1", "csr_pem": request});
    let enrolled = other.admin.post("/api/v1/stations", "k-1", body).await;
    let pem = format!("{}{}", enrolled.body["certificate_pem"].as_str().unwrap(), key.serialize_pem());
    let stranger = house::client(&house.folder, Some(&pem));
    assert!(stranger.get(format!("{}/health", house.admin.address)).send().await.is_err());
}

#[tokio::test]
async fn a_request_that_its_own_key_did_not_sign_is_refused() {
    on_both(async |house| {
        let key = KeyPair::generate().unwrap();
        let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap();
        let mut der = request.der().to_vec();
        let last = der.len() - 3;
        der[last] ^= 1;
        let forged = format!(
            "-----BEGIN CERTIFICATE REQUEST-----\n{}\n-----END CERTIFICATE REQUEST-----\n",
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &der)
        );
        for (key, pem) in [("k-1", forged.as_str()), ("k-2", "nothing like it")] {
            let said =
                house.admin.post("/api/v1/stations", key, json!({"name": "s", "office": "o-1", "csr_pem": pem})).await;
            assert_eq!((said.status, said.code()), (422, "certification-request-unfit"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_does_not_shake_hands_stops_nobody() {
    let house = house::House::open(None).await;
    let mut silent = Vec::new();
    for _ in 0..20 {
        silent.push(tokio::net::TcpStream::connect(house.service.address()).await.unwrap());
    }
    assert_eq!(house.anyone().get("/health").await.status, 200);
    // And plain HTTP is not answered.
    let mut plain = silent.pop().unwrap();
    tokio::io::AsyncWriteExt::write_all(&mut plain, b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"));
}

#[tokio::test]
async fn a_port_in_use_is_said_so() {
    let house = house::House::open(None).await;
    let store = KeyStore::open(&house.folder.path().join("data"), None).unwrap();
    let grace = std::time::Duration::ZERO;
    let error = TlsListener::bind(house.service.address(), &store, Limits::default(), &[], grace).await.unwrap_err();
    assert!(matches!(error, ListenError::InUse(address) if address == house.service.address()));
    assert!(error.to_string().contains("in use"));
}

#[tokio::test]
async fn a_stopped_service_frees_its_port_and_starts_again_with_everything() {
    let house = house::House::open(None).await;
    let (station, _) = house.station("counter-1").await;
    let address = house.service.address();
    let mut settings = house::settings(&house.folder, None);
    settings.listen = address;
    house.service.stop().await;
    let service = Service::start(&settings, Some(house.clock.clone()), Randomness::seeded(3)).await.unwrap();
    assert_eq!(house.admin.get("/health").await.status, 200);
    let said = station.post(ROUTE, "k-9", json!({})).await;
    assert!(said.status != 401 && said.status != 403, "{said:?}");
    service.stop().await;
}

#[tokio::test]
async fn without_init_there_is_no_service() {
    let folder = tempfile::tempdir().unwrap();
    let error = Service::start(&house::settings(&folder, None), None, Randomness::System).await.unwrap_err();
    assert!(matches!(error, StartError::KeyStore(_)));
    assert!(error.to_string().contains("issuance init"), "{error}");
}

#[tokio::test]
async fn a_station_that_speaks_no_version_of_this_service_is_refused_before_anything_is_done() {
    on_both(async |house| {
        let (station, _) = house.station("counter-1").await;
        let asks = async |versions: Option<&str>, key: &str| {
            let mut request = station.client.post(format!("{}{ROUTE}", station.address));
            if let Some(versions) = versions {
                request = request.header("citizen-card-protocol", versions);
            }
            let answer = request.header("idempotency-key", key).json(&json!({})).send().await.unwrap();
            let spoken = answer.headers()["citizen-card-protocol"].to_str().unwrap().to_owned();
            assert_eq!(spoken, "2, 1", "each answer says what is spoken here");
            let status = answer.status().as_u16();
            (status, answer.json::<serde_json::Value>().await.unwrap())
        };
        for (number, (said, code)) in
            [("4, 3", "protocol-too-new"), ("3", "protocol-too-new"), ("next", "protocol-too-new")].iter().enumerate()
        {
            let (status, body) = asks(Some(said), &format!("k-{number}")).await;
            assert_eq!((status, &body["code"]), (400, &json!(code)), "{said}");
            let detail = body["detail"].as_str().unwrap();
            assert!(detail.contains("2, 1") && body["remedy"].as_str().unwrap().contains("card-agent"), "{body}");
            assert_eq!(body["about"], "station");
        }
        // The agent before the versions, this one, and the next one: all meet the handler, which wants another body.
        for (number, said) in [None, Some("1"), Some("2, 1"), Some("3, 2")].into_iter().enumerate() {
            let (status, body) = asks(said, &format!("known-{number}")).await;
            assert_eq!((status, &body["code"]), (422, &json!("body-invalid")), "{said:?}");
        }
        // Officers are asked for no version.
        let answer = house.admin.client.get(format!("{}/api/v1/stations", house.admin.address));
        let answer = answer.bearer_auth(house.admin.token.as_ref().unwrap()).header("citizen-card-protocol", "9");
        assert_eq!(answer.send().await.unwrap().status(), 200);
    })
    .await;
}
