//! A station renews its certificate over the connection that the present one opens.

use issuance::keys::{KeyStore, TlsAuthority};
use issuance::{args, sql};
use rcgen::{CertificateParams, KeyPair};
use serde_json::json;
use time::Duration;

use crate::house::{self, Caller, House, Said, now, on_both};

const RENEWAL: &str = "/api/v1/station/certificate";
/// Another route of stations. The tests here ask only whether a caller gets there.
const ROUTE: &str = "/api/v1/production/queue";

fn request() -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
    (key, request)
}

/// The station with the certificate that it was given.
fn with(house: &House, key: &KeyPair, given: &Said) -> Caller {
    assert_eq!(given.status, 200, "{given:?}");
    let pem = format!("{}{}", given.body["certificate_pem"].as_str().unwrap(), key.serialize_pem());
    Caller { client: house::client(&house.folder, Some(&pem)), ..house.anyone() }
}

async fn refusal(caller: &Caller) -> (u16, String) {
    let said = caller.get(ROUTE).await;
    (said.status, said.code().to_owned())
}

#[tokio::test]
async fn the_first_use_of_the_new_certificate_ends_the_one_before() {
    on_both(async |house| {
        let (station, id) = house.station("counter-1").await;
        let (key, csr_pem) = request();
        let given = station.post(RENEWAL, "r-1", json!({"csr_pem": csr_pem})).await;
        let new = with(house, &key, &given);
        assert_eq!(given.body["id"], id.as_str(), "it stays the same station");
        assert!(given.body["ca_pem"].as_str().unwrap().contains("BEGIN CERTIFICATE"));
        let again = station.post(RENEWAL, "r-1", json!({"csr_pem": csr_pem})).await;
        assert!(again.replayed && again.body == given.body, "a repeat ends in the same certificate");
        assert_eq!(refusal(&station).await.0, 200, "the present one goes on until then");
        assert_eq!(refusal(&new).await.0, 200);
        assert_eq!(refusal(&station).await, (401, "station-unknown".to_owned()));
        let late = station.post(RENEWAL, "r-2", json!({"csr_pem": request().1})).await;
        assert_eq!(late.code(), "station-unknown", "what has ended renews nothing");
        assert_eq!(refusal(&new).await.0, 200);
        let entries = sql!("select count(*) as n from audit_entry where action = 'station-renewed' and object = $1");
        assert_eq!(house.count(entries, args![format!("station/{id}")]).await, 2, "issued, and used first");
        let (next_key, next) = request();
        let given = new.post(RENEWAL, "r-3", json!({"csr_pem": next})).await;
        assert_eq!(refusal(&with(house, &next_key, &given)).await.0, 200, "and again, a year later");
    })
    .await;
}

#[tokio::test]
async fn of_two_renewals_at_once_one_is_done() {
    on_both(async |house| {
        let (station, _) = house.station("counter-1").await;
        let (one, other) = (request().1, request().1);
        let (one, other) = tokio::join!(
            station.post(RENEWAL, "r-1", json!({"csr_pem": one})),
            station.post(RENEWAL, "r-2", json!({"csr_pem": other})),
        );
        let mut done = [one, other].map(|said| (said.status, said.code().to_owned()));
        done.sort();
        assert_eq!(done, [(200, String::new()), (409, "station-renewal-open".to_owned())]);
        // A folder that lost its key waits a quarter of an hour, and no longer.
        house.clock.advance(Duration::minutes(16));
        let (key, third) = request();
        let given = station.post(RENEWAL, "r-3", json!({"csr_pem": third})).await;
        assert_eq!(refusal(&with(house, &key, &given)).await.0, 200);
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_has_ended_opens_its_renewal_alone_and_for_a_month() {
    on_both(async |house| {
        let (station, _) = house.station("counter-1").await;
        let (late, _) = house.station("counter-2").await;
        house.clock.advance(Duration::days(365 + 29));
        assert_eq!(refusal(&station).await, (403, "station-certificate-expired".to_owned()));
        let given = station.post(RENEWAL, "r-1", json!({"csr_pem": request().1})).await;
        assert_eq!(given.status, 200, "{given:?}");
        house.clock.advance(Duration::days(2));
        let refused = late.post(RENEWAL, "r-2", json!({"csr_pem": request().1})).await;
        assert_eq!((refused.status, refused.code()), (403, "station-certificate-expired"));
        assert!(refused.body["remedy"].as_str().unwrap().contains("enrol the station again"), "{refused:?}");
    })
    .await;
}

#[tokio::test]
async fn a_revoked_station_renews_nothing() {
    on_both(async |house| {
        let (station, id) = house.station("counter-1").await;
        let (key, csr_pem) = request();
        let given = station.post(RENEWAL, "r-1", json!({"csr_pem": csr_pem})).await;
        let new = with(house, &key, &given);
        let path = format!("/api/v1/stations/{id}/revocation");
        assert_eq!(house.admin.post(&path, "k-2", json!({"reason": "stolen"})).await.status, 200);
        let refused = station.post(RENEWAL, "r-2", json!({"csr_pem": request().1})).await;
        assert_eq!((refused.status, refused.code()), (403, "station-revoked"));
        assert_eq!(refusal(&new).await, (403, "station-revoked".to_owned()), "nor does the new one open anything");
        for unfit in ["nothing like it", ""] {
            let (other, _) = house.station(&format!("counter-{}", unfit.len() + 2)).await;
            let refused = other.post(RENEWAL, "r-3", json!({"csr_pem": unfit})).await;
            assert_eq!((refused.status, refused.code()), (422, "certification-request-unfit"));
        }
    })
    .await;
}

/// By the computer's clock, as TLS judges: one that ended 20 days ago shakes hands, one of 40 days ago does not.
#[tokio::test]
async fn tls_takes_a_certificate_that_ended_within_the_grace_and_no_older_one() {
    let house = House::open(None).await;
    let store = KeyStore::open(&house.folder.path().join("data"), None).unwrap();
    let authority = TlsAuthority::open(&store).unwrap();
    for (ended, shakes_hands) in [(20, true), (40, false)] {
        let (key, csr_pem) = request();
        let at = now() - Duration::days(365 + ended);
        let rng = &mut issuance::ground::Randomness::seeded(5).draw();
        let certificate = authority.station("counter-9", &csr_pem, at, rng).unwrap();
        let pem = format!("{}{}", certificate.pem, key.serialize_pem());
        let answered = house::client(&house.folder, Some(&pem)).get(format!("{}{ROUTE}", house.admin.address));
        match answered.send().await {
            // Made behind the service's back: no station has it.
            Ok(answer) => assert!(shakes_hands && answer.status() == 401, "{ended} days: {}", answer.status()),
            Err(error) => assert!(!shakes_hands, "{ended} days: {error:?}"),
        }
    }
}
