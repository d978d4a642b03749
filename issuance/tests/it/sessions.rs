//! Passwords and sessions.

use issuance::ground::Role;
use issuance::{args, sql};
use reqwest::Method;
use serde_json::json;
use time::Duration;

use crate::house::{Caller, NIL, PASSWORD, on_both};

#[tokio::test]
async fn a_session_ends_when_idle_when_expired_and_when_told() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Auditor], "o-1").await;
        let asks = async || lan.get("/api/v1/audit?object=card/0").await.code().to_owned();
        for _ in 0..19 {
            house.clock.advance(Duration::minutes(29)); // never idle for half an hour
            assert_eq!(asks().await, "");
        }
        house.clock.advance(Duration::hours(1));
        assert_eq!(asks().await, "session-needed", "ten hours are over");

        let again = house.anyone();
        let said = again.signs_in("lan", PASSWORD).await;
        let idle = Caller { token: said.body["token"].as_str().map(str::to_owned), ..again };
        house.clock.advance(Duration::minutes(31));
        assert_eq!(idle.get("/api/v1/audit?object=card/0").await.code(), "session-needed", "idle");

        let told = house.anyone();
        let said = told.signs_in("lan", PASSWORD).await;
        let told = Caller { token: said.body["token"].as_str().map(str::to_owned), ..told };
        assert_eq!(told.asks(Method::DELETE, "/api/v1/sessions/current", None, None).await.status, 204);
        assert_eq!(told.get("/api/v1/audit?object=card/0").await.code(), "session-needed", "signed out");
    })
    .await;
}

#[tokio::test]
async fn a_disabled_officer_is_out_at_once() {
    on_both(async |house| {
        let (lan, id) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let path = format!("/api/v1/officers/{id}/disablement");
        assert_eq!(house.admin.post(&path, "k", json!({"reason": "left"})).await.status, 200);
        assert_eq!(lan.get("/api/v1/audit?object=card/0").await.code(), "session-needed");
        assert_eq!(lan.signs_in("lan", PASSWORD).await.code(), "credentials-wrong");
    })
    .await;
}

#[tokio::test]
async fn five_failures_lock_a_name_whether_or_not_an_officer_has_it() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Auditor], "o-1").await;
        let mut stories = Vec::new();
        for name in ["lan", "nobody"] {
            let mut story = Vec::new();
            for _ in 0..6 {
                let said = house.anyone().signs_in(name, "wrong wrong wrong").await;
                story.push((said.status, said.code().to_owned()));
            }
            stories.push(story);
        }
        assert_eq!(stories[0], stories[1], "the answers must not tell which names exist");
        assert_eq!(stories[0][4], (401, "credentials-wrong".to_owned()));
        assert_eq!(stories[0][5], (429, "sign-in-locked".to_owned()));
        assert_eq!(
            house.anyone().signs_in("lan", PASSWORD).await.code(),
            "sign-in-locked",
            "also with the right password"
        );
        house.clock.advance(Duration::minutes(16));
        assert_eq!(lan.signs_in("lan", PASSWORD).await.status, 200, "the lock ends by itself");
        let refused = sql!("select count(*) as n from audit_entry where action = $1");
        // Of the guesses at a locked name, the first, second, fourth and so on leave a record.
        assert_eq!(house.count(refused, args!["sign-in-refused"]).await, 2 * 5 + 2 + 1);
    })
    .await;
}

#[tokio::test]
async fn a_right_password_ends_a_row_of_failures() {
    on_both(async |house| {
        house.officer("lan", &[Role::Auditor], "o-1").await;
        for _ in 0..3 {
            for _ in 0..4 {
                assert_eq!(house.anyone().signs_in("lan", "wrong wrong wrong").await.code(), "credentials-wrong");
            }
            assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn neither_password_nor_token_is_stored() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Auditor], "o-1").await;
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let password = sql!("select password from officer where username = $1");
        let row = tx.one(password, args!["lan"]).await.unwrap().unwrap();
        assert!(row.get::<String>("password").unwrap().starts_with("$argon2id$v=19$"));
        let token = lan.token.unwrap();
        for row in tx.all(sql!("select token_hash from session"), args![]).await.unwrap() {
            let stored: Vec<u8> = row.get("token_hash").unwrap();
            assert_ne!(hex::encode(&stored), token);
            assert_ne!(stored, token.as_bytes());
        }
    })
    .await;
}

#[tokio::test]
async fn short_passwords_and_unknown_roles_are_refused() {
    on_both(async |house| {
        let short = json!({"old": PASSWORD, "new": "short"});
        assert_eq!(house.admin.post("/api/v1/me/password", "k-1", short).await.code(), "password-unfit");
        let role = json!({"username": "a", "roles": ["emperor"], "office": "o-1"});
        assert_eq!(house.admin.post("/api/v1/officers", "k-2", role).await.code(), "body-invalid");
        let office = json!({"username": "a", "roles": ["stock"], "office": "Ở đây"});
        assert_eq!(house.admin.post("/api/v1/officers", "k-3", office).await.code(), "body-invalid");
    })
    .await;
}

#[tokio::test]
async fn an_administrator_of_one_office_has_no_say_in_another() {
    on_both(async |house| {
        let local = house.officer("local", &[Role::Admin], "o-1").await;
        let body = |name: &str, office: &str| json!({"username": name, "roles": ["stock"], "office": office});
        assert_eq!(local.post("/api/v1/officers", "k-1", body("here", "o-1")).await.status, 200);
        let there = local.post("/api/v1/officers", "k-2", body("there", "o-2")).await;
        assert_eq!((there.status, there.code()), (403, "other-office"));
        let other = house.admin.post("/api/v1/officers", "k-3", body("there", "o-2")).await;
        let path = format!("/api/v1/officers/{}/disablement", other.body["id"].as_str().unwrap());
        assert_eq!(local.post(&path, "k-4", json!({"reason": "x"})).await.code(), "other-office");
        let unknown = local.post(&format!("/api/v1/officers/{NIL}/disablement"), "k-5", json!({"reason": "x"})).await;
        assert_eq!((unknown.status, unknown.code()), (404, "officer-not-found"));
        let malformed = local.post("/api/v1/officers/lan/disablement", "k-6", json!({"reason": "x"})).await;
        assert_eq!((malformed.status, malformed.code()), (422, "identifier-malformed"));
    })
    .await;
}
