//! Guessing passwords: what it costs the guesser, and that it costs the officer nothing.

use std::time::Duration;

use issuance::ground::{Randomness, Role};
use issuance::server::Limits;
use issuance::{Service, args, sql};
use reqwest::{Client, Method};
use serde_json::json;

use super::wire::Target;
use crate::house::{Caller, House, PASSWORD, client_from, client_in, on_both};

/// A caller at another address of the loopback interface.
fn at(house: &House, address: &str) -> Caller {
    let client: Client = client_from(&house.folder, address.parse().unwrap());
    Caller { client, ..house.anyone() }
}

async fn guess(caller: &Caller, name: &str, times: usize) -> Vec<(u16, String, bool)> {
    let mut story = Vec::new();
    for _ in 0..times {
        let said = caller.signs_in(name, "wrong wrong wrong").await;
        story.push((said.status, said.code().to_owned(), said.retry_after.is_some()));
    }
    story
}

#[tokio::test]
async fn wrong_passwords_from_a_strangers_address_lock_the_name_there_and_nowhere_else() {
    on_both(async |house| {
        house.officer("lan", &[Role::Auditor], "o-1").await;
        let stranger = at(house, "127.0.0.2");
        let story = guess(&stranger, "lan", 7).await;
        assert_eq!(story[4], (401, "credentials-wrong".to_owned(), false));
        assert_eq!(story[5..], [(429, "sign-in-locked".to_owned(), true), (429, "sign-in-locked".to_owned(), true)]);
        assert_eq!(guess(&stranger, "no-such-name", 7).await, story, "the answers must not tell which names exist");
        let locked = stranger.signs_in("lan", PASSWORD).await;
        assert_eq!(locked.code(), "sign-in-locked", "also with the right password");
        assert!((1..=901).contains(&locked.retry_after.unwrap()), "{locked:?}");
        assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.status, 200, "the officer is elsewhere");
        house.clock.advance(time::Duration::minutes(16));
        assert_eq!(stranger.signs_in("lan", PASSWORD).await.status, 200, "the lock ends by itself");
    })
    .await;
}

/// Another process of the service, or the same after a restart, remembers nothing: the lock stands in the database.
#[tokio::test]
async fn guesses_while_locked_do_not_prolong_a_lock_that_another_process_holds() {
    let urls = [None, crate::postgres::fresh_database()];
    for (first, url) in urls.into_iter().enumerate() {
        if first > 0 && url.is_none() {
            continue;
        }
        let house = House::open(url.clone()).await;
        let settings = crate::house::settings(&house.folder, url);
        let other = Service::start(&settings, Some(house.clock.clone()), Randomness::seeded(3)).await.unwrap();
        let there = Caller { address: format!("https://{}", other.address()), ..at(&house, "127.0.0.2") };
        house.officer("lan", &[Role::Auditor], "o-1").await;
        let here = at(&house, "127.0.0.2");
        assert_eq!(guess(&here, "lan", 6).await[5].1, "sign-in-locked");
        house.clock.advance(time::Duration::minutes(10));
        assert_eq!(guess(&there, "lan", 1).await[0].1, "sign-in-locked", "counted in the database");
        house.clock.advance(time::Duration::minutes(6));
        assert_eq!(there.signs_in("lan", PASSWORD).await.status, 200, "fifteen minutes after it began");
        assert_eq!(here.signs_in("lan", PASSWORD).await.status, 200);
        other.stop().await;
        house.service.stop().await;
    }
}

#[tokio::test]
async fn an_officer_who_shows_an_earlier_session_is_not_locked_out_by_a_neighbour_behind_the_same_address() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Auditor], "o-1").await;
        let minh = house.officer("minh", &[Role::Auditor], "o-1").await;
        guess(&house.anyone(), "lan", 8).await;
        assert_eq!(lan.get("/api/v1/audit?object=card/0").await.status, 200, "an open session goes on");
        assert_eq!(house.anyone().signs_in("lan", PASSWORD).await.code(), "sign-in-locked");
        let sign_out = lan.asks(Method::DELETE, "/api/v1/sessions/current", None, None).await;
        assert_eq!(sign_out.status, 204);
        assert_eq!(minh.signs_in("lan", PASSWORD).await.code(), "sign-in-locked", "another officer's token");
        assert_eq!(lan.signs_in("lan", PASSWORD).await.status, 200, "the token of an ended session is enough");
        assert_eq!(house.anyone().signs_in("minh", PASSWORD).await.status, 200, "another name at the same address");
        let story = guess(&lan, "lan", 6).await;
        assert_eq!(story[5].1, "sign-in-locked", "a stolen token gives five guesses, no more");
    })
    .await;
}

#[tokio::test]
async fn guesses_while_locked_leave_a_trace_that_does_not_grow_with_them() {
    on_both(async |house| {
        house.officer("lan", &[Role::Auditor], "o-1").await;
        let stranger = at(house, "127.0.0.2");
        guess(&stranger, "lan", 5 + 20).await;
        let count = async |like: &str| {
            let sql = sql!("select count(*) as n from audit_entry where action = 'sign-in-refused' and reason like $1");
            house.count(sql, args![like]).await
        };
        assert_eq!(count("credentials-wrong from 127.0.0.2").await, 5);
        assert_eq!(count("sign-in-locked from 127.0.0.2: %").await, 5, "1, 2, 4, 8, 16");
        assert_eq!(count("%: 16 guesses while locked").await, 1);
    })
    .await;
}

/// A hundred at once, of which each has a name and an address of its own, so that none is locked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_sign_ins_is_told_to_come_again_and_not_kept_waiting() {
    let house = House::open_with(|settings| {
        settings.access.password_memory_kib = 16 * 1024;
        settings.access.password_turns = 1;
    })
    .await;
    let mut flood = tokio::task::JoinSet::new();
    for number in 0..100 {
        let caller = at(&house, &format!("127.0.1.{}", number % 20 + 1));
        flood.spawn(async move {
            let began = std::time::Instant::now();
            let said = caller.signs_in(&format!("name-{number}"), "wrong wrong wrong").await;
            (said, began.elapsed())
        });
    }
    let (mut worked, mut busy) = (0, 0);
    while let Some(done) = flood.join_next().await {
        let (said, took) = done.unwrap();
        match said.status {
            401 => worked += 1,
            503 => {
                assert_eq!((said.code(), said.retry_after), ("service-busy", Some(2)));
                busy += 1;
            }
            _ => panic!("{said:?}"),
        }
        assert!(took < Duration::from_secs(20), "{took:?}");
    }
    println!("of 100 sign-ins at once {worked} were worked on and {busy} told to come again");
    assert!(worked >= 1 && busy >= 1);
    let made = json!({"username": "lan", "roles": ["stock"], "office": "o-1"});
    assert_eq!(house.admin.post("/api/v1/officers", "k", made).await.status, 200);
    house.service.stop().await;
}

/// Strangers hold more connections than they may and sign in without pause, from the very address of the office.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_officers_work_behind_an_address_from_which_a_stranger_floods_the_service() {
    let house = House::open_with(|settings| {
        settings.access.password_memory_kib = 4 * 1024;
        settings.access.password_turns = 1;
        settings.access.refusal_delay = Duration::from_millis(100);
        settings.limits = Limits { connections: 160, strangers: 80, strangers_per_origin: 60, ..Limits::default() };
    })
    .await;
    let mut officers = Vec::new();
    for number in 0..8 {
        officers.push((
            format!("officer-{number}"),
            house.officer(&format!("officer-{number}"), &[Role::Registrar], "o-1").await,
        ));
    }
    let target = Target::new(house.service.address(), &house.folder.path().join("data"));
    let mut attack = tokio::task::JoinSet::new();
    for number in 0..100 {
        let target = target.clone();
        attack.spawn(async move {
            loop {
                match number % 5 {
                    0 => drop(target.guesses_somehow("127.0.0.1", &format!("name-{number}")).await),
                    _ => {
                        let held = target.connect("127.0.0.1", b"", b"http/1.1").await;
                        tokio::time::sleep(Duration::from_millis(500)).await;
                        drop(held);
                    }
                }
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut work = tokio::task::JoinSet::new();
    for (name, officer) in officers {
        let folder = house.folder.path().to_owned();
        work.spawn(async move {
            let mut again = 0;
            for _ in 0..10 {
                let said = officer.get(UNKNOWN).await;
                assert_eq!(said.code(), "person-unknown", "{name}, on a connection that is known: {said:?}");
                // A new connection is a stranger's until its first request has come, and may lose its seat before.
                let client = client_in(&folder, "127.0.0.1".parse().unwrap());
                let request = client.get(format!("{}{UNKNOWN}", officer.address));
                let request = request.bearer_auth(officer.token.as_deref().unwrap());
                while !request.try_clone().unwrap().send().await.is_ok_and(|said| said.status() == 404) {
                    again += 1;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            let said = officer.signs_in(&name, PASSWORD).await;
            assert_eq!(said.status, 200, "{name} signs in again: {said:?}");
            again
        });
    }
    let mut again = 0;
    while let Some(done) = work.join_next().await {
        again += done.unwrap();
    }
    println!("80 new connections from a crowded address: {again} had to be tried again");
    assert!(again < 80, "{again}");
    attack.shutdown().await;
    house.service.stop().await;
}

const UNKNOWN: &str = "/api/v1/persons/01930000-0000-7000-8000-000000000000";
