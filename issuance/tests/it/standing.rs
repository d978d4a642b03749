//! What was let in, proposed or sealed is judged by what is now: sessions, proposals, rights,
//! at the moment of the deed.

use issuance::deed::{DeedError, Dismissed};
use issuance::ground::{Randomness, Role};
use issuance::server::{self, Settings};
use issuance::store::{Argument, Sql};
use issuance::{Service, args, sql};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use crate::attacks::Target;
use crate::four_eyes::until_alarm_is;
use crate::house::{self, Caller, House, PASSWORD, Said, on_both};

/// Another hand: a statement that is not the service's. Returns how many rows it touched.
async fn by_hand(house: &House, sql: Sql, arguments: Vec<Argument>) -> u64 {
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let touched = tx.run(sql, arguments).await.unwrap();
    tx.commit().await.unwrap();
    touched
}

async fn id_of(house: &House, name: &str) -> Uuid {
    let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select id from officer where username = $1"), args![name]).await.unwrap().unwrap();
    row.get("id").unwrap()
}

async fn confirms(caller: &Caller, proposed: &Said, key: &str) -> Said {
    let id = proposed.body["proposal_id"].as_str().unwrap();
    caller.post(&format!("/api/v1/officer-proposals/{id}/confirmation"), key, json!({})).await
}

/// Waits until the worker has looked a few times.
async fn looks() {
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
}

/// Proposes, and the second administrator confirms.
async fn done(house: &House, path: &str, body: Value) -> Said {
    let proposed = house.admin.post(path, path, body).await;
    assert_eq!((proposed.status, &proposed.body["effective"]), (200, &json!(false)), "{proposed:?}");
    house.confirms(&proposed).await
}

#[tokio::test]
async fn a_proposal_written_by_another_hand_makes_no_administrator() {
    on_both(async |house| {
        house.officer("lan", &[Role::Auditor], "o-1").await;
        let (lan, now) = (id_of(house, "lan").await, house.clock.now());
        let (token, hour) = ("my own token", Duration::hours(1));
        let hash: [u8; 32] = Sha256::digest(token).into();
        let insert = sql!(
            "insert into officer_proposal (id, officer_id, office, change, reason, proposed_at, expires_at,
                                           effective_at, token_hash)
             values ($1, $2, 'o-1', $3, '', $4, $5, $6, $7)"
        );
        for (number, change) in
            [json!({"change": "roles", "roles": ["admin"]}), json!({"change": "reset"})].into_iter().enumerate()
        {
            let id = Uuid::from_u128(number as u128 + 1);
            let moments = (now + Duration::seconds(20), now + hour, now - hour);
            let arguments = args![id, lan, Argument::Json(Some(change)), moments.0, moments.1, moments.2, hash];
            assert_eq!(by_hand(house, insert, arguments).await, 1);
            looks().await;
            let path = format!("/api/v1/officer-proposals/{id}/confirmation");
            let said = house.second.post(&path, &path, json!({})).await;
            assert_eq!(said.code(), "record-tampered");
            assert!(said.body["detail"].as_str().unwrap().contains(&id.to_string()), "{said:?}");
        }
        let changed = sql!(
            "select count(*) as n from officer where username = 'lan' and (token_hash is not null or password = ''
             or cast(roles as text) like '%admin%')"
        );
        assert_eq!(house.count(changed, args![]).await, 0);
        assert_eq!(house.admin.get("/api/v1/officer-proposals").await.body["items"], json!([]), "and none is shown");

        // An honest one is not what it was any more.
        let body = json!({"roles": ["stock"], "reason": "x"});
        let honest = house.admin.post(&format!("/api/v1/officers/{lan}/roles"), "k", body).await;
        let change = Argument::Json(Some(json!({"change": "roles", "roles": ["admin"]})));
        let id: Uuid = honest.body["proposal_id"].as_str().unwrap().parse().unwrap();
        by_hand(house, sql!("update officer_proposal set change = $1 where id = $2"), args![change, id]).await;
        assert_eq!(confirms(&house.second, &honest, "k").await.code(), "record-tampered");
    })
    .await;
}

#[tokio::test]
async fn a_session_written_moved_or_opened_again_by_another_hand_opens_nothing() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Auditor], "o-1").await;
        let (second, now) = (id_of(house, "second").await, house.clock.now());
        let token = "whatever I like";
        let hash: [u8; 32] = Sha256::digest(token).into();
        let insert = sql!(
            "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at)
             values ($1, $2, $3, $4, $4, $5)"
        );
        by_hand(house, insert, args![Uuid::from_u128(7), hash, second, now, now + Duration::hours(1)]).await;
        let forged = Caller { token: Some(token.to_owned()), ..house.anyone() };
        assert_eq!(forged.get("/api/v1/officer-proposals").await.code(), "record-tampered");

        let of = |caller: &Caller| Sha256::digest(caller.token.as_ref().unwrap()).to_vec();
        let moved = sql!("update session set officer_id = $1 where token_hash = $2");
        assert_eq!(by_hand(house, moved, args![second, of(&lan)]).await, 1);
        assert_eq!(lan.get("/api/v1/officer-proposals").await.code(), "record-tampered");

        let hoa = house.officer("hoa", &[Role::Auditor], "o-1").await;
        assert_eq!(hoa.asks(Method::DELETE, "/api/v1/sessions/current", None, None).await.status, 204);
        assert_eq!(hoa.get("/api/v1/audit?object=card/0").await.code(), "session-needed");
        by_hand(house, sql!("update session set closed_at = null where token_hash = $1"), args![of(&hoa)]).await;
        assert_eq!(hoa.get("/api/v1/audit?object=card/0").await.code(), "record-tampered");
    })
    .await;
}

#[tokio::test]
async fn a_proposal_is_judged_by_what_officer_and_proposer_are_when_it_is_confirmed() {
    on_both(async |house| {
        let (l1, l1_id) = house.appointed("l1", &[Role::Admin], "o-1").await;
        let l2 = house.officer("l2", &[Role::Admin], "o-1").await;
        let reason = json!({"reason": "x"});
        let (_, x) = house.appointed("x", &[Role::Auditor], "o-1").await;
        let resets = async |officer: &str, key: &str| {
            let said = l1.post(&format!("/api/v1/officers/{officer}/password-reset"), key, reason.clone()).await;
            assert_eq!(said.status, 200, "{said:?}");
            said
        };
        // The officer goes elsewhere, and becomes more than the two may appoint.
        let stale = resets(&x, "k-1").await;
        done(house, &format!("/api/v1/officers/{x}/office"), json!({"office": "national", "reason": "x"})).await;
        done(house, &format!("/api/v1/officers/{x}/roles"), json!({"roles": ["admin"], "reason": "x"})).await;
        for caller in [&l2, &house.second] {
            let said = confirms(caller, &stale, "k-1").await;
            assert_eq!((said.status, said.code()), (409, "proposal-stale"));
            assert!(said.body["detail"].as_str().unwrap().contains("another office"), "{said:?}");
        }
        assert_eq!(house.anyone().signs_in("x", PASSWORD).await.status, 200, "nothing happened");
        // Other roles.
        let (_, y) = house.appointed("y", &[Role::Auditor], "o-1").await;
        let stale = resets(&y, "k-2").await;
        done(house, &format!("/api/v1/officers/{y}/roles"), json!({"roles": ["stock"], "reason": "x"})).await;
        let said = confirms(&l2, &stale, "k-2").await;
        assert!(said.code() == "proposal-stale" && said.body["detail"].as_str().unwrap().contains("roles"), "{said:?}");
        // A proposer who left.
        let left = resets(&y, "k-3").await;
        done(house, &format!("/api/v1/officers/{l1_id}/disablement"), reason.clone()).await;
        let said = confirms(&l2, &left, "k-3").await;
        assert!(said.code() == "proposal-stale" && said.body["detail"].as_str().unwrap().contains("left"), "{said:?}");
        // The clock was ahead.
        house.clock.jump(Duration::minutes(20));
        let ahead = house.admin.post(&format!("/api/v1/officers/{y}/password-reset"), "k-4", reason.clone()).await;
        house.clock.jump(Duration::minutes(-20));
        let said = confirms(&l2, &ahead, "k-4").await;
        assert!(said.code() == "proposal-stale" && said.body["detail"].as_str().unwrap().contains("clock"), "{said:?}");
    })
    .await;
}

#[tokio::test]
async fn the_officer_whom_a_proposal_is_about_neither_proposes_nor_confirms_nor_stops_it() {
    on_both(async |house| {
        let (local, id) = house.appointed("local", &[Role::Admin], "o-1").await;
        let path = |verb: &str| format!("/api/v1/officers/{id}/{verb}");
        for (verb, body) in [
            ("office", json!({"office": "national", "reason": "x"})),
            ("roles", json!({"roles": ["auditor"], "reason": "x"})),
            ("password-reset", json!({"reason": "x"})),
            ("disablement", json!({"reason": "x"})),
        ] {
            let proposed = house.admin.post(&path(verb), verb, body.clone()).await;
            let said = confirms(&local, &proposed, verb).await;
            assert_eq!((said.status, said.code()), (403, "second-officer-needed"), "{verb}");
            let withdrawal =
                format!("/api/v1/officer-proposals/{}/withdrawal", proposed.body["proposal_id"].as_str().unwrap());
            assert_eq!(local.post(&withdrawal, verb, json!({})).await.code(), "second-officer-needed", "{verb}");
            if verb != "office" {
                let own = local.post(&path(verb), verb, body).await;
                assert_eq!(own.code(), "second-officer-needed", "{verb}");
            }
        }
        // An administrator of the old office alone does not send an officer to another one.
        let colleague = house.officer("colleague", &[Role::Admin], "o-1").await;
        let (_, lan) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let body = json!({"office": "o-2", "reason": "x"});
        let proposed = house.admin.post(&format!("/api/v1/officers/{lan}/office"), "k", body).await;
        assert_eq!(confirms(&colleague, &proposed, "k").await.code(), "other-office");
        assert_eq!(confirms(&house.second, &proposed, "k").await.status, 200);
    })
    .await;
}

/// Proposes, as the owner of the key file, that `admin` sets another password. Returns the token.
async fn breaks_glass(house: &House, database: Option<&str>) -> Value {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.args(["officer", "--data"]).arg(house.folder.path().join("data"));
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    command.args(["propose-reset", "admin"]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    json!(String::from_utf8_lossy(&output.stdout).lines().last().unwrap())
}

#[tokio::test]
async fn only_time_in_which_the_alarm_was_shown_brings_a_broken_glass_nearer() {
    let urls = [None, crate::tables::fresh_database()];
    for (first, url) in urls.into_iter().enumerate() {
        if first > 0 && url.is_none() {
            continue;
        }
        let house = House::open(url.clone()).await;
        house.clock.advance(Duration::seconds(1)); // the house's own administrator was here before
        let token = breaks_glass(&house, url.as_deref()).await;
        let sets = async |caller: &Caller| {
            let body = json!({"token": token, "password": "another battery staple"});
            caller.asks(Method::POST, "/api/v1/password", None, Some(body)).await.status
        };
        until_alarm_is(&house.admin, true).await;
        // A clock that jumps.
        house.clock.jump(Duration::hours(25));
        looks().await;
        assert_eq!(sets(&house.anyone()).await, 401);
        // A service that was off, in two halves of a day of alarm.
        house.clock.advance(Duration::hours(13));
        looks().await;
        let House { folder, clock, service, .. } = house;
        service.stop().await;
        clock.jump(Duration::hours(25));
        let randomness = Randomness::seeded(9);
        let settings = house::settings(&folder, url);
        let service = Service::start(&settings, Some(clock.clone()), randomness).await.unwrap();
        let address = format!("https://{}", service.address());
        let caller = Caller { client: house::client(&folder, None), address, token: None };
        until_alarm_is(&caller, true).await;
        looks().await;
        assert_eq!(sets(&caller).await, 401, "the service was off");
        clock.advance(Duration::hours(10));
        looks().await;
        assert_eq!(sets(&caller).await, 401, "23 hours of alarm");
        clock.advance(Duration::hours(2));
        until_alarm_is(&caller, false).await;
        assert_eq!(sets(&caller).await, 204, "25 hours, of which the first half was not forgotten");
        service.stop().await;
    }
}

/// A request of which the head and a part of the body are sent.
struct Begun(tokio_rustls::client::TlsStream<tokio::net::TcpStream>, String);

impl Begun {
    async fn of(house: &House, caller: &Caller, path: &str, key: &str, body: &Value) -> Self {
        let target = Target::new(house.service.address(), &house.folder.path().join("data"));
        let body = body.to_string();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\nIdempotency-Key: {key}\r\n\
             Content-Length: {}\r\n\r\n",
            caller.token.as_ref().unwrap(),
            body.len()
        );
        let mut stream = target.connect("127.0.0.1", b"", b"http/1.1").await.unwrap();
        stream.write_all(format!("{head}{}", &body[..5]).as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        looks().await; // the gate has let it in
        Self(stream, body[5..].to_owned())
    }

    async fn ends(mut self) -> String {
        self.0.write_all(self.1.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = self.0.read_to_end(&mut answer).await;
        String::from_utf8(answer).unwrap()
    }
}

#[tokio::test]
async fn a_request_that_trickles_in_after_its_officer_was_dismissed_does_nothing() {
    on_both(async |house| {
        let body = json!({"username": "mine", "roles": ["auditor"], "office": "o-1"});
        let proposes =
            async |caller: &Caller, key: &str| Begun::of(house, caller, "/api/v1/officers", key, &body).await;
        let refused = |answer: &str| answer.starts_with("HTTP/1.1 401") && answer.contains("session-needed");

        let (disabled, id) = house.appointed("a", &[Role::Admin], "o-1").await;
        let begun = proposes(&disabled, "k-1").await;
        done(house, &format!("/api/v1/officers/{id}/disablement"), json!({"reason": "x"})).await;
        let said = begun.ends().await;
        assert!(refused(&said), "{said}");

        let (other_role, id) = house.appointed("b", &[Role::Admin], "o-1").await;
        let begun = proposes(&other_role, "k-2").await;
        done(house, &format!("/api/v1/officers/{id}/roles"), json!({"roles": ["auditor"], "reason": "x"})).await;
        let said = begun.ends().await;
        assert!(refused(&said), "{said}");

        let (gone, _) = house.appointed("c", &[Role::Admin], "o-1").await;
        let begun = proposes(&gone, "k-3").await;
        assert_eq!(gone.asks(Method::DELETE, "/api/v1/sessions/current", None, None).await.status, 204);
        let said = begun.ends().await;
        assert!(refused(&said), "{said}");

        let there = house.officer("d", &[Role::Admin], "o-1").await;
        let said = proposes(&there, "k-4").await.ends().await;
        assert!(said.starts_with("HTTP/1.1 200"), "who is still there is not refused: {said}");
    })
    .await;
}

#[tokio::test]
async fn a_deed_of_a_station_that_was_revoked_meanwhile_does_not_begin() {
    let house = House::open(None).await;
    let (_, id) = house.station("counter").await;
    let station = issuance::ground::Station {
        id: id.parse().unwrap(),
        name: "counter".to_owned(),
        office: "o-1".parse().unwrap(),
    };
    let deeds = house.service.offices().deeds().clone();
    assert!(deeds.open(station.clone()).await.is_ok());
    let path = format!("/api/v1/stations/{id}/revocation");
    assert_eq!(house.admin.post(&path, "k", json!({"reason": "stolen"})).await.status, 200);
    let refused = deeds.open(station).await.map(drop).unwrap_err();
    assert!(matches!(refused, DeedError::Dismissed(Dismissed::Station)), "{refused:?}");
    assert_eq!(issuance::web::Problem::from(refused).code().word(), "station-revoked");
    house.service.stop().await;
}

#[tokio::test]
async fn a_changed_password_is_another_one() {
    on_both(async |house| {
        let same = json!({"old": PASSWORD, "new": PASSWORD});
        let said = house.admin.post("/api/v1/me/password", "k-1", same).await;
        assert_eq!((said.status, said.code()), (422, "password-unfit"));
        assert!(said.body["detail"].as_str().unwrap().contains("old one"), "{said:?}");
        assert_eq!(house.admin.get("/api/v1/officer-proposals").await.status, 200, "no wrong guess");
    })
    .await;
}

#[tokio::test]
async fn one_row_of_another_hand_blocks_no_administration_and_its_officer_can_be_locked() {
    let urls = [None, crate::tables::fresh_database()];
    for (first, url) in urls.into_iter().enumerate() {
        if first > 0 && url.is_none() {
            continue;
        }
        let house = House::open(url.clone()).await;
        let local = house.officer("local", &[Role::Admin], "o-1").await;
        let (_, victim) = house.appointed("victim", &[Role::Auditor], "o-1").await;
        let (_, other) = house.appointed("other", &[Role::Auditor], "o-1").await;
        let (_, third) = house.appointed("third", &[Role::Admin], "o-1").await;
        let by = sql!("update officer set office = 'o-9', roles = $1 where username = $2");
        for name in ["victim", "other"] {
            assert_eq!(by_hand(&house, by, args![Argument::json(&["admin"]), name]).await, 1);
        }
        // The others go on.
        let body = json!({"username": "fourth", "roles": ["admin"], "office": "national"});
        done(&house, "/api/v1/officers", body).await;
        done(&house, &format!("/api/v1/officers/{third}/disablement"), json!({"reason": "x"})).await;
        // What concerns the row is refused, and says which it is.
        let path = format!("/api/v1/officers/{victim}/password-reset");
        let said = house.admin.post(&path, "k", json!({"reason": "x"})).await;
        assert_eq!(said.code(), "record-tampered");
        assert!(said.body["detail"].as_str().unwrap().contains(&victim), "{said:?}");
        // The officer is locked: by the national office, since the row's office is not believed, or offline.
        let path = format!("/api/v1/officers/{victim}/disablement");
        assert_eq!(local.post(&path, "k", json!({"reason": "x"})).await.code(), "other-office");
        let locked = house.admin.post(&path, "k", json!({"reason": "x"})).await;
        assert_eq!((locked.status, &locked.body["effective"]), (200, &json!(true)), "{locked:?}");
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_issuance"));
        command.args(["officer", "--data"]).arg(house.folder.path().join("data"));
        if let Some(url) = &url {
            command.args(["--database", url]);
        }
        command.args(["lock", "other"]);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // Both rows hold again, and give nothing.
        let settings = Settings { database: url, ..Settings::new(house.folder.path().join("data")) };
        assert_eq!(server::verify(&settings, |_| ()).await.unwrap().faults, []);
        let nothing = sql!(
            "select count(*) as n from officer where username in ('victim', 'other') and disabled_at is not null
             and password = '' and cast(roles as text) = '[]'"
        );
        assert_eq!(house.count(nothing, args![]).await, 2);
        for name in ["victim", "other"] {
            assert_eq!(house.anyone().signs_in(name, PASSWORD).await.code(), "credentials-wrong");
        }
        let reason = json!({"reason": "x"});
        done(&house, &format!("/api/v1/officers/{other}/roles"), json!({"roles": ["auditor"], "reason": "x"})).await;
        let back = done(&house, &format!("/api/v1/officers/{other}/enablement"), reason).await;
        assert!(back.body["token"].is_string(), "two administrators bring the officer back: {back:?}");
        house.service.stop().await;
    }
}

#[tokio::test]
async fn what_began_while_the_clock_was_ahead_neither_locks_long_nor_opens() {
    on_both(async |house| {
        house.officer("lan", &[Role::Auditor], "o-1").await;
        house.officer("hoa", &[Role::Auditor], "o-1").await;
        house.clock.jump(Duration::days(1));
        let said = house.anyone().signs_in("hoa", PASSWORD).await;
        let tomorrow = Caller { token: said.body["token"].as_str().map(str::to_owned), ..house.anyone() };
        assert_eq!(tomorrow.get("/api/v1/audit?object=card/0").await.status, 200);
        for _ in 0..6 {
            house.anyone().signs_in("lan", "wrong wrong wrong").await;
        }
        house.clock.jump(Duration::days(-1));
        assert_eq!(tomorrow.get("/api/v1/audit?object=card/0").await.code(), "session-needed");
        let locked = house.anyone().signs_in("lan", PASSWORD).await;
        assert_eq!(locked.code(), "sign-in-locked");
        assert!(locked.retry_after.unwrap() <= 901, "{locked:?}");
        house.clock.advance(Duration::minutes(16));
        assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.status, 200, "also by the row in the database");
    })
    .await;
}
