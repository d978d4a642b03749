//! The second factor: an officer's client certificate.

use issuance::ground::{Randomness, Role};
use issuance::server::status::Severity;
use issuance::{Service, args, sql};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::four_eyes::{offline, told, until_alarm_is};
use crate::house::{self, Caller, House, NIL, PASSWORD, Said, on_both};
use crate::tables::fresh_database;

const MINE: &str = "/api/v1/me/certificates";
const AUDIT: &str = "/api/v1/audit?object=card/0";

/// A key, and a request that it signed. What the request asks for is not given.
pub fn csr() -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let mut wishes = CertificateParams::new(vec!["admin.example".to_owned()]).unwrap();
    wishes.distinguished_name.push(rcgen::DnType::CommonName, "another name");
    let request = wishes.serialize_request(&key).unwrap().pem().unwrap();
    (key, request)
}

/// One administrator proposes a certificate for an officer, the second confirms. Returns the one-time token.
pub async fn granted(house: &House, officer: &str) -> Value {
    let path = format!("/api/v1/officers/{officer}/certificates");
    let key: issuance::ground::Id<()> = house.service.offices().deeds().source().id();
    let proposed = house.admin.post(&path, &format!("grant-{key}"), json!({"reason": "x"})).await;
    assert_eq!((proposed.status, &proposed.body["token"]), (200, &json!(null)), "{proposed:?}");
    house.confirms(&proposed).await.body["token"].clone()
}

pub async fn enrols(caller: &Caller, token: &Value) -> (Said, KeyPair) {
    let (key, request) = csr();
    let body = json!({"token": token, "csr_pem": request});
    // The third line of a request holds its key: there are no two alike.
    let once = format!("enrol-{}", request.lines().nth(2).unwrap());
    (caller.post(MINE, &once, body).await, key)
}

/// The certificate and its key, for a connection.
fn identity(enrolled: &Said, key: &KeyPair) -> String {
    format!("{}{}", enrolled.body["certificate_pem"].as_str().unwrap(), key.serialize_pem())
}

/// Not signed in, on connections with this certificate.
fn on_connection_with(house: &House, identity: &str) -> Caller {
    Caller { client: house::client(&house.folder, Some(identity)), ..house.anyone() }
}

/// Signs in on connections with this certificate. Returns the factors too.
pub async fn signs_in_with(house: &House, identity: &str, name: &str) -> (Caller, Value) {
    let mut caller = on_connection_with(house, identity);
    let said = caller.signs_in(name, PASSWORD).await;
    caller.token = said.body["token"].as_str().map(str::to_owned);
    assert!(caller.token.is_some(), "{said:?}");
    (caller, said.body["factors"].clone())
}

/// An officer with a certificate: on connections without it, the certificate with its key, and the officer's id.
pub async fn certified(house: &House, name: &str, roles: &[Role]) -> (Caller, String, String) {
    let (officer, id) = house.appointed(name, roles, "o-1").await;
    let token = granted(house, &id).await;
    let (enrolled, key) = enrols(&officer, &token).await;
    assert_eq!(enrolled.status, 200, "{enrolled:?}");
    (officer, identity(&enrolled, &key), id)
}

/// The same house with another service, which wants two factors.
async fn with_two_factors(house: House, url: Option<String>) -> House {
    Box::pin(with_factors(house, url, 2)).await
}

/// The same house with another service, which wants so many factors.
async fn with_factors(house: House, url: Option<String>, factors: u8) -> House {
    let House { folder, clock, service, mut admin, mut second } = house;
    service.stop().await;
    let mut settings = house::settings(&folder, url);
    settings.access.factors = factors;
    let service = Service::start(&settings, Some(clock.clone()), Randomness::seeded(3)).await.unwrap();
    let address = format!("https://{}", service.address());
    for caller in [&mut admin, &mut second] {
        caller.address.clone_from(&address);
    }
    House { folder, clock, service, admin, second }
}

fn both() -> impl Iterator<Item = Option<String>> {
    [None].into_iter().chain(fresh_database().map(Some))
}

#[tokio::test]
async fn a_certificate_takes_two_administrators_the_officer_and_the_token() {
    Box::pin(on_both(async |house| {
        let (lan, id) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let hoa = house.officer("hoa", &[Role::Auditor], "o-1").await;
        let path = format!("/api/v1/officers/{id}/certificates");
        assert_eq!(lan.post(&path, "k-1", json!({"reason": "x"})).await.code(), "role-missing");
        let proposed = house.admin.post(&path, "k-1", json!({"reason": "new"})).await;
        assert_eq!((&proposed.body["effective"], &proposed.body["token"]), (&json!(false), &json!(null)));
        let confirmation =
            format!("/api/v1/officer-proposals/{}/confirmation", proposed.body["proposal_id"].as_str().unwrap());
        let alone = house.admin.post(&confirmation, "k-2", json!({})).await;
        assert_eq!(alone.code(), "second-officer-needed", "one administrator is not enough");
        assert_eq!(enrols(&lan, &json!("0".repeat(64))).await.0.code(), "one-time-token-unfit", "nor the password");
        let token = house.second.post(&confirmation, "k-3", json!({})).await.body["token"].clone();

        for thief in [&hoa, &house.admin, &house.second] {
            assert_eq!(enrols(thief, &token).await.0.code(), "one-time-token-unfit", "the token is lan's");
        }
        assert_eq!(enrols(&house.anyone(), &token).await.0.code(), "session-needed");
        let set = json!({"token": token, "password": PASSWORD});
        let said = house.anyone().asks(Method::POST, "/api/v1/password", None, Some(set)).await;
        assert_eq!(said.code(), "one-time-token-unfit", "it sets no password");
        let unfit = json!({"token": token, "csr_pem": "-----BEGIN NOTHING-----"});
        assert_eq!(lan.post(MINE, "k-4", unfit).await.code(), "certification-request-unfit");

        let (enrolled, key) = enrols(&lan, &token).await;
        assert_eq!(enrolled.status, 200, "{enrolled:?}");
        assert_eq!(enrols(&lan, &token).await.0.code(), "one-time-token-unfit", "it works once");
        let (_, factors) = signs_in_with(house, &identity(&enrolled, &key), "lan").await;
        assert_eq!(factors, json!(["password", "certificate"]));

        let mine = lan.get(MINE).await;
        let items = mine.body["items"].as_array().unwrap();
        assert_eq!((items.len(), &items[0]["officer_id"]), (1, &json!(id)), "{mine:?}");
        assert_eq!(items[0]["fingerprint"].as_str().map(str::len), Some(64));
        assert_eq!(hoa.get(MINE).await.body["items"], json!([]));
        let all = house.admin.get("/api/v1/officer-certificates").await;
        assert_eq!(all.body["items"], mine.body["items"]);
        let elsewhere = house.officer("local", &[Role::Admin], "o-2").await;
        assert_eq!(elsewhere.get("/api/v1/officer-certificates").await.body["items"], json!([]));
        let trail = sql!("select count(*) as n from audit_entry where action = 'officer-certificate-enrolled'");
        assert_eq!(house.count(trail, args![]).await, 1);
    }))
    .await;
}

#[tokio::test]
async fn a_grant_that_was_not_used_in_time_or_was_taken_back_enrols_nothing() {
    Box::pin(on_both(async |house| {
        let (lan, id) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let token = granted(house, &id).await;
        let grant = lan.get(MINE).await.body["items"][0].clone();
        assert_eq!((&grant["fingerprint"], &grant["made_at"]), (&json!(null), &json!(null)));
        let path = format!("/api/v1/officer-certificates/{}/revocation", grant["id"].as_str().unwrap());
        assert_eq!(house.admin.post(&path, "k-1", json!({"reason": "lost letter"})).await.status, 200);
        assert_eq!(enrols(&lan, &token).await.0.code(), "one-time-token-unfit");

        let late = granted(house, &id).await;
        house.clock.advance(Duration::hours(73));
        let mut lan = house.anyone();
        lan.token = lan.signs_in("lan", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(enrols(&lan, &late).await.0.code(), "one-time-token-unfit");
    }))
    .await;
}

#[tokio::test]
async fn a_session_is_bound_to_the_certificate_with_which_it_was_opened() {
    Box::pin(on_both(async |house| {
        let (plain, certificate, _) = certified(house, "lan", &[Role::Auditor]).await;
        let (_, others, _) = certified(house, "hoa", &[Role::Auditor]).await;
        let (station, _) = house.station("counter-1").await;
        let (lan, factors) = signs_in_with(house, &certificate, "lan").await;
        assert_eq!(factors, json!(["password", "certificate"]));
        let me = lan.get("/api/v1/me").await;
        assert_eq!(me.body["session"]["factors"], json!(["password", "certificate"]), "{me:?}");
        assert_eq!(me.body["factors_needed"], json!(1));
        let sessions = lan.get("/api/v1/me/sessions").await;
        for session in sessions.body["items"].as_array().unwrap() {
            let both = session["factors"] == json!(["password", "certificate"]);
            assert_eq!(session["current"], json!(both), "the first one was opened with the password alone");
        }

        let stolen = |client: &reqwest::Client| Caller {
            client: client.clone(),
            address: lan.address.clone(),
            token: lan.token.clone(),
        };
        for (caller, whose) in [
            (stolen(&house.anyone().client), "none"),
            (stolen(&on_connection_with(house, &others).client), "another officer's"),
            (stolen(&station.client), "a station's"),
        ] {
            assert_eq!(caller.get(AUDIT).await.code(), "session-needed", "{whose}");
            assert_eq!(caller.get("/api/v1/me").await.code(), "session-needed", "{whose}");
        }
        assert_eq!(lan.get(AUDIT).await.status, 200);
        // A session of the password alone stays one, on whatever connection.
        let on_it = Caller { token: plain.token.clone(), ..on_connection_with(house, &certificate) };
        assert_eq!(on_it.get("/api/v1/me").await.body["session"]["factors"], json!(["password"]));
    }))
    .await;
}

#[tokio::test]
async fn a_stations_certificate_is_no_officers_and_an_officers_is_no_stations() {
    Box::pin(on_both(async |house| {
        let (_, certificate, _) = certified(house, "lan", &[Role::Auditor]).await;
        house.appointed("hoa", &[Role::Auditor], "o-1").await;
        let (mut station, _) = house.station("counter-1").await;
        let said = station.signs_in("lan", PASSWORD).await;
        assert_eq!(said.body["factors"], json!(["password"]), "a station's certificate");
        station.token = said.body["token"].as_str().map(str::to_owned);
        assert_eq!(station.get("/api/v1/me").await.body["session"]["factors"], json!(["password"]));
        let (_, factors) = signs_in_with(house, &certificate, "hoa").await;
        assert_eq!(factors, json!(["password"]), "another officer's certificate");
        let said = on_connection_with(house, &certificate).get("/api/v1/production/queue").await;
        assert_eq!((said.status, said.code()), (401, "station-unknown"));
        let (lan, _) = signs_in_with(house, &certificate, "lan").await;
        assert_eq!(lan.get("/api/v1/production/queue").await.code(), "station-unknown");
        // People tell them apart by the name: only an officer's says `officers`, and neither has what was wished for.
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let holds = |der: &[u8], word: &str| der.windows(word.len()).any(|window| window == word.as_bytes());
        for (statement, officers) in [
            (sql!("select certificate from officer_certificate where fingerprint is not null"), true),
            (sql!("select certificate from station"), false),
        ] {
            let rows = tx.all(statement, args![]).await.unwrap();
            assert_eq!(rows.len(), 1);
            let der: Vec<u8> = rows[0].get("certificate").unwrap();
            assert_eq!(holds(&der, issuance::keys::OFFICERS), officers);
            assert!(!holds(&der, "another name") && !holds(&der, "admin.example"));
        }
    }))
    .await;
}

#[tokio::test]
async fn a_revoked_certificate_opens_nothing_and_its_sessions_end() {
    Box::pin(on_both(async |house| {
        let (plain, certificate, id) = certified(house, "lan", &[Role::Auditor]).await;
        let (hoa, _, _) = certified(house, "hoa", &[Role::Auditor]).await;
        let local = house.officer("local", &[Role::Admin], "o-2").await;
        let (lan, _) = signs_in_with(house, &certificate, "lan").await;
        let mine = lan.get(MINE).await.body["items"][0]["id"].as_str().unwrap().to_owned();
        let by_admin = format!("/api/v1/officer-certificates/{mine}/revocation");
        assert_eq!(local.post(&by_admin, "k-1", json!({"reason": "x"})).await.code(), "other-office");
        let own = |id: &str| format!("{MINE}/{id}");
        let others = hoa.asks(Method::DELETE, &own(&mine), None, None).await;
        assert_eq!((others.status, others.code()), (404, "officer-certificate-unknown"));
        let unknown = lan.asks(Method::DELETE, &own(NIL), None, None).await;
        assert_eq!((unknown.status, unknown.code()), (404, "officer-certificate-unknown"));
        let unknown = format!("/api/v1/officer-certificates/{NIL}/revocation");
        let unknown = house.admin.post(&unknown, "k-1", json!({"reason": "x"})).await;
        assert_eq!((unknown.status, unknown.code()), (404, "officer-certificate-unknown"));
        assert_eq!(lan.get(AUDIT).await.status, 200);

        assert_eq!(house.admin.post(&by_admin, "k-2", json!({"reason": "laptop stolen"})).await.status, 200);
        assert_eq!(lan.get(AUDIT).await.code(), "session-needed");
        assert_eq!(plain.get(AUDIT).await.status, 200, "a session that is not bound to it goes on");
        assert_eq!(signs_in_with(house, &certificate, "lan").await.1, json!(["password"]));

        // The officer revokes one alone.
        let token = granted(house, &id).await;
        let (enrolled, key) = enrols(&plain, &token).await;
        let (lan, _) = signs_in_with(house, &identity(&enrolled, &key), "lan").await;
        let path = own(enrolled.body["id"].as_str().unwrap());
        assert_eq!(plain.asks(Method::DELETE, &path, None, None).await.status, 204);
        assert_eq!(lan.get(AUDIT).await.code(), "session-needed");
        let trail = sql!("select count(*) as n from audit_entry where action = 'officer-certificate-revoked'");
        assert_eq!(house.count(trail, args![]).await, 2);
        let live = sql!("select count(*) as n from session where certificate is not null and closed_at is null");
        assert_eq!(house.count(live, args![]).await, 0);
    }))
    .await;
}

#[tokio::test]
async fn a_certificate_that_ran_out_or_whose_officer_was_away_is_no_factor() {
    Box::pin(on_both(async |house| {
        let (_, certificate, id) = certified(house, "lan", &[Role::Auditor]).await;
        let path = |verb: &str| format!("/api/v1/officers/{id}/{verb}");
        house.admin.post(&path("disablement"), "k-1", json!({"reason": "x"})).await;
        let back = house.admin.post(&path("enablement"), "k-2", json!({"reason": "x"})).await;
        let mut lan = house.anyone();
        lan.owns("lan", &house.confirms(&back).await).await;
        assert_eq!(signs_in_with(house, &certificate, "lan").await.1, json!(["password"]), "revoked with the access");

        let (enrolled, key) = enrols(&lan, &granted(house, &id).await).await;
        let certificate = identity(&enrolled, &key);
        assert_eq!(signs_in_with(house, &certificate, "lan").await.1, json!(["password", "certificate"]));
        // Alive to the last day, and no longer: the clock of the house, not of this computer.
        house.clock.advance(Duration::days(364));
        let (lan, factors) = signs_in_with(house, &certificate, "lan").await;
        assert_eq!(factors, json!(["password", "certificate"]));
        house.clock.advance(Duration::hours(23));
        assert_eq!(lan.get(AUDIT).await.code(), "session-needed");
        let (lan, _) = signs_in_with(house, &certificate, "lan").await;
        for _ in 0..3 {
            house.clock.advance(Duration::minutes(25));
            lan.get(AUDIT).await;
        }
        assert_eq!(lan.get(AUDIT).await.code(), "session-needed", "the session ends with the certificate");
        assert_eq!(signs_in_with(house, &certificate, "lan").await.1, json!(["password"]));
    }))
    .await;
}

#[tokio::test]
async fn what_another_hand_writes_about_certificates_and_sessions_opens_nothing() {
    Box::pin(on_both(async |house| {
        let (_, certificate, _) = certified(house, "lan", &[Role::Auditor]).await;
        let (_, id) = house.appointed("hoa", &[Role::Auditor], "o-1").await;
        let (lan, _) = signs_in_with(house, &certificate, "lan").await;
        let by_hand = async |statement, arguments| {
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            assert_eq!(tx.run(statement, arguments).await.unwrap(), 1);
            tx.commit().await.unwrap();
        };
        // Unbound, so that the token would work anywhere.
        by_hand(sql!("update session set certificate = null where certificate is not null"), args![]).await;
        let stolen = Caller { token: lan.token.clone(), ..house.anyone() };
        assert_eq!(stolen.get(AUDIT).await.code(), "record-tampered");
        // Given to another officer.
        let id: issuance::ground::ids::OfficerId = id.parse().unwrap();
        by_hand(sql!("update officer_certificate set officer_id = $1"), args![id]).await;
        let said = on_connection_with(house, &certificate).signs_in("hoa", PASSWORD).await;
        assert_eq!((said.code(), &said.body["token"]), ("record-tampered", &json!(null)));
        let listed = house.admin.get("/api/v1/officer-certificates").await;
        assert_eq!(listed.body["items"][0]["tampered"], json!(true), "{listed:?}");
    }))
    .await;
}

#[tokio::test]
async fn where_two_factors_are_wanted_a_password_alone_looks_after_itself_only() {
    for url in both() {
        let house = Box::pin(House::open(url.clone())).await;
        let (plain, certificate, _) = certified(&house, "lan", &[Role::Auditor]).await;
        let house = Box::pin(with_two_factors(house, url)).await;
        let mut plain = Caller { address: house.admin.address.clone(), ..plain };
        plain.token = plain.signs_in("lan", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        for path in [AUDIT, "/api/v1/units", "/api/v1/reference/provinces"] {
            let said = plain.get(path).await;
            assert_eq!((said.status, said.code()), (403, "second-factor-needed"), "{path}");
        }
        let body = json!({"username": "a", "roles": ["stock"], "office": "o-1"});
        assert_eq!(house.admin.post("/api/v1/officers", "k-1", body).await.code(), "second-factor-needed");
        let refusals = sql!("select count(*) as n from audit_entry where reason = 'second-factor-needed'");
        assert_eq!(house.count(refusals, args![]).await, 4);

        assert_eq!(plain.get("/api/v1/me").await.body["factors_needed"], json!(2));
        assert_eq!(plain.get("/api/v1/me/sessions").await.status, 200);
        assert_eq!(plain.get(MINE).await.body["items"].as_array().unwrap().len(), 1);
        assert_eq!(enrols(&plain, &json!("x")).await.0.code(), "one-time-token-unfit");
        let changes = json!({"old": PASSWORD, "new": "another battery staple"});
        assert_eq!(plain.post("/api/v1/me/password", "k-2", changes).await.status, 204);
        let changes = json!({"old": "another battery staple", "new": PASSWORD});
        assert_eq!(plain.post("/api/v1/me/password", "k-3", changes).await.status, 204);

        let (lan, factors) = signs_in_with(&house, &certificate, "lan").await;
        assert_eq!(factors, json!(["password", "certificate"]));
        assert_eq!(lan.get(AUDIT).await.status, 200);
        assert_eq!(plain.asks(Method::DELETE, "/api/v1/sessions/current", None, None).await.status, 204);
        house.service.stop().await;
    }
}

/// Both administrators lost their computers: their passwords alone decide nothing, and do not hold up the owner either.
#[tokio::test]
async fn a_certificate_by_break_glass_does_not_wait_for_an_administrator_who_cannot_decide() {
    for url in both() {
        let house = Box::pin(House::open(url.clone())).await;
        let house = Box::pin(with_two_factors(house, url.clone())).await;
        house.clock.advance(Duration::seconds(1));
        let said = told(&offline(&house, url.as_deref(), &["propose-certificate", "admin"]).await);
        let token = json!(said.lines().last().unwrap());
        until_alarm_is(&house.admin, true).await;
        house.clock.advance(Duration::hours(13));
        let mut admin = house.anyone();
        admin.token = admin.signs_in("admin", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(admin.get("/api/v1/officer-proposals").await.code(), "second-factor-needed");
        assert_eq!(enrols(&admin, &token).await.0.code(), "one-time-token-unfit", "not before its time");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        house.clock.advance(Duration::hours(12));
        until_alarm_is(&house.admin, false).await;
        let mut admin = house.anyone();
        admin.token = admin.signs_in("admin", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(enrols(&admin, &token).await.0.status, 200);
        house.service.stop().await;
    }
}

/// The owner of the key file and one administrator are two.
#[tokio::test]
async fn a_certificate_by_break_glass_waits_for_an_administrator_who_can_decide() {
    for url in both() {
        let house = Box::pin(House::open(url.clone())).await;
        let third = house.officer("third", &[Role::Admin], "national").await;
        let id = house.second.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/officers/{id}/certificates");
        let own = house.second.post(&path, "k-1", json!({"reason": "x"})).await;
        assert_eq!(own.code(), "second-officer-needed", "no administrator proposes for oneself");
        let proposed = house.admin.post(&path, "k-1", json!({"reason": "x"})).await;
        let path = format!("/api/v1/officer-proposals/{}/confirmation", proposed.body["proposal_id"].as_str().unwrap());
        assert_eq!(house.second.post(&path, "k-2", json!({})).await.code(), "second-officer-needed");
        let token = third.post(&path, "k-2", json!({})).await.body["token"].clone();
        let (enrolled, key) = enrols(&house.second, &token).await;
        let certificate = identity(&enrolled, &key);

        let house = Box::pin(with_two_factors(house, url.clone())).await;
        house.clock.advance(Duration::seconds(1));
        let said = told(&offline(&house, url.as_deref(), &["propose-certificate", "admin"]).await);
        let token = json!(said.lines().last().unwrap());
        until_alarm_is(&house.admin, true).await;
        house.clock.advance(Duration::minutes(5));
        let (second, _) = signs_in_with(&house, &certificate, "second").await;
        let open = second.get("/api/v1/officer-proposals").await;
        assert_eq!(open.body["items"][0]["change"], "certificate", "{open:?}");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        house.clock.advance(Duration::hours(25));
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let grants = sql!("select count(*) as n from officer_certificate");
        assert_eq!(house.count(grants, args![]).await, 1, "it waits for the administrator");
        let (second, _) = signs_in_with(&house, &certificate, "second").await;
        let path = format!("/api/v1/officer-proposals/{}/confirmation", open.body["items"][0]["id"].as_str().unwrap());
        let confirmed = second.post(&path, "k-9", json!({})).await;
        assert_eq!((confirmed.status, &confirmed.body["token"]), (200, &json!(null)), "the owner has the token");
        let mut admin = house.anyone();
        admin.token = admin.signs_in("admin", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(enrols(&admin, &token).await.0.status, 200);
        house.service.stop().await;
    }
}

/// An administrator of another office decides nothing about an officer of the national one: so it holds nothing up, and
/// is told all the same.
#[tokio::test]
async fn break_glass_does_not_wait_for_an_administrator_of_another_office_who_sees_it_all_the_same() {
    for url in both() {
        let house = Box::pin(House::open(url.clone())).await;
        house.officer("local", &[Role::Admin], "o-2").await;
        house.clock.advance(Duration::seconds(1));
        let said = told(&offline(&house, url.as_deref(), &["propose-certificate", "admin"]).await);
        let token = json!(said.lines().last().unwrap());
        until_alarm_is(&house.admin, true).await;
        house.clock.advance(Duration::hours(13));
        let mut local = house.anyone();
        local.token = local.signs_in("local", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let open = local.get("/api/v1/officer-proposals").await;
        let proposal = &open.body["items"][0];
        assert_eq!((&proposal["change"], &proposal["waits_since"]), (&json!("certificate"), &json!(null)), "{open:?}");
        let path = format!("/api/v1/officer-proposals/{}/withdrawal", proposal["id"].as_str().unwrap());
        assert_eq!(local.post(&path, "k-1", json!({})).await.code(), "other-office");
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        house.clock.advance(Duration::hours(12));
        until_alarm_is(&house.admin, false).await;
        let mut admin = house.anyone();
        admin.token = admin.signs_in("admin", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(enrols(&admin, &token).await.0.status, 200);
        house.service.stop().await;
    }
}

/// The administrator who was seen is told to decide, and until when it waits; once that one may decide no more, the day
/// of alarm goes on.
#[tokio::test]
async fn what_waits_for_an_administrator_says_so_and_waits_no_longer_than_one_can_decide() {
    for url in both() {
        let house = Box::pin(House::open(url.clone())).await;
        house.appointed("lan", &[Role::Auditor], "o-1").await;
        house.clock.advance(Duration::seconds(1));
        let made = house.clock.now();
        let said = told(&offline(&house, url.as_deref(), &["propose-reset", "lan"]).await);
        assert!(said.contains("ends undecided at"), "{said}");
        until_alarm_is(&house.admin, true).await;
        let status = async || {
            let offices = house.service.offices();
            offices.watch.look(offices.deeds()).await.unwrap();
            offices.watch.latest().unwrap()
        };
        assert_eq!(status().await.break_glass_waits_since, None);
        house.clock.advance(Duration::minutes(5));
        let mut second = house.anyone();
        second.token = second.signs_in("second", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        house.clock.advance(Duration::minutes(5));
        let waits = async |wanted: bool| {
            for _ in 0..400 {
                if house.admin.get("/health").await.body["break_glass_waits"] == json!(wanted) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            panic!("it does not say that it waits: {wanted}");
        };
        waits(true).await;
        let proposal = second.get("/api/v1/officer-proposals").await.body["items"][0].clone();
        assert!(proposal["waits_since"].is_string() && proposal["effective_at"].is_null(), "{proposal}");
        let seen = status().await;
        assert!(seen.break_glass_waits_since.is_some());
        let until = seen.break_glass.unwrap() - made;
        assert!((Duration::hours(167)..=Duration::hours(169)).contains(&until), "it ends with its week: {until}");
        let finding = seen.findings.iter().find(|one| one.about == "break-glass").unwrap();
        assert!(finding.says.contains("waits for an administrator"), "{finding:?}");
        told(&offline(&house, url.as_deref(), &["lock", "second"]).await);
        house.clock.advance(Duration::minutes(2));
        waits(false).await;
        house.service.stop().await;
    }
}

/// Both administrators with a certificate each, in a service that wants two factors; on connections with them.
async fn two_who_administer(url: Option<String>) -> (House, [Caller; 2], [String; 2]) {
    let house = Box::pin(House::open(url.clone())).await;
    let third = house.officer("third", &[Role::Admin], "national").await;
    let mut identities = Vec::new();
    for (officer, proposer) in [(&house.admin, &house.second), (&house.second, &house.admin)] {
        let id = officer.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned();
        let proposed =
            proposer.post(&format!("/api/v1/officers/{id}/certificates"), "k-1", json!({"reason": "x"})).await;
        let path = format!("/api/v1/officer-proposals/{}/confirmation", proposed.body["proposal_id"].as_str().unwrap());
        let token = third.post(&path, &format!("c-{id}"), json!({})).await.body["token"].clone();
        let (enrolled, key) = enrols(officer, &token).await;
        identities.push(identity(&enrolled, &key));
    }
    told(&offline(&house, url.as_deref(), &["lock", "third"]).await);
    let house = Box::pin(with_two_factors(house, url)).await;
    let (admin, _) = signs_in_with(&house, &identities[0], "admin").await;
    let (second, _) = signs_in_with(&house, &identities[1], "second").await;
    (house, [admin, second], identities.try_into().unwrap())
}

async fn certificate_of(caller: &Caller) -> String {
    caller.get(MINE).await.body["items"][0]["id"].as_str().unwrap().to_owned()
}

/// A thief of both passwords does not shut the administrators out, nor do they themselves; the
/// owner of the key file can.
#[tokio::test]
async fn where_two_factors_are_wanted_a_password_revokes_nothing_and_the_last_certificate_stays() {
    for url in both() {
        let (house, [admin, second], _) = Box::pin(two_who_administer(url.clone())).await;
        let status = async || {
            let offices = house.service.offices();
            offices.watch.look(offices.deeds()).await.unwrap();
            let latest = offices.watch.latest().unwrap();
            let about = latest.findings.iter().find(|one| one.about == "administrators");
            (latest.administrators, about.map(|one| one.severity))
        };
        assert_eq!(status().await, (2, None));
        let mut thief = house.anyone();
        thief.token = thief.signs_in("admin", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let own = format!("{MINE}/{}", certificate_of(&admin).await);
        let stolen = thief.asks(Method::DELETE, &own, None, None).await;
        assert_eq!((stolen.status, stolen.code()), (403, "second-factor-needed"));

        assert_eq!(admin.asks(Method::DELETE, &own, None, None).await.status, 204);
        assert_eq!(status().await, (1, Some(Severity::Warning)));
        let last = certificate_of(&second).await;
        let refused = second.asks(Method::DELETE, &format!("{MINE}/{last}"), None, None).await;
        assert_eq!((refused.status, refused.code()), (409, "last-administrator"));
        let path = format!("/api/v1/officer-certificates/{last}/revocation");
        assert_eq!(second.post(&path, "r-1", json!({"reason": "x"})).await.code(), "last-administrator");
        // A renewal ends with the certificate that it renews: it leaves nothing to sign in with.
        let renewed = second.post(&format!("{MINE}/renewal"), "r-2", json!({"csr_pem": csr().1})).await;
        assert_eq!(renewed.status, 200, "{renewed:?}");
        let refused = second.asks(Method::DELETE, &format!("{MINE}/{last}"), None, None).await;
        assert_eq!((refused.status, refused.code()), (409, "last-administrator"));
        assert_eq!(second.get(MINE).await.status, 200, "and nothing has ended");

        told(&offline(&house, url.as_deref(), &["revoke-certificates", "second"]).await);
        assert_eq!(second.get(MINE).await.code(), "session-needed");
        assert_eq!(status().await, (0, Some(Severity::Critical)));
        let unknown = offline(&house, url.as_deref(), &["revoke-certificates", "thu"]).await;
        let told = String::from_utf8_lossy(&unknown.stderr).into_owned();
        assert!(!unknown.status.success() && told.contains("no officer is called `thu`"), "{told}");
        house.service.stop().await;
    }
}

/// The key of a certificate that is revoked, or of another's, is a key that another hand may have.
#[tokio::test]
async fn a_key_is_certified_for_one_holder_and_not_again_once_it_is_revoked() {
    Box::pin(on_both(async |house| {
        let (lan, id) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let (hoa, other) = house.appointed("hoa", &[Role::Auditor], "o-1").await;
        let (_, request) = csr();
        let with = |token: &Value| json!({"token": token, "csr_pem": request});
        let enrolled = lan.post(MINE, "k-1", with(&granted(house, &id).await)).await;
        assert_eq!(enrolled.status, 200, "{enrolled:?}");
        let refused = hoa.post(MINE, "k-2", with(&granted(house, &other).await)).await;
        assert_eq!((refused.status, refused.code()), (409, "key-certified-before"), "another officer's");
        let station = json!({"name": "counter-1", "office": "o-1", "csr_pem": request});
        assert_eq!(house.admin.post("/api/v1/stations", "k-3", station).await.code(), "key-certified-before");

        assert_eq!(lan.post(MINE, "k-4", with(&granted(house, &id).await)).await.status, 200, "the officer's own");
        for item in lan.get(MINE).await.body["items"].as_array().unwrap() {
            let path = format!("{MINE}/{}", item["id"].as_str().unwrap());
            assert_eq!(lan.asks(Method::DELETE, &path, None, None).await.status, 204);
        }
        let refused = lan.post(MINE, "k-5", with(&granted(house, &id).await)).await;
        assert_eq!(refused.code(), "key-certified-before", "revoked");

        let (_, request) = csr();
        let station = |name: &str| json!({"name": name, "office": "o-1", "csr_pem": request});
        let made = house.admin.post("/api/v1/stations", "s-1", station("counter-2")).await;
        assert_eq!(made.status, 200, "{made:?}");
        let again = house.admin.post("/api/v1/stations", "s-2", station("counter-3")).await;
        assert_eq!(again.code(), "key-certified-before", "another station's");
        let revoked = format!("/api/v1/stations/{}/revocation", made.body["id"].as_str().unwrap());
        assert_eq!(house.admin.post(&revoked, "s-3", json!({"reason": "stolen"})).await.status, 200);
        let again = house.admin.post("/api/v1/stations", "s-4", station("counter-4")).await;
        assert_eq!(again.code(), "key-certified-before", "a revoked station's");
    }))
    .await;
}

/// What an earlier version certified and did not note is noted when the service starts.
#[tokio::test]
async fn keys_that_were_certified_before_they_were_noted_are_noted_at_the_start() {
    for url in both() {
        let house = Box::pin(House::open(url.clone())).await;
        let (_, request) = csr();
        let station = |name: &str| json!({"name": name, "office": "o-1", "csr_pem": request});
        assert_eq!(house.admin.post("/api/v1/stations", "s-1", station("counter-1")).await.status, 200);
        let (lan, id) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let (enrolled, _) = enrols(&lan, &granted(&house, &id).await).await;
        assert_eq!(enrolled.status, 200);
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        assert_eq!(tx.run(sql!("delete from certified_key"), args![]).await.unwrap(), 2);
        tx.commit().await.unwrap();
        let house = Box::pin(with_factors(house, url, 1)).await;
        assert_eq!(house.count(sql!("select count(*) as n from certified_key"), args![]).await, 2);
        let again = house.admin.post("/api/v1/stations", "s-2", station("counter-2")).await;
        assert_eq!(again.code(), "key-certified-before");
        house.service.stop().await;
    }
}

#[tokio::test]
async fn a_certificate_is_renewed_with_both_factors_and_ends_when_the_next_one_is_used() {
    Box::pin(on_both(async |house| {
        let (plain, certificate, _) = certified(house, "lan", &[Role::Auditor]).await;
        let renewal = "/api/v1/me/certificates/renewal";
        let asks = async |caller: &Caller, once: &str| {
            let (key, request) = csr();
            let said = caller.post(renewal, once, json!({"csr_pem": request})).await;
            (said, key)
        };
        let alone = asks(&plain, "k-1").await.0;
        assert_eq!((alone.status, alone.code()), (403, "second-factor-needed"), "a password alone");
        let (lan, _) = signs_in_with(house, &certificate, "lan").await;
        let elsewhere = Caller { token: lan.token.clone(), ..house.anyone() };
        assert_eq!(asks(&elsewhere, "k-2").await.0.code(), "session-needed");

        let (lost, lost_key) = asks(&lan, "k-3").await;
        let (given, key) = asks(&lan, "k-4").await;
        assert_eq!((lost.status, given.status), (200, 200), "{given:?}");
        assert_eq!(lan.get(AUDIT).await.status, 200, "the present one goes on");
        let (_, factors) = signs_in_with(house, &identity(&lost, &lost_key), "lan").await;
        assert_eq!(factors, json!(["password"]), "another renewal took its place");
        let (lan, _) = signs_in_with(house, &certificate, "lan").await;
        let (renewed, factors) = signs_in_with(house, &identity(&given, &key), "lan").await;
        assert_eq!(factors, json!(["password", "certificate"]));
        assert_eq!(lan.get(AUDIT).await.code(), "session-needed", "ended by the first use of the next");
        assert_eq!(renewed.get(AUDIT).await.status, 200);

        // A thief who renewed what was lost loses that too.
        let (stolen, _) = asks(&renewed, "k-5").await;
        let path = format!("{MINE}/{}", given.body["id"].as_str().unwrap());
        assert_eq!(renewed.asks(Method::DELETE, &path, None, None).await.status, 204);
        let all = plain.get(MINE).await;
        let item = all.body["items"].as_array().unwrap().iter().find(|one| one["id"] == stolen.body["id"]).unwrap();
        assert!(item["revoked_at"].is_string(), "{item}");
    }))
    .await;
}
