//! Lists: found again by what is known of a thing, page by page, and only by those whom it concerns.

use issuance::applications::APPLICATION;
use issuance::applications::model::{Capture, Hold, HoldReason, Kind, Slip, Stage};
use issuance::cards::CARD;
use issuance::ground::ids::{ApplicationId, CardId, OfficerId, OrderId, PersonId, StationId};
use issuance::ground::{Decision, Id, Role};
use issuance::production::model::ChipError;
use issuance::production::{CHIP, ProductionError};
use issuance::store::Argument;
use issuance::{args, sql};
use reqwest::Method;
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::house::{Caller, House, NIL, PASSWORD, on_both};
use crate::offices::Offices;
use crate::tables::fresh_database;

/// The items of all pages of a list, and how many pages there were.
async fn pages(caller: &Caller, path: &str, limit: usize) -> (Vec<Value>, usize) {
    let (mut items, mut count, mut after) = (Vec::new(), 0, String::new());
    loop {
        let joint = if path.contains('?') { '&' } else { '?' };
        let said = caller.get(&format!("{path}{joint}limit={limit}{after}")).await;
        assert_eq!(said.status, 200, "{path}: {said:?}");
        let page = said.body["items"].as_array().unwrap();
        assert!(page.len() <= limit, "{path}");
        items.extend(page.iter().cloned());
        count += 1;
        match said.body["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return (items, count),
        }
    }
}

async fn items(caller: &Caller, path: &str) -> Vec<Value> {
    pages(caller, path, 200).await.0
}

/// What stands in one field of each item.
fn all<'a>(items: &'a [Value], field: &str) -> Vec<&'a str> {
    items.iter().map(|item| item[field].as_str().unwrap_or_else(|| panic!("{field}: {item}"))).collect()
}

/// A person of the office `o-1`.
async fn citizen(house: &House) -> PersonId {
    let registrar = house.officer("declarer", &[Role::Registrar], "o-1").await;
    let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
    let declaration = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
        "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
    let declared = registrar.post("/api/v1/declarations", "k-1", declaration).await;
    declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).parse().unwrap()
}

/// An application as a counter opened it so long ago, with the stage that it is at now.
struct Opened<'a> {
    person: PersonId,
    by: &'a str,
    office: &'a str,
    slip: &'a str,
    ago: Duration,
    stage: Stage,
}

async fn opened(house: &House, application: Opened<'_>) -> ApplicationId {
    let Opened { person, by, office, slip, ago, stage } = application;
    let at = house.clock.now() - ago;
    let id: ApplicationId = Id::first_at(at);
    let by: OfficerId = by.parse().unwrap();
    let approved_at = matches!(stage, Stage::Approved { .. }).then_some(at);
    let insert = sql!(
        "insert into application
             (id, slip, person_id, kind, office, registered_by, registered_at, fee, stage, stage_data, approved_at)
         values ($1, $2, $3, $4, $5, $6, $7, 0, $8, $9, $10)"
    );
    let kind = Argument::json(&json!({"kind": "first"}));
    let arguments = args![id, slip, person, kind, office, by, at, stage.name(), Argument::json(&stage), approved_at];
    let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
    tx.run(insert, arguments).await.unwrap();
    tx.seal(&APPLICATION, id).await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn captured(by: &str, at: OffsetDateTime) -> (Capture, Decision) {
    let taken = Decision { by: by.parse().unwrap(), at };
    let capture = Capture {
        taken: taken.clone(),
        portrait: "00".repeat(32),
        features: "Nốt ruồi".to_owned(),
        salt: [0; 16],
        heard: None,
    };
    (capture, taken)
}

#[tokio::test]
async fn applications_are_found_by_office_stage_age_slip_and_person() {
    on_both(async |house| {
        let person = citizen(house).await;
        let (capture, by) = house.appointed("capture", &[Role::Capture], "o-1").await;
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let counter = house.officer("counter", &[Role::HandOver], "o-1").await;
        let stranger = house.officer("stranger", &[Role::Capture], "o-2").await;
        let national = house.officer("national", &[Role::Capture], "national").await;
        let open = async |office: &str, slip: &str, days: i64, stage: Stage| {
            let ago = Duration::days(days) + Duration::minutes(1);
            opened(house, Opened { person, by: &by, office, slip, ago, stage }).await.to_string()
        };
        let mut ids = Vec::new();
        for (days, slip) in [(60, "AAAAA00001"), (50, "AAAAA00002"), (40, "AAAAA00003"), (20, "AAAAA00004")] {
            ids.push(open("o-1", slip, days, Stage::Registered).await);
        }
        let (taken, approval) = captured(&by, house.clock.now());
        let hold = Hold { reason: HoldReason::NotComposable, owner: Role::Registrar, at: house.clock.now() };
        let held = Stage::Held { capture: taken, approval: approval.into(), hold };
        ids.push(open("o-1", "AAAAA00005", 10, held).await);
        let elsewhere = open("o-2", "AAAAA00006", 45, Stage::Registered).await;

        // Page by page, oldest first, each once.
        for limit in [1, 2, 3, 5, 200] {
            let (listed, count) = pages(&capture, "/api/v1/applications", limit).await;
            assert_eq!(all(&listed, "id"), ids, "{limit}");
            assert_eq!(count, ids.len().div_ceil(limit), "{limit}");
        }
        let listed = items(&capture, "/api/v1/applications").await;
        assert_eq!((&listed[0]["age_days"], &listed[0]["kind"]), (&json!(60), &json!("first")));
        assert!(listed.iter().all(|item| item["tampered"] == json!(false)));

        // By stage and age.
        let path = "/api/v1/applications?stage=registered";
        assert_eq!(all(&items(&capture, path).await, "id"), ids[..4]);
        assert_eq!(all(&items(&capture, &format!("{path}&older_than_days=40")).await, "id"), ids[..3]);
        assert_eq!(all(&items(&capture, "/api/v1/applications?older_than_days=20").await, "id"), ids[..4]);

        // What is held, with the role that mends it; to a registrar that alone.
        let held = items(&registrar, "/api/v1/applications?stage=held").await;
        assert_eq!(all(&held, "id"), ids[4..]);
        assert_eq!((&held[0]["held_because"], &held[0]["held_for"]), (&json!("not-composable"), &json!("registrar")));
        for query in ["", "?stage=registered", "?slip=AAAAA00001"] {
            assert_eq!(registrar.get(&format!("/api/v1/applications{query}")).await.code(), "role-missing", "{query}");
        }

        // By slip, as it is read from paper; it is not told to the counter that asks for it.
        let found = items(&capture, "/api/v1/applications?slip=aaaaa-00002").await;
        assert_eq!((all(&found, "id"), all(&found, "slip")), (vec![ids[1].as_str()], vec!["AAAAA00002"]));
        let found = items(&counter, "/api/v1/applications?slip=AAAAA00002").await;
        assert_eq!((all(&found, "id"), &found[0]["slip"]), (vec![ids[1].as_str()], &Value::Null));
        assert!(items(&capture, "/api/v1/applications?slip=AAAAA00002&stage=held").await.is_empty());

        // The own office, and for the national one any that it names.
        assert!(items(&stranger, "/api/v1/applications?slip=AAAAA00002").await.is_empty());
        assert_eq!(stranger.get("/api/v1/applications?office=o-1").await.code(), "other-office");
        assert_eq!(all(&items(&stranger, "/api/v1/applications").await, "id"), [elsewhere.as_str()]);
        assert!(items(&national, "/api/v1/applications").await.is_empty());
        assert_eq!(all(&items(&national, "/api/v1/applications?office=o-1").await, "id"), ids);
        assert_eq!(all(&items(&national, "/api/v1/applications?slip=AAAAA00006").await, "id"), [elsewhere.as_str()]);
        assert!(items(&national, "/api/v1/applications?slip=AAAAA00006&office=o-1").await.is_empty());

        // Of a person: a record about the person, with purpose and case, and neither name nor person in the answer.
        let told = sql!(
            "select count(*) as n from audit_entry where action = 'applications-listed' and purpose = $1
             and cast(person_id as text) = $2 and related = $3 and object = $4"
        );
        let path = format!("/api/v1/applications?person_id={person}");
        assert_eq!(all(&items(&capture, &format!("{path}&purpose=capture&case={NIL}")).await, "id"), ids);
        let (id, object) = (person.to_string(), format!("person/{person}"));
        assert_eq!(house.count(told, args!["capture", &id, format!("application/{NIL}"), &object]).await, 1);
        let said = capture.get(&format!("{path}&stage=held")).await;
        assert_eq!(all(said.body["items"].as_array().unwrap(), "id"), ids[4..]);
        assert!(!said.body.to_string().contains(&id), "{said:?}");
        assert_eq!(capture.get(&format!("{path}&purpose=decision")).await.code(), "role-missing");
        assert_eq!(all(&items(&national, &path).await, "id").len(), 6);
        assert_eq!(all(&items(&stranger, &path).await, "id"), [elsewhere.as_str()]);
    })
    .await;
}

#[tokio::test]
async fn the_queue_of_applications_says_of_whom_there_may_be_two_records() {
    on_both(async |house| {
        let person = citizen(house).await;
        let (_, by) = house.appointed("capture", &[Role::Capture], "o-1").await;
        let approver = house.officer("approver", &[Role::Approver], "o-1").await;
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let waits = Stage::Captured { capture: captured(&by, house.clock.now()).0 };
        let (office, slip, ago) = ("o-1", "AAAAA00001", Duration::minutes(1));
        opened(house, Opened { person, by: &by, office, slip, ago, stage: waits }).await;
        let flagged = async || {
            let queue = items(&approver, "/api/v1/applications?stage=captured").await;
            assert_eq!(queue.len(), 1);
            queue[0]["perhaps_declared_before"].as_bool().unwrap()
        };
        assert!(!flagged().await);
        let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
        let again = json!({"full_name": "Nguyen Thi Mau", "birth_date": "05/01/2000", "sex": "Nữ",
            "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
        let again = registrar.post("/api/v1/declarations", "again", again).await;
        let other = again.body["person_id"].as_str().unwrap().to_owned();
        assert!(flagged().await, "{}", again.body);
        let apart = json!({"other": other, "verdict": "different", "because": "two birth certificates were shown"});
        let said = registrar.post(&format!("/api/v1/persons/{person}/duplicate-verdicts"), "v-1", apart).await;
        assert_eq!(said.status, 204, "{}", said.body);
        assert!(!flagged().await, "told apart");
    })
    .await;
}

#[tokio::test]
async fn a_record_that_was_changed_by_another_hand_is_listed_as_such_and_hides_no_other() {
    on_both(async |house| {
        let person = citizen(house).await;
        let (capture, by) = house.appointed("capture", &[Role::Capture], "o-1").await;
        let mut ids = Vec::new();
        for (minutes, slip) in [(3, "AAAAA00001"), (2, "AAAAA00002"), (1, "AAAAA00003")] {
            let ago = Duration::minutes(minutes);
            ids.push(
                opened(house, Opened { person, by: &by, office: "o-1", slip, ago, stage: Stage::Registered }).await,
            );
        }
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let change = sql!("update application set kind = $1, stage_data = $1 where id = $2");
        tx.run(change, args![Argument::json(&json!({"no": "meaning"})), ids[1]]).await.unwrap();
        tx.commit().await.unwrap();
        let listed = items(&capture, "/api/v1/applications").await;
        let tampered: Vec<_> = listed.iter().map(|item| item["tampered"].as_bool().unwrap()).collect();
        assert_eq!(tampered, [false, true, false], "{listed:?}");
    })
    .await;
}

#[tokio::test]
async fn a_refusal_names_the_application_that_is_open_to_an_officer_who_may_know_it() {
    on_both(async |house| {
        let person = citizen(house).await;
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let number = registrar.post(&format!("/api/v1/persons/{person}/number"), "k", json!({})).await;
        assert_eq!(number.status, 200, "{number:?}");
        let read = registrar.get(&format!("/api/v1/persons/{person}")).await;
        let claim = json!({"personal_number": read.body["personal_number"], "birth_date": "05/01/2000",
            "full_name": "Nguyễn Thị Mẫu"});
        let capture = house.officer("capture", &[Role::Capture], "o-1").await;
        let stranger = house.officer("stranger", &[Role::Capture], "o-2").await;
        let asks = async |caller: &Caller, key: &str, office: &str| {
            let body = json!({"person_id": person, "kind": "first", "office": office, "claim": claim});
            caller.post("/api/v1/applications", key, body).await
        };
        let open = asks(&capture, "k-1", "o-1").await;
        let again = asks(&capture, "k-2", "o-1").await;
        assert_eq!(again.code(), "application-open");
        assert_eq!(again.body["object"], json!(format!("application/{}", open.body["id"].as_str().unwrap())));
        let elsewhere = asks(&stranger, "k-3", "o-2").await;
        assert_eq!((elsewhere.code(), &elsewhere.body["object"]), ("application-open", &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn officers_and_stations_are_listed_to_administrators_of_their_office() {
    on_both(async |house| {
        let local = house.officer("local", &[Role::Admin], "o-2").await;
        let lan = house.appointed("lan", &[Role::Stock], "o-2").await.1;
        let mai = house.appointed("mai", &[Role::Stock], "o-1").await.1;
        let (listed, _) = pages(&house.admin, "/api/v1/officers", 2).await;
        let mut ids = all(&listed, "id");
        assert!(ids.is_sorted() && [&lan, &mai].iter().all(|id| ids.contains(&id.as_str())), "{ids:?}");
        ids.dedup();
        assert_eq!(ids.len(), 5, "the two administrators, and the three");
        let mut names = all(&listed, "username");
        names.sort_unstable();
        assert_eq!(names, ["admin", "lan", "local", "mai", "second"]);
        assert_eq!(all(&items(&local, "/api/v1/officers").await, "office"), ["o-2", "o-2"]);
        let told = sql!(
            "select count(*) as n from audit_entry
             where action = 'officers-listed' and object = 'unit/o-2' and office = 'o-2'"
        );
        assert_eq!(house.count(told, args![]).await, 1);
        let secrets =
            items(&house.admin, "/api/v1/officers").await.iter().any(|item| item.to_string().contains("argon2"));
        assert!(!secrets);

        let one = house.station("counter-1").await.1;
        let two = house.station("counter-2").await.1;
        let path = format!("/api/v1/stations/{two}/revocation");
        assert_eq!(house.admin.post(&path, "k", json!({"reason": "stolen"})).await.status, 200);
        let (listed, count) = pages(&house.admin, "/api/v1/stations", 1).await;
        let mut ids = vec![one.as_str(), two.as_str()];
        ids.sort_unstable();
        assert_eq!((all(&listed, "id"), count), (ids, 2));
        let revoked = listed.iter().find(|item| item["id"] == json!(two)).unwrap();
        assert!(revoked["revoked_at"].is_string() && revoked["revocation_reason"] == "stolen", "{revoked}");
        assert!(items(&local, "/api/v1/stations").await.is_empty(), "they stand at o-1");
    })
    .await;
}

#[tokio::test]
async fn cards_are_found_by_state_serial_and_person() {
    on_both(async |house| {
        let person = citizen(house).await;
        let counter = house.officer("counter", &[Role::HandOver], "o-1").await;
        let stranger = house.officer("stranger", &[Role::HandOver], "o-2").await;
        let mut ids = Vec::new();
        for (number, status) in [(1_u8, "personalized"), (2, "active"), (3, "personalized")] {
            let id: CardId = Id::first_at(house.clock.now() + Duration::milliseconds(number.into()));
            let by = json!({"by": NIL, "at": "2026-11-22T00:00:00Z"});
            let data = json!({"status": status, "handed_over": by});
            let insert = sql!(
                "insert into card (id, person_id, application_id, serial, sod_sha256, office, issued, status, status_data)
                 values ($1, $2, $1, $3, $4, 'o-1', $5, $6, $7)"
            );
            let serial = format!("{number:020}");
            let day = house.clock.today();
            let arguments = args![id, person, serial, [number; 32], day, status, Argument::json(&data)];
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            tx.run(insert, arguments).await.unwrap();
            tx.seal(&CARD, id).await.unwrap();
            tx.commit().await.unwrap();
            ids.push(id.to_string());
        }
        let (listed, count) = pages(&counter, "/api/v1/cards", 2).await;
        assert_eq!((all(&listed, "id"), count), (ids.iter().map(String::as_str).collect(), 2));
        let personalized = items(&counter, "/api/v1/cards?status=personalized").await;
        assert_eq!(all(&personalized, "id"), [ids[0].as_str(), ids[2].as_str()]);
        let serial = format!("/api/v1/cards?serial={:020}", 2);
        assert_eq!(all(&items(&counter, &serial).await, "id"), [ids[1].as_str()]);
        assert!(items(&stranger, &serial).await.is_empty());
        assert!(items(&counter, &format!("{serial}&status=revoked")).await.is_empty());
        let said = counter.get(&format!("/api/v1/cards?person_id={person}&purpose=hand-over&status=active")).await;
        assert_eq!(all(said.body["items"].as_array().unwrap(), "id"), [ids[1].as_str()]);
        assert!(!said.body.to_string().contains(&person.to_string()));
        let told = sql!(
            "select count(*) as n from audit_entry
             where action = 'cards-listed' and purpose = 'hand-over' and cast(person_id as text) = $1"
        );
        assert_eq!(house.count(told, args![person.to_string()]).await, 1);
        for query in ["status=lost", "serial=7", "serial=00000000000000000001&person_id=x", "purpose=hand-over"] {
            assert_eq!(counter.get(&format!("/api/v1/cards?{query}")).await.code(), "query-malformed", "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn the_stock_is_found_by_state_custody_and_delivery_and_what_is_unfinished_by_office() {
    on_both(async |house| {
        let stock = house.officer("stock", &[Role::Stock], "o-1").await;
        let stranger = house.officer("stranger", &[Role::Stock], "o-2").await;
        let (machine, station) = house.station("counter-1").await;
        let (elsewhere, _) = house.station("counter-2").await;
        let serials: Vec<String> = (1..=5).map(|number| format!("{number:020}")).collect();
        let note = json!({"manufacturer": "Maker", "batch": "1", "transport_key_id": "maker", "serials": serials});
        let delivered = stock.post("/api/v1/stock/deliveries", "k-1", note).await;
        let delivery = delivered.body["id"].as_str().unwrap_or_else(|| panic!("{delivered:?}"));
        let given = json!({"serials": serials[1..4], "station_id": station});
        assert_eq!(stock.post("/api/v1/stock/custody", "k-2", given).await.status, 200);
        // Of a list of serials a refusal says which one.
        let unknown = json!({"serials": [serials[0], "0000000000000000000F"], "station_id": station});
        let refused = stock.post("/api/v1/stock/custody", "k-3", unknown).await;
        assert_eq!((refused.code(), &refused.body["object"]), ("chip-unknown", &json!("chip/0000000000000000000F")));
        let twice =
            json!({"manufacturer": "Maker", "batch": "1", "transport_key_id": "maker", "serials": [serials[2]]});
        let refused = stock.post("/api/v1/stock/deliveries", "k-4", twice).await;
        let object = json!(format!("chip/{}", serials[2]));
        assert_eq!((refused.code(), &refused.body["object"]), ("serial-already-delivered", &object));

        let (listed, count) = pages(&stock, "/api/v1/stock", 2).await;
        assert_eq!((all(&listed, "serial"), count), (serials.iter().map(String::as_str).collect(), 3));
        let held = format!("/api/v1/stock?station_id={station}");
        assert_eq!(all(&items(&stock, &held).await, "serial"), serials[1..4]);
        assert_eq!(pages(&stock, &format!("/api/v1/stock?delivery_id={delivery}"), 2).await.0.len(), 5);
        assert!(items(&stock, "/api/v1/stock?state=spoiled").await.is_empty());
        assert!(items(&stock, &format!("{held}&state=bound")).await.is_empty());
        assert_eq!(items(&stock, "/api/v1/stock?state=delivered").await.len(), 5);
        for path in ["/api/v1/stock", &held, &format!("/api/v1/stock?delivery_id={delivery}")] {
            assert!(items(&stranger, path).await.is_empty(), "{path}");
        }
        assert_eq!(stranger.get("/api/v1/stock?office=o-1").await.code(), "other-office");
        let both = format!("{held}&delivery_id={delivery}");
        assert_eq!(stock.get(&both).await.code(), "query-malformed");

        // Two chips are being written: one was ordered for twice.
        assert!(items(&stock, "/api/v1/orders/unfinished").await.is_empty());
        let at = house.clock.now();
        for (serial, orders) in [(&serials[1], 2), (&serials[2], 1)] {
            let bound = json!({"state": "bound", "application": NIL,
                "keys": {"key_version": 1, "active_auth": "00", "chip_auth": "00"}});
            let bind = sql!("update chip set state = 'bound', state_data = $1 where id = $2");
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            tx.change(&CHIP, serial.clone(), bind, args![Argument::json(&bound), serial]).await.unwrap();
            for number in 0..orders {
                let id: OrderId = house.service.offices().deeds().source().id();
                let order = sql!(
                    "insert into perso_order (id, serial, station_id, script, challenge, made_at)
                     values ($1, $2, $3, $4, $5, $6)"
                );
                let holder: StationId = station.parse().unwrap();
                let made = at + Duration::minutes(number);
                let script = Argument::json(&json!({}));
                tx.run(order, args![id, serial, holder, script, [0; 8], made]).await.unwrap();
            }
            tx.commit().await.unwrap();
        }
        let (unfinished, count) = pages(&stock, "/api/v1/orders/unfinished", 1).await;
        assert_eq!((all(&unfinished, "serial"), count), (vec![serials[1].as_str(), &serials[2]], 2));
        assert_eq!((&unfinished[0]["orders"], &unfinished[0]["station_id"]), (&json!(2), &json!(station)));
        assert_ne!(unfinished[0]["first_at"], unfinished[0]["last_at"]);
        assert_eq!(items(&stock, "/api/v1/stock?state=bound").await[0]["application_id"], json!(NIL));

        // The station sees what is in its own custody, and of each chip no more than its state.
        let custody = "/api/v1/station/custody";
        let (held, count) = pages(&machine, custody, 2).await;
        assert_eq!((all(&held, "serial"), count), (serials[1..4].iter().map(String::as_str).collect(), 2));
        assert_eq!(held[0], json!({"serial": serials[1], "state": "bound"}));
        let said = machine.get(custody).await.body;
        assert_eq!((&said["delivered"], &said["initialised"], &said["bound"]), (&json!(1), &json!(0), &json!(2)));
        let one = format!("{custody}?serial={}", serials[3]);
        assert_eq!(items(&machine, &one).await, [json!({"serial": serials[3], "state": "delivered"})]);
        assert!(items(&machine, &format!("{custody}?serial={}", serials[0])).await.is_empty());
        assert!(items(&elsewhere, custody).await.is_empty() && items(&elsewhere, &one).await.is_empty());
        assert!(items(&stranger, "/api/v1/orders/unfinished").await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_station_learns_how_many_wait_and_which_slips() {
    on_both(async |house| {
        let person = citizen(house).await;
        let (_, by) = house.appointed("capture", &[Role::Capture], "o-1").await;
        let (station, _) = house.station("counter-1").await;
        assert_eq!(
            station.get("/api/v1/production/queue").await.body,
            json!({"waiting": 0, "items": [], "next": null})
        );
        for (office, slip, minutes) in
            [("o-1", "AAAAA00001", 5), ("o-1", "AAAAA00002", 4), ("o-2", "AAAAA00003", 3), ("o-1", "AAAAA00004", 2)]
        {
            let (capture, approval) = captured(&by, house.clock.now());
            let stage = Stage::Approved { capture, approval: approval.into() };
            opened(house, Opened { person, by: &by, office, slip, ago: Duration::minutes(minutes), stage }).await;
        }
        let (queue, count) = pages(&station, "/api/v1/production/queue", 2).await;
        assert_eq!((all(&queue, "slip"), count), (vec!["AAAAA00001", "AAAAA00002", "AAAAA00004"], 2));
        let said = station.get("/api/v1/production/queue?limit=1").await.body;
        assert_eq!(said["waiting"], json!(3));
        let told: Vec<_> = said["items"][0].as_object().unwrap().keys().collect();
        assert_eq!(told, ["approved_at", "slip"], "the station learns no more of it");
    })
    .await;
}

async fn an_order_for_a_slip(offices: &Offices) {
    let mut applications = Vec::new();
    for _ in 0..2 {
        applications.push(offices.approved(offices.citizen().await, Kind::First).await);
    }
    let (one, two) = (offices.initialised(1).await, offices.initialised(2).await);
    let unknown = offices.prepares_for(&Slip::typed("ZZZZZ-ZZZZZ"), &one).await.unwrap_err();
    assert!(matches!(unknown, ProductionError::SlipNotWaiting), "{unknown}");
    // The later one, as its slip is read from paper; the earlier one waits on.
    let typed = applications[1].slip.0.to_lowercase();
    offices.prepares_for(&Slip::typed(&typed), &one).await.unwrap();
    let ordered = offices.orders(&one).await.unwrap();
    assert_eq!((ordered.application, &ordered.slip), (applications[1].id, &applications[1].slip));
    // A chip stays bound: it becomes the card of no other slip, and no other chip that of this one.
    let bound = offices.prepares_for(&applications[0].slip, &one).await.unwrap_err();
    assert!(matches!(bound, ProductionError::Chip(ChipError::Bound)), "{bound}");
    let taken = offices.prepares_for(&applications[1].slip, &two).await.unwrap_err();
    assert!(matches!(taken, ProductionError::SlipNotWaiting), "{taken}");
    offices.prepares_for(&applications[1].slip, &one).await.unwrap();
    assert_eq!(offices.orders(&two).await.unwrap().application, applications[0].id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_may_be_asked_for_a_slip() {
    Box::pin(an_order_for_a_slip(&Offices::open(None).await)).await;
    if let Some(url) = fresh_database() {
        Box::pin(an_order_for_a_slip(&Offices::open(Some(url)).await)).await;
    }
}

#[tokio::test]
async fn the_trail_is_read_by_time_page_by_page() {
    on_both(async |house| {
        let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
        let text =
            |at: OffsetDateTime| at.format(&time::format_description::well_known::Rfc3339).unwrap().replace('+', "%2B");
        house.clock.advance(Duration::minutes(1));
        let from = house.clock.now();
        let (_, station) = house.station("counter-1").await;
        house.clock.advance(Duration::minutes(1));
        let middle = house.clock.now();
        let path = format!("/api/v1/stations/{station}/revocation");
        assert_eq!(house.admin.post(&path, "k", json!({"reason": "stolen"})).await.status, 200);
        house.clock.advance(Duration::minutes(1));
        let to = house.clock.now();
        let between = async |from, to| {
            let path = format!("/api/v1/audit?from={}&to={}", text(from), text(to));
            let (rows, _) = pages(&auditor, &path, 1).await;
            all(&rows, "action").into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(between(from, middle).await, ["station-enrolled"]);
        assert_eq!(between(middle, to).await, ["station-revoked"]);
        assert_eq!(between(from, to).await, ["station-enrolled", "station-revoked"]);
        let of_station = format!("/api/v1/audit?object=station/{station}&to={}", text(middle));
        assert_eq!(all(&items(&auditor, &of_station).await, "action"), ["station-enrolled"]);
        let month = text(from + Duration::days(32));
        for query in [
            String::new(),
            format!("from={month}"),
            format!("from={}&to={month}", text(from)),
            "from=x&to=y".to_owned(),
        ] {
            assert_eq!(auditor.get(&format!("/api/v1/audit?{query}")).await.code(), "query-malformed", "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_table_of_codes_is_answered_once_and_then_known_by_its_tag() {
    let house = Box::pin(House::open(None)).await;
    let lan = house.officer("lan", &[Role::Stock], "o-1").await;
    let stages = items(&lan, "/api/v1/reference/stages?x").await;
    assert_eq!((&stages[0]["code"], &stages[0]["name_en"]), (&json!("registered"), &json!("Opened at a counter")));
    let provinces = items(&lan, "/api/v1/reference/provinces?x").await;
    assert!(provinces.iter().any(|entry| entry["code"] == "003" && entry["name_vi"] == "Tỉnh Mẫu"), "its own");
    assert_eq!(lan.get("/api/v1/reference/planets").await.code(), "identifier-malformed");
    let asks = async |tag: Option<&str>| {
        let request = lan.client.get(format!("{}/api/v1/reference/communes", lan.address));
        let request = request.bearer_auth(lan.token.as_ref().unwrap());
        let request = tag.into_iter().fold(request, |request, tag| request.header("If-None-Match", tag));
        let response = request.send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        (response.status().as_u16(), tag, response.bytes().await.unwrap().len())
    };
    let (status, tag, length) = asks(None).await;
    assert!(status == 200 && length > 500_000, "{status} {length}");
    assert_eq!(asks(Some(&tag)).await, (304, tag.clone(), 0));
    assert_eq!(asks(Some("\"other\"")).await, (200, tag, length));
}

#[tokio::test]
async fn an_officer_sees_the_own_account_and_sessions_and_ends_one() {
    on_both(async |house| {
        let (lan, id) = house.appointed("lan", &[Role::Stock], "o-1").await;
        house.clock.advance(Duration::microseconds(1));
        let mut second = house.anyone();
        second.token = second.signs_in("lan", PASSWORD).await.body["token"].as_str().map(str::to_owned);
        let me = lan.get("/api/v1/me").await.body;
        assert_eq!((&me["id"], &me["username"], &me["office"]), (&json!(id), &json!("lan"), &json!("o-1")));
        assert_eq!((&me["roles"], &me["session"]["current"]), (&json!(["stock"]), &json!(true)));
        assert!(me["session"]["expires_at"].is_string());
        let sessions = pages(&lan, "/api/v1/me/sessions", 1).await.0;
        let current: Vec<_> = sessions.iter().map(|session| session["current"].as_bool().unwrap()).collect();
        assert_eq!(current, [true, false]);
        let ends = async |caller: &Caller, id: &str| {
            caller.asks(Method::DELETE, &format!("/api/v1/me/sessions/{id}"), None, None).await
        };
        let other = sessions[1]["id"].as_str().unwrap();
        let stranger = house.officer("mai", &[Role::Stock], "o-1").await;
        assert_eq!(ends(&stranger, other).await.code(), "session-unknown", "another officer's");
        assert_eq!(second.get("/api/v1/me").await.status, 200);
        assert_eq!(ends(&lan, other).await.status, 204);
        assert_eq!(second.get("/api/v1/me").await.code(), "session-needed");
        assert_eq!(ends(&lan, other).await.code(), "session-unknown", "it is ended");
        assert_eq!(items(&lan, "/api/v1/me/sessions").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_record_of_which_nothing_can_be_shown_is_named_and_hides_no_other() {
    on_both(async |house| {
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let unit =
            json!({"code": "o-1", "kind": "district", "province": "003", "name": "Quận Mẫu", "parent": "national"});
        assert_eq!(house.admin.post("/api/v1/units", "unit", unit).await.status, 201);
        let mut ids = Vec::new();
        for (key, holder) in [("k-1", "desk one"), ("k-2", "desk two"), ("k-3", "desk three")] {
            let wanted = json!({"holder": holder, "purpose": "birth-desk", "province": "003", "birth_year": 2026,
                "numbers": 4, "days": 5});
            let leased = registrar.post("/api/v1/number-leases", key, wanted).await;
            ids.push(leased.body["lease_id"].as_str().unwrap_or_else(|| panic!("{leased:?}")).to_owned());
        }
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let change = sql!("update number_lease set purpose = 'nonsense' where holder = 'desk two'");
        assert_eq!(tx.run(change, args![]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let whole = registrar.get("/api/v1/number-leases").await;
        let shown: Vec<_> = whole.body["items"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect();
        assert_eq!(shown, [json!(ids[0]), json!(ids[2])], "{whole:?}");
        assert_eq!((&whole.body["unreadable"], &whole.body["next"]), (&json!([ids[1]]), &Value::Null));
        // Page by page, too.
        let (items, count) = pages(&registrar, "/api/v1/number-leases", 1).await;
        assert_eq!((items.len(), count), (2, 3));
    })
    .await;
}
