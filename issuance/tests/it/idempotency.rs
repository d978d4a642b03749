//! One effect per idempotency key.

use issuance::{args, sql};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::house::on_both;

fn officer(name: &str) -> serde_json::Value {
    json!({"username": name, "roles": ["capture"], "office": "o-1"})
}

#[tokio::test]
async fn a_repeated_request_has_one_effect_and_the_same_answer() {
    on_both(async |house| {
        let first = house.admin.post("/api/v1/officers", "k-1", officer("lan")).await;
        let again = house.admin.post("/api/v1/officers", "k-1", officer("lan")).await;
        assert_eq!((first.status, again.status), (200, 200));
        assert_eq!(first.body, again.body);
        assert_eq!((first.replayed, again.replayed), (false, true));
        let made = sql!("select count(*) as n from officer where username = $1");
        assert_eq!(house.count(made, args!["lan"]).await, 1);
        let told = sql!("select count(*) as n from audit_entry where action = $1");
        assert_eq!(house.count(told, args!["officer-proposed"]).await, 2, "the second administrator, and Lan");
    })
    .await;
}

#[tokio::test]
async fn ten_requests_at_the_same_moment_have_one_effect() {
    on_both(async |house| {
        let asked: Vec<_> = (0..10)
            .map(|_| {
                let mut caller = house.anyone();
                caller.token.clone_from(&house.admin.token);
                tokio::spawn(async move { caller.post("/api/v1/officers", "k-2", officer("minh")).await })
            })
            .collect();
        let mut answers = Vec::new();
        for one in asked {
            answers.push(one.await.unwrap());
        }
        assert!(answers.iter().all(|said| said.status == 200 && said.body == answers[0].body), "{answers:?}");
        assert_eq!(answers.iter().filter(|said| !said.replayed).count(), 1);
    })
    .await;
}

#[tokio::test]
async fn an_address_without_a_version_is_the_same_request_as_the_one_with_it() {
    on_both(async |house| {
        let first = house.admin.post("/api/officers", "k-1", officer("lan")).await;
        let again = house.admin.post("/api/v1/officers", "k-1", officer("lan")).await;
        assert_eq!((first.status, again.status, again.replayed), (200, 200, true), "{}", again.body);
        assert_eq!((first.deprecated, again.deprecated), (true, false));
        let for_ever = house.admin.get("/api/crl").await;
        assert_eq!((for_ever.status, for_ever.deprecated), (200, false));
        assert_eq!(house.admin.get("/api/v2/me").await.code(), "no-such-path");
    })
    .await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused() {
    on_both(async |house| {
        house.admin.post("/api/v1/officers", "k-1", officer("lan")).await;
        let other = house.admin.post("/api/v1/officers", "k-1", officer("hoa")).await;
        assert_eq!((other.status, other.code()), (422, "idempotency-key-reused"));
        let elsewhere =
            house.admin.post("/api/v1/stations", "k-1", json!({"name": "s", "office": "o-1", "csr_pem": ""})).await;
        assert_eq!(elsewhere.code(), "idempotency-key-reused");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_leaves_nothing_and_frees_the_key() {
    on_both(async |house| {
        house.admin.post("/api/v1/officers", "k-1", officer("lan")).await;
        let taken = house.admin.post("/api/v1/officers", "k-2", officer("lan")).await;
        assert_eq!((taken.status, taken.code()), (409, "name-taken"));
        let told = sql!("select count(*) as n from audit_entry where action = $1");
        assert_eq!(house.count(told, args!["officer-proposed"]).await, 2, "a refused deed leaves no row");
        let now_free = house.admin.post("/api/v1/officers", "k-2", officer("hoa")).await;
        assert_eq!((now_free.status, now_free.replayed), (200, false));
    })
    .await;
}

#[tokio::test]
async fn a_write_without_key_is_refused() {
    on_both(async |house| {
        let said = house.admin.asks(reqwest::Method::POST, "/api/v1/officers", None, Some(officer("lan"))).await;
        assert_eq!((said.status, said.code()), (400, "idempotency-key-missing"));
        // A header is judged as the key of a form is.
        for key in ["k".repeat(129), "a\tb".to_owned(), "kh\u{f3}a".to_owned()] {
            let said = house.admin.post("/api/v1/officers", &key, officer("lan")).await;
            assert_eq!((said.status, said.code()), (400, "idempotency-key-malformed"), "{key:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn stored_answers_rest_encrypted() {
    on_both(async |house| {
        let said = house.admin.post("/api/v1/officers", "k-1", officer("lan")).await;
        let id = said.body["id"].as_str().unwrap().to_owned();
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let sealed = sql!("select sealed from answer where idempotency_key = $1");
        let row = tx.one(sealed, args!["k-1"]).await.unwrap().unwrap();
        let sealed: Vec<u8> = row.get("sealed").unwrap();
        assert!(!sealed.windows(id.len()).any(|window| window == id.as_bytes()));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_without_quoting_it() {
    on_both(async |house| {
        let said = house.admin.post("/api/v1/officers", "k-1", json!({"username": 7_777_777})).await;
        assert_eq!((said.status, said.code()), (422, "body-invalid"));
        assert!(!said.body["detail"].as_str().unwrap().contains("7777777"), "{:?}", said.body);
        assert!(!said.body["request_id"].as_str().unwrap().is_empty());
        assert!(!said.body["remedy"].as_str().unwrap().is_empty());
    })
    .await;
}

/// A thief of the table must not find the password of a request by trying, as its plain hash would allow, nor pass one
/// answer off as another.
#[tokio::test]
async fn what_is_kept_of_a_request_is_worth_nothing_without_the_key() {
    on_both(async |house| {
        for (key, name) in [("k-1", "lan"), ("k-2", "hoa")] {
            assert_eq!(house.admin.post("/api/v1/officers", key, officer(name)).await.status, 200);
        }
        let mut plain = Sha256::new();
        plain.update(b"POST\0/api/v1/officers\0");
        plain.update(serde_json::to_vec(&officer("lan")).unwrap());
        let plain: [u8; 32] = plain.finalize().into();
        let kept = sql!("select count(*) as n from answer where request_hash = $1");
        assert_eq!(house.count(kept, args![plain]).await, 0);

        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let swap = sql!(
            "update answer set sealed = (select sealed from answer where idempotency_key = 'k-2')
             where idempotency_key = 'k-1'"
        );
        assert_eq!(tx.run(swap, vec![]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        assert_eq!(house.admin.post("/api/v1/officers", "k-1", officer("lan")).await.code(), "internal");
    })
    .await;
}
