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
        // Long enough for the calls of the beginning, between which this one thread may do other work.
        let quick = Duration::from_secs(2);
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
        tokio::time::timeout(Duration::from_secs(40), ended).await.unwrap();
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
            () = tokio::time::sleep(Duration::from_secs(40)) => panic!("{protocol:?} is still open"),
        }
        assert!(began.elapsed() > Duration::from_millis(300), "{protocol:?} had no time at all");
    }
    assert_eq!(house.anyone().get("/livez").await.status, 200);
    house.service.stop().await;
}

/// Frames of HTTP/2 that ask for nothing: SETTINGS, PING, WINDOW_UPDATE, PRIORITY.
#[tokio::test]
async fn a_stranger_who_sends_frames_that_ask_for_nothing_is_cut_and_one_who_sends_some_is_answered() {
    let house = House::open(None).await;
    let target = Target::new(house.service.address(), &house.folder.path().join("data"));
    let begin = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), wire::frame(SETTINGS, 0, 0, &[])].concat();
    for (kind, payload) in [(SETTINGS, &[0, 4, 0, 0, 0xff, 0xff][..]), (6, &[0; 8]), (8, &[0, 0, 0, 1]), (2, &[0; 5])] {
        let stream = u32::from(kind == 2);
        let frame = wire::frame(kind, 0, stream, payload);
        for (times, cut) in [(60, false), (2_000, true)] {
            let mut connection = target.connect("127.0.0.1", b"", b"h2").await.unwrap();
            connection.write_all(&begin).await.unwrap();
            // Some at a time, so that one that is cut hears of it.
            for _ in 0..times / 20 {
                if connection.write_all(&frame.repeat(20)).await.is_err() {
                    break;
                }
            }
            // GET /livez: what is answered to it begins with HEADERS of the same stream.
            let asked =
                wire::frame(HEADERS, 5, 3, &[0x82, 0x87, 0x04, 6, b'/', b'l', b'i', b'v', b'e', b'z', 0x01, 1, b'x']);
            let _ = connection.write_all(&asked).await;
            let mut came = Vec::new();
            let answered = async {
                loop {
                    let (mut rest, mut piece) = (&came[..], [0; 4096]);
                    while let [high, middle, low, kind, _, _, _, _, stream, ..] = rest {
                        if (*kind, *stream) == (HEADERS, 3) {
                            return true;
                        }
                        let length = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
                        rest = rest.get(9 + length..).unwrap_or_default();
                    }
                    match connection.read(&mut piece).await {
                        Ok(length) if length > 0 => came.extend_from_slice(&piece[..length]),
                        _ => return false,
                    }
                }
            };
            let answered = tokio::time::timeout(Duration::from_mins(1), answered).await.unwrap();
            assert_eq!(answered, !cut, "{times} frames of type {kind}");
        }
    }
    house.service.stop().await;
}

/// What is no HTTP is answered by the library, before there is a request: without a body, and the connection ends
/// (docs/divergences.md).
#[tokio::test]
async fn what_is_no_http_has_an_empty_answer_and_the_connection_ends() {
    let house = House::open(None).await;
    let target = Target::new(house.service.address(), &house.folder.path().join("data"));
    let many = "X: y\r\n".repeat(65);
    for (headers, status) in
        [("X: \x7f\r\n", "400"), ("Content-Length: 1\r\nContent-Length: 2\r\n", "400"), (many.as_str(), "431")]
    {
        let mut stream = target.connect("127.0.0.1", b"", b"http/1.1").await.unwrap();
        let _ = stream.write_all(format!("GET /livez HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes()).await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_mins(1), stream.read_to_end(&mut answer));
        let _ = ended.await.expect("the connection ends");
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
        assert!(answer.ends_with("\r\n\r\n") && answer.contains("content-length: 0"), "{answer}");
    }
    house.service.stop().await;
}

#[tokio::test]
async fn a_strangers_body_is_small_and_comes_in_time_and_an_officers_may_be_large() {
    let (house, target) = house().await;
    let long = "x".repeat(9_000);
    let large = json!({"username": long, "password": "x"});
    let said = house.anyone().asks(Method::POST, "/api/v1/sessions", None, Some(large)).await;
    assert_eq!((said.status, said.code()), (413, "body-too-large"));
    let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
    let said = lan.post("/api/v1/declarations", "k-1", json!({"anything": "x".repeat(500_000)})).await;
    assert_eq!(said.code(), "body-invalid", "it was read whole: {said:?}");
    let stranger = house.anyone().post("/api/v1/declarations", "k-1", json!({"anything": "x"})).await;
    assert_eq!(stranger.code(), "session-needed");

    // Half a body, to the sign-in and to a route whose body is not read before the caller is known.
    for (path, told) in [("/api/v1/sessions", "408"), ("/api/v1/declarations", "401")] {
        let mut stream = target.connect("127.0.0.1", b"", b"http/1.1").await.unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4000\r\n\r\n{{\"user");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = [0; 12];
        tokio::time::timeout(Duration::from_secs(40), stream.read_exact(&mut answer)).await.unwrap().unwrap();
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

/// A caller who is refused before the body is read, and who still sends it, hears why: a session that ended, an address
/// that cannot be, a role that is missing. It once met a broken connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_reaches_a_caller_who_still_sends_the_body() {
    let house = House::open(None).await;
    let large = json!({ "anything": "x".repeat(3_500_000) });
    let mut ended = house.officer("lan", &[Role::Registrar], "o-1").await;
    let of_another_role = house.officer("mai", &[Role::Registrar], "o-1").await;
    ended.token = Some("A".repeat(43));
    for _ in 0..12 {
        for (caller, path, code) in [
            (&ended, "/api/v1/declarations", "session-needed"),
            (&of_another_role, "/api/v1/officers", "role-missing"),
            (&of_another_role, "/api/v1/persons/none/changes", "identifier-malformed"),
        ] {
            assert_eq!(caller.post(path, "k", large.clone()).await.code(), code, "{path}");
        }
    }
    house.service.stop().await;
}
