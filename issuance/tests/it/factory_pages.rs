//! The pages of the factory and of the figures: a batch that two officers release, a station that goes silent, streams
//! that end with their session, counts that are those of the API.

use std::time::{Duration as Span, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use crypto::perso::{self, protocol};
use crypto::scp03::MasterKey;
use issuance::applications::store::tally;
use issuance::cards::store::days;
use issuance::ground::{OfficeCode, Role};
use issuance::{args, sql};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Response;
use serde_json::{Value, json};
use time::Duration;

use crate::chip::Chip;
use crate::house::{Caller, House, client, on_both};
use crate::offices::TRANSPORT_MASTER;
use crate::pages::{Browser, Sheet, fields};

/// The people of a factory, and those who bring applications to it.
struct Hall {
    office: &'static str,
    registrar: Caller,
    capture: Caller,
    approver: Caller,
    stock: Caller,
    station: Caller,
    station_id: String,
}

/// A station that stands at this office, and its id.
async fn station(house: &House, name: &str, office: &str) -> (Caller, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
    let body = json!({"name": name, "office": office, "csr_pem": request});
    let enrolled =
        house.admin.post("/api/v1/stations", &format!("{office}-{}", &key.serialize_pem()[78..90]), body).await;
    assert_eq!(enrolled.status, 200, "{enrolled:?}");
    let pem = format!("{}{}", enrolled.body["certificate_pem"].as_str().unwrap(), key.serialize_pem());
    let address = format!("https://{}", house.service.address());
    let station = Caller { client: client(&house.folder, Some(&pem)), address, token: None };
    (station, enrolled.body["id"].as_str().unwrap().into())
}

/// A chip at the station, which has keys of its own.
struct AtStation {
    chip: Chip,
    number: u8,
}

impl Hall {
    async fn of(house: &House) -> Self {
        Self::at(house, "o-1", "").await
    }

    /// The people of this office, whose accounts end so.
    async fn at(house: &House, office: &'static str, end: &str) -> Self {
        let (station, station_id) = station(house, "Trạm 04", office).await;
        // The second keeper of the stock.
        house.officer(&format!("thien.ngo{end}"), &[Role::Stock], office).await;
        let officer = async |name: &str, role| house.officer(&format!("{name}{end}"), &[role], office).await;
        Self {
            office,
            registrar: officer("mai.do", Role::Registrar).await,
            capture: officer("kim.ngo", Role::Capture).await,
            approver: officer("dung.ly", Role::Approver).await,
            stock: officer("phuc.ha", Role::Stock).await,
            station,
            station_id,
        }
    }

    /// An application of a citizen of this name, opened and captured.
    async fn captured(&self, name: &str, number: u8) -> String {
        let place = json!({"province": "003", "detail": "Số 2, thôn Mẫu"});
        let declaration = json!({"full_name": name, "birth_date": format!("{number:02}/05/1978"), "sex": "Nam", "birth_registration": place,
            "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
        let key = |what: &str| format!("{what}-{number}");
        let said = self.registrar.post("/api/v1/declarations", &key("declares"), declaration).await;
        let person = said.body["person_id"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned();
        let known = json!({"acknowledged": true, "because": "papers compared"});
        let said = self.registrar.post(&format!("/api/v1/persons/{person}/number"), &key("number"), known).await;
        assert_eq!(said.status, 200, "{said:?}");
        let body = json!({"person_id": person, "kind": "first", "office": self.office});
        let opened = self.capture.post("/api/v1/applications", &key("opens"), body).await;
        let id = opened.body["id"].as_str().unwrap_or_else(|| panic!("{opened:?}")).to_owned();
        let photograph = include_bytes!("../../../tests/data/portrait/drawn.jpg");
        let body = json!({"portrait": STANDARD.encode(photograph), "features": "Nốt ruồi dưới mép phải",
            "register_check": {"agrees": true}});
        let said = self.capture.post(&format!("/api/v1/applications/{id}/capture"), &key("captures"), body).await;
        assert_eq!(said.status, 200, "{said:?}");
        id
    }

    /// As [`captured`](Self::captured), and approved.
    async fn approved(&self, name: &str, number: u8) -> String {
        let id = self.captured(name, number).await;
        let path = format!("/api/v1/applications/{id}");
        let seen = self.approver.get(&format!("{path}?purpose=decision")).await.body["dossier_sha256"].clone();
        let body = json!({"dossier": seen});
        let said = self.approver.post(&format!("{path}/approval"), &format!("approves-{number}"), body).await;
        assert_eq!(said.status, 200, "{said:?}");
        id
    }

    /// A chip with keys of its own, in the station's custody.
    async fn blank(&self, number: u8) -> AtStation {
        let serial = CardSerial([0, 1, 2, 3, 4, 5, 6, 9, 9, number]);
        let (name, key) = (serial.to_string(), |verb: &str| format!("{verb}-{number}"));
        let note = json!({"manufacturer": "Maker", "batch": key("b"), "transport_key_id": "maker", "serials": [name]});
        assert_eq!(self.stock.post("/api/v1/stock/deliveries", &key("d"), note).await.status, 201);
        let custody = json!({"serials": [name], "station_id": self.station_id});
        assert!((200..300).contains(&self.stock.post("/api/v1/stock/custody", &key("c"), custody).await.status));
        let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
        let mut held = AtStation { chip: Chip::blank(serial, keys), number };
        let presented = json!(protocol::Presented { presentation: held.chip.presentation() });
        let ordered = self.asks(&held, "intake/orders", presented).await;
        let ordered: protocol::IntakeOrder = serde_json::from_value(ordered).unwrap();
        let (receipt, _) = perso::play(&mut held.chip, &ordered.order, &mut |_| {});
        self.asks(&held, "intake/receipts", json!(protocol::IntakeReceipt { receipt })).await;
        held
    }

    async fn asks(&self, held: &AtStation, what: &str, body: Value) -> Value {
        let key = format!("{what}-{}", held.number);
        let begun = Instant::now();
        loop {
            let said = self.station.post(&format!("/api/v1/station/{what}"), &key, body.clone()).await;
            // An application that is made ahead at this very moment is passed over.
            if said.code() == "batch-exhausted" && begun.elapsed() < Span::from_secs(20) {
                tokio::time::sleep(Span::from_millis(50)).await;
                continue;
            }
            assert!((200..300).contains(&said.status), "{what}: {said:?}");
            return said.body;
        }
    }

    /// The station asks for the order by which the chip becomes the card of the batch's next application.
    async fn takes(&self, held: &AtStation, batch: &str) -> protocol::PersonalizationOrder {
        let wanted = json!(protocol::PresentedFor {
            presentation: held.chip.presentation(),
            slip: None,
            batch: Some(batch.to_owned()),
            fence: None,
        });
        serde_json::from_value(self.asks(held, "personalization/orders", wanted).await).unwrap()
    }

    /// The station makes the card.
    async fn makes(&self, held: &mut AtStation, batch: &str) {
        let ordered = self.takes(held, batch).await;
        let (receipt, _) = perso::play(&mut held.chip, &ordered.order, &mut |_| {});
        let challenge = ordered.read_back.challenge.to_vec();
        let signature = held.chip.signs(&challenge);
        let active_authentication = Some(protocol::ActiveAuthentication { signature, challenge });
        let receipt = json!(protocol::PersonalizationReceipt { receipt, active_authentication });
        let made = self.asks(held, "personalization/receipts", receipt).await;
        assert!(made["card_id"].is_string(), "{made}");
    }

    /// The batches of the office, as the API has them.
    async fn batches(&self) -> Vec<Value> {
        self.stock.get("/api/v1/batches").await.body["items"].as_array().unwrap().clone()
    }
}

/// Two browsers of the two keepers of the stock.
async fn keepers(house: &House) -> (Browser, Browser) {
    (Browser::of(house, "phuc.ha").await, Browser::of(house, "thien.ngo").await)
}

/// Drafts a batch on the page and releases it by the second officer. Returns its id.
async fn released(hall: &Hall, one: &Browser, other: &Browser) -> String {
    let page = one.reads("/pages/factory").await;
    let said = one.sends("/pages/factory/batches", &fields(&page, &[("most", "200"), ("priority", "7")])).await;
    assert_eq!((said.status, said.leads_to()), (303, "/pages/factory?done=drafted"), "{}", said.text);
    let id = hall.batches().await.last().unwrap()["id"].as_str().unwrap().to_owned();
    let said = acts(other, &id, "release", &[]).await;
    assert_eq!(said.status, 303, "{}", said.text);
    id
}

/// Sends a form of the page of a batch.
async fn acts(browser: &Browser, id: &str, what: &str, more: &[(&str, &str)]) -> Sheet {
    // A batch that offers no act shows no form, so that token and key come from the page of the factory.
    let page = browser.reads("/pages/factory").await;
    browser.sends(&format!("/pages/factory/batches/{id}/{what}"), &fields(&page, more)).await
}

fn place(id: &str) -> String {
    format!("/pages/factory/batches/{id}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_officers_release_a_batch_and_what_is_sent_twice_has_one_effect() {
    on_both(async |house| {
        let hall = Hall::of(house).await;
        hall.approved("Chu Mạnh Trinh", 1).await;
        let second = hall.approved("Bùi Thị Xuân Ẩn", 2).await;
        let (one, other) = keepers(house).await;
        let page = one.reads("/pages/factory").await;
        assert!(page.says("Chưa có mẻ nào") && page.says("Trạm 04") && page.says("hết phôi"), "{}", page.text);

        // What does not fit is told beside its field, and stays.
        let wrong = one.sends("/pages/factory/batches", &fields(&page, &[("most", "0"), ("priority", "300")])).await;
        assert!(wrong.status == 400 || wrong.status == 422, "{}", wrong.status);
        for words in ["Nhập một số từ 1 đến 1.000", "Nhập một số từ 0 đến 255", "value=\"0\"", "value=\"300\""]
        {
            assert!(wrong.says(words), "{words}: {}", wrong.text);
        }
        // A double click.
        let form = fields(&page, &[("most", "200"), ("priority", "7")]);
        for _ in 0..2 {
            assert_eq!(one.sends("/pages/factory/batches", &form).await.leads_to(), "/pages/factory?done=drafted");
        }
        let batches = hall.batches().await;
        assert_eq!(batches.len(), 1, "{batches:?}");
        let id = batches[0]["id"].as_str().unwrap();

        // Another officer, and not the same one.
        let own = one.reads(&place(id)).await;
        assert!(own.says("Bạn đã lập mẻ này") && !own.says("/release\""), "{}", own.text);
        let said = acts(&one, id, "release", &[]).await;
        assert!(said.status == 403 && said.says("second-officer-needed"), "{} {}", said.status, said.text);
        assert_eq!(hall.batches().await[0]["state"], "drafted");
        let page = other.reads(&place(id)).await;
        assert!(page.says(&format!("action=\"{}/release\"", place(id))), "{}", page.text);
        let form = fields(&page, &[]);
        for _ in 0..2 {
            let said = other.sends(&format!("{}/release", place(id)), &form).await;
            assert_eq!(
                (said.status, said.leads_to()),
                (303, &*format!("{}?done=released", place(id))),
                "{}",
                said.text
            );
        }
        let batch = hall.batches().await.remove(0);
        assert_eq!((&batch["state"], &batch["items"]), (&json!("released"), &json!(2)));

        // Its applications, without a name.
        let page = one.reads(&place(id)).await;
        assert!(page.says(&second[30..].to_uppercase()) && page.says("đã duyệt, chờ ghi chip"), "{}", page.text);
        assert!(!page.says("Trinh") && !page.says("Xuân"), "{}", page.text);

        // Paused with a reason, and let go on.
        let said = acts(&one, id, "pause", &[("reason", " ")]).await;
        assert!(said.status == 422 && said.says("reason-missing") && said.says("id=\"pause-err\""), "{}", said.text);
        assert_eq!(acts(&one, id, "pause", &[("reason", "mực in nhòe")]).await.status, 303);
        for sheet in [one.reads(&place(id)).await, one.reads("/pages/factory").await] {
            assert!(sheet.says("mực in nhòe") && sheet.says("tạm dừng"), "{}", sheet.text);
        }
        assert_eq!(acts(&other, id, "resumption", &[]).await.status, 303);
        let early = acts(&other, id, "closing", &[]).await;
        assert!(early.status == 409 && early.says("batch-unfinished"), "{} {}", early.status, early.text);

        // The cards are made, and it is closed.
        for number in [1, 2] {
            let mut held = hall.blank(number).await;
            hall.makes(&mut held, id).await;
        }
        let page = one.reads(&place(id)).await;
        assert!(page.says("có thể đóng mẻ") && page.says("thẻ đã xong"), "{}", page.text);
        assert_eq!(acts(&one, id, "closing", &[]).await.status, 303);
        let batch = hall.batches().await.remove(0);
        assert_eq!((&batch["state"], &batch["done"]), (&json!("closed"), &json!(2)));
        assert!(one.reads(&place(id)).await.says("đã đóng"));
        // The rate is that of the API: two cards in five minutes.
        assert!(one.reads("/pages/factory").await.says("trên 2"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_factory_is_open_to_those_who_keep_its_stock() {
    let house = Box::pin(House::open(None)).await;
    let hall = Hall::of(&house).await;
    hall.approved("Chu Mạnh Trinh", 1).await;
    let (one, other) = keepers(&house).await;
    let id = released(&hall, &one, &other).await;
    house.officer("far", &[Role::Stock], "o-2").await;
    house.officer("chief", &[Role::Stock], "national").await;
    let far = Browser::of(&house, "far").await;
    let closed = far.reads(&place(&id)).await;
    assert!(closed.status == 403 && closed.says("other-office") && !closed.says("Trạm 04"), "{}", closed.text);
    let said = acts(&far, &id, "pause", &[("reason", "x")]).await;
    assert!(said.status == 403 && said.says("other-office"), "{}", said.text);
    for path in ["/pages/factory?office=o-1", "/pages/factory/events?office=o-1"] {
        let said = far.reads(path).await;
        assert!(said.status == 403 && said.says("other-office"), "{path}: {}", said.text);
    }
    let own = far.reads("/pages/factory").await;
    assert!(own.status == 200 && !own.says("Trạm 04") && !own.says(&place(&id)), "{}", own.text);
    let chief = Browser::of(&house, "chief").await.reads("/pages/factory?office=o-1").await;
    assert!(chief.says("Trạm 04") && chief.says(&place(&id)), "{}", chief.text);
    let odd = far.reads("/pages/factory?office=Ở%20xa").await;
    assert!(odd.status == 422 && odd.says("office-code-malformed"), "{} {}", odd.status, odd.text);
    let said = Browser::of(&house, "dung.ly").await.reads("/pages/factory").await;
    assert!(said.status == 403 && said.says("role-missing"), "{}", said.text);
    assert!(Browser::of(&house, "phuc.ha").await.reads("/pages").await.says("1 mẻ đang chạy"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_station_that_goes_silent_in_the_middle_of_a_batch_comes_first_with_what_to_do() {
    on_both(async |house| {
        let hall = Hall::of(house).await;
        hall.approved("Chu Mạnh Trinh", 1).await;
        let (one, other) = keepers(house).await;
        let id = released(&hall, &one, &other).await;
        let idle = station(house, "Trạm 01", "o-1").await.1;
        let (silent, mut next) = (hall.blank(1).await, hall.blank(2).await);
        hall.takes(&silent, &id).await;
        let page = one.reads("/pages/factory").await;
        assert!(page.says("2 trạm: 1 đang ghi, 1 cần người") && page.says("0001\u{a0}0203"), "{}", page.text);

        house.clock.advance(Duration::minutes(11));
        let page = one.reads("/pages/factory").await;
        assert!(page.says("2 trạm: 0 đang ghi, 2 cần người") && page.says("Xem máy và đầu đọc"), "{}", page.text);
        let [first, second] = ["Trạm 04</h3>", "Trạm 01</h3>"].map(|name| page.text.find(name).unwrap());
        assert!(first < second, "what needs a person first");
        assert!(one.reads(&place(&id)).await.says("đã hết, chip sau sẽ nhận hồ sơ"));

        // The next chip gets the application, and the silent one is spoiled: told in the words that were given.
        hall.makes(&mut next, &id).await;
        let page = one.reads("/pages/factory").await;
        assert!(page.says("its lease ran out") && page.says("Ghi bằng lời của người khai"), "{}", page.text);
        assert!(page.says("2 trạm: 0 đang ghi"), "{}", page.text);

        // A chip that was pulled out and cannot be read any more: given up with a code, which has a remedy.
        let broken = hall.blank(3).await;
        let gives_up = json!({"reason": "chip-refused", "evidence": "6F00"});
        let path = format!("chips/{}/spoiled", broken.chip.presentation().serial);
        hall.asks(&broken, &path, gives_up).await;
        let page = one.reads("/pages/factory").await;
        let catalogue: toml::Table = include_str!("../../../docs/problems/agent.toml").parse().unwrap();
        let remedy = |language: &str| {
            let text = catalogue["chip-refused"][language]["remedy"].as_str().unwrap();
            text.replace('`', "").replace('&', "&#38;").replace('"', "&#34;").replace('\'', "&#39;")
        };
        assert!(page.says("chip-refused") && page.says(&remedy("vi")), "{}", page.text);
        assert!(!page.says(&remedy("en")));
        assert!(
            page.text.find("chip-refused").unwrap() < page.text.find("its lease ran out").unwrap(),
            "the latest first"
        );

        // A station whose certificate is revoked is told as such, and comes last.
        let said =
            house.admin.post(&format!("/api/v1/stations/{idle}/revocation"), "r", json!({"reason": "sold"})).await;
        assert!((200..300).contains(&said.status), "{said:?}");
        let page = one.reads("/pages/factory").await;
        assert!(page.says("đã thu hồi") && page.says("2 trạm: 0 đang ghi, 1 cần người"), "{}", page.text);
    })
    .await;
}

/// The next piece of a stream with these words, within so long.
async fn hears(stream: &mut Response, words: &str) -> String {
    let mut heard = String::new();
    let begun = Instant::now();
    while begun.elapsed() < Span::from_secs(30) {
        match tokio::time::timeout(Span::from_secs(30), stream.chunk()).await {
            Ok(Ok(Some(piece))) => heard.push_str(&String::from_utf8_lossy(&piece)),
            Ok(Ok(None)) => panic!("the stream ended without {words}: {heard}"),
            Ok(Err(error)) => panic!("{error}: {heard}"),
            Err(_) => break,
        }
        if heard.contains(words) {
            return heard;
        }
    }
    panic!("no {words} in {heard}");
}

/// True if the stream ends within so long.
async fn ends(stream: &mut Response) -> bool {
    tokio::time::timeout(Span::from_secs(20), async { while let Ok(Some(_)) = stream.chunk().await {} }).await.is_ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_tells_what_changes_and_ends_with_its_session() {
    on_both(async |house| {
        let hall = Hall::of(house).await;
        hall.approved("Chu Mạnh Trinh", 1).await;
        let (one, other) = keepers(house).await;
        let id = released(&hall, &one, &other).await;
        let mut stream = one.follows("/pages/factory/events").await;
        assert_eq!(
            (stream.status().as_u16(), &stream.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        hears(&mut stream, &place(&id)).await;
        let mut beside = other.follows("/pages/factory/events").await;
        hears(&mut beside, &place(&id)).await;
        assert_eq!(acts(&other, &id, "pause", &[("reason", "mực in nhòe")]).await.status, 303);
        for stream in [&mut stream, &mut beside] {
            let heard = hears(stream, "mực in nhòe").await;
            assert!(!heard.contains("Trinh") && !heard.contains("<form") && !heard.contains("<script"), "{heard}");
        }

        // A session has a few at once, and each that is closed makes room.
        let mut more = vec![];
        for _ in 0..3 {
            more.push(one.follows("/pages/factory/events").await);
        }
        assert!(more.iter().all(|stream| stream.status() == 200));
        let full = one.reads("/pages/factory/events").await;
        assert!(full.status == 503 && full.says("service-busy"), "{} {}", full.status, full.text);
        // A script is told so as an event, with when to ask again: a problem would take the place of the page.
        let script = [("hx-request", "true"), ("accept", "text/html, text/event-stream")];
        let busy = one.asks(reqwest::Method::GET, "/pages/factory/events", &script, None).await;
        assert_eq!((busy.status, &busy.headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        assert!(busy.says("event: busy") && busy.says("retry: 15000") && !busy.says("<"), "{}", busy.text);
        drop(more);
        let begun = Instant::now();
        let mut again = loop {
            let again = one.follows("/pages/factory/events").await;
            if again.status() == 200 {
                break again;
            }
            assert!(begun.elapsed() < Span::from_secs(30), "no room was made");
            tokio::time::sleep(Span::from_millis(200)).await;
        };

        // The end of a session ends its streams, and no other one.
        let page = one.reads("/pages/factory").await;
        assert_eq!(one.sends("/pages/sign-out", &fields(&page, &[])).await.status, 303);
        for stream in [&mut stream, &mut again] {
            hears(stream, "event: over").await;
            assert!(ends(stream).await);
        }
        // An open page is no sign of life: the session of an empty chair ends, and its stream.
        for _ in 0..2 {
            house.clock.advance(Duration::minutes(14));
            hears(&mut beside, "data:").await;
        }
        house.clock.advance(Duration::minutes(4));
        hears(&mut beside, "Phiên làm việc đã kết thúc").await;
        assert!(ends(&mut beside).await);
        assert_eq!(other.reads("/pages/factory").await.leads_to(), "/pages/sign-in?next=/pages/factory");
        // A script that asks again after the session ended is told so, and told not to ask for ever.
        let over = other.asks(reqwest::Method::GET, "/pages/factory/events", &script, None).await;
        assert_eq!((over.status, &over.headers["content-type"]), (200, &"text/event-stream".parse().unwrap()));
        assert!(over.says("data: <section") && over.says("Phiên làm việc đã kết thúc"), "{}", over.text);
        assert!(over.text.ends_with("event: over\ndata: over\n\n"), "{}", over.text);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_officer_with_many_sessions_leaves_streams_for_the_others() {
    let house = Box::pin(House::open(None)).await;
    Hall::of(&house).await;
    let mut streams = vec![];
    for _ in 0..3 {
        let browser = Browser::of(&house, "phuc.ha").await;
        for _ in 0..4 {
            streams.push(browser.follows("/pages/factory/events").await);
        }
    }
    assert!(streams.iter().all(|stream| stream.status() == 200));
    let once_more = Browser::of(&house, "phuc.ha").await;
    assert_eq!(once_more.reads("/pages/factory/events").await.status, 503);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_stops_ends_its_streams() {
    let house = Box::pin(House::open(None)).await;
    Hall::of(&house).await;
    let browser = Browser::of(&house, "phuc.ha").await;
    let mut stream = browser.follows("/pages/factory/events").await;
    hears(&mut stream, "Trạm 04").await;
    let begun = Instant::now();
    let ((), ended) = tokio::join!(house.service.stop(), ends(&mut stream));
    assert!(ended && begun.elapsed() < Span::from_secs(10), "{:?}", begun.elapsed());
}

async fn makes_unit(house: &House, code: &str, kind: &str, province: &str, parent: &str) {
    let unit =
        json!({"code": code, "kind": kind, "province": province, "name": format!("Đơn vị {code}"), "parent": parent});
    let said = house.admin.post("/api/v1/units", &format!("unit-{code}"), unit).await;
    assert_eq!(said.status, 201, "{said:?}");
}

/// Where the tallies of the figures differ from what there is.
async fn miscounted(house: &House) -> Vec<(String, i64, i64)> {
    let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
    let mut all = tally::miscounted(&mut tx).await.unwrap();
    all.extend(days::miscounted(&mut tx).await.unwrap());
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_are_those_of_the_own_office_and_at_the_national_one_of_all() {
    on_both(async |house| {
        makes_unit(house, "p-48", "province", "048", "national").await;
        makes_unit(house, "o-1", "district", "048", "p-48").await;
        makes_unit(house, "o-2", "district", "001", "national").await;
        let hall = Hall::of(house).await;
        house.officer("chief", &[Role::Approver], "national").await;
        house.officer("far", &[Role::Capture], "o-2").await;
        house.officer("minh", &[Role::Auditor], "o-1").await;
        hall.captured("Lý Thị Ngà", 3).await;
        hall.approved("Chu Mạnh Trinh", 1).await;
        let (one, other) = keepers(house).await;
        let id = released(&hall, &one, &other).await;
        let mut held = hall.blank(1).await;
        hall.makes(&mut held, &id).await;
        assert_eq!(miscounted(house).await, []);

        // Of the own office: one waits for its decision, one card was made today.
        let own = Browser::of(house, "dung.ly").await.reads("/pages/dashboard").await;
        assert_eq!(own.status, 200, "{}", own.text);
        let row = |sheet: &Sheet, name: &str| {
            let after =
                sheet.text.split(&format!("<th scope=\"row\">{name}</th>")).nth(1).unwrap_or_else(|| panic!("{name}"));
            let cell = after.split("class=\"r num\">").nth(1).unwrap();
            cell.split('<').next().unwrap().to_owned()
        };
        assert_eq!(row(&own, "đã thu nhận, chờ quyết định"), "1");
        assert_eq!(row(&own, "thẻ đã xong"), "1");
        let today = house.clock.today();
        let day = format!("{:02}/{:02}/{}", today.day(), u8::from(today.month()), today.year());
        assert!(own.says(&format!("{day}: 1</title>")) && own.says("1 thẻ, ngày nhiều nhất 1"), "{}", own.text);
        assert!(!own.says("class=\"tiles\"") && !own.says("Lý Thị") && !own.says("Trinh"), "{}", own.text);

        // Of another office: nothing; nor of the country.
        let far = Browser::of(house, "far").await;
        assert_eq!(row(&far.reads("/pages/dashboard").await, "thẻ đã xong"), "0");
        for path in ["/pages/dashboard?office=o-1", "/pages/dashboard?province=048"] {
            let said = far.reads(path).await;
            assert!(said.status == 403 && said.says("other-office"), "{path}: {}", said.text);
        }

        // The national office: the country with its map, a province, an office.
        let chief = Browser::of(house, "chief").await;
        let country = chief.reads("/pages/dashboard?measure=open").await;
        assert_eq!(country.status, 200, "{}", country.text);
        assert_eq!(country.text.matches("class=\"tile ").count(), 65, "63 provinces and two archipelagos");
        // What waits: the decision at o-1, and the card at its counter.
        let on_tile = |name: &str| {
            let behind = country.text.split(&format!(">{name}</text> <text class=\"n\"")).nth(1).unwrap();
            behind.split(['>', '<']).nth(1).unwrap().to_owned()
        };
        assert_eq!((on_tile("Đà Nẵng"), on_tile("Hà Nội")), ("2".into(), "0".into()));
        assert!(country.says("thuộc Đà Nẵng") && country.says("thuộc Khánh Hòa"), "{}", country.text);
        assert_eq!(row(&country, "thẻ đã xong"), "1");
        let province = chief.reads("/pages/dashboard?province=048").await;
        assert!(province.says("/pages/dashboard?office=o-1") && province.says("Đơn vị o-1 (o-1)"), "{}", province.text);
        assert!(!province.says("o-2"), "{}", province.text);
        let office = chief.reads("/pages/dashboard?office=o-1").await;
        assert_eq!(row(&office, "thẻ đã xong"), "1");
        let odd = chief.reads("/pages/dashboard?province=x").await;
        assert!(odd.status == 422 || odd.status == 400, "{}", odd.status);

        // Late ones, when their day is over.
        house.clock.advance(Duration::days(25));
        let browser = Browser::of(house, "dung.ly").await;
        let own = browser.reads("/pages/dashboard").await;
        assert_eq!(row(&own, "trễ hơn 10 ngày"), "1", "the decision: {}", own.text);
        let begin = browser.reads("/pages").await;
        assert!(begin.says("2 hồ sơ đơn vị đang giữ"), "{}", begin.text);
        // An auditor has no list of applications, and no figures of them.
        assert_eq!(Browser::of(house, "minh").await.reads("/pages/dashboard").await.status, 403);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn figures_stay_when_what_is_counted_is_added_up() {
    on_both(async |house| {
        let hall = Hall::of(house).await;
        hall.captured("Lý Thị Ngà", 3).await;
        hall.approved("Chu Mạnh Trinh", 1).await;
        let (one, other) = keepers(house).await;
        let id = released(&hall, &one, &other).await;
        let mut held = hall.blank(1).await;
        hall.makes(&mut held, &id).await;
        let db = house.service.offices().deeds().db();
        let (office, today): (OfficeCode, _) = ("o-1".parse().unwrap(), house.clock.today());
        let told = async || {
            let mut tx = db.begin_read().await.unwrap();
            let stages = tally::by_stage(&mut tx, Some(&office)).await.unwrap();
            let ages = tally::by_age(&mut tx, None, today).await.unwrap();
            (stages, ages, days::made(&mut tx, None, today).await.unwrap())
        };
        let before = told().await;
        assert_eq!((before.0.len(), before.2.len()), (2, 1), "{before:?}");
        let rows = sql!("select count(*) as n from dossier_tally");
        let many = house.count(rows, args![]).await;
        for _ in 0..2 {
            let mut after = Some(String::new());
            while let Some(office) = after {
                let mut tx = db.begin_upkeep().await.unwrap();
                after = tally::add_up(&mut tx, &office).await.unwrap();
                days::add_up(&mut tx, today).await.unwrap();
                tx.commit().await.unwrap();
            }
            assert_eq!(told().await, before);
            assert_eq!(miscounted(house).await, []);
        }
        assert!(many > 6 && house.count(rows, args![]).await == 2, "one row for each stage and due day");
        // A count that another hand wrote is found.
        let mut tx = db.begin_upkeep().await.unwrap();
        let lie = sql!("insert into dossier_tally (office, state, n) values ('o-1', 'approved', 1)");
        tx.run(lie, args![]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(miscounted(house).await, [("o-1 - approved -".to_owned(), 1, 0)]);
    })
    .await;
}

/// What the walk in a browser is given: a factory at work, and officers who look at it.
pub async fn for_browser(house: &House) -> Value {
    let hall = Hall::at(house, "o-6", ".six").await;
    house.officer("an.vo", &[Role::Stock], "o-6").await;
    house.officer("on.luu", &[Role::Approver, Role::Stock], "national").await;
    for number in 11..=16 {
        hall.approved(
            &format!("Nguyễn Văn Thứ {}", ["Mốt", "Hai", "Ba", "Tư", "Năm", "Sáu"][usize::from(number - 11)]),
            number,
        )
        .await;
    }
    let (one, other) = (Browser::of(house, "phuc.ha.six").await, Browser::of(house, "thien.ngo.six").await);
    let id = released(&hall, &one, &other).await;
    for number in [11, 12] {
        let mut held = hall.blank(number).await;
        hall.makes(&mut held, &id).await;
    }
    let (silent, broken) = (hall.blank(13).await, hall.blank(14).await);
    hall.takes(&silent, &id).await;
    let path = format!("chips/{}/spoiled", broken.chip.presentation().serial);
    hall.asks(&broken, &path, json!({"reason": "chip-refused", "evidence": "6F00"})).await;
    station(house, "Trạm số 06 của xưởng thẻ tại trung tâm hành chính huyện Mẫu Sơn", "o-6").await;
    json!({"username": "phuc.ha.six", "second": "an.vo", "chief": "on.luu", "batch": id})
}
