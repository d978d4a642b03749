//! Partners who ask what they may not, twice, all at once or with a foreign certificate; over real TLS.

use std::sync::Arc;

use futures_util::StreamExt as _;
use issuance::ground::{Clock, Role};
use issuance::store::Argument;
use issuance::{args, sql};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use reqwest::Method;
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use serde_json::{Value, json};
use time::{Duration, Time};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::exchange::{Joined, agreed, asks, grant, joined, moment, partner, person, question, system_of};
use crate::house::{Caller, House, Said, on_both};

const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");

/// A question about [`MAU`].
fn about(request: &str, number: &str) -> Value {
    question(request, number, MAU.0, MAU.1)
}

/// A guess: the name is another's.
fn guess(request: &str, officer: &str, number: &str) -> Value {
    let mut guess = question(request, number, "Trần Văn Đoán", MAU.1);
    guess["officer"] = json!(officer);
    guess
}

/// Asks so many questions, as many at once as one certificate may have connections.
async fn at_once<F: Future<Output = Said>>(questions: impl IntoIterator<Item = F>) -> Vec<Said> {
    futures_util::stream::iter(questions).buffered(16).collect().await
}

async fn confirming(house: &House) -> (Joined, String) {
    let joined = joined(house).await;
    agreed(house, &joined, &joined.partner, "TT-1", json!([grant("confirm", &["full_name", "birth_date"])])).await;
    let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
    (joined, number)
}

/// How many of the answers have this status.
fn with_status(said: &[Said], status: u16) -> usize {
    said.iter().filter(|said| said.status == status).count()
}

#[tokio::test]
async fn guesses_at_once_are_no_more_than_guesses_one_by_one() {
    on_both(async |house| {
        let (joined, number) = confirming(house).await;
        let asks_all = async |guesses: Vec<Value>| {
            at_once(guesses.into_iter().map(|guess| asks(&joined.system, "confirm", guess))).await
        };
        // About one person, each by another officer; one of them is right, among the last.
        let mut guesses: Vec<_> = (0..40).map(|n| guess(&format!("p-{n}"), &format!("officer-{n}"), &number)).collect();
        guesses.push(about("p-right", &number));
        let said = asks_all(guesses).await;
        let missed = said.iter().filter(|said| said.body["outcome"] == "not-confirmed").count();
        assert!(missed == 10, "{missed} of 40 guesses about one person were answered");
        assert_eq!(with_status(&said, 429), 30 + usize::from(said[40].status == 429), "the others were refused");
        // By one officer, each about another number.
        let guesses = (0..60).map(|n| guess(&format!("o-{n}"), "guesser", &format!("0031909{n:05}"))).collect();
        let said = asks_all(guesses).await;
        assert_eq!((with_status(&said, 200), with_status(&said, 429)), (30, 30));
        assert!(said.iter().all(|said| said.status == 200 || said.code() == "exchange-guessing"));
    })
    .await;
}

#[tokio::test]
async fn guesses_about_one_person_count_together_by_whichever_name_and_spelling() {
    on_both(async |house| {
        let joined = joined(house).await;
        let grants = json!([grant("confirm", &["full_name", "birth_date"]), grant("look-up", &["sex"])]);
        agreed(house, &joined, &joined.partner, "TT-1", grants).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({"old_id_number": "012345678"})).await;
        let known = asks(&joined.system, "look-up", about("known", &number)).await;
        let pseudonym = known.body["pseudonym"].as_str().unwrap_or_else(|| panic!("{known:?}")).to_owned();
        let subjects = [
            json!({"personal_number": number, "full_name": "Trần Văn Đoán", "birth_date": MAU.1}),
            json!({"old_id_number": "012345678", "full_name": "Trần Văn Đoán", "birth_date": MAU.1}),
            json!({"pseudonym": pseudonym, "full_name": "Trần Văn Đoán"}),
        ];
        for n in 0..10 {
            let mut guess = guess(&format!("g-{n}"), &format!("officer-{n}"), &number);
            guess["subject"] = subjects[n % 3].clone();
            let said = asks(&joined.system, "confirm", guess).await;
            assert_eq!(said.body["outcome"], "not-confirmed", "{n}: {said:?}");
        }
        for (n, subject) in subjects.iter().enumerate() {
            let mut guess = guess(&format!("more-{n}"), "another", &number);
            guess["subject"] = subject.clone();
            assert_eq!(asks(&joined.system, "confirm", guess).await.code(), "exchange-guessing", "{n}");
        }
        // Two persons with one number of an old card: it names neither, whosever particulars are said.
        person(house, "Lê Thị Một", "01/02/1980", json!({"old_id_number": "087654321"})).await;
        let (second, _) = person(house, "Lê Thị Hai", "01/02/1981", json!({})).await;
        let second: issuance::ground::ids::PersonId = second.parse().unwrap();
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        tx.run(sql!("update person set old_id_number = '087654321' where id = $1"), args![second]).await.unwrap();
        tx.commit().await.unwrap();
        for (n, (name, birth)) in [("Lê Thị Một", "01/02/1980"), ("Lê Thị Hai", "01/02/1981")].into_iter().enumerate()
        {
            let mut asked = about(&format!("twin-{n}"), &number);
            asked["subject"] = json!({"old_id_number": "087654321", "full_name": name, "birth_date": birth});
            assert_eq!(asks(&joined.system, "confirm", asked).await.body["outcome"], "not-confirmed", "{name}");
        }
        // One officer under many spellings is one officer.
        let spellings = ["Le.Van.Thu", "le.van.thu", "LE.VAN.THU", "ｌｅ.ｖａｎ.ｔｈｕ", " le.van.thu "];
        for n in 0..30 {
            let guess = guess(&format!("s-{n}"), spellings[n % 5], &format!("0031909{n:05}"));
            assert_eq!(asks(&joined.system, "confirm", guess).await.status, 200, "{n}");
        }
        for (n, spelling) in spellings.iter().enumerate() {
            let guess = guess(&format!("t-{n}"), spelling, "003190900099");
            assert_eq!(asks(&joined.system, "confirm", guess).await.code(), "exchange-guessing", "{spelling}");
        }
    })
    .await;
}

#[tokio::test]
async fn an_officer_is_named_in_letters_that_name_one_and_is_no_programme() {
    on_both(async |house| {
        let (joined, number) = confirming(house).await;
        let named = async |n: usize, officer: &str| {
            let mut asked = about(&format!("r-{n}"), &number);
            asked["officer"] = json!(officer);
            asks(&joined.system, "confirm", asked).await
        };
        // Full width, small capitals, another case: the same programme.
        for (n, robot) in ["ｓｙｓｔｅｍ", "ＲＯＢＯＴ", "Ｐ-thue", "MAY-CHU-1", " System ", "０", "s\u{200b}ystem"]
            .into_iter()
            .enumerate()
        {
            let said = named(n, robot).await;
            assert_eq!(said.status, 422, "{robot}: {said:?}");
            assert!(["exchange-request-unfit", "text-unfit"].contains(&said.code()), "{robot}: {said:?}");
        }
        // A programme that is written in capitals is one in small letters too.
        let (capitals, _) = system_of(house, &joined.bao, &joined.partner, "May-Chu-LON").await;
        let mut asked = about("capitals", &number);
        asked["officer"] = json!("may-chu-lon");
        assert_eq!(asks(&capitals, "confirm", asked).await.code(), "exchange-request-unfit");
        // Letters that look like others, or like none.
        for (n, strange) in
            ["", " ", "ѕystem", "rοbot", "nguyễn văn thử", "a\u{202e}b", "<script>", "a\u{301}\u{301}", "名"]
                .into_iter()
                .enumerate()
        {
            let said = named(20 + n, strange).await;
            assert_eq!((said.status, said.code()), (422, "text-unfit"), "{strange}: {said:?}");
        }
        for (n, officer) in ["nguyen.van.thu", "001090000017", "Thu@example.invalid", "thử_2"].into_iter().enumerate()
        {
            assert_eq!(named(40 + n, officer).await.status, 200, "{officer}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_quota_of_ten_answers_ten_of_fifty_at_once_and_an_answer_again() {
    on_both(async |house| {
        let joined = joined(house).await;
        let mut few = grant("confirm", &["full_name", "birth_date"]);
        few["per_day"] = json!(10);
        agreed(house, &joined, &joined.partner, "TT-1", json!([few])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let question = |n: usize| {
            let mut asked = about(&format!("r-{n}"), &number);
            asked["officer"] = json!(format!("officer-{n}"));
            asked
        };
        let said = at_once((0..50).map(|n| asks(&joined.system, "confirm", question(n)))).await;
        assert_eq!((with_status(&said, 200), with_status(&said, 429)), (10, 40));
        // An answer that was lost on its way is given again, and costs nothing.
        let answered = said.iter().position(|said| said.status == 200).unwrap();
        let again = asks(&joined.system, "confirm", question(answered)).await;
        assert_eq!((again.status, &again.body), (200, &said[answered].body));
        let refused = said.iter().position(|said| said.status == 429).unwrap();
        assert_eq!(asks(&joined.system, "confirm", question(refused)).await.code(), "exchange-quota-spent");
        let used = sql!("select used as n from exchange_usage");
        assert_eq!(house.count(used, args![]).await, 10);
        // Where more is reserved than one, what a repeated question did not spend is there for
        // the next one, on its day.
        let mut two = grant("look-up", &["sex"]);
        two["per_day"] = json!(400);
        agreed(house, &joined, &joined.partner, "TT-2", json!([two])).await;
        for request in ["l-1", "l-1", "l-1", "l-2"] {
            assert_eq!(asks(&joined.system, "look-up", about(request, &number)).await.status, 200);
        }
        let most = sql!("select max(used) as n from exchange_usage where used < 10");
        assert_eq!(house.count(most, args![]).await, 2);
        assert_eq!(asks(&joined.system, "look-up", about("l-3", &number)).await.status, 200);
        house.clock.advance(Duration::days(1));
        assert_eq!(asks(&joined.system, "look-up", about("l-4", &number)).await.status, 200);
        let days = sql!("select count(*) as n from exchange_usage where used < 10");
        assert_eq!(house.count(days, args![]).await, 2, "a day has a quota of its own");
    })
    .await;
}

#[tokio::test]
async fn one_identifier_at_once_has_one_answer() {
    on_both(async |house| {
        let (joined, number) = confirming(house).await;
        let said = at_once((0..12).map(|_| asks(&joined.system, "confirm", about("same", &number)))).await;
        assert_eq!(with_status(&said, 200), 12, "{said:?}");
        assert!(said.windows(2).all(|pair| pair[0].body == pair[1].body), "{said:?}");
        let kept = sql!("select count(*) as n from exchange_request where request = $1");
        assert_eq!(house.count(kept, args!["same"]).await, 1);
        let answered = sql!("select count(*) as n from audit_entry where action = 'exchange-answered'");
        assert_eq!(house.count(answered, args![]).await, 1);
        let replayed = sql!("select count(*) as n from audit_entry where action = 'answer-replayed'");
        assert_eq!(house.count(replayed, args![]).await, 11);
        // With other content, by other officers: one is answered.
        let other = |n: usize| {
            let mut other = about("other", &number);
            (other["officer"], other["case"]) = (json!(format!("officer-{n}")), json!(format!("HS-{n}")));
            other
        };
        let said = at_once((0..12).map(|n| asks(&joined.system, "confirm", other(n)))).await;
        assert_eq!((with_status(&said, 200), with_status(&said, 409)), (1, 11), "{said:?}");
        assert!(said.iter().all(|said| said.status == 200 || said.code() == "exchange-request-reused"));
    })
    .await;
}

#[tokio::test]
async fn a_question_that_no_field_can_hold_is_refused_in_words_and_leaves_nothing() {
    on_both(async |house| {
        let (joined, number) = confirming(house).await;
        let good = about("r-1", &number).to_string();
        let with = |old: &str, new: &str| {
            let text = good.replacen(old, new, 1);
            assert_ne!(text, good, "{old}");
            text.into_bytes()
        };
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let bodies: Vec<(&str, Vec<u8>)> = vec![
            ("a member twice", with("\"case\":", "\"case\":\"HS-0\",\"case\":")),
            ("a member of the subject twice", with("\"full_name\":", "\"full_name\":\"x\",\"full_name\":")),
            ("an unknown member", with("\"case\":", "\"admin\":true,\"case\":")),
            ("an unknown member of the subject", with("\"full_name\":", "\"id\":1,\"full_name\":")),
            ("a depth", with("\"HS-1\"", &deep)),
            ("a depth of objects", with("\"HS-1\"", &"{\"a\":".repeat(100_000))),
            ("a number", with("\"HS-1\"", "1")),
            ("a huge number", with("\"HS-1\"", &"9".repeat(100_000))),
            ("a number without end", with("\"HS-1\"", "1e999999999")),
            ("null", with("\"HS-1\"", "null")),
            ("NUL", with("HS-1", "HS\\u00001")),
            ("half a character", with("HS-1", "HS\\ud8001")),
            ("the other half", with("HS-1", "HS\\udc001")),
            ("two halves in the wrong order", with("HS-1", "\\udc00\\ud800")),
            ("no UTF-8", [&b"{\"request\":\"\xff\xfe\"}"[..], good.as_bytes()].concat()),
            ("a mark of the order of bytes", [&b"\xef\xbb\xbf"[..], good.as_bytes()].concat()),
            ("a second value", format!("{good}{good}").into_bytes()),
            ("a list", format!("[{good}]").into_bytes()),
            ("nothing", vec![]),
            ("a comma too many", with("\"case\":", ",\"case\":")),
            ("single quotes", with("\"HS-1\"", "'HS-1'")),
            ("not a number", with("\"HS-1\"", "NaN")),
            ("a long text", with("HS-1", &"x".repeat(5_000))),
            ("a text of invisible letters", with("HS-1", &"\u{200b}".repeat(500))),
            ("fields that are none", with("\"case\":", "\"fields\":[\"portrait\"],\"case\":")),
            ("ten million bytes", with("HS-1", &"x".repeat(10_000_000))),
            ("ten million bytes of space", [" ".repeat(10_000_000).as_bytes(), good.as_bytes()].concat()),
        ];
        for (name, body) in bodies {
            let request = joined.system.client.post(format!("{}/api/v1/exchange/confirm", joined.system.address));
            let answer = request.header("content-type", "application/json").body(body).send().await.unwrap();
            let status = answer.status().as_u16();
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap_or_default();
            assert!((400..500).contains(&status) && body["code"].is_string(), "{name}: {status} {body}");
            assert!(!body.to_string().contains(&number), "{name}: what was said is not said again");
        }
        // Moments that no calendar of the service has.
        for (name, at) in [
            ("after the last year", "9999-12-31T23:59:59-23:59"),
            ("before the first year", "0000-01-01T00:00:00+23:59"),
            ("a leap second", "2016-12-31T23:59:60Z"),
            ("no such day", "2026-02-30T00:00:00Z"),
            ("a far offset", "2026-01-01T00:00:00+99:99"),
            ("a number", "1700000000"),
            ("more digits than a clock has", "2026-01-01T00:00:00.0000000000000000000000001Z"),
        ] {
            let mut asked = about("r-1", &number);
            asked["asked_at"] = json!(at);
            let said = asks(&joined.system, "confirm", asked).await;
            assert!(said.status == 422 || said.status == 400, "{name}: {said:?}");
        }
        assert_eq!(house.count(sql!("select count(*) as n from exchange_request"), args![]).await, 0);
        assert_eq!(asks(&joined.system, "confirm", about("r-1", &number)).await.status, 200, "and the service is well");
    })
    .await;
}

#[tokio::test]
async fn terms_in_years_that_the_calendar_does_not_have_are_refused() {
    on_both(async |house| {
        let joined = joined(house).await;
        let agreement = |number: &str, from: &str, to: &str| {
            json!({"partner_id": joined.partner, "number": number, "basis": "Decree 47/2020/NĐ-CP, Art. 5",
                "valid_from": from, "valid_to": to, "kept_days": 30,
                "grants": [grant("confirm", &["full_name", "birth_date"])]})
        };
        let spans = [
            ("9998-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59"),
            ("9999-12-31T23:59:59-23:58", "9999-12-31T23:59:59-23:59"),
            ("0000-01-01T00:00:00+23:59", "0001-01-01T00:00:00Z"),
            ("-0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ];
        for (n, (from, to)) in spans.into_iter().enumerate() {
            let said =
                house.admin.post("/api/v1/agreements", &format!("t-{n}"), agreement(&format!("T-{n}"), from, to)).await;
            assert!((400..500).contains(&said.status), "{from} {to}: {said:?}");
        }
        for (n, (member, value)) in [
            ("kept_days", json!(-1)),
            ("kept_days", json!(4_294_967_296_u64)),
            ("kept_days", json!(1e300)),
            ("grants", json!([])),
        ]
        .into_iter()
        .enumerate()
        {
            let mut body =
                agreement(&format!("U-{n}"), &moment(house, Duration::ZERO), &moment(house, Duration::days(1)));
            body[member] = value;
            let said = house.admin.post("/api/v1/agreements", &format!("u-{n}"), body).await;
            assert!((400..500).contains(&said.status), "{member}: {said:?}");
        }
        assert_eq!(joined.bao.get("/api/v1/agreements").await.body["items"], json!([]), "the list can be read");
        let (id, _) = person(house, MAU.0, MAU.1, json!({})).await;
        let order = json!({"partner_id": joined.partner, "court": "Tòa án Thử", "order": "QĐ-1", "until": spans[0].1});
        let said = joined.bao.post(&format!("/api/v1/persons/{id}/look-delays"), "d", order).await;
        assert!((400..500).contains(&said.status), "{said:?}");
    })
    .await;
}

#[tokio::test]
async fn hours_begin_and_end_by_the_clock_of_the_state() {
    on_both(async |house| {
        let joined = joined(house).await;
        // The day after tomorrow, by the State's calendar.
        let day = Clock::today(&house.clock).next_day().unwrap().next_day().unwrap();
        let mut office_hours = grant("confirm", &["full_name", "birth_date"]);
        office_hours["hours"] = json!({"from": 7, "to": 17, "days": [day.weekday().number_from_monday()]});
        let mut all_day = grant("look-up", &["sex"]);
        all_day["hours"] = json!({"from": 0, "to": 24, "days": [day.weekday().number_from_monday()]});
        agreed(house, &joined, &joined.partner, "TT-1", json!([office_hours, all_day])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let at = |day: time::Date, hour, minute, second| {
            house.clock.begin_of(day) + (Time::from_hms(hour, minute, second).unwrap() - Time::MIDNIGHT)
        };
        let mut n = 0;
        for (moment, office, any) in [
            (at(day.previous_day().unwrap(), 23, 59, 59), false, false),
            (at(day, 0, 0, 0), false, true),
            (at(day, 6, 59, 59), false, true),
            (at(day, 7, 0, 0), true, true),
            (at(day, 16, 59, 59), true, true),
            (at(day, 17, 0, 0), false, true),
            (at(day, 23, 59, 59), false, true),
            (at(day.next_day().unwrap(), 0, 0, 0), false, false),
        ] {
            house.clock.advance(moment - house.clock.now());
            n += 1;
            for (service, allowed) in [("confirm", office), ("look-up", any)] {
                let said = asks(&joined.system, service, about(&format!("{service}-{n}"), &number)).await;
                assert_eq!(said.status == 200, allowed, "{service} at {moment}: {said:?}");
            }
        }
    })
    .await;
}

fn roots(house: &House) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(house.folder.path().join("data/tls-ca.pem")).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let settings = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    settings.with_root_certificates(roots)
}

/// Settings of a client that shows no certificate.
pub fn shows_none(house: &House) -> Arc<ClientConfig> {
    Arc::new(roots(house).with_no_client_auth())
}

/// Settings of a client that shows this certificate, as PEM with its key.
pub fn shows(house: &House, pem: &str) -> Arc<ClientConfig> {
    let chain = CertificateDer::pem_slice_iter(pem.as_bytes()).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).unwrap();
    Arc::new(roots(house).with_client_auth_cert(chain, key).unwrap())
}

async fn connects(house: &House, settings: &Arc<ClientConfig>) -> std::io::Result<TlsStream<TcpStream>> {
    let address = house.service.address();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::clone(settings)).connect(ServerName::from(address.ip()), stream).await
}

/// Sends a request whose head is this (the length is added), the end of its body after `meanwhile`. Returns status and
/// code, and how the hands were shaken.
pub async fn sends_slowly(
    house: &House,
    settings: &Arc<ClientConfig>,
    head: &str,
    body: &Value,
    meanwhile: impl AsyncFnOnce(),
) -> std::io::Result<(u16, String, Option<HandshakeKind>)> {
    let mut stream = connects(house, settings).await?;
    let body = body.to_string();
    let head = format!(
        "{head}\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    let (first, rest) = body.split_at(body.len() / 2);
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(first.as_bytes()).await?;
    stream.flush().await?;
    // The gate has let it in by now, and waits for the rest.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    meanwhile().await;
    stream.write_all(rest.as_bytes()).await?;
    let kind = stream.get_ref().1.handshake_kind();
    let mut answer = Vec::new();
    let read = stream.read_to_end(&mut answer).await;
    if answer.is_empty() {
        read?;
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let start = body.find('{').unwrap_or(body.len());
    let end = body.rfind('}').map_or(start, |at| at + 1);
    let body: Value = serde_json::from_str(&body[start..end]).unwrap_or_default();
    Ok((status, body["code"].as_str().unwrap_or_default().to_owned(), kind))
}

/// Sends a question, the end of it after `meanwhile`.
async fn asks_slowly(
    house: &House,
    settings: &Arc<ClientConfig>,
    body: &Value,
    meanwhile: impl AsyncFnOnce(),
) -> std::io::Result<(u16, String, Option<HandshakeKind>)> {
    sends_slowly(house, settings, "POST /api/v1/exchange/confirm HTTP/1.1", body, meanwhile).await
}

/// A system of the partner, as certificate and key.
async fn another_system(house: &House, joined: &Joined, name: &str) -> (String, String) {
    let (key, csr_pem) = crate::exchange::csr();
    let path = format!("/api/v1/partners/{}/systems", joined.partner);
    let drafted = house.admin.post(&path, name, json!({"name": name, "csr_pem": csr_pem})).await;
    let id = drafted.body["id"].as_str().unwrap_or_else(|| panic!("{drafted:?}")).to_owned();
    let path = format!("/api/v1/partner-systems/{id}/confirmation");
    let confirmed = joined.bao.post(&path, &format!("{name}-c"), json!({})).await;
    (format!("{}{}", confirmed.body["certificate_pem"].as_str().unwrap(), key.serialize_pem()), id)
}

#[tokio::test]
async fn what_ended_while_a_question_came_in_is_ended_for_it() {
    on_both(async |house| {
        let joined = joined(house).await;
        let granted = || json!([grant("confirm", &["full_name", "birth_date"])]);
        let agreement = agreed(house, &joined, &joined.partner, "TT-1", granted()).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let (pem, system) = another_system(house, &joined, "may-2").await;
        let settings = shows(house, &pem);
        let (status, code, _) = asks_slowly(house, &settings, &about("r-1", &number), async || {}).await.unwrap();
        assert_eq!((status, code.as_str()), (200, ""));
        let ends = async || {
            let path = format!("/api/v1/agreements/{agreement}/end");
            assert_eq!(joined.bao.post(&path, "e", json!({"reason": "over"})).await.status, 200);
        };
        let (status, code, _) = asks_slowly(house, &settings, &about("r-2", &number), ends).await.unwrap();
        assert_eq!((status, code.as_str()), (403, "exchange-not-agreed"), "the agreement ended");
        agreed(house, &joined, &joined.partner, "TT-2", granted()).await;
        let revokes = async || {
            let path = format!("/api/v1/partner-systems/{system}/revocation");
            assert_eq!(house.admin.post(&path, "r", json!({"reason": "stolen"})).await.status, 200);
        };
        let (status, code, _) = asks_slowly(house, &settings, &about("r-3", &number), revokes).await.unwrap();
        assert_eq!((status, code.as_str()), (403, "partner-certificate-unfit"), "the certificate was revoked");
        // Another connection that goes on with the session of the one before is a connection all the same.
        let (status, code, kind) = asks_slowly(house, &settings, &about("r-4", &number), async || {}).await.unwrap();
        assert_eq!((status, code.as_str()), (403, "partner-certificate-unfit"));
        assert_eq!(kind, Some(HandshakeKind::Resumed), "so that this is tried at all");
        let (pem, _) = another_system(house, &joined, "may-3").await;
        let ends = async || {
            let path = format!("/api/v1/partners/{}/end", joined.partner);
            assert_eq!(joined.bao.post(&path, "p", json!({"reason": "over"})).await.status, 200);
        };
        let (status, code, _) = asks_slowly(house, &shows(house, &pem), &about("r-5", &number), ends).await.unwrap();
        assert_eq!((status, code.as_str()), (403, "partner-certificate-unfit"), "the partner ended");
    })
    .await;
}

#[tokio::test]
async fn a_certificate_that_was_made_elsewhere_lets_no_system_in() {
    on_both(async |house| {
        let (joined, number) = confirming(house).await;
        let asks_with =
            async |pem: &str| asks_slowly(house, &shows(house, pem), &about("r-1", &number), async || {}).await;
        let refused = |answer: std::io::Result<(u16, String, Option<HandshakeKind>)>| match answer {
            Ok((status, code, _)) => status == 403 && code == "partner-certificate-unfit",
            Err(_) => true, // hands were not shaken
        };
        // Made by its owner, with the name of an authority of ours.
        let theirs = |authority: &str| {
            let key = KeyPair::generate().unwrap();
            let mut params = CertificateParams::new(vec![]).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, authority);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            (params.self_signed(&key).unwrap().pem(), params, key)
        };
        let ours = std::fs::read_to_string(house.folder.path().join("data/tls-ca.pem")).unwrap();
        let (own, params, ca_key) = theirs("Citizen Card TLS");
        assert!(refused(asks_with(&format!("{own}{}", ca_key.serialize_pem())).await), "self-made");
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![joined.system_id.clone()]).unwrap();
        let leaf = leaf.signed_by(&key, &Issuer::new(params, ca_key)).unwrap().pem();
        assert!(refused(asks_with(&format!("{leaf}{}", key.serialize_pem())).await), "of another authority");
        assert!(refused(asks_with(&format!("{leaf}{own}{}", key.serialize_pem())).await), "with its chain");
        assert!(refused(asks_with(&format!("{leaf}{ours}{}", key.serialize_pem())).await), "with our authority in it");
        // A certificate of ours that is no partner's: a station's, and that of a partner that has no agreement.
        let (station, _) = house.station("counter-1").await;
        let said = asks(&station, "confirm", about("r-2", &number)).await;
        assert_eq!(said.code(), "partner-certificate-unfit");
        let other = partner(house, &joined.bao, "p-bhxh").await;
        let (theirs, _) = system_of(house, &joined.bao, &other, "may-1").await;
        assert_eq!(asks(&theirs, "confirm", about("r-3", &number)).await.code(), "exchange-not-agreed");
        // What a header says of a certificate is no certificate.
        let file = joined.bao.get(&format!("/api/v1/partners/{}", joined.partner)).await;
        assert_eq!(file.status, 200);
        let anyone = house.anyone();
        for header in
            ["x-forwarded-client-cert", "x-client-cert", "ssl-client-cert", "client-cert", "x-ssl-client-verify"]
        {
            let request = anyone.client.post(format!("{}/api/v1/exchange/confirm", anyone.address));
            let answer = request.header(header, "SUCCESS").json(&about("r-4", &number)).send().await.unwrap();
            let body: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(body["code"], "partner-certificate-needed", "{header}");
        }
        let kept =
            house.count(sql!("select count(*) as n from exchange_request where answer is not null"), args![]).await;
        assert_eq!(kept, 0, "none was answered");
    })
    .await;
}

#[tokio::test]
async fn what_one_partner_was_answered_another_does_not_get_under_its_identifier() {
    on_both(async |house| {
        let (joined, number) = confirming(house).await;
        let other = partner(house, &joined.bao, "p-bhxh").await;
        let (theirs, _) = system_of(house, &joined.bao, &other, "may-1").await;
        let body = about("r-1", &number);
        let first = asks(&joined.system, "confirm", body.clone()).await;
        assert_eq!(asks(&theirs, "confirm", body.clone()).await.code(), "exchange-not-agreed");
        agreed(house, &joined, &other, "TT-2", json!([grant("confirm", &["full_name", "birth_date"])])).await;
        let own = asks(&theirs, "confirm", body.clone()).await;
        assert_eq!(own.status, 200);
        assert_ne!(own.body["answer"], first.body["answer"]);
        // A second system of the first partner has the answer of the first one.
        let (second, _) = system_of(house, &joined.bao, &joined.partner, "may-chu-2").await;
        assert_eq!(asks(&second, "confirm", body).await.body, first.body);
    })
    .await;
}

#[tokio::test]
async fn every_look_stands_on_one_page_of_the_list_also_while_others_look() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("confirm", &["full_name", "birth_date"])])).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        for chunk in 0..11 {
            let looks = (0..20).map(|n| {
                let mut asked = about(&format!("r-{chunk}-{n}"), &number);
                (asked["officer"], asked["unit"]) = (json!(format!("o-{n}")), json!(format!("unit {chunk}-{n}")));
                asks(&joined.system, "confirm", asked)
            });
            assert_eq!(with_status(&at_once(looks).await, 200), 20);
        }
        let counter = house.officer("counter", &[Role::Capture], "o-1").await;
        let path = format!("/api/v1/persons/{id}/looks");
        let (mut units, mut before, mut pages) = (Vec::new(), String::new(), 0);
        loop {
            let page = counter.get(&format!("{path}{before}")).await;
            let looks = page.body["looks"].as_array().unwrap_or_else(|| panic!("{page:?}"));
            assert!(looks.len() <= 100);
            units.extend(looks.iter().filter_map(|look| look["unit"].as_str().map(str::to_owned)));
            pages += 1;
            assert_eq!(asks(&joined.system, "confirm", about(&format!("late-{pages}"), &number)).await.status, 200);
            match page.body["before"].as_str() {
                Some(id) => before = format!("?before={id}"),
                None => break,
            }
        }
        assert_eq!((units.len(), pages), (220, 3));
        units.sort();
        units.dedup();
        assert_eq!(units.len(), 220, "none twice, none left out");
        for strange in ["?before=x", "?before=", "?before=%00", "?after=1", "?before[]=1"] {
            let said = counter.get(&format!("{path}{strange}")).await;
            assert_eq!((said.status, said.code()), (400, "query-malformed"), "{strange}: {said:?}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_method_that_a_service_does_not_have_asks_nothing() {
    on_both(async |house| {
        let (joined, number) = confirming(house).await;
        for method in [Method::GET, Method::PUT, Method::DELETE, Method::PATCH] {
            let caller: &Caller = &joined.system;
            let request = caller.client.request(method.clone(), format!("{}/api/v1/exchange/confirm", caller.address));
            let answer = request.json(&about("r-1", &number)).send().await.unwrap();
            assert_eq!(answer.status(), 405, "{method}");
        }
        let kept = house.count(sql!("select count(*) as n from exchange_request"), args![]).await;
        assert_eq!(kept, 0);
    })
    .await;
}

#[tokio::test]
async fn one_officer_does_not_give_both_signatures_and_one_who_went_gave_none() {
    on_both(async |house| {
        let joined = joined(house).await;
        let draft = async |number: &str| {
            let body = json!({"partner_id": joined.partner, "number": number, "basis": "Decree 47/2020/NĐ-CP, Art. 5",
                "valid_from": moment(house, Duration::ZERO), "valid_to": moment(house, Duration::days(9)), "kept_days": 30,
                "grants": [grant("confirm", &["full_name", "birth_date"])]});
            let drafted = house.admin.post("/api/v1/agreements", number, body).await;
            format!("/api/v1/agreements/{}/signature", drafted.body["id"].as_str().unwrap_or_else(|| panic!("{drafted:?}")))
        };
        // For the persons first, and with another role for the register.
        let (both, id) = house.appointed("both", &[Role::Admin, Role::DataProtection], "national").await;
        let path = draft("TT-1").await;
        assert_eq!(both.post(&path, "s-1", json!({})).await.body["state"], "drafted");
        let id: issuance::ground::ids::OfficerId = id.parse().unwrap();
        let give = sql!("update officer set roles = $1 where id = $2");
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        tx.change(&issuance::access::OFFICER, id, give, args![Argument::json(&[Role::Admin]), id]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(both.post(&path, "s-2", json!({})).await.code(), "second-officer-needed");
        // The officer who signed first may not sign any more when the other does.
        let path = draft("TT-2").await;
        assert_eq!(both.post(&path, "s-3", json!({})).await.status, 200);
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        tx.change(&issuance::access::OFFICER, id, give, args![Argument::json(&[Role::Registrar]), id]).await.unwrap();
        tx.commit().await.unwrap();
        let said = joined.bao.post(&path, "s-4", json!({})).await;
        assert_eq!((said.status, said.code()), (409, "proposal-stale"), "{said:?}");
        // What ended before it was signed is signed no more.
        let path = draft("TT-3").await;
        let end = path.replace("/signature", "/end");
        assert_eq!(joined.bao.post(&end, "e", json!({"reason": "x"})).await.status, 200);
        assert_eq!(joined.bao.post(&path, "s-5", json!({})).await.code(), "agreement-state-unfit");
        // A purpose is confirmed by a data protection officer, by no other second one.
        let purpose = json!({"code": "other", "name_vi": "Khác", "name_en": "Other", "law": "Law 1, Art. 1"});
        assert_eq!(joined.bao.post("/api/v1/exchange-purposes", "o-1", purpose).await.status, 200);
        let path = "/api/v1/exchange-purposes/other/confirmation";
        assert_eq!(house.admin.post(path, "o-2", json!({})).await.code(), "second-officer-needed");
        assert_eq!(joined.bao.post(path, "o-3", json!({})).await.code(), "second-officer-needed");
        let other = house.officer("an", &[Role::DataProtection], "national").await;
        assert_eq!(other.post(path, "o-4", json!({})).await.status, 200);
    })
    .await;
}
