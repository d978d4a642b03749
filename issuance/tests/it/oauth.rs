//! Access tokens for systems of partners: given for what agreements grant, bound to the certificate, and judged where
//! they are shown.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use issuance::{args, sql};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Duration;

use crate::exchange::{Joined, agreed, grant, joined, partner, person, question, system_of};
use crate::house::{Caller, House, on_both};
use crate::incoming::{newborn, report};

const FORM: &str = "application/x-www-form-urlencoded";

/// An answer, with its headers.
#[derive(Debug)]
pub struct Heard {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Value,
    pub bytes: Vec<u8>,
}

pub async fn heard(request: reqwest::RequestBuilder) -> Heard {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap().to_vec();
    Heard { status, headers, body: serde_json::from_slice(&bytes).unwrap_or_default(), bytes }
}

/// Asks for a token with this form.
async fn posts(system: &Caller, kind: &str, form: String) -> Heard {
    let request = system.client.post(format!("{}/oauth2/token", system.address));
    heard(request.header("content-type", kind).body(form)).await
}

fn form(client: &str, scope: &str) -> String {
    format!("grant_type=client_credentials&client_id={client}&scope={}", scope.replace(' ', "+"))
}

/// A token of the scope.
pub async fn token(system: &Caller, id: &str, scope: &str) -> String {
    let said = posts(system, FORM, form(id, scope)).await;
    assert_eq!((said.status, &said.body["token_type"]), (200, &json!("Bearer")), "{said:?}");
    said.body["access_token"].as_str().unwrap().to_owned()
}

fn error(said: &Heard) -> (u16, &str) {
    (said.status, said.body["error"].as_str().unwrap_or_default())
}

async fn confirming(house: &House) -> (Joined, String) {
    let joined = joined(house).await;
    let grants = json!([grant("confirm", &["full_name", "birth_date"]), grant("look-up", &["sex"])]);
    let agreement = agreed(house, &joined, &joined.partner, "TT-1", grants).await;
    (joined, agreement)
}

/// Asks over REST with a token.
async fn confirms(system: &Caller, service: &str, token: &str, request: &str, number: &str) -> Heard {
    let body = question(request, number, "Nguyễn Thị Mẫu", "17/05/1990");
    heard(system.client.post(format!("{}/api/v1/exchange/{service}", system.address)).bearer_auth(token).json(&body))
        .await
}

#[tokio::test]
async fn a_token_is_given_for_what_agreements_grant_and_verifies_as_a_stranger_would() {
    on_both(async |house| {
        let (joined, _) = confirming(house).await;
        let (system, id) = (&joined.system, joined.system_id.as_str());
        let said = posts(system, FORM, form(id, "exchange.confirm pr.person.match")).await;
        assert_eq!((said.status, said.headers["cache-control"].to_str().unwrap()), (200, "no-store"), "{said:?}");
        assert_eq!(
            (&said.body["expires_in"], &said.body["scope"]),
            (&json!(600), &json!("exchange.confirm pr.person.match"))
        );

        // The metadata says where the keys are, and the keys verify it, by another library than the one that signed.
        let anyone = house.anyone();
        let read = async |path: &str| heard(anyone.client.get(format!("{}{path}", anyone.address))).await.body;
        let metadata = read("/.well-known/oauth-authorization-server").await;
        let issuer = metadata["issuer"].as_str().unwrap();
        assert_eq!(metadata["token_endpoint"], json!(format!("{issuer}/oauth2/token")));
        assert_eq!(metadata["tls_client_certificate_bound_access_tokens"], json!(true));
        assert!(metadata["scopes_supported"].as_array().unwrap().contains(&json!("pr.person.read")));
        let keys = read(metadata["jwks_uri"].as_str().unwrap().strip_prefix(issuer).unwrap()).await;
        let token = said.body["access_token"].as_str().unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).unwrap();
        let part = |at: usize| serde_json::from_slice::<Value>(&decode(message.split('.').nth(at).unwrap())).unwrap();
        let (header, claims) = (part(0), part(1));
        let key = &keys["keys"][0];
        assert_eq!(header, json!({"alg": "ES256", "typ": "at+jwt", "kid": key["kid"]}));
        let coordinate = |name: &str| decode(key[name].as_str().unwrap());
        let point = [vec![4], coordinate("x"), coordinate("y")].concat();
        let verifier = VerifyingKey::from_sec1_bytes(&point).unwrap();
        verifier.verify(message.as_bytes(), &Signature::from_slice(&decode(signature)).unwrap()).unwrap();
        assert_eq!((&claims["iss"], &claims["sub"], &claims["client_id"]), (&json!(issuer), &json!(id), &json!(id)));
        assert_eq!(claims["aud"], json!(format!("{issuer}/exchange")));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 600);
        let find = sql!("select certificate from partner_system where revoked_at is null");
        let row = house.service.offices().deeds().db().begin_read().await.unwrap().one(find, args![]).await.unwrap();
        let certificate: Vec<u8> = row.unwrap().get("certificate").unwrap();
        assert_eq!(claims["cnf"]["x5t#S256"], json!(BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(certificate))));
        // Keys of tokens sign no answers.
        let answers = read("/api/v1/exchange/keys").await;
        assert_ne!(answers["keys"][0]["kid"], key["kid"]);
        let issued = sql!("select count(*) as n from audit_entry where action = $1");
        assert_eq!(house.count(issued, args!["token-issued"]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_no_request_for_a_token_is_refused_in_the_words_of_oauth() {
    on_both(async |house| {
        let (joined, agreement) = confirming(house).await;
        let (system, id) = (&joined.system, joined.system_id.as_str());
        let good = form(id, "exchange.confirm");
        for (form, expected) in [
            (String::new(), (400, "invalid_request")),
            (format!("client_id={id}&scope=exchange.confirm"), (400, "invalid_request")),
            ("grant_type=client_credentials&scope=exchange.confirm".to_owned(), (400, "invalid_request")),
            (format!("{good}&scope=exchange.look-up"), (400, "invalid_request")),
            (format!("{good}&client_secret=x"), (400, "invalid_request")),
            (format!("{good}&client_assertion=x"), (400, "invalid_request")),
            (format!("{good}&x=%ff"), (400, "invalid_request")),
            (format!("{good}&x={}", "a".repeat(100_000)), (400, "invalid_request")),
            (good.replace("client_credentials", "password"), (400, "unsupported_grant_type")),
            (form(crate::house::NIL, "exchange.confirm"), (401, "invalid_client")),
            (format!("grant_type=client_credentials&client_id={id}"), (400, "invalid_scope")),
            (form(id, "exchange.household"), (400, "invalid_scope")),
            (form(id, "exchange.confirm exchange.kinship"), (400, "invalid_scope")),
            (form(id, "exchange.everything"), (400, "invalid_scope")),
            (form(id, "uin.generate"), (400, "invalid_scope")),
            (form(id, "pr.document.read"), (400, "invalid_scope")),
            (form(id, "*"), (400, "invalid_scope")),
            (format!("{good}&resource=https%3A%2F%2Felsewhere.invalid"), (400, "invalid_target")),
        ] {
            let said = posts(system, FORM, form.clone()).await;
            assert_eq!(error(&said), expected, "{}: {said:?}", form.chars().take(200).collect::<String>());
            assert_eq!(said.headers["content-type"], "application/json");
            assert!(said.body["error_description"].as_str().unwrap().is_ascii());
        }
        for kind in ["application/json", "multipart/form-data; boundary=x", "text/plain", ""] {
            assert_eq!(error(&posts(system, kind, good.clone()).await), (400, "invalid_request"), "{kind}");
        }
        let huge = posts(system, FORM, format!("{good}&x={}", "a".repeat(10_000_000))).await;
        assert_eq!(error(&huge), (413, "invalid_request"));
        let at = format!("{}/oauth2/token", system.address);
        let basic = system.client.post(&at).basic_auth(id, Some("x")).header("content-type", FORM).body(good.clone());
        assert_eq!(error(&heard(basic).await), (400, "invalid_request"));
        assert_eq!(heard(system.client.get(&at)).await.status, 405);
        // Without a certificate, and with one of another authority's system.
        assert_eq!(error(&posts(&house.anyone(), FORM, good.clone()).await), (401, "invalid_client"));
        let other = partner(house, &joined.bao, "p-khac").await;
        let (other, other_id) = system_of(house, &joined.bao, &other, "may-khac").await;
        assert_eq!(error(&posts(&other, FORM, good.clone()).await), (401, "invalid_client"), "another's client_id");
        assert_eq!(error(&posts(&other, FORM, form(&other_id, "exchange.confirm")).await), (400, "invalid_scope"));
        // It was given; then the agreement ends, and it is given no more.
        assert_eq!(posts(system, &format!("{FORM}; charset=utf-8"), good.clone()).await.status, 200);
        let end = format!("/api/v1/agreements/{agreement}/end");
        assert_eq!(joined.bao.post(&end, "end", json!({"reason": "over"})).await.status, 200);
        assert_eq!(error(&posts(system, FORM, good.clone()).await), (400, "invalid_scope"));
        let revoke = format!("/api/v1/partner-systems/{}/revocation", joined.system_id);
        assert_eq!(joined.bao.post(&revoke, "revoke", json!({"reason": "lost"})).await.status, 200);
        assert_eq!(error(&posts(system, FORM, good).await), (401, "invalid_client"));
    })
    .await;
}

#[tokio::test]
async fn a_token_that_is_shown_is_judged_and_gives_no_more_than_the_agreement() {
    on_both(async |house| {
        let (joined, agreement) = confirming(house).await;
        let (system, id) = (&joined.system, joined.system_id.as_str());
        let (_, number) = person(house, "Nguyễn Thị Mẫu", "17/05/1990", json!({})).await;
        let given = token(system, id, "exchange.confirm").await;
        let said = confirms(system, "confirm", &given, "r-1", &number).await;
        assert_eq!((said.status, &said.body["outcome"]), (200, &json!("confirmed")), "{said:?}");
        let code = |said: &Heard| (said.status, said.body["code"].as_str().unwrap_or_default().to_owned());
        let unfit = (401, "exchange-token-unfit".to_owned());
        // The certificate alone may look up; with a token that does not say so it may not.
        let said = confirms(system, "look-up", &given, "r-2", &number).await;
        assert_eq!(code(&said), (403, "exchange-scope-missing".to_owned()));
        // On the certificate of another system, of the same partner and of another.
        let (second, second_id) = system_of(house, &joined.bao, &joined.partner, "may-chu-2").await;
        assert_eq!(code(&confirms(&second, "confirm", &given, "r-3", &number).await), unfit);
        let own = token(&second, &second_id, "exchange.confirm").await;
        assert_eq!(confirms(&second, "confirm", &own, "r-4", &number).await.status, 200);
        for other in ["", "x", "a.b.c", &format!("{given}x"), &given[1..], &given.replace('.', "")] {
            assert_eq!(code(&confirms(system, "confirm", other, "r-5", &number).await), unfit, "{other}");
        }
        let at = format!("{}/api/v1/exchange/agreements", system.address);
        let shown = async |value: &str| code(&heard(system.client.get(&at).header("authorization", value)).await);
        assert_eq!(shown(&format!("bearer {given}")).await, (200, String::new()));
        assert_eq!(shown(&format!("Basic {given}")).await, unfit);
        assert_eq!(shown("Bearer").await, unfit);
        let twice = system.client.get(&at).bearer_auth(&given).header("authorization", format!("Bearer {given}"));
        assert_eq!(code(&heard(twice).await), unfit);
        // Its time is over.
        house.clock.advance(Duration::seconds(600));
        assert_eq!(code(&confirms(system, "confirm", &given, "r-6", &number).await), unfit);
        // The agreement ended a moment ago: the token that was given before is worth nothing.
        let given = token(system, id, "exchange.confirm").await;
        let end = format!("/api/v1/agreements/{agreement}/end");
        assert_eq!(joined.bao.post(&end, "end", json!({"reason": "over"})).await.status, 200);
        let said = confirms(system, "confirm", &given, "r-7", &number).await;
        assert_eq!(code(&said), (403, "exchange-not-agreed".to_owned()));
        let revoke = format!("/api/v1/partner-systems/{id}/revocation");
        assert_eq!(joined.bao.post(&revoke, "revoke", json!({"reason": "lost"})).await.status, 200);
        let said = confirms(system, "confirm", &given, "r-8", &number).await;
        assert_eq!(code(&said), (403, "partner-certificate-unfit".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_token_for_one_kind_of_report_does_not_tell_what_became_of_another() {
    on_both(async |house| {
        let joined = joined(house).await;
        let grants = json!([grant("birth", &["personal_number"]), grant("death", &["life"])]);
        agreed(house, &joined, &joined.partner, "TT-1", grants).await;
        let (system, id) = (&joined.system, joined.system_id.as_str());
        let asks = async |service: &str, scope: &str, body: Value| {
            let given = token(system, id, scope).await;
            heard(
                system
                    .client
                    .post(format!("{}/api/v1/exchange/{service}", system.address))
                    .bearer_auth(given)
                    .json(&body),
            )
            .await
        };
        let born = asks("birth", "exchange.birth", report("ks-1", "birth", newborn("Nguyễn Thị Thu Hà", "20/11/2026")));
        assert_eq!(born.await.body["outcome"], "numbered");
        // A twin is held, and an officer answers for it.
        let born = asks("birth", "exchange.birth", report("ks-2", "birth", newborn("Nguyễn Thị Hà Thu", "20/11/2026")));
        let born = born.await;
        assert_eq!(born.body["outcome"], "held", "{born:?}");
        let lan = house.officer("lan", &[issuance::ground::Role::Registrar], "national").await;
        let path = format!("/api/v1/held-births/{}/registration", born.body["answer"].as_str().unwrap());
        assert_eq!(lan.post(&path, "h-1", json!({"because": "twins"})).await.status, 200);
        let status = |n: u32| report(&format!("st-{n}"), "reference", born.body["answer"].clone());
        let beyond = asks("report-status", "exchange.death", status(1)).await;
        assert_eq!((beyond.status, &beyond.body["code"]), (403, &json!("exchange-scope-missing")), "{beyond:?}");
        assert!(!String::from_utf8_lossy(&beyond.bytes).contains("003326"), "no number: {beyond:?}");
        let none = report("st-2", "reference", json!(crate::house::NIL));
        assert_eq!(asks("report-status", "exchange.death", none).await.body["code"], "exchange-report-unknown");
        let own = asks("report-status", "exchange.birth", status(3)).await;
        assert_eq!(own.body["outcome"], "numbered", "{own:?}");
    })
    .await;
}

/// Returns a part of a JWS: 0 is its protected header.
pub fn part(jws: &str, at: usize) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(jws.split('.').nth(at).unwrap()).unwrap()).unwrap()
}
