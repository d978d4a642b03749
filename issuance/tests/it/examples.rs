//! Every operation of the document has an example, and each is an answer of the real service: this walk calls them all,
//! in an order that works, and holds what is asked and answered against schema and example.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto::identity::CardSerial;
use crypto::lds::{DataGroup, Dg1, Dg13, File};
use crypto::log_in::protocol::Wanted as WantedOfChip;
use crypto::perso::{self, protocol};
use crypto::scp03::MasterKey;
use issuance::applications::APPLICATION;
use issuance::applications::progress::miss;
use issuance::bookings::BOOKING;
use issuance::cards::qr;
use issuance::ground::ids::{ApplicationId, BookingId, PersonId};
use issuance::ground::{Id, Role};
use issuance::keys::KeyStore;
use issuance::population::import::{Format, Wanted, import};
use issuance::production::{CHIP, Voucher, reentry};
use issuance::store::{Argument, Db};
use issuance::{args, server, sql};
use serde_json::{Map, Value, json};

use crate::chip::Chip;
use crate::citizens::{self, AtReader};
use crate::deadlines::TwoPlaces;
use crate::document::{DOCUMENT, fits, operation};
use crate::factors::{enrols, granted, signs_in_with};
use crate::house::{Caller, House, PASSWORD, Said};
use crate::offices::{TRANSPORT_MASTER, photograph};
use crate::{exchange, feed, incoming, statistics};

/// What was asked and answered, by operation: the first time that it went well.
#[derive(Default)]
struct Walk {
    met: BTreeMap<String, Value>,
    keys: usize,
    /// The register whose persons answers may tell of.
    register: Option<Db>,
    /// Answers that told of a person without a record about the person.
    unrecorded: Vec<String>,
}

/// Answers in which the name of a person may stand without being told of the person, each with its reason.
const NOT_OF_THE_REGISTER: &[(&str, &str)] = &[(
    "GET /api/v1/held-births/",
    "a partner's own message about a child that is in no register yet: its reading is recorded under the message",
)];

/// A person as an answer may tell of one: by name or number.
struct Known {
    words: Vec<String>,
    /// Records about the person.
    records: i64,
}

/// The persons of a register.
async fn known(register: &Db) -> BTreeMap<PersonId, Known> {
    let mut tx = register.begin_read().await.unwrap();
    let about = sql!("select person_id, count(*) as n from audit_entry where person_id is not null group by person_id");
    let mut records = BTreeMap::new();
    for row in tx.all(about, args![]).await.unwrap() {
        records.insert(Id::of(&row, "person_id").unwrap(), row.get::<i64>("n").unwrap());
    }
    let mut known = BTreeMap::new();
    for row in tx.all(sql!("select id, personal_number, record from person"), args![]).await.unwrap() {
        let (id, record): (PersonId, Value) = (Id::of(&row, "id").unwrap(), row.get("record").unwrap());
        let words = [record["full_name"].as_str().map(str::to_owned), row.get("personal_number").unwrap()];
        let records = records.get(&id).copied().unwrap_or_default();
        known.insert(id, Known { words: words.into_iter().flatten().collect(), records });
    }
    known
}

impl Walk {
    /// Asks, and notes question and answer.
    async fn asks(&mut self, caller: &Caller, method: &str, path: &str, body: Option<Value>) -> Said {
        self.keys += 1;
        let key = format!("example-{}", self.keys);
        let before = match &self.register {
            Some(register) => Box::pin(known(register)).await,
            None => BTreeMap::new(),
        };
        let said = caller.asks(method.parse().unwrap(), path, Some(&key), body.clone()).await;
        if let Some(register) = &self.register {
            let told = said.body.to_string();
            for (id, person) in Box::pin(known(register)).await {
                let since = before.get(&id).map_or(0, |before| before.records);
                if person.records <= since && person.words.iter().any(|word| told.contains(word.as_str())) {
                    self.unrecorded.push(format!("{method} {path}"));
                }
            }
        }
        assert!((200..300).contains(&said.status), "{method} {path}: {said:?}");
        let (pattern, operation) = operation(method, path).unwrap_or_else(|| panic!("{method} {path}"));
        if let Some(body) = &body {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            fits(schema, body, path).unwrap_or_else(|why| panic!("{method} {pattern}: {why}"));
        }
        // The document itself, a page, a list of bytes: none is described by a schema.
        let response = &operation["responses"][said.status.to_string()]["content"]["application/json"];
        let answer = if response["schema"].is_null() { Value::Null } else { shortened(said.body.clone()) };
        let met = json!({"path": path, "request": body.map(shortened), "status": said.status, "answer": answer});
        self.met.entry(format!("{method} {pattern}")).or_insert(met);
        said
    }

    async fn get(&mut self, caller: &Caller, path: &str) -> Value {
        Box::pin(self.asks(caller, "GET", path, None)).await.body
    }

    async fn post(&mut self, caller: &Caller, path: &str, body: Value) -> Value {
        Box::pin(self.asks(caller, "POST", path, Some(body))).await.body
    }
}

/// A citizen with the own card at a reader: every route that card and code open.
async fn own_matters(house: &House, walk: &mut Walk, counter: &Caller, (card, chip): (&str, &Chip)) {
    walk.post(counter, &format!("{card}/citizen-code"), json!({"code": "280519"})).await;
    let own = |what: &str| format!("/api/v1/citizen/{what}");
    let citizen = logged_in(house, walk, chip).await;
    for what in ["card", "looks/count"] {
        walk.get(&citizen, &own(what)).await;
    }
    walk.post(&citizen, &own("code"), json!({"code": "280519"})).await;
    for what in ["record", "looks", "applications", "copy"] {
        walk.get(&citizen, &own(what)).await;
    }
    let objection = json!({"words": "Ngày sinh của tôi ghi sai."});
    let objection = text(&walk.post(&citizen, &own("objections"), objection).await, "id");
    walk.get(&citizen, &own("objections")).await;
    let registrar = house.officer("registrar-3", &[Role::Registrar], "national").await;
    walk.get(&registrar, "/api/v1/objections").await;
    walk.get(&registrar, &format!("/api/v1/objections/{objection}")).await;
    let answer = json!({"verdict": "rejected", "words": "Giấy khai sinh ghi ngày như vậy."});
    walk.post(&registrar, &format!("/api/v1/objections/{objection}/answer"), answer).await;
    Box::pin(walk.asks(&citizen, "DELETE", &own("session"), None)).await;
    let citizen = logged_in(house, walk, chip).await;
    walk.post(&citizen, &own("card/lock"), json!({})).await;
}

/// Carries the log-in of a card. Returns the citizen.
async fn logged_in(house: &House, walk: &mut Walk, chip: &Chip) -> Caller {
    let (agent, mut reader) = (house.anyone(), AtReader::new(chip));
    let begin = serde_json::to_value(citizens::begin(chip)).unwrap();
    let mut said = walk.post(&agent, "/api/v1/citizen/log-ins", begin).await;
    while said["session"].is_null() {
        let wanted: WantedOfChip = serde_json::from_value(said).unwrap();
        let answer = serde_json::to_value(reader.answers(&wanted)).unwrap();
        said = walk.post(&agent, &format!("/api/v1/citizen/log-ins/{}/steps", wanted.log_in), answer).await;
    }
    citizens::with_session(house, said["session"]["token"].as_str().unwrap())
}

/// An office is dissolved, and another takes its place.
async fn dissolves(walk: &mut Walk, admin: &Caller, second: &Caller) {
    let district =
        json!({"code": "o-4", "kind": "district", "province": "003", "name": "Quận Cũ", "parent": "national"});
    assert_eq!(admin.post("/api/v1/units", "unit o-4", district).await.status, 201);
    let (path, wanted) = ("/api/v1/offices/o-4/dissolution", json!({"successor": "o-1", "reason": "Nghị quyết 2"}));
    walk.post(admin, path, wanted.clone()).await;
    walk.post(admin, &format!("{path}/withdrawal"), json!({})).await;
    assert_eq!(admin.post(path, "anew", wanted).await.status, 200);
    let read = walk.get(second, path).await;
    walk.post(second, &format!("{path}/confirmation"), json!({"digest": text(&read, "digest")})).await;
    walk.get(second, "/api/v1/dissolutions").await;
}

/// Long texts are cut and of long lists two items stay: an example is read by people.
fn shortened(value: Value) -> Value {
    match value {
        Value::String(text) if text.chars().count() > 120 => {
            Value::String(text.chars().take(60).chain("…".chars()).collect())
        }
        Value::Array(items) => items.into_iter().take(2).map(shortened).collect(),
        Value::Object(members) => {
            Value::Object(members.into_iter().map(|(name, member)| (name, shortened(member))).collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// True if two values have the same names and types. An empty list and no value are alike to every one: the disk of
/// this machine may be full, and then the service says so.
fn alike(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Null, _)
        | (_, Value::Null)
        | (Value::Bool(_), Value::Bool(_))
        | (Value::Number(_), Value::Number(_))
        | (Value::String(_), Value::String(_)) => true,
        (Value::Array(one), Value::Array(other)) => one.iter().zip(other).all(|(one, other)| alike(one, other)),
        (Value::Object(one), Value::Object(other)) => {
            one.keys().eq(other.keys()) && one.iter().all(|(name, member)| alike(member, &other[name]))
        }
        _ => false,
    }
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}")).to_owned()
}

/// Another session of an officer.
async fn again(house: &House, name: &str) -> Caller {
    let mut caller = house.anyone();
    caller.token = caller.signs_in(name, PASSWORD).await.body["token"].as_str().map(str::to_owned);
    caller
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_operation_is_called_and_answers_as_its_example() {
    let house = Box::pin(House::open_with(|settings| settings.web.docs = true)).await;
    let register = Some(house.service.offices().deeds().db().clone());
    let mut walk = Walk { register, ..Walk::default() };
    let people = Box::pin(authority(&house, &mut walk)).await;
    Box::pin(service(&house, &mut walk, &people)).await;
    Box::pin(citizens(&house, &mut walk, &people)).await;
    Box::pin(exchanges(&house, &mut walk)).await;
    house.service.stop().await;
    walk.unrecorded.retain(|call| !NOT_OF_THE_REGISTER.iter().any(|(begin, _)| call.starts_with(begin)));
    assert_eq!(walk.unrecorded, Vec::<String>::new(), "answers that told of a person whom no record of theirs names");
    walk.register = None;
    Box::pin(checked(&mut walk)).await;

    let all: Vec<String> = server::rights().into_keys().map(|(method, path)| format!("{method} {path}")).collect();
    let missing: Vec<_> = all.iter().filter(|name| !walk.met.contains_key(*name)).collect();
    assert_eq!(missing, Vec::<&String>::new(), "operations that the walk does not call");
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/examples.json");
    if std::env::var_os("UPDATE_BOOK").is_some() {
        std::fs::write(file, serde_json::to_string_pretty(&walk.met).unwrap() + "\n").unwrap();
        return;
    }
    for (name, met) in &walk.met {
        let (method, pattern) = name.split_once(' ').unwrap();
        let operation = &DOCUMENT["paths"][pattern][method.to_lowercase()];
        let answer = &operation["responses"][met["status"].to_string()]["content"]["application/json"];
        if !answer["schema"].is_null() {
            let (example, met) = (&answer["example"], &met["answer"]);
            assert!(!example.is_null() && alike(example, met), "{name}: UPDATE_BOOK=1 writes it anew: {example} {met}");
            fits(&answer["schema"], example, name).unwrap_or_else(|why| panic!("{name}: {why}"));
        }
        let request = &operation["requestBody"]["content"]["application/json"];
        if !met["request"].is_null() {
            let (example, met) = (&request["example"], &met["request"]);
            assert!(!example.is_null() && alike(example, met), "{name}: UPDATE_BOOK=1 writes it anew: {example} {met}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            assert!(parameter["in"] != "path" || !parameter["example"].is_null(), "{name}: {parameter}");
        }
    }
}

/// Those who work there.
struct People {
    registrar: Caller,
    capture: Caller,
    capture_id: String,
    approver: Caller,
    approver_id: String,
    counter: Caller,
    counter_id: String,
    other_counter: Caller,
    stock: Caller,
    auditor: Caller,
    station: Caller,
    station_id: String,
}

/// Officers, stations, units.
async fn authority(house: &House, walk: &mut Walk) -> People {
    let (admin, second) = (&house.admin, &house.second);
    let reason = json!({"reason": "moved to another office"});
    let appointed =
        walk.post(admin, "/api/v1/officers", json!({"username": "lan", "roles": ["capture"], "office": "o-1"})).await;
    let lan = text(&appointed, "id");
    walk.get(second, "/api/v1/officer-proposals").await;
    let confirmation = |proposal: &str| format!("/api/v1/officer-proposals/{proposal}/confirmation");
    let confirmed = walk.post(second, &confirmation(&text(&appointed, "proposal_id")), json!({})).await;
    let token = text(&confirmed, "token");
    walk.asks(&house.anyone(), "POST", "/api/v1/password", Some(json!({"token": token, "password": PASSWORD}))).await;
    let credentials = json!({"username": "lan", "password": PASSWORD});
    let session = walk.post(&house.anyone(), "/api/v1/sessions", credentials.clone()).await;
    let mut officer = house.anyone();
    officer.token = session["token"].as_str().map(str::to_owned);
    walk.get(&officer, "/api/v1/me").await;
    let other = again(house, "lan").await;
    walk.get(&officer, "/api/v1/me/sessions").await;
    let changes = json!({"old": PASSWORD, "new": "another battery staple"});
    walk.post(&officer, "/api/v1/me/password", changes).await;
    drop(other);
    let changes = json!({"old": "another battery staple", "new": PASSWORD});
    officer.post("/api/v1/me/password", "back", changes).await;
    let other = again(house, "lan").await;
    let session = other.get("/api/v1/me").await.body["session"]["id"].as_str().unwrap().to_owned();
    walk.asks(&officer, "DELETE", &format!("/api/v1/me/sessions/{session}"), None).await;

    walk.post(admin, &format!("/api/v1/officers/{lan}/certificates"), json!({"reason": "new computer"})).await;
    let token = granted(house, &lan).await;
    let (key, csr_pem) = crate::factors::csr();
    let enrolled = walk.post(&officer, "/api/v1/me/certificates", json!({"token": token, "csr_pem": csr_pem})).await;
    let shown = format!("{}{}", text(&enrolled, "certificate_pem"), key.serialize_pem());
    let (both, _) = signs_in_with(house, &shown, "lan").await;
    walk.post(&both, "/api/v1/me/certificates/renewal", json!({"csr_pem": crate::factors::csr().1})).await;
    walk.get(&officer, "/api/v1/me/certificates").await;
    walk.get(admin, "/api/v1/officer-certificates").await;
    walk.asks(&officer, "DELETE", &format!("/api/v1/me/certificates/{}", text(&enrolled, "id")), None).await;
    let (enrolled, _) = enrols(&officer, &granted(house, &lan).await).await;
    let path = format!("/api/v1/officer-certificates/{}/revocation", text(&enrolled.body, "id"));
    walk.post(admin, &path, json!({"reason": "computer stolen"})).await;
    walk.asks(&officer, "DELETE", "/api/v1/sessions/current", None).await;

    let path = |verb: &str| format!("/api/v1/officers/{lan}/{verb}");
    let proposed = walk.post(admin, &path("roles"), json!({"roles": ["capture", "hand-over"], "reason": "x"})).await;
    walk.post(second, &format!("/api/v1/officer-proposals/{}/withdrawal", text(&proposed, "proposal_id")), json!({}))
        .await;
    walk.post(admin, &path("office"), json!({"office": "o-2", "reason": "moved to another office"})).await;
    walk.post(admin, &path("password-reset"), json!({"reason": "forgot it"})).await;
    walk.post(admin, &path("disablement"), reason.clone()).await;
    walk.post(admin, &path("enablement"), json!({"reason": "came back"})).await;
    walk.get(admin, "/api/v1/officers").await;

    let province = json!({"code": "p-001", "kind": "province", "province": "001", "name": "Công an Thành phố Mẫu",
        "parent": "national"});
    walk.post(admin, "/api/v1/units", province).await;
    // The offices between which boxes go; an office leases numbers for the provinces of its unit.
    let district =
        json!({"code": "o-1", "kind": "district", "province": "003", "name": "Quận Mẫu", "parent": "national"});
    let centre = json!({"code": "o-2", "kind": "centre", "name": "Trung tâm Mẫu", "parent": "national"});
    for unit in [district, centre] {
        assert_eq!(admin.post("/api/v1/units", &format!("unit {}", unit["code"]), unit).await.status, 201);
    }
    walk.get(admin, "/api/v1/units").await;
    walk.get(admin, "/api/v1/units/p-001").await;
    let changes = json!({"name": "Công an Tỉnh Mẫu", "reason": "Nghị quyết 1"});
    walk.post(admin, "/api/v1/units/p-001/change", changes).await;
    let day = json!({"day": "2027-01-01", "kind": "holiday", "name": "Tết Dương lịch", "reason": "Thông báo 1"});
    walk.post(admin, "/api/v1/calendar/days", day).await;
    let read = json!({"kind": "holiday", "name": "Tết Dương lịch"});
    walk.post(second, "/api/v1/calendar/days/2027-01-01/confirmation", read).await;
    walk.get(admin, "/api/v1/calendar?from=2027-01-01&to=2027-01-03").await;
    walk.get(admin, "/api/v1/quality?level=country").await;
    walk.get(admin, "/api/v1/campaign?level=country").await;

    let (_, request) = crate::factors::csr();
    let enrolled =
        walk.post(admin, "/api/v1/stations", json!({"name": "counter-9", "office": "o-1", "csr_pem": request})).await;
    walk.get(admin, "/api/v1/stations").await;
    let path = format!("/api/v1/stations/{}/revocation", text(&enrolled, "id"));
    walk.post(admin, &path, json!({"reason": "stolen"})).await;

    let (station, station_id) = house.station("counter-1").await;
    let (capture, capture_id) = house.appointed("capture", &[Role::Capture], "o-1").await;
    let (_, deputy) = house.appointed("deputy", &[Role::HandOver], "o-1").await;
    let (counter, counter_id) = house.appointed("counter", &[Role::HandOver], "o-1").await;
    let (approver, approver_id) = house.appointed("approver", &[Role::Approver], "o-1").await;
    let today = house.clock.today().to_string();
    let stands_in =
        json!({"officer": deputy, "stands_for": approver_id, "from": today, "to": today, "reason": "leave"});
    let stands_in = walk.post(admin, "/api/v1/deputies", stands_in).await;
    walk.get(admin, "/api/v1/deputies?office=o-1").await;
    let confirmation = format!("/api/v1/deputies/{}/confirmation", text(&stands_in, "id"));
    walk.post(second, &confirmation, json!({"digest": text(&stands_in, "digest")})).await;
    walk.post(admin, &format!("/api/v1/deputies/{}/end", text(&stands_in, "id")), json!({"reason": "came back"})).await;
    dissolves(walk, admin, second).await;
    People {
        registrar: house.officer("registrar", &[Role::Registrar], "o-1").await,
        approver,
        approver_id,
        other_counter: house.officer("other-counter", &[Role::HandOver, Role::Capture], "o-1").await,
        stock: house.officer("stock", &[Role::Stock], "o-1").await,
        auditor: house.officer("auditor", &[Role::Auditor], "o-1").await,
        capture,
        capture_id,
        counter,
        counter_id,
        station,
        station_id,
    }
}

/// What needs no person.
async fn service(house: &House, walk: &mut Walk, people: &People) {
    let anyone = house.anyone();
    for path in [
        "/health",
        "/livez",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/docs/style.css",
        "/api/v1/crl",
        "/api/v1/trust-bundle",
    ] {
        walk.get(&anyone, path).await;
    }
    walk.get(&people.auditor, &format!("/api/v1/audit?actor=officer/{}", people.capture_id)).await;
    walk.get(&people.capture, "/api/v1/reference/religions").await;
}

fn declaration() -> Value {
    let place = json!({"province": "003", "detail": "Số 1 Phố Mẫu"});
    json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ", "birth_registration": place,
        "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place})
}

/// A place and a time for the capture, told to and moved for a citizen whose slot is gone.
async fn bookings(house: &House, walk: &mut Walk, people: &People, person: &str) {
    let (capture, today) = (&people.capture, house.clock.today());
    let week = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let hours = |desks: u16| {
        let row = |weekday: &&str| json!({"weekday": weekday, "from": "07:30", "to": "11:30", "slot_minutes": 15, "desks": desks});
        week.iter().map(row).collect::<Vec<_>>()
    };
    let first = json!({"valid_from": today.to_string(), "hours": hours(2), "reason": "Thông báo 12"});
    walk.post(&house.admin, "/api/v1/offices/o-1/hours", first).await;
    walk.get(capture, "/api/v1/offices/o-1/hours").await;
    let tomorrow = today.next_day().unwrap();
    let path = format!("/api/v1/offices/o-1/slots?from={tomorrow}&to={}", tomorrow + time::Duration::days(25));
    let slots = walk.get(capture, &path).await;
    let working = slots["days"].as_array().unwrap().iter().filter(|day| day["working"] == true);
    let working: Vec<&Value> = working.map(|day| &day["day"]).collect();
    let wish = json!({"person_id": person, "office": "o-1", "day": working[0], "from": "07:30"});
    let booked = walk.post(capture, "/api/v1/bookings", wish).await;
    let booking = format!("/api/v1/bookings/{}", text(&booked, "id"));
    walk.get(capture, &booking).await;
    walk.get(capture, &format!("/api/v1/booking-numbers/{}", text(&booked, "number"))).await;
    walk.get(capture, &format!("/api/v1/bookings?office=o-1&day={}", working[0].as_str().unwrap())).await;
    walk.get(capture, &format!("/api/v1/persons/{person}/bookings?purpose=registration")).await;
    let goes = json!({"office": "o-1", "day": working[1], "from": "08:00"});
    walk.post(capture, &format!("{booking}/move"), goes.clone()).await;
    // The office opens later from tomorrow on: what is booked for eight is to be moved.
    let later = json!({"valid_from": tomorrow.to_string(), "hours": [{"weekday": week[0], "from": "13:30",
        "to": "16:30", "slot_minutes": 15, "desks": 1}], "reason": "Thông báo 13"});
    assert_eq!(house.admin.post("/api/v1/offices/o-1/hours", "later", later).await.status, 200);
    let kept = Box::pin(issuance::bookings::upkeep::keep(house.service.offices().deeds())).await.unwrap();
    // Unless the service's own worker was faster.
    assert!(kept.to_be_moved <= 1, "{kept:?}");
    walk.get(capture, &format!("{booking}/notices")).await;
    walk.post(capture, &format!("{booking}/cancellation"), json!({"reason": "goes abroad"})).await;
    // One for today, by hand: no slot of today may be left at this hour.
    let again = json!({"valid_from": tomorrow.to_string(), "hours": hours(2), "reason": "Thông báo 14"});
    assert_eq!(house.admin.post("/api/v1/offices/o-1/hours", "again", again).await.status, 200);
    let wish = json!({"person_id": person, "office": "o-1", "day": working[0], "from": "07:30"});
    let booked = capture.post("/api/v1/bookings", "for-today", wish).await;
    let id: BookingId = text(&booked.body, "id").parse().unwrap();
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let early = sql!("update booking set day = $1, from_minute = 1437, to_minute = 1439 where id = $2");
    tx.change(&BOOKING, id, early, args![today, id]).await.unwrap();
    tx.commit().await.unwrap();
    walk.post(capture, &format!("/api/v1/bookings/{id}/arrival"), json!({})).await;
}

/// From the declaration to a card in the citizen's hand, and every way off that road.
async fn citizens(house: &House, walk: &mut Walk, people: &People) {
    let People { registrar, capture, approver, counter, other_counter, stock, station, station_id, .. } = people;
    let declared = walk.post(registrar, "/api/v1/declarations", declaration()).await;
    let person = text(&declared, "person_id");
    walk.post(registrar, &format!("/api/v1/persons/{person}/number"), json!({"acknowledged": false, "because": ""}))
        .await;
    let read = walk.get(registrar, &format!("/api/v1/persons/{person}?purpose=numbering")).await;
    let claim = json!({"claim": {"personal_number": read["personal_number"], "birth_date": "05/01/2000",
        "full_name": "Nguyễn Thị Mẫu"}});
    walk.post(registrar, &format!("/api/v1/persons/{person}/reading?purpose=numbering"), claim).await;

    Box::pin(bookings(house, walk, people, &person)).await;

    let applies = json!({"person_id": person, "kind": "first", "office": "o-1"});
    let application = |said: &Value, verb: &str| format!("/api/v1/applications/{}{verb}", said["id"].as_str().unwrap());
    let portrait = json!({"portrait": STANDARD.encode(photograph()), "features": "Nốt ruồi cách 1 cm dưới mép phải"});
    let opened = walk.post(capture, "/api/v1/applications", applies.clone()).await;
    walk.post(capture, &application(&opened, "/withdrawal"), json!({"reason": "Không còn nhu cầu"})).await;
    let opened = walk.post(capture, "/api/v1/applications", applies.clone()).await;
    walk.post(capture, &application(&opened, "/cancellation"), json!({"reason": "the citizen went home"})).await;
    let opened = walk.post(capture, "/api/v1/applications", applies.clone()).await;
    capture.post(&application(&opened, "/capture"), "captured", portrait.clone()).await;
    let reason = json!({"reason": "The portrait shows another person."});
    walk.post(approver, &application(&opened, "/refusal"), reason).await;
    let told = walk.get(approver, &application(&opened, "/notices")).await;
    let notice = format!("/api/v1/notices/{}", text(&told["items"][0], "id"));
    walk.get(approver, &format!("{notice}/letter")).await;
    walk.post(capture, &format!("{notice}/delivery"), json!({})).await;
    let contact = format!("/api/v1/persons/{person}/contact");
    let left = json!({"email": "mau@example.vn", "phone": "+84912345678", "language": "vi", "consent": true});
    walk.post(capture, &contact, left).await;
    walk.get(capture, &contact).await;
    // Told by letter from here on: no mail server stands beside this walk.
    capture.post(&contact, "no-address", json!({"language": "vi"})).await;
    let complaint = json!({"words": "Ảnh chụp sau khi ốm", "on": house.clock.today().to_string()});
    walk.post(capture, &application(&opened, "/appeal"), complaint).await;
    let centre = house.officer("appeals", &[Role::Approver], "national").await;
    let upheld = json!({"outcome": "upheld", "reason": "Hai ảnh là của hai người"});
    let paper = json!({"paper": "Đơn rút khiếu nại ngày 26/11/2026, có chữ ký"});
    walk.post(capture, &application(&opened, "/appeal/withdrawal"), paper).await;
    walk.post(&centre, &application(&opened, "/appeal/decision"), upheld).await;

    Box::pin(fees(house, walk, people, &person)).await;

    let opened = walk.post(capture, "/api/v1/applications", applies).await;
    walk.post(capture, &application(&opened, "/capture"), portrait).await;
    let disagrees = json!({"disagrees": ["religion"]});
    walk.post(capture, &application(&opened, "/register-check"), disagrees.clone()).await;
    let read = capture.get(&application(&opened, "")).await;
    assert_eq!(read.body["register_check"]["unsettled"], disagrees["disagrees"], "{read:?}");
    capture.post(&application(&opened, "/register-check"), "agrees", json!({"agrees": true})).await;
    let thumb = crate::fingerprints::record(crypto::lds::FingerPosition::RightThumb, 1);
    walk.post(capture, &application(&opened, "/fingerprints"), json!({"image": STANDARD.encode(thumb)})).await;
    walk.get(capture, &application(&opened, "/fingerprints")).await;
    walk.get(capture, &application(&opened, "/fingerprints/right-thumb")).await;
    let released = capture.post(&application(&opened, "/claim/release"), "prints are taken", json!({})).await;
    assert!(released.status < 300, "{released:?}");
    Box::pin(papers(house, walk, people, &application(&opened, ""))).await;
    walk.post(approver, &application(&opened, "/claim"), json!({})).await;
    walk.post(approver, &application(&opened, "/claim/release"), json!({})).await;
    let next_week = (house.clock.now() + time::Duration::days(7)).date().to_string();
    let bring = json!({"reasons": ["evidence-missing"], "says": "Mang giấy khai sinh", "until": next_week});
    walk.post(approver, &application(&opened, "/return"), bring).await;
    walk.post(capture, &application(&opened, "/resubmission"), json!({})).await;
    let seen = walk.get(approver, &application(&opened, "?purpose=decision")).await;
    walk.get(approver, &application(&opened, "/portrait?purpose=decision")).await;
    walk.post(approver, &application(&opened, "/approval"), json!({"dossier": seen["dossier_sha256"]})).await;
    walk.get(approver, "/api/v1/applications?stage=approved").await;
    walk.get(station, "/api/v1/production/queue").await;

    let serials: Vec<_> = (1..=3).map(|number| CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, number])).collect();
    let names: Vec<_> = serials.iter().map(ToString::to_string).collect();
    let note = json!({"manufacturer": "Maker", "batch": "1", "transport_key_id": "maker", "serials": names});
    walk.post(stock, "/api/v1/stock/deliveries", note).await;
    walk.post(stock, "/api/v1/stock/custody", json!({"serials": names, "station_id": station_id})).await;
    walk.get(stock, "/api/v1/stock?state=delivered").await;
    walk.get(stock, &format!("/api/v1/stock/{}", names[0])).await;
    let write_off = json!({"reason": "bent on arrival", "witness": people.counter_id});
    walk.post(stock, &format!("/api/v1/stock/{}/write-off", names[2]), write_off).await;
    walk.get(counter, &format!("/api/v1/stock/{}/write-off", names[2])).await;
    walk.post(
        counter,
        &format!("/api/v1/stock/{}/write-off/confirmation", names[2]),
        json!({"reason": "bent on arrival"}),
    )
    .await;
    let spoiled = json!({"reason": "torn antenna", "evidence": "no answer to select"});
    walk.post(station, &format!("/api/v1/station/chips/{}/spoiled", names[1]), spoiled).await;

    let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serials[0], 0xff);
    let mut chip = Chip::blank(serials[0], keys);
    let presented = |chip: &Chip| serde_json::to_value(protocol::Presented { presentation: chip.presentation() });
    let ordered = walk.post(station, "/api/v1/station/intake/orders", presented(&chip).unwrap()).await;
    let ordered: protocol::IntakeOrder = serde_json::from_value(ordered).unwrap();
    let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
    let receipt = serde_json::to_value(protocol::IntakeReceipt { receipt }).unwrap();
    walk.post(station, "/api/v1/station/intake/receipts", receipt).await;

    // A record that no card can carry is held, mended and released.
    let record = exchanged_record(house, &person, None).await;
    exchanged_record(house, &person, Some(json!({"full_name": "Nguyễn"}))).await;
    let orders = "/api/v1/station/personalization/orders";
    let held = station.post(orders, "held", presented(&chip).unwrap()).await;
    assert_eq!(held.code(), "nothing-to-personalize", "{held:?}");
    exchanged_record(house, &person, Some(record)).await;
    let other = house.officer("other-registrar", &[Role::Registrar], "o-1").await;
    walk.post(&other, &application(&opened, "/release"), json!({})).await;

    let ordered = walk.post(station, orders, presented(&chip).unwrap()).await;
    let ordered: protocol::PersonalizationOrder = serde_json::from_value(ordered).unwrap();
    walk.get(stock, "/api/v1/orders/unfinished").await;
    walk.get(station, "/api/v1/station/custody").await;
    Box::pin(finding(house, walk, &ordered)).await;
    let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
    let challenge = ordered.read_back.challenge.to_vec();
    let active_authentication = Some(protocol::ActiveAuthentication { signature: chip.signs(&challenge), challenge });
    let receipt = protocol::PersonalizationReceipt { receipt, active_authentication };
    let receipts = "/api/v1/station/personalization/receipts";
    let made = walk.post(station, receipts, serde_json::to_value(receipt).unwrap()).await;
    let card = format!("/api/v1/cards/{}", text(&made, "card_id"));
    let sod = crypto::sod::Sod::parse(chip.file(File::Sod)).unwrap().fingerprint();
    ships(house, walk, stock, &text(&opened, "id"), &names[0]).await;
    let zone = Dg1::characters(chip.file(File::DataGroup(DataGroup::DG1))).unwrap();
    let code = qr::text(&Dg13::parse(chip.file(File::DataGroup(DataGroup::DG13))).unwrap());
    let read = json!({"mrz": String::from_utf8(zone.to_vec()).unwrap(), "qr": code, "serial": names[0]});
    walk.post(stock, &application(&opened, "/body-check").replace("/applications/", "/production/"), read).await;
    walk.get(counter, &format!("{card}?purpose=hand-over")).await;
    walk.get(counter, "/api/v1/cards?status=personalized").await;
    let refusal = json!({"reason": "Người đến nhận không phải người trong ảnh"});
    walk.post(counter, &format!("{card}/hand-over/refusal"), refusal).await;
    let seen = json!({"slip": ordered.slip, "checks": ["face-compared", "chip-trusted"],
        "old_document": "collected", "envelope": "TB-0892"});
    walk.post(counter, &format!("{card}/hand-over"), seen).await;
    walk.get(&house.anyone(), &format!("/api/v1/card-status/{}", hex::encode(sod))).await;
    let lost = json!({"reported_by": "holder", "grounds": "left on a bus"});
    walk.post(counter, &format!("{card}/loss"), lost).await;
    walk.post(capture, &format!("{card}/loss/undoing"), json!({"grounds": "found"})).await;
    walk.post(other_counter, &format!("{card}/loss/undoing/confirmation"), json!({})).await;

    Box::pin(own_matters(house, walk, counter, (&card, &chip))).await;
    walk.post(capture, &format!("{card}/loss/undoing"), json!({"grounds": "locked by mistake"})).await;
    walk.post(other_counter, &format!("{card}/loss/undoing/confirmation"), json!({})).await;

    Box::pin(never_fetched(house, walk, people, &person)).await;
    Box::pin(stock_ledger(house, walk, people)).await;
    Box::pin(register(house, walk, registrar, &other, &person)).await;
    Box::pin(holds(house, walk, &person)).await;
    let (_, csr_pem) = crate::factors::csr();
    walk.post(station, "/api/v1/station/certificate", json!({"csr_pem": csr_pem})).await;
}

/// The card as if the national office had made it: it is shipped, and arrives.
async fn ships(house: &House, walk: &mut Walk, stock: &Caller, application: &str, serial: &str) {
    let shipper = house.officer("shipper", &[Role::Stock], "national").await;
    let application: ApplicationId = application.parse().unwrap();
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let row = tx.one(sql!("select stage_data from application where id = $1"), args![application]).await.unwrap();
    let mut stage: Value = row.unwrap().json("stage_data").unwrap();
    stage["stage"] = json!("shipped");
    let sql = sql!("update application set stage = 'shipped', stage_data = $1 where id = $2");
    tx.change(&APPLICATION, application, sql, args![Argument::json(&stage), application]).await.unwrap();
    let sql = sql!("update chip set office = 'national' where id = $1");
    tx.change(&CHIP, serial.to_owned(), sql, args![serial]).await.unwrap();
    tx.commit().await.unwrap();
    let parcel = json!({"to_office": "o-1", "seal": "A 0042", "serials": [serial]});
    let parcel = text(&walk.post(&shipper, "/api/v1/stock/parcels", parcel).await, "id");
    let counted = json!({"serials": [serial], "seal": "A 0042"});
    let received = stock.post(&format!("/api/v1/stock/boxes/{parcel}/receipt"), "parcel", counted).await;
    assert!(received.status == 200 && received.body["case_id"].is_null(), "{received:?}");
}

/// An application that is classified, and the archive of papers that is asked about it.
async fn papers(house: &House, walk: &mut Walk, people: &People, application: &str) {
    let People { capture, approver, .. } = people;
    walk.get(capture, "/api/v1/unclassified-applications").await;
    let lies = json!({"papers": "outside", "province": "001"});
    walk.post(capture, &format!("{application}/classification"), lies).await;
    let question = json!({"says": "Tra số CMND cấp trước năm 2012"});
    let asked = walk.post(approver, &format!("{application}/archive-request"), question).await;
    let keeper = house.officer("archivist", &[Role::Registrar], "national").await;
    walk.get(&keeper, "/api/v1/archive-requests").await;
    let request = format!("/api/v1/archive-requests/{}", text(&asked, "id"));
    walk.get(&keeper, &request).await;
    let answer = json!({"outcome": "found", "number": "012345678", "full_name": "Nguyễn Thị Mẫu",
        "birth_date": "05/01/2000", "issued_on": "2014-03-20", "says": "Tờ khai số 12, hộp 7",
        "scan_sha256": "7".repeat(64)});
    walk.post(&keeper, &format!("{request}/answer"), answer).await;
}

/// A fee that is paid, given back, and then not due on a ground.
async fn fees(house: &House, walk: &mut Walk, people: &People, person: &str) {
    let People { capture, counter, .. } = people;
    let applies = json!({"person_id": person, "kind": "change", "reason": "damaged", "office": "o-1",
        "acknowledged": true, "because": "a card of before the register"});
    let opened = capture.post("/api/v1/applications", "costs", applies).await;
    let path = format!("/api/v1/applications/{}", text(&opened.body, "id"));
    let today = house.clock.today().to_string();
    let paid = json!({"dong": 50_000, "method": "cash", "receipt": "AA/21 0001234", "paid_on": today});
    let paid = walk.post(capture, &format!("{path}/fee/payment"), paid).await;
    let undone = json!({"entry": paid["entries"][0]["id"], "how": "refund", "reason": "the household is poor"});
    walk.post(counter, &format!("{path}/fee/undoing"), undone).await;
    let exempt = json!({"ground": "poor-household", "evidence": "Giấy chứng nhận hộ nghèo 12/2026"});
    walk.post(capture, &format!("{path}/fee/exemption"), exempt).await;
    walk.get(capture, &format!("{path}/fee")).await;
    walk.get(counter, &format!("/api/v1/fees?office=o-1&day={today}")).await;
    let ended = capture.post(&format!("{path}/cancellation"), "costs-ended", json!({"reason": "went home"})).await;
    assert_eq!(ended.body["stage"], "cancelled", "{ended:?}");
}

/// A card that its citizen does not fetch.
async fn never_fetched(house: &House, walk: &mut Walk, people: &People, person: &str) {
    let People { capture, approver, stock, station, station_id, .. } = people;
    let asks = async |caller: &Caller, path: &str, body: Value| {
        let said = caller.post(path, &format!("never-fetched {path}"), body).await;
        assert!((200..300).contains(&said.status), "{path}: {said:?}");
        said.body
    };
    let applies = json!({"person_id": person, "kind": "change", "reason": "damaged", "office": "o-1"});
    let id = text(&asks(capture, "/api/v1/applications", applies).await, "id");
    let application = format!("/api/v1/applications/{id}");
    let portrait = json!({"portrait": STANDARD.encode(photograph()), "features": "Nốt ruồi"});
    asks(capture, &format!("{application}/capture"), portrait).await;
    let seen = approver.get(&application).await.body;
    asks(approver, &format!("{application}/approval"), json!({"dossier": seen["dossier_sha256"]})).await;
    let serial = CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 9, 9]);
    let note = json!({"manufacturer": "Maker", "batch": "1", "transport_key_id": "maker", "serials": [serial]});
    asks(stock, "/api/v1/stock/deliveries", note).await;
    asks(stock, "/api/v1/stock/custody", json!({"serials": [serial], "station_id": station_id})).await;
    let keys = MasterKey::from_bytes(&TRANSPORT_MASTER).unwrap().diversify(&serial, 0xff);
    let mut chip = Chip::blank(serial, keys);
    let presented =
        |chip: &Chip| serde_json::to_value(protocol::Presented { presentation: chip.presentation() }).unwrap();
    let ordered = asks(station, "/api/v1/station/intake/orders", presented(&chip)).await;
    let ordered: protocol::IntakeOrder = serde_json::from_value(ordered).unwrap();
    let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
    let receipt = serde_json::to_value(protocol::IntakeReceipt { receipt }).unwrap();
    asks(station, "/api/v1/station/intake/receipts", receipt).await;
    let ordered = asks(station, "/api/v1/station/personalization/orders", presented(&chip)).await;
    let ordered: protocol::PersonalizationOrder = serde_json::from_value(ordered).unwrap();
    let (receipt, _) = perso::play(&mut chip, &ordered.order, &mut |_| {});
    let challenge = ordered.read_back.challenge.to_vec();
    let active_authentication = Some(protocol::ActiveAuthentication { signature: chip.signs(&challenge), challenge });
    let receipt = protocol::PersonalizationReceipt { receipt, active_authentication };
    let receipt = serde_json::to_value(receipt).unwrap();
    asks(station, "/api/v1/station/personalization/receipts", receipt).await;
    // Both terms are over: as if months had passed.
    let (deeds, id) = (house.service.offices().deeds(), id.parse::<ApplicationId>().unwrap());
    let past = async || {
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let sql = sql!("update application set due_on = $1 where id = $2");
        let day = house.clock.today() - time::Duration::days(1);
        tx.change(&APPLICATION, id, sql, args![day, id]).await.unwrap();
        tx.commit().await.unwrap();
    };
    past().await;
    miss(deeds).await.unwrap();
    past().await;
    walk.post(stock, &format!("{application}/giving-up"), json!({})).await;
}

/// What becomes of blanks that become no card.
async fn stock_ledger(house: &House, walk: &mut Walk, people: &People) {
    let People { stock, counter, approver_id, counter_id, station_id, .. } = people;
    let approver = &people.approver;
    let far = house.officer("far", &[Role::Stock], "o-2").await;
    let one = house.officer("national-stock", &[Role::Stock], "national").await;
    let two = house.officer("national-stock-2", &[Role::Stock], "national").await;
    let serial = |number| CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 8, number]).to_string();
    walk.get(stock, "/api/v1/stock/balances").await;
    walk.get(stock, &format!("/api/v1/stock/{}/postings", serial(1))).await;
    let destruction = json!({"serials": [serial(3)], "method": "shredded", "witnesses": [approver_id, counter_id]});
    let destruction = text(&walk.post(stock, "/api/v1/stock/destructions", destruction).await, "id");
    walk.get(approver, &format!("/api/v1/stock/destructions/{destruction}")).await;
    let confirmation = format!("/api/v1/stock/destructions/{destruction}/confirmation");
    walk.post(approver, &confirmation, json!({})).await;
    walk.post(counter, &confirmation, json!({})).await;
    walk.get(stock, "/api/v1/stock/destructions").await;

    let blanks: Vec<_> = (11..=14).map(serial).collect();
    let note = json!({"manufacturer": "Maker", "batch": "2", "transport_key_id": "maker", "firmware": "OS 4.1",
        "serials": blanks});
    stock.post("/api/v1/stock/deliveries", "second-delivery", note).await;
    let reason = json!({"reason": "not in the drawer after the shift"});
    walk.post(stock, &format!("/api/v1/stock/{}/loss", blanks[0]), reason).await;
    let reason = json!({"reason": "behind the reader"});
    walk.post(stock, &format!("/api/v1/stock/{}/finding", blanks[0]), reason).await;
    let sent = json!({"to_office": "o-2", "serials": blanks[1..2]});
    let boxed = text(&walk.post(stock, "/api/v1/stock/boxes", sent).await, "id");
    walk.post(stock, &format!("/api/v1/stock/boxes/{boxed}/call-back"), json!({})).await;
    let sent = json!({"to_office": "o-2", "serials": blanks[1..3]});
    let boxed = text(&stock.post("/api/v1/stock/boxes", "second-box", sent).await.body, "id");
    walk.get(&far, "/api/v1/stock/boxes").await;
    let counted = json!({"serials": [blanks[1]]});
    let received = walk.post(&far, &format!("/api/v1/stock/boxes/{boxed}/receipt"), counted).await;
    let case = format!("/api/v1/stock/cases/{}", text(&received, "case_id"));
    walk.get(&far, "/api/v1/stock/cases").await;
    let outcome = json!({"outcome": "arrived", "reason": "It lay under the lid."});
    let proposed = walk.post(&far, &format!("{case}/proposal"), outcome).await;
    let read = json!({"digest": text(&proposed, "digest")});
    walk.post(stock, &format!("{case}/confirmation"), read).await;
    let given = json!({"serials": [blanks[3]], "station_id": station_id});
    stock.post("/api/v1/stock/custody", "fourth-blank", given.clone()).await;
    let batch = text(&walk.post(stock, "/api/v1/stock/batches", given).await, "id");
    let held = json!({"held": [blanks[3]]});
    walk.post(stock, &format!("/api/v1/stock/batches/{batch}/closing"), held).await;
    walk.get(stock, "/api/v1/stock/batches").await;
    let colleague = house.officer("stock-2", &[Role::Stock], "o-1").await;
    let wanted = json!({"priority": 5, "cut_off": "2026-11-22T08:00:00Z", "most": 500});
    let batch = format!("/api/v1/batches/{}", text(&walk.post(stock, "/api/v1/batches", wanted).await, "id"));
    walk.post(&colleague, &format!("{batch}/release"), json!({})).await;
    walk.get(stock, "/api/v1/batches").await;
    walk.get(stock, &batch).await;
    walk.get(stock, &format!("{batch}/items")).await;
    walk.get(&people.station, "/api/v1/station/batches").await;
    walk.get(&people.station, &batch.replace("/v1/", "/v1/station/")).await;
    walk.post(stock, &format!("{batch}/pause"), json!({"reason": "the printer is out of ribbon"})).await;
    walk.post(stock, &format!("{batch}/resumption"), json!({})).await;
    walk.post(stock, &format!("{batch}/cancellation"), json!({"reason": "no blanks are left"})).await;
    walk.post(stock, &format!("{batch}/closing"), json!({})).await;
    let count = text(&walk.post(stock, "/api/v1/stock/counts", json!({"station_id": station_id})).await, "id");
    walk.post(stock, &format!("/api/v1/stock/counts/{count}/result"), json!({"serials": [blanks[3]]})).await;
    let recall = json!({"kind": "firmware", "value": "OS 4.1", "reason": "weak random numbers"});
    let recall =
        format!("/api/v1/stock/recalls/{}", text(&walk.post(&one, "/api/v1/stock/recalls", recall).await, "id"));
    walk.post(&two, &format!("{recall}/confirmation"), json!({})).await;
    walk.get(stock, "/api/v1/stock/recalls").await;
    walk.get(&one, &format!("{recall}/chips")).await;
}

/// What the register does beside a first declaration.
async fn register(house: &House, walk: &mut Walk, registrar: &Caller, other: &Caller, person: &str) {
    let place = json!({"province": "003"});
    let today = house.clock.today();
    let born = json!({"full_name": "Nguyễn Thị Mầm", "birth_date": today.to_string(), "sex": "Nữ",
        "birth_registration": place, "place_of_origin": place, "ethnic_group": "01",
        "mother": {"full_name": "Nguyễn Thị Mẫu"}, "registration": "Sổ khai sinh 12/2026"});
    walk.post(registrar, "/api/v1/births", born).await;
    let lease = json!({"holder": "Birth desk 2", "purpose": "birth-desk", "province": "003", "birth_year": today.year(),
        "numbers": 2, "days": 30});
    let lease = text(&walk.post(registrar, "/api/v1/number-leases", lease).await, "lease_id");
    walk.get(registrar, "/api/v1/number-leases").await;
    walk.get(registrar, &format!("/api/v1/number-leases/{lease}")).await;
    let why = json!({"because": "the desk is closed"});
    walk.post(registrar, &format!("/api/v1/number-leases/{lease}/return"), why).await;
    walk.get(registrar, "/api/v1/number-cells").await;
    let search = "/api/v1/persons/search?purpose=update".to_owned();
    let sought = json!({"full_name": "mau nguyen thi", "birth_date": "2000"});
    let found = registrar.post(&search, "unused", sought.clone()).await;
    assert_eq!(found.body["items"][0]["person_id"], person, "{found:?}");
    walk.post(other, "/api/v1/persons/search", sought).await;
    let evidence = json!({"form": "dc02", "source": "civil-status", "document": "Giấy khai sinh 12/2026",
        "confidence": "proved"});
    let changes = json!({"kind": "corrected", "fields": {"religion": "Phật giáo"}, "evidence": evidence});
    let path = format!("/api/v1/persons/{person}/changes");
    let change = text(&walk.post(registrar, &path, changes.clone()).await, "change_id");
    walk.get(other, "/api/v1/register-changes").await;
    walk.get(other, &format!("/api/v1/register-changes/{change}")).await;
    walk.post(other, &format!("/api/v1/register-changes/{change}/withdrawal"), json!({})).await;
    let change = text(&walk.post(registrar, &path, changes).await, "change_id");
    walk.post(other, &format!("/api/v1/register-changes/{change}/application"), json!({})).await;
    walk.get(registrar, &format!("/api/v1/persons/{person}/history?purpose=update")).await;
    let again = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ", "ethnic_group": "01",
        "birth_registration": place, "place_of_origin": place});
    let twice = registrar.post("/api/v1/declarations", "declared-twice", again.clone()).await;
    let twice = text(&twice.body, "person_id");
    let evidence = json!({"form": "dc02", "source": "identity-archive", "document": "Biên bản đối chiếu 3/2026",
        "confidence": "proved"});
    let merge = json!({"other": twice, "take": ["religion"], "evidence": evidence});
    let merges = format!("/api/v1/persons/{person}/merges");
    let id = text(&walk.post(registrar, &merges, merge.clone()).await, "merge_id");
    walk.get(other, "/api/v1/register-merges").await;
    walk.get(other, &format!("/api/v1/register-merges/{id}")).await;
    walk.post(other, &format!("/api/v1/register-merges/{id}/withdrawal"), json!({})).await;
    let id = text(&walk.post(registrar, &merges, merge).await, "merge_id");
    walk.post(other, &format!("/api/v1/register-merges/{id}/application"), json!({})).await;
    let undone = json!({"evidence": evidence});
    walk.post(registrar, &format!("/api/v1/persons/{twice}/merge-undoings"), undone).await;
    let split = json!({"declaration": again, "fields": {"religion": null}, "evidence": evidence});
    walk.post(registrar, &format!("/api/v1/persons/{person}/splits"), split).await;
    let alike = json!({"full_name": "Nguyen Thi Mau", "birth_date": "01/05/2000", "sex": "Nữ", "ethnic_group": "01",
        "birth_registration": place, "place_of_origin": place, "mother": {"full_name": "Trần Thị Thử"}});
    let alike = registrar.post("/api/v1/declarations", "declared-alike", alike).await;
    let alike = alike.body["person_id"].as_str().unwrap().to_owned();
    walk.get(registrar, &format!("/api/v1/persons/{person}/duplicates?purpose=update")).await;
    let verdict = json!({"other": alike, "verdict": "different", "because": "two certificates of birth were shown"});
    walk.post(registrar, &format!("/api/v1/persons/{person}/duplicate-verdicts"), verdict).await;
    quarantine(house, walk, registrar).await;
}

/// Rows of a file from which no person could be made.
async fn quarantine(house: &House, walk: &mut Walk, registrar: &Caller) {
    let file = house.folder.path().join("district-1.csv");
    let header = "full_name,birth_date,sex,birth_registration.province,place_of_origin.province,ethnic_group";
    let rows = ["Trần Văn Hai,12/25/1980,Nam,003,003,01", ",01/01/1990,Nam,003,003,01"].join("\n");
    std::fs::write(&file, format!("{header}\n{rows}\n")).unwrap();
    let offices = house.service.offices();
    let mut tx = offices.deeds().db().begin_read().await.unwrap();
    let row = tx.one(sql!("select id from officer where username = 'registrar'"), args![]).await.unwrap().unwrap();
    drop(tx);
    let (officer, office) = (Id::of(&row, "id").unwrap(), "o-1".parse().unwrap());
    let wanted = Wanted { file, format: Format::Csv, officer, office };
    Box::pin(import(offices.deeds(), &offices.register, wanted, &false.into(), |_| ())).await.unwrap();
    let listed = walk.get(registrar, "/api/v1/quarantine").await;
    let path = |number: usize, verb: &str| format!("/api/v1/quarantine/{}{verb}", text(&listed["items"][number], "id"));
    walk.get(registrar, &path(0, "")).await;
    let columns = json!({"columns": {"birth_date": "25/12/1980"}});
    walk.post(registrar, &path(0, "/correction"), columns).await;
    walk.post(registrar, &path(0, "/replay"), json!({})).await;
    walk.post(registrar, &path(1, "/dismissal"), json!({"reason": "no name stands on the paper"})).await;
}

/// The check by the head of the team, which is in use where the configuration says so.
async fn checked(walk: &mut Walk) {
    let house = Box::pin(House::open_with(|settings| settings.applications.procedure.team_check = true)).await;
    let places = Box::pin(TwoPlaces::of(&house)).await;
    let path = format!("/api/v1/applications/{}", places.id);
    let seen = places.head.get(&path).await.body["dossier_sha256"].clone();
    walk.post(&places.head, &format!("{path}/check"), json!({"dossier": seen})).await;
    house.service.stop().await;
}

/// What must not be erased.
async fn holds(house: &House, walk: &mut Walk, person: &str) {
    let one = house.officer("holder", &[Role::Registrar], "national").await;
    let other = house.officer("inspector", &[Role::Auditor], "national").await;
    let hold = json!({"kind": "person", "id": person, "grounds": "inquiry 7/2026"});
    let hold = format!("/api/v1/legal-holds/{}", text(&walk.post(&one, "/api/v1/legal-holds", hold).await, "id"));
    walk.get(&other, "/api/v1/legal-holds").await;
    walk.post(&other, &format!("{hold}/confirmation"), json!({})).await;
    walk.post(&other, &format!("{hold}/release"), json!({"grounds": "the inquiry is over"})).await;
    walk.post(&other, &format!("{hold}/release/withdrawal"), json!({})).await;
    walk.post(&other, &format!("{hold}/release"), json!({"grounds": "the inquiry is over"})).await;
    walk.post(&one, &format!("{hold}/release/confirmation"), json!({})).await;
}

/// Another authority is joined, asks, and the citizen is told of it.
async fn exchanges(house: &House, walk: &mut Walk) {
    let bao = house.officer("bao", &[Role::DataProtection], "national").await;
    let inspector = house.officer("inspector-2", &[Role::Auditor], "national").await;
    let drafted = walk.post(&house.admin, "/api/v1/partners", exchange::new_partner("p-thue")).await;
    let partner = text(&drafted, "id");
    let of_partner = |rest: &str| format!("/api/v1/partners/{partner}{rest}");
    walk.post(&bao, &of_partner("/confirmation"), json!({})).await;
    walk.get(&bao, "/api/v1/partners").await;
    let (key, csr_pem) = exchange::csr();
    let body = json!({"name": "may-chu-1", "csr_pem": csr_pem});
    let system = text(&walk.post(&house.admin, &of_partner("/systems"), body).await, "id");
    let of_system = |rest: &str| format!("/api/v1/partner-systems/{system}{rest}");
    let certified = walk.post(&bao, &of_system("/confirmation"), json!({})).await;
    let pem = format!("{}{}", text(&certified, "certificate_pem"), key.serialize_pem());
    let client = crate::house::client(&house.folder, Some(&pem));
    let caller = Caller { client, address: house.admin.address.clone(), token: None };
    walk.get(&bao, &of_partner("")).await;
    let purpose = json!({"code": "tax-number", "name_vi": "Cấp mã số thuế", "name_en": "Tax code",
        "law": "Law 38/2019/QH14, Art. 35(7)"});
    walk.post(&house.admin, "/api/v1/exchange-purposes", purpose).await;
    walk.post(&bao, "/api/v1/exchange-purposes/tax-number/confirmation", json!({})).await;
    walk.get(&bao, "/api/v1/exchange-purposes").await;
    let purpose = json!({"code": "never-used", "name_vi": "Không dùng", "name_en": "Never used", "law": "none"});
    walk.post(&house.admin, "/api/v1/exchange-purposes", purpose).await;
    walk.post(&bao, "/api/v1/exchange-purposes/never-used/end", json!({"reason": "no law has it"})).await;
    let grant = |service: &str, fields: &[&str]| json!({"purpose": "tax-number", "service": service, "fields": fields, "per_day": 100});
    let grants = json!([
        grant("confirm", &["full_name", "birth_date"]),
        grant("look-up", &["full_name", "sex"]),
        grant("household", &["full_name"]),
        grant("kinship", &["mother", "full_name"]),
        grant("card-status", &["card_status"]),
        grant("follow", &["life", "permanent_residence"]),
        grant("confirm-list", &["full_name", "birth_date"]),
        grant("birth", &["personal_number"]),
        grant("death", &["life"]),
        grant("change", &["marital_status", "spouse"]),
        statistics::counts(&["province", "age_group", "sex"]),
    ]);
    let now = house.clock.now().replace_nanosecond(0).unwrap();
    let moment = |days: i64| {
        let at = now + time::Duration::days(days);
        at.format(&time::format_description::well_known::Rfc3339).unwrap()
    };
    let body = json!({"partner_id": partner, "number": "TT-2026-0001", "basis": "Decree 47/2020/NĐ-CP, Art. 5",
        "valid_from": moment(0), "valid_to": moment(300), "kept_days": 30, "grants": grants});
    let agreement = text(&walk.post(&bao, "/api/v1/agreements", body).await, "id");
    let of_agreement = |rest: &str| format!("/api/v1/agreements/{agreement}{rest}");
    walk.post(&house.admin, &of_agreement("/signature"), json!({})).await;
    assert_eq!(bao.post(&of_agreement("/signature"), "bao signs", json!({})).await.body["state"], "in-force");
    walk.get(&bao, &of_agreement("")).await;
    walk.get(&bao, "/api/v1/agreements").await;

    let mother = json!({"mother": {"full_name": "Trần Thị Thử"}});
    let (person, number) = exchange::person(house, "Phạm Thị Hỏi", "17/05/1990", mother).await;
    walk.get(&house.anyone(), "/api/v1/exchange/keys").await;
    walk.get(&caller, "/api/v1/exchange/agreements").await;
    for (n, service) in ["confirm", "look-up", "household", "kinship", "card-status", "follow"].into_iter().enumerate()
    {
        let question = exchange::question(&format!("r-{n}"), &number, "Phạm Thị Hỏi", "17/05/1990");
        walk.post(&caller, &format!("/api/v1/exchange/{service}"), question).await;
    }
    statistics::counted(&caller, |n| statistics::counting(&format!("c-{n}"), &["province"])).await;
    walk.post(&caller, "/api/v1/exchange/statistics", statistics::counting("tk-1", &["province", "sex"])).await;
    let followed = walk.get(&caller, "/api/v1/exchange/follows?purpose=tax-number").await;
    Box::pin(feed::moves(house, &person)).await;
    walk.get(&caller, "/api/v1/exchange/changes?purpose=tax-number&limit=10").await;
    let pseudonym = text(&followed["items"][0], "pseudonym");
    walk.post(&caller, "/api/v1/exchange/unfollow", json!({"purpose": "tax-number", "pseudonym": pseudonym})).await;
    let list = json!({"request": "ds-2026-11", "purpose": "tax-number", "case": "KH-2026-11", "officer": "nguyen.van.thu",
        "second_officer": "tran.thi.duyet", "unit": "Cục Thuế thử nghiệm", "lines": 2});
    let list = text(&walk.post(&caller, "/api/v1/exchange/lists", list).await, "list");
    let lines = json!([{"personal_number": number, "full_name": "Phạm Thị Hỏi", "birth_date": "17/05/1990"},
        {"personal_number": "003190999999", "full_name": "Phạm Thị Hỏi", "birth_date": "17/05/1990"}]);
    let stretch = json!({"number": 1, "lines": lines});
    walk.post(&caller, &format!("/api/v1/exchange/lists/{list}/stretches"), stretch).await;
    walk.get(&caller, &format!("/api/v1/exchange/lists/{list}")).await;
    let born = |request: &str| {
        let newborn = incoming::newborn("Nguyễn Thị Mầm", "20/11/2026");
        incoming::report(request, "birth", newborn)
    };
    walk.post(&caller, "/api/v1/exchange/birth", born("ks-1")).await;
    let subject = json!({"personal_number": number, "full_name": "Phạm Thị Hỏi", "birth_date": "17/05/1990"});
    let about = |request: &str, service: &str, of: Value| {
        let mut body = incoming::report(request, service, of);
        body["subject"] = subject.clone();
        body
    };
    let death = json!({"died": "19/11/2026", "registration": "Số 12/2026"});
    walk.post(&caller, "/api/v1/exchange/death", about("kt-1", "death", death)).await;
    let married = json!({"kind": "marital-status-changed", "fields": {"spouse": {"full_name": "Trần Văn Thử"}},
        "registration": "Số 7/2026"});
    walk.post(&caller, "/api/v1/exchange/change", about("ht-1", "change", married)).await;
    let registrar = house.officer("holds", &[Role::Registrar], "national").await;
    let mut last = json!(null);
    for (n, name) in ["Nguyễn Thị Mầm", "Mầm Nguyễn Thị"].into_iter().enumerate() {
        let mut again = born(&format!("kl-{n}"));
        again["birth"]["full_name"] = json!(name);
        again["birth"]["registration"] = json!(format!("Số {n}/2026"));
        last = exchange::asks(&caller, "birth", again).await.body;
        let held = format!("/api/v1/held-births/{}", text(&last, "answer"));
        if n == 0 {
            walk.get(&registrar, "/api/v1/held-births").await;
            walk.get(&registrar, &held).await;
            let refusal = json!({"reason": "recorded-already", "because": "sent twice"});
            walk.post(&registrar, &format!("{held}/refusal"), refusal).await;
        } else {
            let registration = json!({"because": "twins, two certificates of the clinic"});
            walk.post(&registrar, &format!("{held}/registration"), registration).await;
        }
    }
    let status = incoming::report("kq-1", "reference", last["answer"].clone());
    walk.post(&caller, "/api/v1/exchange/report-status", status).await;
    let of_person = |rest: &str| format!("/api/v1/persons/{person}{rest}");
    let order = json!({"partner_id": partner, "court": "Tòa án Thử", "order": "QĐ-1/2026", "until": moment(30)});
    let delay = text(&walk.post(&bao, &of_person("/look-delays"), order).await, "id");
    let counter = house.officer("tells", &[Role::Capture], "o-1").await;
    walk.get(&counter, &of_person("/looks")).await;
    walk.post(&inspector, &format!("/api/v1/look-delays/{delay}/confirmation"), json!({})).await;
    walk.post(&bao, &of_person("/canary"), json!({})).await;
    walk.post(&inspector, &of_person("/canary/confirmation"), json!({})).await;
    emergency(house, walk, &bao).await;
    let roots = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    let address = json!({"address": "https://may-chu.example.invalid/osia", "roots_pem": roots});
    let address = text(&walk.post(&house.admin, &of_system("/addresses"), address).await, "id");
    let of_address = |rest: &str| format!("/api/v1/partner-addresses/{address}{rest}");
    walk.post(&bao, &of_address("/confirmation"), json!({})).await;
    walk.get(&bao, &of_system("/addresses")).await;
    walk.post(&bao, &of_address("/end"), json!({"reason": "the computer was exchanged"})).await;
    walk.post(&bao, &of_agreement("/end"), json!({"reason": "its time is over"})).await;
    walk.post(&bao, &of_system("/revocation"), json!({"reason": "the computer was exchanged"})).await;
    walk.post(&bao, &of_partner("/end"), json!({"reason": "the authority was dissolved"})).await;
}

/// An officer looks at a person in an emergency, and another judges it.
async fn emergency(house: &House, walk: &mut Walk, bao: &Caller) {
    let (_, number) = exchange::person(house, "Lê Thị Mẫu Cấp Cứu", "03/04/1971", json!({})).await;
    let night = house.officer("night", &[Role::Registrar], "o-2").await;
    let emergency = json!({"personal_number": number, "reason": "unconscious after an accident", "case": "115-42"});
    let look = format!(
        "/api/v1/emergency-looks/{}",
        text(&walk.post(&night, "/api/v1/emergency-looks", emergency).await, "id")
    );
    walk.get(&night, &format!("{look}/person")).await;
    walk.get(bao, "/api/v1/emergency-looks").await;
    walk.get(bao, &look).await;
    let found = json!({"verdict": "justified", "remarks": "the hospital confirms it"});
    walk.post(bao, &format!("{look}/review"), found).await;
}

/// A document of another life of the database, which no chip proves: two administrators revoke it.
async fn finding(house: &House, walk: &mut Walk, ordered: &protocol::PersonalizationOrder) {
    let kept = json!({"order": ordered.order, "voucher": ordered.voucher});
    let store = KeyStore::open(&house.folder.path().join("data"), None).unwrap();
    let voucher = Voucher::open(store.secrets(), &serde_json::from_value(kept).unwrap()).unwrap();
    let mut elsewhere = serde_json::to_value(voucher).unwrap();
    elsewhere["sod_sha256"] = json!("77".repeat(32));
    elsewhere["serial"] = json!("77".repeat(10));
    elsewhere["document"] = json!(crate::house::NIL);
    let voucher: Voucher = serde_json::from_value(elsewhere).unwrap();
    reentry::reenter(house.service.offices().deeds(), &voucher, false, true).await.unwrap();
    let listed = walk.get(&house.admin, "/api/v1/reconciliation/findings").await;
    let finding = format!("/api/v1/reconciliation/findings/{}", text(&listed["items"][0], "id"));
    walk.post(&house.admin, &format!("{finding}/proposal"), json!({})).await;
    walk.post(&house.second, &format!("{finding}/confirmation"), json!({})).await;
}

/// What the register has of a person; before another one is put there by hand, if one is given.
async fn exchanged_record(house: &House, person: &str, other: Option<Value>) -> Value {
    let id: issuance::ground::ids::PersonId = person.parse().unwrap();
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    let row = tx.one(sql!("select id, record from person where id = $1"), args![id]).await.unwrap().unwrap();
    let record = row.get("record").unwrap();
    if let Some(other) = other {
        let by_hand = sql!("update person set record = $1 where id = $2");
        assert_eq!(tx.run(by_hand, args![Argument::Json(Some(other)), id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
    }
    record
}
