//! Spans of requests, as a collector of OpenTelemetry gets them. The receiver reads protobuf by code of its own.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::http::HeaderMap;
use issuance::ground::Role;
use issuance::server::Collector;

use crate::house::House;

/// One field of a message: its number, and its value.
#[derive(Clone, Debug)]
enum Field {
    Number(u64),
    Fixed(u64),
    Bytes(Vec<u8>),
}

/// Reads a message of protobuf.
///
/// # Panics
/// If it is none.
fn message(mut bytes: &[u8]) -> Vec<(u64, Field)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut number = 0;
        for shift in (0..70).step_by(7) {
            let (first, rest) = bytes.split_first().expect("a varint ends");
            *bytes = rest;
            number |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                return number;
            }
        }
        panic!("a varint has ten bytes at most")
    }
    let mut fields = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => Field::Number(varint(&mut bytes)),
            1 => {
                let (first, rest) = bytes.split_at(8);
                bytes = rest;
                Field::Fixed(u64::from_le_bytes(first.try_into().unwrap()))
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).unwrap();
                let (first, rest) = bytes.split_at(length);
                bytes = rest;
                Field::Bytes(first.to_vec())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

/// The messages, texts or bytes in a field.
fn all(message: &[(u64, Field)], number: u64) -> Vec<Vec<u8>> {
    let of = |field: &(u64, Field)| match field {
        (n, Field::Bytes(bytes)) if *n == number => Some(bytes.clone()),
        _ => None,
    };
    message.iter().filter_map(of).collect()
}

fn number(fields: &[(u64, Field)], field: u64) -> Option<u64> {
    fields.iter().find_map(|one| match one {
        (n, Field::Number(value) | Field::Fixed(value)) if *n == field => Some(*value),
        _ => None,
    })
}

/// Attributes in a field, as `key=value`.
fn attributes(fields: &[(u64, Field)], field: u64) -> Vec<String> {
    let pair = |bytes: Vec<u8>| {
        let pair = message(&bytes);
        let key = String::from_utf8(all(&pair, 1).remove(0)).unwrap();
        let value = message(&all(&pair, 2).remove(0));
        let text = all(&value, 1).pop().map(|text| String::from_utf8(text).unwrap());
        format!("{key}={}", text.unwrap_or_else(|| number(&value, 3).unwrap().to_string()))
    };
    all(fields, field).into_iter().map(pair).collect()
}

/// A collector. Returns its address and what it was sent.
async fn collector() -> (String, Arc<Mutex<Vec<Bytes>>>) {
    let sent = Arc::new(Mutex::new(Vec::new()));
    let takes = {
        let sent = Arc::clone(&sent);
        move |headers: HeaderMap, body: Bytes| async move {
            assert_eq!(headers["content-type"], "application/x-protobuf");
            sent.lock().unwrap().push(body);
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let routes = axum::Router::new().route("/v1/traces", axum::routing::post(takes));
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (format!("http://{address}"), sent)
}

/// A request is a span with pattern, status and code, and with nothing of the caller or of whom it is about.
#[tokio::test]
async fn a_request_is_a_span_without_anything_personal() {
    let (address, sent) = collector().await;
    let house = Box::pin(House::open_with(|settings| settings.traces = Collector::of(&address))).await;
    let officer = house.officer("nguyen-thu", &[Role::Capture], "003-001").await;
    let person = "00000000-0000-7000-8000-00000000000a";
    let said = officer.get(&format!("/api/v1/persons/{person}")).await;
    assert_eq!(said.status, 404);
    let wanted = "http.route=/api/v1/persons/{id}";
    let span = loop {
        let bodies = sent.lock().unwrap().clone();
        let found = bodies.iter().find_map(|body| {
            let of_resource = message(&all(&message(body), 1)[0]);
            let resource = attributes(&message(&all(&of_resource, 1)[0]), 1);
            assert!(resource.contains(&"service.name=citizen-card-issuance".to_owned()), "{resource:?}");
            let spans = all(&message(&all(&of_resource, 2)[0]), 2);
            spans.iter().map(|span| message(span)).find(|span| attributes(span, 9).iter().any(|one| one == wanted))
        });
        match found {
            Some(span) => break span,
            None => tokio::time::sleep(std::time::Duration::from_millis(50)).await,
        }
    };
    let told = attributes(&span, 9);
    let status = "http.response.status_code=404";
    assert_eq!(told, ["http.request.method=GET", wanted, status, "error.type=person-unknown"]);
    assert_eq!((all(&span, 5), number(&span, 6)), (vec![b"request".to_vec()], Some(2)), "name, and kind: server");
    // The trace is found by the id that the answer and the log have.
    let trace = hex::encode(&all(&span, 1)[0]);
    assert_eq!(said.body["request_id"].as_str().unwrap().replace('-', ""), trace);
    assert_eq!((all(&span, 1)[0].len(), all(&span, 2)[0].len()), (16, 8));
    let begin = u64::try_from(house.clock.now().unix_timestamp_nanos()).unwrap();
    assert_eq!(number(&span, 7), Some(begin));
    assert!(number(&span, 8) > Some(begin), "it took some time");
    assert!(all(&span, 15).is_empty(), "what is refused is no failure of the service");
    for body in sent.lock().unwrap().iter() {
        let text = String::from_utf8_lossy(body);
        for word in ["nguyen-thu", "003-001", person] {
            assert!(!text.contains(word), "{word}");
        }
    }
    house.service.stop().await;
}

/// Off by default, and a collector that is away holds up nothing.
#[tokio::test]
async fn a_collector_that_is_away_holds_up_nothing() {
    assert_eq!(issuance::server::Settings::new(".").traces, None);
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let house = Box::pin(House::open_with(|settings| settings.traces = Collector::of(&format!("http://{gone}")))).await;
    for _ in 0..3 {
        assert_eq!(house.anyone().get("/livez").await.status, 200);
    }
    house.service.stop().await;
}
