//! OSIA `notification`: a partner's system is told at an address of its own, which two officers named, what its
//! agreement names; over TLS to a real server on this computer.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration as Real, Instant};

use issuance::ground::Role;
use issuance::ground::ids::PersonId;
use issuance::{args, exchange as office, sql};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::exchange::{Joined, agreed, asks, grant, joined, partner, person, question, system_of, verifies};
use crate::house::{Caller, House, PASSWORD, on_both};
use crate::oauth::{Heard, heard};
use crate::osia::Client;
use crate::tables::fresh_database;

const SUBSCRIPTIONS: &str = "/osia/notification/v1/subscriptions";
const TOPICS: &str = "/osia/notification/v1/topics";
const SCOPE: &str = "notif.sub.write notif.sub.read notif.topic.read";
const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");

/// What the server of a partner does with a message.
#[derive(Clone, Debug)]
enum Does {
    Answers(u16),
    /// Takes it, with an answer of so many bytes.
    Floods(usize),
    /// Sends elsewhere.
    Redirects(String),
    /// Says nothing.
    Silent,
    /// A byte of the answer each second.
    Trickles,
}

/// A message that the server took or refused.
#[derive(Clone, Debug)]
struct Got {
    headers: BTreeMap<String, String>,
    body: Value,
    bytes: Vec<u8>,
}

impl Got {
    fn id(&self) -> &str {
        &self.headers["message-id"]
    }

    /// The partner's name for the person of whom it tells.
    fn uin(&self) -> String {
        let said: Value = serde_json::from_str(self.body["message"].as_str().unwrap()).unwrap();
        let members: Vec<_> = said.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["source", "uin"], "no personal data");
        said["uin"].as_str().unwrap().to_owned()
    }
}

/// The server of a partner, over TLS.
#[derive(Clone)]
struct Subscriber {
    address: String,
    pem: String,
    got: Arc<Mutex<Vec<Got>>>,
    does: Arc<Mutex<Does>>,
}

impl Subscriber {
    async fn begin() -> Self {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = rustls_pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: format!("https://localhost:{}/tin", listener.local_addr().unwrap().port()),
            pem: made.cert.pem(),
            got: Arc::default(),
            does: Arc::new(Mutex::new(Does::Answers(200))),
        };
        let listens = server.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (server, acceptor) = (listens.clone(), acceptor.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = server.talks(stream).await;
                    }
                });
            }
        });
        server
    }

    async fn talks(&self, mut stream: tokio_rustls::server::TlsStream<tokio::net::TcpStream>) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8(head).unwrap();
        assert!(head.starts_with("POST /tin HTTP/1.1\r\n"), "{head}");
        let headers = head.lines().skip(1).filter_map(|line| line.split_once(": "));
        let headers: BTreeMap<String, String> =
            headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
        let mut bytes = vec![0; headers["content-length"].parse().unwrap()];
        stream.read_exact(&mut bytes).await?;
        let body = serde_json::from_slice(&bytes).unwrap();
        self.got.lock().unwrap().push(Got { headers, body, bytes });
        let does = self.does.lock().unwrap().clone();
        match does {
            Does::Answers(status) => {
                let answer = format!("HTTP/1.1 {status} Said\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
            Does::Floods(most) => {
                stream.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {most}\r\n\r\n").as_bytes()).await?;
                for _ in 0..most / 8_192 {
                    stream.write_all(&[b'x'; 8_192]).await?;
                }
            }
            Does::Redirects(to) => {
                let answer = format!("HTTP/1.1 307 Elsewhere\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).await?;
            }
            Does::Silent => tokio::time::sleep(Real::from_mins(1)).await,
            Does::Trickles => {
                for byte in b"HTTP/1.1 200 OK\r\nx-slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n\r\n" {
                    stream.write_all(&[*byte]).await?;
                    stream.flush().await?;
                    tokio::time::sleep(Real::from_secs(1)).await;
                }
            }
        }
        stream.shutdown().await
    }

    fn does(&self, what: Does) {
        *self.does.lock().unwrap() = what;
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// What was got, once there are so many.
    async fn gets(&self, many: usize) -> Vec<Got> {
        let began = Instant::now();
        loop {
            let got = self.got();
            if got.len() >= many {
                return got;
            }
            assert!(began.elapsed() < Real::from_secs(40), "{} of {many} messages: {got:?}", got.len());
            tokio::time::sleep(Real::from_millis(20)).await;
        }
    }
}

/// Two officers name the address of a partner's system. Returns its identifier.
async fn named(house: &House, bao: &Caller, system: &str, (address, pem): (&str, &str)) -> String {
    let body = json!({"address": address, "roots_pem": pem});
    let path = format!("/api/v1/partner-systems/{system}/addresses");
    let drafted = house.admin.post(&path, &format!("{address}-d"), body).await;
    assert_eq!((drafted.status, &drafted.body["state"]), (200, &json!("drafted")), "{drafted:?}");
    let id = drafted.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/partner-addresses/{id}/confirmation");
    let own = house.admin.post(&path, &format!("{address}-o"), json!({})).await;
    assert_eq!(own.code(), "second-officer-needed");
    let confirmed = bao.post(&path, &format!("{address}-c"), json!({})).await;
    assert_eq!((confirmed.status, &confirmed.body["state"]), (200, &json!("named")), "{confirmed:?}");
    id
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn subscribes(client: &Client<'_>, topic: &str, address: &str, rest: &str) -> Heard {
    client.asks("POST", &format!("{SUBSCRIPTIONS}?topic={topic}&address={}{rest}", encoded(address))).await
}

/// A system subscribes, and confirms with the token that its server got. Returns the identifier.
async fn subscribed(client: &Client<'_>, server: &Subscriber, topic: &str, rest: &str) -> String {
    let before = server.got().len();
    let said = subscribes(client, topic, &server.address, rest).await;
    assert_eq!((said.status, &said.body["active"]), (200, &json!(false)), "{said:?}");
    let got = server.gets(before + 1).await.remove(before);
    assert_eq!(got.headers["message-type"], "SubscriptionConfirmation");
    assert_eq!((&got.body["type"], &got.body["topic"]), (&json!("SubscriptionConfirmation"), &json!(topic)));
    let token = got.body["token"].as_str().unwrap();
    let url = got.body["subscribeURL"].as_str().unwrap();
    let path = format!("{SUBSCRIPTIONS}/confirm?token={token}");
    assert_eq!(url, format!("https://issuance.invalid:8443{path}"));
    assert_eq!(client.asks("GET", &path).await.status, 200);
    assert_eq!(client.asks("GET", &path).await.status, 200, "once more");
    said.body["uuid"].as_str().unwrap().to_owned()
}

/// A partner that follows, with a server whose address is named.
async fn following(house: &House, fields: &[&str]) -> (Joined, Subscriber, String) {
    let joined = joined(house).await;
    let id = agreed(house, &joined, &joined.partner, "TT-F", json!([grant("follow", fields)])).await;
    let server = Subscriber::begin().await;
    named(house, &joined.bao, &joined.system_id, (&server.address, &server.pem)).await;
    (joined, server, id)
}

async fn follows(joined: &Joined, request: &str, number: &str) -> String {
    let said = asks(&joined.system, "follow", question(request, number, MAU.0, MAU.1)).await;
    assert_eq!(said.body["outcome"], "found", "{said:?}");
    said.body["pseudonym"].as_str().unwrap().to_owned()
}

/// Two registrars change a person.
struct Registrars(Caller, Caller);

impl Registrars {
    async fn of(house: &House) -> Self {
        let one = house.officer("changes-a", &[Role::Registrar], "o-1").await;
        Self(one, house.officer("changes-b", &[Role::Registrar], "o-1").await)
    }

    async fn change(&self, id: &str, kind: &str, fields: Value, from: Option<&str>) {
        let evidence = json!({"form": "dc02", "source": "civil-status", "document": "Trích lục 1/2026",
            "confidence": "proved"});
        let mut body = json!({"kind": kind, "fields": fields, "evidence": evidence});
        if let Some(day) = from {
            body["valid_from"] = json!(day);
        }
        let said = Sha256::digest(format!("{kind}/{fields}/{from:?}"));
        let key = format!("{id}-{}", hex::encode(&said[..8]));
        let proposed = self.0.post(&format!("/api/v1/persons/{id}/changes"), &key, body).await;
        assert_eq!(proposed.status, 201, "{proposed:?}");
        let change = proposed.body["change_id"].as_str().unwrap();
        let path = format!("/api/v1/register-changes/{change}/application");
        let applied = self.1.post(&path, &format!("apply-{change}"), json!({})).await;
        assert!((200..300).contains(&applied.status), "{applied:?}");
    }

    async fn moves(&self, id: &str, n: u32) {
        let place = json!({"province": "003", "detail": format!("Số {}, đường Thử", n + 10)});
        self.change(id, "moved", json!({"permanent_residence": place}), Some(&format!("0{n}/01/2026"))).await;
    }
}

/// A while in which the worker looks many times.
async fn a_while() {
    tokio::time::sleep(Real::from_millis(600)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_birth_is_told_to_who_subscribed_and_the_child_is_read() {
    on_both(async |house| {
        let insurance = joined(house).await;
        let mut follow = grant("follow", &["life"]);
        follow["births"] = json!(true);
        let look_up = grant("look-up", &["full_name", "birth_date", "sex"]);
        agreed(house, &insurance, &insurance.partner, "TT-BH", json!([follow, look_up])).await;
        let registry = partner(house, &insurance.bao, "p-tu-phap").await;
        let (system, system_id) = system_of(house, &insurance.bao, &registry, "may-chu-2").await;
        let registry = Joined { bao: insurance.bao.clone(), system, partner: registry, system_id };
        agreed(house, &registry, &registry.partner, "TT-HT", json!([grant("birth", &["personal_number"])])).await;

        let server = Subscriber::begin().await;
        named(house, &insurance.bao, &insurance.system_id, (&server.address, &server.pem)).await;
        let client = Client::of(&insurance, &format!("{SCOPE} pr.person.read")).await;
        let before_confirmed = Client::of(&registry, "uin.generate notif.topic.write notif.topic.publish").await;
        let child = |name: &str| {
            json!({"lastName": "Nguyễn", "firstName": name, "dateOfBirth": "2026-11-20", "gender": "F",
                "birthProvince": "003", "originProvince": "003", "ethnicGroup": "01", "motherName": "Trần Thị Thử",
                "registration": format!("Số 1, {name}")})
        };
        let born = async |transaction: &str, name: &str| {
            let path = format!("/osia/uin/v1/uin?transactionId={transaction}");
            let said = before_confirmed.posts(&path, child(name)).await;
            assert_eq!(said.status, 200, "{said:?}");
            said.body.as_str().unwrap().to_owned()
        };
        born("ks-0", "Thị Sớm").await;
        // The registry makes sure that the topic is there; it is the register that tells.
        let topic = before_confirmed.asks("POST", &format!("{TOPICS}?name=liveBirth")).await;
        assert_eq!((topic.status, &topic.body["name"]), (200, &json!("liveBirth")), "{topic:?}");
        let topic = topic.body["uuid"].as_str().unwrap().to_owned();
        subscribed(&client, &server, "liveBirth", "").await;
        let number = born("ks-1", "Thị Mầm").await;
        let got = server.gets(2).await.remove(1);
        assert_eq!((got.headers["message-type"].as_str(), &got.body["type"]), ("Notification", &json!("Notification")));
        assert_eq!((&got.headers["topic-id"], &got.body["topic"]), (&topic, &json!("liveBirth")));
        assert_eq!(got.body["messageId"], json!(got.id()));
        let said = String::from_utf8(got.bytes.clone()).unwrap();
        assert!(!said.contains(&number) && !said.contains("Mầm") && !said.contains("2026-11-20"), "{said}");
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        assert!(verifies(&keys, &got.headers["x-jws-signature"], &got.bytes));
        assert!(!verifies(&keys, &got.headers["x-jws-signature"], b"{}"));

        // The child is read by the name that came.
        let read = client.reads(&got.uin(), &["firstName", "lastName", "dateOfBirth", "gender"]).await;
        let expected =
            json!({"firstName": "Thị Mầm", "lastName": "Nguyễn", "dateOfBirth": "2026-11-20", "gender": "F"});
        assert_eq!((read.status, &read.body), (200, &expected));
        assert_eq!(before_confirmed.asks("GET", &format!("/osia/dataaccess/v1/persons/{number}")).await.status, 403);
        // The child's log has both: that it was told of, and that it was read.
        let told = sql!(
            "select count(*) as n from audit_entry where action = 'changes-told' and reason = 'born'
             and object in (select 'exchange-request/' || r.id from exchange_request r where r.service = 'follow')"
        );
        assert_eq!(house.count(told, args![]).await, 1);
        let sql = sql!("select id from person where personal_number = $1");
        let row = house.service.offices().deeds().db().begin_read().await.unwrap().one(sql, args![&number]).await;
        let id: PersonId = issuance::ground::Id::of(&row.unwrap().unwrap(), "id").unwrap();
        let counter = house.officer("xem", &[Role::Capture], "national").await;
        let looks = counter.get(&format!("/api/v1/persons/{id}/looks")).await;
        let looks = looks.body["looks"].as_array().unwrap_or_else(|| panic!("{looks:?}")).clone();
        let services: Vec<_> =
            looks.iter().filter(|look| !look["unit"].is_null()).map(|look| look["service"].as_str().unwrap()).collect();
        assert!(services.contains(&"follow") && services.contains(&"look-up"), "{services:?}");

        // What law or evidence forbids.
        let publishes = before_confirmed.request("POST", &format!("{TOPICS}/{topic}/publish")).body("{}");
        let said = heard(publishes).await;
        assert_eq!(said.status, 403);
        assert!(said.body["message"].as_str().unwrap().contains("tells by itself"), "{said:?}");
        let of = async |method: &str, path: String| before_confirmed.asks(method, &path).await.status;
        assert_eq!(of("DELETE", format!("{TOPICS}/{topic}")).await, 403);
        assert_eq!(of("DELETE", format!("{TOPICS}/{}", crate::house::NIL)).await, 404);
        assert_eq!(of("POST", format!("{TOPICS}?name=marriage")).await, 403);
        assert_eq!(of("POST", TOPICS.to_owned()).await, 400);
        assert_eq!(of("POST", format!("{TOPICS}/{}/publish", crate::house::NIL)).await, 400);
        assert_eq!(client.asks("GET", TOPICS).await.body.as_array().unwrap().len(), 5);
        assert_eq!(client.asks("POST", &format!("{TOPICS}?name=liveBirth")).await.status, 403, "no scope of reports");
        a_while().await;
        assert_eq!(server.got().len(), 2, "the child of before is not told, and none comes twice");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_an_address_that_two_officers_named_is_spoken_to() {
    on_both(async |house| {
        let (joined, server, _) = following(house, &["life"]).await;
        let client = Client::of(&joined, SCOPE).await;
        let other_server = Subscriber::begin().await;
        let port = server.address.trim_start_matches("https://localhost:");
        for (address, status) in [
            (server.address.replace("https", "http"), 400),
            (format!("https://ten:mat-khau@localhost:{port}"), 400),
            (format!("{}?a=1", server.address), 400),
            (format!("{}#a", server.address), 400),
            ("ftp://localhost/".to_owned(), 400),
            (String::new(), 400),
            (other_server.address.clone(), 403),
            (format!("https://127.0.0.1:{port}"), 403),
            (format!("{}/", server.address), 403),
            (format!("{}/../tin2", server.address), 403),
            (format!("https://localhost.example:{port}"), 403),
            ("https://169.254.169.254/".to_owned(), 403),
        ] {
            let said = subscribes(&client, "death", &address, "").await;
            assert_eq!(said.status, status, "{address}: {said:?}");
        }
        for (topic, rest, status) in [
            ("death", "&protocol=email", 403),
            ("death", "&protocol=ftp", 400),
            ("death", "&policy=x", 400),
            ("death", "&policy=0,1", 400),
            ("death", "&shape=1", 400),
            ("death", "&topic=death", 400),
            ("marriage", "", 400),
            ("liveBirth", "", 403),
            ("changeOfName", "", 403),
        ] {
            let said = subscribes(&client, topic, &server.address, rest).await;
            assert_eq!(said.status, status, "{topic}{rest}: {said:?}");
        }
        a_while().await;
        assert!(server.got().is_empty() && other_server.got().is_empty());
        // Without the headers there is no answer.
        let path = format!("{SUBSCRIPTIONS}?topic=death&address={}", encoded(&server.address));
        let bare = joined.system.client.post(format!("{}{path}", joined.system.address)).bearer_auth(&client.token);
        assert_eq!(heard(bare).await.status, 400);

        // An address that one officer named is none.
        let body = json!({"address": other_server.address, "roots_pem": other_server.pem});
        let addresses = format!("/api/v1/partner-systems/{}/addresses", joined.system_id);
        let drafted = house.admin.post(&addresses, "one", body.clone()).await;
        assert_eq!(subscribes(&client, "death", &other_server.address, "").await.status, 403);
        assert_eq!(house.admin.post(&addresses, "two", body).await.code(), "name-taken");
        for (address, pem) in [
            ("http://localhost/", other_server.pem.as_str()),
            ("https://a:b@localhost/", &other_server.pem),
            ("https://may-chu.example/", "nothing"),
            ("https://may-chu.example/", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ] {
            let said = house.admin.post(&addresses, address, json!({"address": address, "roots_pem": pem})).await;
            assert!(said.status >= 400 && said.status < 500, "{address}: {said:?}");
        }
        let end = format!("/api/v1/partner-addresses/{}/end", drafted.body["id"].as_str().unwrap());
        assert_eq!(house.admin.post(&end, "end", json!({"reason": "mistyped"})).await.body["state"], "ended");

        // Idempotent: the same topic and address are one subscription.
        let id = subscribed(&client, &server, "death", "&policy=60,3").await;
        let again = subscribes(&client, "death", &server.address, "&policy=61,3").await;
        let expected = json!({"uuid": id, "topic": again.body["topic"], "protocol": "http", "address": server.address,
            "policy": "61,3", "active": true});
        assert_eq!((again.status, &again.body), (200, &expected));
        assert_eq!(client.asks("GET", SUBSCRIPTIONS).await.body, json!([expected]));
        // A wrong token, and another partner with the right one.
        let token = server.got()[0].body["token"].as_str().unwrap().to_owned();
        let other = partner(house, &joined.bao, "p-khac").await;
        let (system, system_id) = system_of(house, &joined.bao, &other, "may-khac").await;
        let other = Joined { bao: joined.bao.clone(), system, partner: other, system_id };
        agreed(house, &other, &other.partner, "TT-K", json!([grant("follow", &["life"])])).await;
        let stranger = Client::of(&other, SCOPE).await;
        let confirm = |token: &str| format!("{SUBSCRIPTIONS}/confirm?token={token}");
        assert_eq!(stranger.asks("GET", &confirm(&token)).await.status, 400);
        for bad in ["", "x", &id, &format!("{id}.{}", "0".repeat(64)), &token[..token.len() - 1]] {
            assert_eq!(client.asks("GET", &confirm(bad)).await.status, 400, "{bad}");
        }
        assert_eq!(stranger.asks("GET", SUBSCRIPTIONS).await.body, json!([]));
        assert_eq!(subscribes(&stranger, "death", &server.address, "").await.status, 403, "it is another's address");
        assert_eq!(stranger.asks("DELETE", &format!("{SUBSCRIPTIONS}/{id}")).await.status, 404);
        let narrow = Client::of(&joined, "notif.sub.read").await;
        assert_eq!(narrow.asks("DELETE", &format!("{SUBSCRIPTIONS}/{id}")).await.status, 403);
        assert_eq!(client.asks("DELETE", &format!("{SUBSCRIPTIONS}/{id}")).await.status, 204);
        assert_eq!(client.asks("DELETE", &format!("{SUBSCRIPTIONS}/{id}")).await.status, 404);
        assert_eq!(client.asks("DELETE", &format!("{SUBSCRIPTIONS}/x")).await.status, 404);
        assert_eq!(client.asks("GET", &confirm(&token)).await.status, 400, "it ended");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_followed_is_told_in_order_and_no_moment_after_the_agreement() {
    on_both(async |house| {
        let (joined, server, agreement) = following(house, &["life", "permanent_residence", "sex"]).await;
        let client = Client::of(&joined, SCOPE).await;
        subscribed(&client, &server, "death", "").await;
        let updates = subscribed(&client, &server, "updatePerson", "").await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let (_, unfollowed) = person(house, "Trần Thị Lạ", "01/02/1980", json!({})).await;
        let own = follows(&joined, "f-1", &number).await;
        let registrars = Registrars::of(house).await;
        registrars.change(&id, "corrected", json!({"religion": "Không"}), None).await;
        for n in 1..=4 {
            registrars.moves(&id, n).await;
        }
        let got = server.gets(2 + 4).await.split_off(2);
        assert!(got.iter().all(|one| one.uin() == own && one.body["topic"] == json!("updatePerson")), "{got:?}");
        assert!(got.iter().all(|one| one.headers["subscription-id"] == updates));
        let ids: Vec<_> = got.iter().map(|one| one.id().to_owned()).collect();
        assert!(ids.is_sorted(), "in the order of the feed: {ids:?}");
        // The feed has the same names and order, and the trail a record of each telling.
        let feed = joined.system.get("/api/v1/exchange/changes?purpose=tax-number").await;
        let cursors: Vec<_> =
            feed.body["items"].as_array().unwrap().iter().map(|one| one["cursor"].as_str().unwrap()).collect();
        assert_eq!(cursors, ids);
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = 'changes-told'");
        let person: PersonId = id.parse().unwrap();
        assert_eq!(house.count(about, args![person]).await, 4 + 4);
        registrars.change(&id, "died", json!({"died": "05/01/2026"}), Some("05/01/2026")).await;
        let death = server.gets(7).await.remove(6);
        assert_eq!((death.uin(), &death.body["topic"]), (own, &json!("death")));
        a_while().await;
        assert_eq!(server.got().len(), 7);
        assert!(server.got().iter().all(|one| !String::from_utf8_lossy(&one.bytes).contains(&number)
            && !String::from_utf8_lossy(&one.bytes).contains(&unfollowed)));

        // Ended: not one more, also not of what became true a moment before.
        let (other, number) = crate::exchange::person(house, "Lê Thị Hai", "03/04/1985", json!({})).await;
        let said = asks(&joined.system, "follow", question("f-2", &number, "Lê Thị Hai", "03/04/1985")).await;
        assert_eq!(said.body["outcome"], "found");
        let end = format!("/api/v1/agreements/{agreement}/end");
        assert_eq!(joined.bao.post(&end, "end", json!({"reason": "over"})).await.status, 200);
        registrars.moves(&other, 1).await;
        a_while().await;
        assert_eq!(server.got().len(), 7);
        let addresses = format!("/api/v1/partner-systems/{}/addresses", joined.system_id);
        let told = joined.bao.get(&addresses).await;
        let notes = told.body["subscriptions"].as_array().unwrap().iter().filter(|one| !one["note"].is_null()).count();
        assert!(notes >= 1, "{told:?}");
        assert_eq!(client.asks("GET", SUBSCRIPTIONS).await.body.as_array().unwrap().len(), 2);
        assert_eq!(client.asks("DELETE", &format!("{SUBSCRIPTIONS}/{updates}")).await.status, 204, "it may still end");
        // Another agreement: the other subscription goes on. A system that is revoked has none.
        agreed(house, &joined, &joined.partner, "TT-G", json!([grant("follow", &["life"])])).await;
        registrars.change(&other, "died", json!({"died": "06/01/2026"}), Some("06/01/2026")).await;
        house.clock.advance(Duration::minutes(2));
        server.gets(8).await;
        let mut bao = joined.bao.clone();
        bao.token = bao.signs_in("bao", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let revoke = format!("/api/v1/partner-systems/{}/revocation", joined.system_id);
        assert_eq!(bao.post(&revoke, "revoke", json!({"reason": "lost"})).await.status, 200);
        registrars.change(&other, "died", json!({"died": "07/01/2026"}), Some("07/01/2026")).await;
        let left = sql!("select count(*) as n from exchange_subscription");
        let began = Instant::now();
        while house.count(left, args![]).await > 0 {
            assert!(began.elapsed() < Real::from_secs(20), "the subscription of a revoked system stands");
            tokio::time::sleep(Real::from_millis(20)).await;
        }
        assert_eq!(server.got().len(), 8);
    })
    .await;
}

/// True once health says this, or says it no more.
async fn health_says(house: &House, words: &str, does: bool) {
    let began = Instant::now();
    while house.anyone().get("/health").await.body.to_string().contains(words) != does {
        assert!(began.elapsed() < Real::from_secs(20), "health: {words}");
        tokio::time::sleep(Real::from_millis(20)).await;
    }
}

/// What the office sees of the one subscription, once it says this.
async fn note(joined: &Joined, words: &str) -> Value {
    let path = format!("/api/v1/partner-systems/{}/addresses", joined.system_id);
    let began = Instant::now();
    loop {
        let told = joined.bao.get(&path).await;
        let one = told.body["subscriptions"][0].clone();
        if one["note"].as_str().is_some_and(|note| note.contains(words)) {
            return one;
        }
        assert!(began.elapsed() < Real::from_secs(40), "{words}: {told:?}");
        tokio::time::sleep(Real::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_misbehaves_is_asked_again_holds_up_no_other_and_is_given_up() {
    on_both(async |house| {
        let (joined, server, _) = following(house, &["permanent_residence"]).await;
        let client = Client::of(&joined, SCOPE).await;
        subscribed(&client, &server, "updatePerson", "&policy=1,3").await;
        // Another partner, whose server takes all.
        let other = partner(house, &joined.bao, "p-khac").await;
        let (system, system_id) = system_of(house, &joined.bao, &other, "may-khac").await;
        let other = Joined { bao: joined.bao.clone(), system, partner: other, system_id };
        agreed(house, &other, &other.partner, "TT-K", json!([grant("follow", &["permanent_residence"])])).await;
        let quick = Subscriber::begin().await;
        named(house, &joined.bao, &other.system_id, (&quick.address, &quick.pem)).await;
        subscribed(&Client::of(&other, SCOPE).await, &quick, "updatePerson", "").await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        follows(&joined, "f-1", &number).await;
        follows(&other, "f-2", &number).await;
        let registrars = Registrars::of(house).await;

        // It says nothing: the other one is told meanwhile.
        server.does(Does::Silent);
        registrars.moves(&id, 1).await;
        let began = Instant::now();
        server.gets(2).await;
        quick.gets(2).await;
        assert!(began.elapsed() < Real::from_secs(8), "the other waits for the silent one");
        assert_eq!(note(&joined, "no answer in time").await["attempts"], 1);
        // It sends elsewhere: it is not followed there.
        let elsewhere = Subscriber::begin().await;
        server.does(Does::Redirects(elsewhere.address.clone()));
        house.clock.advance(Duration::seconds(1));
        assert_eq!(note(&joined, "answered with 307").await["attempts"], 2);
        server.does(Does::Answers(500));
        house.clock.advance(Duration::seconds(1));
        assert_eq!(note(&joined, "answered with 500").await["attempts"], 3);
        // The last time: given up, seen by health, and no more is sent.
        server.does(Does::Trickles);
        house.clock.advance(Duration::seconds(1));
        assert_eq!(note(&joined, "no answer in time").await["state"], "given-up");
        health_says(house, "notifications to a partner were given up", true).await;
        let sent = server.got().len();
        house.clock.advance(Duration::hours(1));
        a_while().await;
        assert_eq!((server.got().len(), sent), (5, 5));
        assert!(elsewhere.got().is_empty());
        let ids: std::collections::BTreeSet<_> = server.got()[1..].iter().map(|one| one.id().to_owned()).collect();
        assert_eq!(ids.len(), 1, "one message under one name");
        let told = sql!("select count(*) as n from audit_entry where action = 'changes-told' and person_id = $1");
        let person: PersonId = id.parse().unwrap();
        assert_eq!(house.count(told, args![person]).await, 2, "told once to each partner");

        // It begins again, and goes on where it was; an answer of fifty million bytes is not read.
        server.does(Does::Floods(50_000_000));
        let client = Client::of(&joined, SCOPE).await;
        subscribed(&client, &server, "updatePerson", "&policy=1,-1").await;
        let got = server.gets(7).await;
        assert_eq!(got[6].id(), got[1].id());
        health_says(house, "notifications to a partner were given up", false).await;
        a_while().await;
        assert_eq!(server.got().len(), 7, "taken");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_of_another_hand_and_a_server_with_another_certificate_are_told_nothing() {
    on_both(async |house| {
        let (joined, server, _) = following(house, &["permanent_residence"]).await;
        let client = Client::of(&joined, SCOPE).await;
        subscribed(&client, &server, "updatePerson", "&policy=1,-1").await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        follows(&joined, "f-1", &number).await;
        let thief = Subscriber::begin().await;
        let run = async |sql, arguments| {
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            tx.run(sql, arguments).await.unwrap();
            tx.commit().await.unwrap();
        };
        // The subscription alone: the address is none that was named.
        run(sql!("update exchange_subscription set address = $1"), args![&thief.address]).await;
        Registrars::of(house).await.moves(&id, 1).await;
        note(&joined, "two officers").await;
        // The named one too: its MAC does not hold.
        run(sql!("update partner_address set address = $1, roots = $2"), args![&thief.address, &thief.pem]).await;
        house.clock.advance(Duration::minutes(2));
        a_while().await;
        assert!(thief.got().is_empty());
        assert_eq!(server.got().len(), 1);

        // A server that took over the name and the port, with a certificate of its own.
        let (system, system_id) = system_of(house, &joined.bao, &joined.partner, "may-hai").await;
        named(house, &joined.bao, &system_id, (&thief.address, &server.pem)).await;
        let second = Joined { bao: joined.bao.clone(), system, partner: joined.partner.clone(), system_id };
        let client = Client::of(&second, SCOPE).await;
        let said = subscribes(&client, "updatePerson", &thief.address, "&policy=1,0").await;
        assert_eq!(said.status, 200, "{said:?}");
        assert_eq!(note(&second, "another certificate").await["state"], "given-up");
        assert!(thief.got().is_empty());
        health_says(house, "given up", false).await;
    })
    .await;
}

/// Starts the service as a process of its own that ends itself at the point, and waits for its end.
fn ends_itself(config: &Path, point: &str) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.arg("serve").arg("--config").arg(config).env_remove("RUST_LOG").env_remove("ISSUANCE_LISTEN");
    command.env("ISSUANCE_FAILPOINT", point).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.spawn().unwrap();
    let began = Instant::now();
    loop {
        if let Some(status) = process.try_wait().unwrap() {
            assert_eq!(status.code(), None, "it was killed");
            return;
        }
        if began.elapsed() > Real::from_mins(1) {
            process.kill().unwrap();
            process.wait().unwrap();
            panic!("it never came to {point}");
        }
        std::thread::sleep(Real::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_killed_service_sent_comes_again_under_its_name_and_once_from_two_at_a_time() {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::new(Box::pin(House::open(database.clone())).await);
        let (joined, server, _) = following(&house, &["permanent_residence"]).await;
        let client = Client::of(&joined, SCOPE).await;
        subscribed(&client, &server, "updatePerson", "&policy=1,-1").await;
        let (id, number) = person(&house, MAU.0, MAU.1, json!({})).await;
        follows(&joined, "f-1", &number).await;
        let registrars = Registrars::of(&house).await;
        // This house did not deliver it, and its clock stands: another process does.
        server.does(Does::Answers(503));
        registrars.moves(&id, 1).await;
        server.gets(2).await;
        note(&joined, "answered with 503").await;
        server.does(Does::Answers(200));
        let database = database.map(|url| format!("database = {url:?}\n")).unwrap_or_default();
        let text = format!(
            "data = {:?}\n{database}listen = \"127.0.0.1:0\"\n[[population.extra_provinces]]\ncode = \"003\"\nname = \"Tỉnh Mẫu\"\n",
            house.folder.path().join("data").to_str().unwrap()
        );
        let config = house.folder.path().join("killed.toml");
        std::fs::write(&config, text).unwrap();
        tokio::task::spawn_blocking(move || ends_itself(&config, "notification-delivered:1")).await.unwrap();
        assert_eq!(server.got().len(), 3);
        // The process that died had it for two minutes, by the computer's clock.
        house.clock.advance(crate::house::now() - house.clock.now() + Duration::minutes(3));
        let got = server.gets(4).await;
        assert!(got[1..].iter().all(|one| one.id() == got[1].id() && one.bytes == got[1].bytes), "{got:?}");
        let told = sql!("select count(*) as n from audit_entry where action = 'changes-told' and person_id = $1");
        let person: PersonId = id.parse().unwrap();
        assert_eq!(house.count(told, args![person]).await, 1);
        a_while().await;
        assert_eq!(server.got().len(), 4, "taken, and marked");

        // Many at a time: each message once, in its order.
        let registrars = Registrars(
            house.officer("again-a", &[Role::Registrar], "o-1").await,
            house.officer("again-b", &[Role::Registrar], "o-1").await,
        );
        for n in 2..=6 {
            registrars.moves(&id, n).await;
            let deliver = || {
                let offices = house.service.offices();
                office::deliver_notifications(offices.deeds(), &offices.exchange)
            };
            let _ = tokio::join!(deliver(), deliver(), deliver(), deliver());
        }
        let got = server.gets(9).await.split_off(4);
        a_while().await;
        assert_eq!(server.got().len(), 9);
        let ids: Vec<_> = got.iter().map(|one| one.id().to_owned()).collect();
        assert!(ids.is_sorted() && !ids.contains(&server.got()[1].id().to_owned()), "{ids:?}");
        house.service.stop().await;
    }
}
