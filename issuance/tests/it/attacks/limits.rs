//! Deadlines and sizes where the caller is unknown.

use std::time::{Duration, Instant};

use issuance::ground::Role;
use issuance::server::Limits;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::wire::{self, HEADERS, SETTINGS, Target};
use crate::house::House;

/// A house without patience.
async fn house() -> (House, Target) {
    let house = House::open_with(|settings| {
        let quick = Duration::from_millis(400);
        settings.limits = Limits { stranger_patience: quick, head: quick, ..Limits::default() };
        settings.web.stranger_body_deadline = quick;
    })
    .await;
    let target = Target::new(house.service.address(), &house.folder.path().join("data"));
    (house, target)
}

/// A client that shakes hands and says nothing more does not hold a connection for good.
#[tokio::test]
async fn a_connection_on_which_nothing_moves_is_closed() {
    let (house, target) = house().await;
    for protocol in [&b"http/1.1"[..], b"h2"] {
        let mut silent = target.connect("127.0.0.1", b"", protocol).await.unwrap();
        let ended = async { while silent.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {} };
        tokio::time::timeout(Duration::from_secs(8), ended).await.unwrap();
    }
    house.service.stop().await;
}

#[tokio::test]
async fn a_connection_that_sends_its_head_byte_by_byte_is_closed() {
    let (house, target) = house().await;
    // HTTP/2: a header block that never ends; or no request at all, but pings.
    let idle = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), wire::frame(SETTINGS, 0, 0, &[])].concat();
    let begun = [idle.clone(), wire::frame(HEADERS, 0, 1, &[0x83])].concat();
    let slow = b"GET /livez HTTP/1.1\r\nX: ".to_vec();
    for (protocol, beginning) in [(&b"http/1.1"[..], slow), (b"h2", begun), (b"h2", idle)] {
        let mut stream = target.connect("127.0.0.1", b"", protocol).await.unwrap();
        stream.write_all(&beginning).await.unwrap();
        let began = Instant::now();
        let (mut from, mut to) = tokio::io::split(stream);
        let dripping = async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                // A byte of a head, or a ping.
                let more = if protocol == b"h2" { wire::frame(6, 0, 0, &[0; 8]) } else { vec![b'x'] };
                if beginning.ends_with(&[0x83]) || to.write_all(&more).await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        let closed = async { while from.read(&mut [0; 1024]).await.is_ok_and(|length| length > 0) {} };
        tokio::select! {
            () = closed => {}
            () = dripping => {}
            () = tokio::time::sleep(Duration::from_secs(8)) => panic!("{protocol:?} is still open"),
        }
        assert!(began.elapsed() > Duration::from_millis(300), "{protocol:?} had no time at all");
    }
    assert_eq!(house.anyone().get("/livez").await.status, 200);
    house.service.stop().await;
}

#[tokio::test]
async fn a_strangers_body_is_small_and_comes_in_time_and_an_officers_may_be_large() {
    let (house, target) = house().await;
    let long = "x".repeat(9_000);
    let large = json!({"username": long, "password": "x"});
    let said = house.anyone().asks(Method::POST, "/api/sessions", None, Some(large)).await;
    assert_eq!((said.status, said.code()), (413, "body-too-large"));
    let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
    let said = lan.post("/api/declarations", "k-1", json!({"anything": "x".repeat(500_000)})).await;
    assert_eq!(said.code(), "body-invalid", "it was read whole: {said:?}");
    let stranger = house.anyone().post("/api/declarations", "k-1", json!({"anything": "x"})).await;
    assert_eq!(stranger.code(), "session-needed");

    // Half a body, to the sign-in and to a route whose body is not read before the caller is known.
    for (path, told) in [("/api/sessions", "408"), ("/api/declarations", "401")] {
        let mut stream = target.connect("127.0.0.1", b"", b"http/1.1").await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n{{\"user");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        tokio::time::timeout(Duration::from_secs(8), stream.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer[9..], told.as_bytes(), "{path}");
    }
    house.service.stop().await;
}

#[tokio::test]
async fn bodies_without_end_on_one_connection_get_the_bytes_of_a_stranger_and_no_more() {
    let (house, target) = house().await;
    let story = wire::endless_bodies(&target, 200, 4 << 20, Duration::from_secs(3)).await;
    println!("200 bodies of 4 MiB on one connection: {story:?}");
    assert!(story.sent < 3 << 20, "{story:?}");
    assert_eq!(house.anyone().get("/livez").await.status, 200);
    house.service.stop().await;
}
