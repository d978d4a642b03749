//! Officers and their passwords: what one administrator alone cannot do.

use std::process::{Command, Output};

use issuance::access::OFFICER;
use issuance::ground::ids::OfficerId;
use issuance::ground::{Clock, Id, Randomness, Role};
use issuance::keys::InitOptions;
use issuance::{Service, args, server, sql};
use reqwest::Method;
use serde_json::{Value, json};
use time::Duration;

use crate::house::{self, Caller, House, PASSWORD, Said, on_both};

const OTHER: &str = "another battery staple";

pub async fn sets_password(caller: &Caller, token: &Value, password: &str) -> Said {
    caller.asks(Method::POST, "/api/v1/password", None, Some(json!({"token": token, "password": password}))).await
}

fn lan() -> Value {
    json!({"username": "lan", "roles": ["auditor"], "office": "o-1"})
}

/// Its answer once the second administrator confirmed.
async fn acts(house: &House, path: &str, body: Value) -> Said {
    let proposed = house.admin.post(path, path, body).await;
    assert_eq!((proposed.status, &proposed.body["effective"]), (200, &json!(false)), "{proposed:?}");
    house.confirms(&proposed).await
}

#[tokio::test]
async fn an_officer_is_made_by_two_and_chooses_the_password_with_a_token_that_works_once() {
    on_both(async |house| {
        let proposed = house.admin.post("/api/v1/officers", "k-1", lan()).await;
        assert_eq!((&proposed.body["effective"], &proposed.body["token"]), (&json!(false), &json!(null)));
        let with_password = json!({"username": "hoa", "password": PASSWORD, "roles": ["auditor"], "office": "o-1"});
        assert_eq!(house.admin.post("/api/v1/officers", "k-2", with_password).await.code(), "body-invalid");
        let path = format!("/api/v1/officer-proposals/{}/confirmation", proposed.body["proposal_id"].as_str().unwrap());
        assert_eq!(house.admin.post(&path, "k-3", json!({})).await.code(), "second-officer-needed");
        assert_eq!(house.anyone().signs_in("lan", "").await.code(), "credentials-wrong");

        let confirmed = house.second.post(&path, "k-4", json!({})).await;
        let token = &confirmed.body["token"];
        assert_eq!((token.as_str().unwrap().len(), &confirmed.body["effective"]), (64, &json!(true)));
        let again = house.second.post(&path, "k-4", json!({})).await;
        assert_eq!((again.replayed, &again.body["token"]), (true, &json!(null)), "shown once");
        assert_eq!(house.second.post(&path, "k-5", json!({})).await.code(), "proposal-unknown");

        assert_eq!(sets_password(&house.anyone(), token, "short").await.code(), "password-unfit");
        assert_eq!(sets_password(&house.anyone(), token, PASSWORD).await.status, 204);
        assert_eq!(sets_password(&house.anyone(), token, OTHER).await.code(), "one-time-token-unfit");
        assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.status, 200);
        let stored = sql!("select count(*) as n from officer where token_hash is not null");
        assert_eq!(house.count(stored, args![]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_token_that_was_not_used_in_time_is_worth_nothing() {
    on_both(async |house| {
        let confirmed = acts(house, "/api/v1/officers", lan()).await;
        house.clock.advance(Duration::hours(73));
        assert_eq!(
            sets_password(&house.anyone(), &confirmed.body["token"], PASSWORD).await.code(),
            "one-time-token-unfit"
        );
    })
    .await;
}

#[tokio::test]
async fn the_invented_password_of_the_first_administrator_opens_nothing_before_it_is_changed() {
    on_both(async |house| {
        // As `init` left it.
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let admin = tx.one(sql!("select id from officer where username = 'admin'"), args![]).await.unwrap().unwrap();
        let admin: OfficerId = Id::of(&admin, "id").unwrap();
        let due = sql!("update officer set password_due = $1 where id = $2");
        tx.change(&OFFICER, admin, due, args![true, admin]).await.unwrap();
        tx.commit().await.unwrap();
        let said = house.admin.get("/api/v1/officer-proposals").await;
        assert_eq!((said.status, said.code()), (403, "password-change-needed"));
        let body = json!({"old": PASSWORD, "new": OTHER});
        assert_eq!(house.admin.post("/api/v1/me/password", "k-1", body).await.status, 204);
        assert_eq!(house.admin.get("/api/v1/officer-proposals").await.status, 200);
    })
    .await;
    // And as `init` does leave it.
    let folder = tempfile::tempdir().unwrap();
    let (settings, clock) = (house::settings(&folder, None), Clock::standing(house::now()));
    let rng = &mut Randomness::seeded(1).draw();
    let made = server::init(&settings, &InitOptions::default(), "admin", clock.now(), rng).unwrap();
    let service = Service::start(&settings, Some(clock), Randomness::seeded(2)).await.unwrap();
    let address = format!("https://{}", service.address());
    let mut admin = Caller { client: house::client(&folder, None), address, token: None };
    admin.token = admin.signs_in("admin", &made.admin_password).await.body["token"].as_str().map(str::to_owned);
    let officer = admin.post("/api/v1/officers", "k-1", lan()).await;
    assert_eq!((officer.status, officer.code()), (403, "password-change-needed"));
    let body = json!({"old": *made.admin_password, "new": OTHER});
    assert_eq!(admin.post("/api/v1/me/password", "k-2", body).await.status, 204);
    assert_eq!(admin.post("/api/v1/officers", "k-3", lan()).await.status, 200);
    service.stop().await;
}

/// Nothing but the wait slows down a caller who is told to come again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_that_is_not_looked_at_for_lack_of_room_is_refused_no_sooner_than_one_that_is() {
    let delay = std::time::Duration::from_secs(2);
    let house = House::open_with(|settings| {
        // So much work that forty at once find the queue full, also where the machine is fast.
        settings.access.password_memory_kib = 64 * 1024;
        settings.access.password_passes = 4;
        settings.access.refusal_delay = delay;
    })
    .await;
    let proposed = house.admin.post("/api/v1/officers", "lan", lan()).await;
    let token = house.confirms(&proposed).await.body["token"].clone();
    let bearer = house.admin.token.clone();
    for (path, body) in [
        ("/api/v1/password", json!({"token": token, "password": OTHER})),
        ("/api/v1/me/password", json!({"old": PASSWORD, "new": PASSWORD})),
    ] {
        let mut crowd = tokio::task::JoinSet::new();
        for number in 0..40 {
            let (mut caller, body) = (house.anyone(), body.clone());
            caller.token.clone_from(&bearer);
            crowd.spawn(async move {
                let began = std::time::Instant::now();
                let said = caller.post(path, &format!("k-{number}"), body).await;
                (said, began.elapsed())
            });
        }
        let mut busy = 0;
        while let Some(done) = crowd.join_next().await {
            let (said, took) = done.unwrap();
            if said.code() == "service-busy" {
                busy += 1;
                assert!(took >= delay, "{path}: {took:?}");
            }
        }
        assert!(busy >= 1, "{path}");
    }
    house.service.stop().await;
}

#[tokio::test]
async fn a_password_is_changed_by_its_owner_who_knows_the_old_one() {
    on_both(async |house| {
        let here = house.officer("lan", &[Role::Auditor], "o-1").await;
        let mut there = house.anyone();
        there.token = there.signs_in("lan", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let changes = json!({"old": PASSWORD, "new": OTHER});
        assert_eq!(here.post("/api/v1/me/password", "k-1", changes.clone()).await.status, 204);
        let again = here.post("/api/v1/me/password", "k-1", changes).await;
        assert_eq!((again.status, again.replayed), (204, true), "a lost answer is given again");
        assert_eq!(there.get("/api/v1/audit?object=card/0").await.code(), "session-needed", "other sessions end");
        assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.code(), "credentials-wrong");
        assert_eq!(house.anyone().signs_in("lan", OTHER).await.status, 200);

        let guess = json!({"old": PASSWORD, "new": "I sat down at her desk"});
        assert_eq!(here.post("/api/v1/me/password", "k-2", guess).await.code(), "credentials-wrong");
        assert_eq!(here.get("/api/v1/audit?object=card/0").await.code(), "session-needed", "a wrong guess ends it");
    })
    .await;
}

#[tokio::test]
async fn roles_office_password_and_return_of_an_officer_take_two_administrators() {
    on_both(async |house| {
        let (officer, id) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let (path, reason) = (|verb: &str| format!("/api/v1/officers/{id}/{verb}"), json!({"reason": "x"}));
        let audit = "/api/v1/audit?object=card/0";

        acts(house, &path("roles"), json!({"roles": ["stock"], "reason": "x"})).await;
        assert_eq!(officer.get(audit).await.code(), "role-missing");
        acts(house, &path("office"), json!({"office": "o-2", "reason": "x"})).await;
        let where_now = sql!("select count(*) as n from officer where username = 'lan' and office = 'o-2'");
        assert_eq!(house.count(where_now, args![]).await, 1);

        let reset = acts(house, &path("password-reset"), reason.clone()).await;
        assert_eq!(officer.get(audit).await.code(), "session-needed");
        assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.code(), "credentials-wrong");
        assert_eq!(sets_password(&house.anyone(), &reset.body["token"], OTHER).await.status, 204);

        assert_eq!(house.admin.post(&path("disablement"), "k-1", reason.clone()).await.body["effective"], json!(true));
        assert_eq!(house.anyone().signs_in("lan", OTHER).await.code(), "credentials-wrong");
        let back = acts(house, &path("enablement"), reason).await;
        assert_eq!(house.anyone().signs_in("lan", OTHER).await.code(), "credentials-wrong", "with a new password");
        assert_eq!(sets_password(&house.anyone(), &back.body["token"], PASSWORD).await.status, 204);
        assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.status, 200);
        let changed = sql!("select count(*) as n from audit_entry where action = 'officer-changed' and object = $1");
        assert_eq!(house.count(changed, args![format!("officer/{id}")]).await, 4);
    })
    .await;
}

#[tokio::test]
async fn what_is_withdrawn_or_runs_out_frees_the_name_and_changes_nothing() {
    on_both(async |house| {
        let proposed = house.admin.post("/api/v1/officers", "k-1", lan()).await;
        let id = proposed.body["proposal_id"].as_str().unwrap();
        let open = house.second.get("/api/v1/officer-proposals").await;
        assert_eq!((&open.body["items"][0]["id"], &open.body["items"][0]["change"]), (&json!(id), &json!("appoint")));
        let path = format!("/api/v1/officer-proposals/{id}");
        assert_eq!(house.second.post(&format!("{path}/withdrawal"), "k-1", json!({})).await.status, 200);
        assert_eq!(
            house.second.post(&format!("{path}/confirmation"), "k-2", json!({})).await.code(),
            "proposal-unknown"
        );

        let proposed = house.admin.post("/api/v1/officers", "k-2", lan()).await;
        assert_eq!(proposed.status, 200, "the name is free: {proposed:?}");
        house.clock.advance(Duration::days(8));
        let mut second = house.anyone();
        second.token = second.signs_in("second", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let path = format!("/api/v1/officer-proposals/{}/confirmation", proposed.body["proposal_id"].as_str().unwrap());
        assert_eq!(second.post(&path, "k-3", json!({})).await.code(), "proposal-unknown");
    })
    .await;
}

#[tokio::test]
async fn no_administrator_gets_rid_of_the_other_and_the_last_one_stays() {
    on_both(async |house| {
        let id = async |name: &str| {
            let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
            let row = tx.one(sql!("select id from officer where username = $1"), args![name]).await.unwrap().unwrap();
            row.get::<uuid::Uuid>("id").unwrap()
        };
        let (first, second) = (id("admin").await, id("second").await);
        let reason = json!({"reason": "x"});
        let ends = house.admin.post(&format!("/api/v1/officers/{second}/disablement"), "k-1", reason.clone()).await;
        assert_eq!(ends.body["effective"], json!(false), "{ends:?}");
        assert_eq!(house.second.get("/api/v1/officer-proposals").await.status, 200, "still there");
        // Both proposed the end of the other: a third one decides, and the proposal of the one who left ends with that.
        let third = house.officer("third", &[Role::Admin], "national").await;
        let other = house.second.post(&format!("/api/v1/officers/{first}/disablement"), "k-1", reason.clone()).await;
        let path = |said: &Said| {
            format!("/api/v1/officer-proposals/{}/confirmation", said.body["proposal_id"].as_str().unwrap())
        };
        assert_eq!(house.second.post(&path(&ends), "k-2", json!({})).await.code(), "second-officer-needed");
        assert_eq!(third.post(&path(&ends), "k-2", json!({})).await.status, 200);
        assert_eq!(house.second.get("/api/v1/officer-proposals").await.code(), "session-needed");
        assert_eq!(third.post(&path(&other), "k-3", json!({})).await.code(), "proposal-stale");
        // Without the third one the first is the last.
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let third: OfficerId = Id::from_uuid(id("third").await);
        let disables = sql!("update officer set disabled_at = made_at where id = $1");
        tx.change(&OFFICER, third, disables, args![third]).await.unwrap();
        tx.commit().await.unwrap();
        for (verb, body) in [
            ("disablement", reason.clone()),
            ("roles", json!({"roles": ["stock"], "reason": "x"})),
            ("office", json!({"office": "o-1", "reason": "x"})),
        ] {
            let said = house.admin.post(&format!("/api/v1/officers/{first}/{verb}"), verb, body).await;
            assert_eq!((said.status, said.code()), (409, "last-administrator"), "{verb}");
        }
    })
    .await;
}

#[tokio::test]
async fn only_the_second_administrator_is_appointed_by_one_and_the_trail_says_so() {
    on_both(async |house| {
        let alone = sql!(
            "select count(*) as n from audit_entry where action = 'officer-made' and reason = 'appoint: bootstrap'"
        );
        assert_eq!(house.count(alone, args![]).await, 1, "the house's own second administrator");
        let third = json!({"username": "third", "roles": ["admin"], "office": "national"});
        let proposed = house.admin.post("/api/v1/officers", "k-1", third).await;
        assert_eq!((&proposed.body["effective"], &proposed.body["token"]), (&json!(false), &json!(null)));
        assert_eq!(house.count(alone, args![]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn roles_that_watch_each_other_are_refused_together() {
    on_both(async |house| {
        for (name, roles, refused) in [
            ("a", json!(["admin", "auditor"]), true),
            ("b", json!(["capture", "stock"]), true),
            ("c", json!(["approver", "hand-over", "capture"]), true),
            ("d", json!(["capture", "hand-over", "registrar"]), false),
        ] {
            let body = json!({"username": name, "roles": roles, "office": "o-1"});
            let said = house.admin.post("/api/v1/officers", name, body).await;
            assert_eq!(said.code(), if refused { "roles-exclude" } else { "" }, "{roles}");
        }
        let (_, id) = house.appointed("lan", &[Role::Capture], "o-1").await;
        let body = json!({"roles": ["capture", "approver"], "reason": "x"});
        let said = house.admin.post(&format!("/api/v1/officers/{id}/roles"), "k", body).await;
        assert_eq!((said.status, said.code()), (409, "roles-exclude"));
    })
    .await;
}

/// `issuance officer …` by the owner of the key file, beside the service that runs. The service
/// goes on meanwhile: it may hold the write lock of SQLite.
pub async fn offline(house: &House, database: Option<&str>, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.arg("officer").arg("--data").arg(house.folder.path().join("data"));
    if let Some(database) = database {
        command.arg("--database").arg(database);
    }
    command.args(arguments);
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

pub fn told(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The header that every answer has while glass is broken.
async fn alarm(caller: &Caller, path: &str) -> bool {
    let said = caller.client.get(format!("{}{path}", caller.address)).send().await.unwrap();
    said.headers().contains_key("x-break-glass")
}

pub async fn until_alarm_is(caller: &Caller, wanted: bool) {
    for _ in 0..400 {
        if alarm(caller, "/health").await == wanted {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the alarm is not {wanted}");
}

#[tokio::test]
async fn the_owner_of_the_key_file_lists_locks_and_only_proposes() {
    let urls = [None, crate::tables::fresh_database()];
    for (first, url) in urls.into_iter().enumerate() {
        if first > 0 && url.is_none() {
            continue;
        }
        let house = House::open(url.clone()).await;
        let url = url.as_deref();
        let (lan, _) = house.appointed("lan", &[Role::Auditor], "o-1").await;
        let listed = told(&offline(&house, url, &["list"]).await);
        assert!(listed.contains("lan\tauditor\to-1\topen\n"), "{listed}");
        told(&offline(&house, url, &["lock", "lan"]).await);
        assert_eq!(lan.get("/api/v1/audit?object=card/0").await.code(), "session-needed");
        assert!(told(&offline(&house, url, &["list"]).await).contains("lan\tauditor\to-1\tdisabled\n"));
        told(&offline(&house, url, &["lock", "second"]).await);
        let last = offline(&house, url, &["lock", "admin"]).await;
        assert!(!last.status.success() && String::from_utf8_lossy(&last.stderr).contains("last administrator"));
        assert!(!alarm(&house.admin, "/health").await);

        // An administrator who can sign in decides; a day alone changes nothing.
        let made = json!({"username": "hoa", "roles": ["auditor"], "office": "o-1"});
        assert_eq!(house.admin.post("/api/v1/officers", "hoa", made).await.status, 200);
        told(&offline(&house, url, &["propose-role", "hoa", "--role", "stock"]).await);
        until_alarm_is(&house.admin, true).await;
        for path in ["/health", "/api/v1/trust-bundle", "/api/v1/everything", "/api/v1/officer-proposals"] {
            assert!(alarm(&house.admin, path).await, "{path}");
        }
        assert!(house.admin.get("/health").await.body["break_glass"].is_string());
        house.clock.advance(Duration::minutes(5));
        let open = house.admin.get("/api/v1/officer-proposals").await; // and so was here
        let proposal = open.body["items"].as_array().unwrap().iter().find(|one| one["proposed_by"].is_null()).unwrap();
        let path = format!("/api/v1/officer-proposals/{}/withdrawal", proposal["id"].as_str().unwrap());
        house.clock.advance(Duration::hours(25));
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let roles =
            sql!("select count(*) as n from officer where username = 'hoa' and cast(roles as text) like '%stock%'");
        assert_eq!(house.count(roles, args![]).await, 0, "an administrator was here");
        let mut admin = house.anyone();
        admin.token = admin.signs_in("admin", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        assert_eq!(admin.post(&path, "k-9", json!({})).await.status, 200);
        until_alarm_is(&admin, false).await;
        house.service.stop().await;
    }
}

#[tokio::test]
async fn the_owner_of_the_key_file_is_held_to_the_same_names_roles_and_rows() {
    let urls = [None, crate::tables::fresh_database()];
    for (first, url) in urls.into_iter().enumerate() {
        if first > 0 && url.is_none() {
            continue;
        }
        let house = House::open(url.clone()).await;
        let url = url.as_deref();
        let refused = async |arguments: &[&str]| {
            let output = offline(&house, url, arguments).await;
            assert!(!output.status.success(), "{arguments:?}");
            String::from_utf8_lossy(&output.stderr).into_owned()
        };
        let body = json!({"username": "lan.nguyễn", "roles": ["auditor"], "office": "o-1"});
        house.confirms(&house.admin.post("/api/v1/officers", "k-1", body).await).await;
        let said = refused(&["propose-role", "lan.nguyễn", "--role", "capture", "--role", "approver"]).await;
        assert!(said.contains("approver and capture"), "{said}");
        // One officer by every spelling, and none by letters that look alike.
        told(&offline(&house, url, &["propose-role", " LAN.Nguye\u{302}\u{303}n ", "--role", "stock"]).await);
        assert!(refused(&["lock", "l\u{430}n.nguyễn"]).await.contains("letters of the Vietnamese alphabet"));
        assert!(told(&offline(&house, url, &["lock", "ＬＡＮ.nguyễn"]).await).starts_with("lan.nguyễn is locked"));

        // Two appointments that were turned down: one row holds, the other was made to look so by hand.
        let mut ids = Vec::new();
        for name in ["hoa", "minh"] {
            let made = json!({"username": name, "roles": ["stock"], "office": "o-1"});
            let proposed = house.admin.post("/api/v1/officers", name, made).await;
            ids.push(proposed.body["id"].as_str().unwrap().to_owned());
            let path =
                format!("/api/v1/officer-proposals/{}/withdrawal", proposed.body["proposal_id"].as_str().unwrap());
            if name == "minh" {
                let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
                let by_hand = sql!("update officer set roles = $1 where username = 'minh'");
                let admin = issuance::store::Argument::json(&["admin"]);
                assert_eq!(tx.run(by_hand, vec![admin]).await.unwrap(), 1);
                tx.commit().await.unwrap();
                let listed = offline(&house, url, &["list"]).await;
                let rows = String::from_utf8_lossy(&listed.stdout);
                assert!(rows.contains("minh\t?\t?\tchanged-by-another-hand\n"), "{rows}");
                assert!(rows.contains("second\tadmin\tnational\topen\n"), "the others are listed: {rows}");
                let told = String::from_utf8_lossy(&listed.stderr);
                assert!(listed.status.code() == Some(1) && told.contains(&format!("officer {}", ids[1])), "{told}");
            }
            assert_eq!(house.admin.post(&path, &format!("w-{name}"), json!({})).await.status, 200);
        }
        let left = sql!("select count(*) as n from officer where username = $1");
        assert_eq!(house.count(left, args!["hoa"]).await, 0);
        assert_eq!(house.count(left, args!["minh"]).await, 1, "what another hand wrote is evidence");
        house.service.stop().await;
    }
}

#[tokio::test]
async fn where_no_administrator_signs_in_a_reset_takes_effect_after_a_day_of_alarm() {
    let urls = [None, crate::tables::fresh_database()];
    for (first, url) in urls.into_iter().enumerate() {
        if first > 0 && url.is_none() {
            continue;
        }
        let house = House::open(url.clone()).await;
        house.clock.advance(Duration::seconds(1)); // the house's own administrator was here before
        let said = told(&offline(&house, url.as_deref(), &["propose-reset", "admin"]).await);
        let token = json!(said.lines().last().unwrap());
        until_alarm_is(&house.admin, true).await;
        house.clock.advance(Duration::hours(23));
        assert_eq!(sets_password(&house.anyone(), &token, OTHER).await.code(), "one-time-token-unfit");
        assert!(alarm(&house.admin, "/health").await);
        house.clock.advance(Duration::hours(2));
        until_alarm_is(&house.admin, false).await;
        assert_eq!(house.anyone().signs_in("admin", PASSWORD).await.code(), "credentials-wrong");
        assert_eq!(sets_password(&house.anyone(), &token, OTHER).await.status, 204);
        assert_eq!(house.anyone().signs_in("admin", OTHER).await.status, 200);
        let told =
            sql!("select count(*) as n from audit_entry where reason = 'reset: break-glass' and actor = 'service'");
        assert_eq!(house.count(told, args![]).await, 1);
        house.service.stop().await;
    }
}
