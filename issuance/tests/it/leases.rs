//! Leases of numbers: what a desk took is its own, comes back with a message of birth that names the lease, and is
//! listed as long as no person has it; also when the process that took it is killed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use issuance::ground::Role;
use issuance::numbering::model::CELL_SIZE;
use issuance::server::Settings;
use issuance::{args, sql};
use serde_json::{Value, json};

use crate::house::{Caller, House, PASSWORD, on_both};
use crate::postgres::fresh_database;

/// A child of today whose entry in the register of births is `entry`.
fn child(house: &House, name: &str, sex: &str, entry: &str) -> Value {
    let place = json!({"province": "003"});
    json!({
        "full_name": name, "birth_date": house.clock.today().to_string(), "sex": sex, "birth_registration": place,
        "place_of_origin": place, "ethnic_group": "01", "mother": {"full_name": format!("Trần Thị {entry}")},
        "registration": format!("Sổ khai sinh {entry}/2026"),
    })
}

fn wanted(house: &House, numbers: u32) -> Value {
    json!({"holder": "Birth desk 2", "purpose": "birth-desk", "province": "003",
        "birth_year": house.clock.today().year(), "numbers": numbers, "days": 1})
}

/// Makes an office a unit of a province, without which it leases nothing.
async fn unit(house: &House, code: &str, province: &str, parent: &str) {
    let unit = json!({"code": code, "kind": "district", "province": province, "name": code, "parent": parent});
    let made = house.admin.post("/api/v1/units", &format!("unit-{code}"), unit).await;
    assert!(made.status < 300, "{}", made.body);
}

/// Leases so many numbers of each sex. Returns the path of the lease, and the numbers: girls' first, then boys'.
async fn leased(house: &House, caller: &Caller, key: &str, numbers: u32) -> (String, Vec<String>) {
    let leased = caller.post("/api/v1/number-leases", key, wanted(house, numbers)).await;
    assert_eq!(leased.status, 201, "{}", leased.body);
    let drawn = leased.body["numbers"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect();
    (leased.body["lease_id"].as_str().unwrap().to_owned(), drawn)
}

/// The message of a child whom a desk gave a number.
fn with_number(mut born: Value, lease: &str, number: &str) -> Value {
    born["of_lease"] = json!({"lease_id": lease, "personal_number": number});
    born
}

async fn unused(caller: &Caller, lease: &str) -> Vec<String> {
    let read = caller.get(&format!("/api/v1/number-leases/{lease}")).await;
    assert_eq!(read.status, 200, "{}", read.body);
    read.body["unused"].as_array().unwrap().iter().map(|n| n.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_number_of_a_lease_comes_back_with_the_message_of_a_birth_and_what_is_left_is_listed() {
    on_both(async |house| {
        unit(house, "o-1", "003", "national").await;
        let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        let (lease, numbers) = leased(house, &lan, "l-1", 3).await;
        assert_eq!(numbers.iter().collect::<BTreeSet<_>>().len(), 6);
        assert_eq!(unused(&lan, &lease).await, numbers);
        let born = with_number(child(house, "Nguyễn Thị Mầm", "Nữ", "1"), &lease, &numbers[0]);
        let said = lan.post("/api/v1/births", "b-1", born).await;
        assert_eq!((said.status, said.body["personal_number"].as_str()), (201, Some(&*numbers[0])), "{}", said.body);
        assert_eq!(unused(&lan, &lease).await, numbers[1..]);
        // The counter of the service gives none of them.
        for entry in 2..6 {
            let name = ["Lê Văn Bình", "Phạm Quốc Cường", "Đỗ Minh Khôi", "Vũ Hải Tùng"][entry - 2];
            let born = child(house, name, "Nam", &entry.to_string());
            let said = lan.post("/api/v1/births", &format!("b-{entry}"), born).await;
            let number = said.body["personal_number"].as_str().unwrap().to_owned();
            assert!(!numbers.contains(&number), "{}", said.body);
        }
        let (other, others) = leased(house, &lan, "l-2", 3).await;
        assert!(others.iter().all(|number| !numbers.contains(number)));
        let refused = [
            ("used", child(house, "Phạm Thị Hai", "Nữ", "11"), &lease, &numbers[0], 409, "number-given"),
            ("a boy's", child(house, "Phạm Thị Hai", "Nữ", "11"), &lease, &numbers[3], 422, "number-not-leased"),
            ("another lease's", child(house, "Phạm Thị Hai", "Nữ", "11"), &lease, &others[0], 422, "number-not-leased"),
            (
                "no lease's",
                child(house, "Phạm Thị Hai", "Nữ", "11"),
                &crate::house::NIL.to_owned(),
                &numbers[1],
                404,
                "number-lease-unknown",
            ),
        ];
        for (what, born, lease, number, status, code) in refused {
            let said = lan.post("/api/v1/births", &what.replace(' ', "-"), with_number(born, lease, number)).await;
            assert_eq!((said.status, said.code()), (status, code), "{what}: {}", said.body);
        }
        let stranger = house.officer("xa", &[Role::Registrar], "o-2").await;
        let born = with_number(child(house, "Phạm Thị Hai", "Nữ", "11"), &lease, &numbers[1]);
        assert_eq!(stranger.post("/api/v1/births", "s-1", born).await.code(), "other-office");
        assert_eq!(stranger.get(&format!("/api/v1/number-leases/{lease}")).await.code(), "other-office");
        let list = lan.get("/api/v1/number-leases").await;
        let told: Vec<_> =
            list.body["items"].as_array().unwrap().iter().map(|one| (&one["id"], &one["used"])).collect();
        assert_eq!(told, [(&json!(lease), &json!(1)), (&json!(other), &json!(0))], "{}", list.body);
    })
    .await;
}

#[tokio::test]
async fn what_a_lease_gave_before_it_was_over_still_comes_in_and_nothing_of_a_returned_one() {
    on_both(async |house| {
        unit(house, "o-1", "003", "national").await;
        let mut lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        let (lease, numbers) = leased(house, &lan, "l-1", 2).await;
        house.clock.advance(time::Duration::hours(25));
        let again = lan.signs_in("lan", PASSWORD).await;
        lan.token = again.body["token"].as_str().map(str::to_owned);
        let list = lan.get("/api/v1/number-leases").await;
        assert_eq!(list.body["items"][0]["state"], "expired", "{}", list.body);
        let mut born = with_number(child(house, "Nguyễn Thị Mầm", "Nữ", "1"), &lease, &numbers[0]);
        let late = lan.post("/api/v1/births", "b-1", born.clone()).await;
        assert_eq!((late.status, late.code()), (409, "acknowledgement-needed"), "{}", late.body);
        born["acknowledged"] = json!(true);
        born["because"] = json!("the boat came a day late; the certificate bears this number");
        assert_eq!(lan.post("/api/v1/births", "b-2", born).await.status, 201);

        let path = format!("/api/v1/number-leases/{lease}/return");
        assert_eq!(lan.post(&path, "r-1", json!({"because": "back in the office"})).await.status, 204);
        let twice = lan.post(&path, "r-2", json!({"because": "back in the office"})).await;
        assert_eq!((twice.status, twice.code()), (409, "number-lease-returned"), "{}", twice.body);
        let mut born = with_number(child(house, "Nguyễn Thị Mận", "Nữ", "2"), &lease, &numbers[1]);
        born["acknowledged"] = json!(true);
        born["because"] = json!("it is on a paper");
        let refused = lan.post("/api/v1/births", "b-3", born).await;
        assert_eq!((refused.status, refused.code()), (409, "number-lease-returned"), "{}", refused.body);
        assert_eq!(unused(&lan, &lease).await, numbers[1..], "listed for ever");
    })
    .await;
}

#[tokio::test]
async fn a_full_cell_refuses_and_shows_that_nothing_is_left() {
    on_both(async |house| {
        unit(house, "o-1", "003", "national").await;
        let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        leased(house, &lan, "l-1", 1).await;
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let nearly = sql!("update number_cell set next = $1 where id like '003-F-%'");
        tx.run(nearly, args![i64::from(CELL_SIZE) - 2]).await.unwrap();
        tx.commit().await.unwrap();
        let mut girls = wanted(house, 5);
        girls["sex"] = json!("F");
        let last = lan.post("/api/v1/number-leases", "l-2", girls.clone()).await;
        assert_eq!(last.body["numbers"].as_array().unwrap().len(), 2, "what is left: {}", last.body);
        let full = lan.post("/api/v1/number-leases", "l-3", girls).await;
        assert_eq!((full.status, full.code()), (409, "number-cell-exhausted"), "{}", full.body);
        let born = child(house, "Nguyễn Thị Mầm", "Nữ", "1");
        assert_eq!(lan.post("/api/v1/births", "b-1", born).await.code(), "number-cell-exhausted");
        assert_eq!(lan.post("/api/v1/births", "b-2", child(house, "Lê Văn Ba", "Nam", "2")).await.status, 201);
        let both = lan.post("/api/v1/number-leases", "l-4", wanted(house, 5)).await;
        assert_eq!(both.code(), "number-cell-exhausted");
        let cells = lan.get("/api/v1/number-cells").await;
        let told: Vec<_> = cells.body["items"].as_array().unwrap().iter().map(|c| (&c["sex"], &c["left"])).collect();
        assert_eq!(told[0], (&json!("F"), &json!(0)), "{}", cells.body);
        // One leased, and a block of 32 reserved for the boy: what is refused takes nothing of the other cell.
        assert_eq!(told[1], (&json!("M"), &json!(CELL_SIZE - 33)), "{}", cells.body);
        for (body, why) in [
            (json!({"numbers": 0}), "1 to 10000"),
            (json!({"numbers": 10_001}), "1 to 10000"),
            (json!({"days": 367}), "1 to 366"),
            (json!({"province": "999"}), "province"),
            (json!({"birth_year": 1899}), "1900"),
        ] {
            let mut asked = wanted(house, 5);
            asked.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            let said = lan.post("/api/v1/number-leases", &format!("u-{body}"), asked).await;
            assert_eq!((said.status, said.code()), (422, "number-lease-unfit"), "{}", said.body);
            assert!(said.body["detail"].as_str().unwrap().contains(why), "{}", said.body);
        }
    })
    .await;
}

#[tokio::test]
async fn an_office_leases_for_its_own_provinces_and_so_many_numbers_as_the_settings_allow() {
    let limited = |settings: &mut Settings| {
        settings.numbering = issuance::numbering::Settings { lease_numbers: 5, office_numbers: 8 };
    };
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let house = Box::pin(House::open_with(|settings| {
            limited(settings);
            settings.database = database;
        }))
        .await;
        unit(&house, "p-003", "003", "national").await;
        unit(&house, "o-1", "001", "p-003").await;
        let of = async |name: &str, office: &str| house.officer(name, &[Role::Registrar], office).await;
        let (lan, above, stranger) = (of("lan", "o-1").await, of("hoa", "p-003").await, of("xa", "o-9").await);
        let asks = async |by: &Caller, key: &str, province: &str, numbers: u32| {
            let mut asked = wanted(&house, numbers);
            asked["province"] = json!(province);
            by.post("/api/v1/number-leases", key, asked).await
        };
        for (by, key) in [(&lan, "e-1"), (&stranger, "e-2")] {
            let elsewhere = asks(by, key, "003", 1).await;
            assert_eq!((elsewhere.status, elsewhere.code()), (403, "number-lease-elsewhere"), "{}", elsewhere.body);
            assert!(elsewhere.body["detail"].as_str().unwrap().contains("POST /api/v1/units"), "{}", elsewhere.body);
        }
        assert_eq!(asks(&above, "a-1", "003", 1).await.status, 201);
        assert_eq!(asks(&above, "a-2", "001", 1).await.status, 201, "of a unit below");
        let at_once = asks(&lan, "m-1", "001", 6).await;
        assert_eq!((at_once.status, at_once.code()), (409, "number-lease-limit"), "{}", at_once.body);
        assert!(at_once.body["detail"].as_str().unwrap().contains("at most 5"), "{}", at_once.body);
        let first = asks(&lan, "m-2", "001", 5).await;
        assert_eq!(first.status, 201, "{}", first.body);
        // Given back, its numbers are gone all the same.
        let path = format!("/api/v1/number-leases/{}/return", first.body["lease_id"].as_str().unwrap());
        assert_eq!(lan.post(&path, "r-1", json!({"because": "too many"})).await.status, 204);
        let together = asks(&lan, "m-3", "001", 4).await;
        assert_eq!((together.status, together.code()), (409, "number-lease-limit"), "{}", together.body);
        assert!(together.body["detail"].as_str().unwrap().contains("has 5 numbers"), "{}", together.body);
        assert_eq!(asks(&lan, "m-4", "001", 3).await.status, 201);
        Box::pin(house.service.stop()).await;
    }
}

#[tokio::test]
async fn one_entry_of_the_register_of_births_is_one_child_s() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        assert_eq!(lan.post("/api/v1/births", "b-1", child(house, "Nguyễn Thị Mầm", "Nữ", "1")).await.status, 201);
        let mut other = child(house, "Lê Văn Ba", "Nam", "2");
        other["registration"] = json!("SỔ KHAI SINH  1/2026");
        let refused = lan.post("/api/v1/births", "b-2", other.clone()).await;
        assert_eq!((refused.status, refused.code()), (409, "birth-registration-used"), "{}", refused.body);
        assert_eq!(house.count(sql!("select count(*) as n from person"), args![]).await, 1, "nothing half done");
        let elsewhere = house.officer("xa", &[Role::Registrar], "o-2").await;
        assert_eq!(elsewhere.post("/api/v1/births", "b-3", other).await.status, 201, "another office's book");
    })
    .await;
}

#[tokio::test]
async fn another_province_of_birth_registration_leaves_the_number_and_says_so() {
    on_both(async |house| {
        let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
        let hoa = house.officer("hoa", &[Role::Registrar], "o-1").await;
        let born = lan.post("/api/v1/births", "b-1", child(house, "Nguyễn Thị Mầm", "Nữ", "1")).await;
        let (id, number) = (born.body["person_id"].as_str().unwrap(), born.body["personal_number"].clone());
        let change = json!({"kind": "corrected", "fields": {"birth_registration": {"province": "001"}},
            "evidence": {"form": "dc02", "source": "civil-status", "confidence": "proved"}});
        let proposed = lan.post(&format!("/api/v1/persons/{id}/changes"), "c-1", change).await;
        let found = |said: &Value| {
            said["findings"].as_array().unwrap().iter().any(|one| one["code"] == "number-keeps-province")
        };
        assert!(found(&proposed.body), "{}", proposed.body);
        assert_eq!(proposed.body["consequences"], json!([]));
        let change = proposed.body["change_id"].as_str().unwrap();
        let applied = hoa.post(&format!("/api/v1/register-changes/{change}/application"), "a-1", json!({})).await;
        assert_eq!(applied.status, 204, "{}", applied.body);
        let read = lan.get(&format!("/api/v1/persons/{id}?purpose=update")).await;
        assert_eq!(read.body["personal_number"], number);
        assert!(found(&read.body), "{}", read.body);
    })
    .await;
}

fn issuance(data: &Path, database: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_issuance"));
    command.arg(arguments[0]).arg("--data").arg(data).args(&arguments[1..]).stdin(Stdio::null());
    command.env_remove("ISSUANCE_DATABASE");
    if let Some(url) = database {
        command.env("ISSUANCE_DATABASE", url);
    }
    command
}

/// Lets a worker take leases, and kills it in the middle. Returns what it was heard to say, whole lines.
fn killed_worker(data: &Path, database: Option<&str>, lines: usize) -> Vec<String> {
    let year = "2026";
    let take = ["leases", "take", "--holder", "worker", "--province", "001", "--year", year, "--sex", "M"];
    let mut command = issuance(data, database, &[&take[..], &["--numbers", "50", "--leases", "1000"]].concat());
    let mut worker = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut heard = BufReader::new(worker.stdout.take().unwrap());
    let mut said = vec![];
    while said.len() < lines {
        let mut line = String::new();
        assert!(heard.read_line(&mut line).unwrap() > 0, "the worker ended by itself after {said:?}");
        said.push(line.trim_end().to_owned());
    }
    worker.kill().unwrap();
    // What lay in the pipe when it died.
    let mut rest = String::new();
    while heard.read_line(&mut rest).unwrap() > 0 {
        if rest.ends_with('\n') {
            said.push(rest.trim_end().to_owned());
        }
        rest.clear();
    }
    worker.wait().unwrap();
    said
}

async fn a_killed_worker_loses_what_is_listed(database: Option<String>) {
    let house = Box::pin(House::open(database.clone())).await;
    let data = house.folder.path().join("data");
    let (said, shown) = tokio::task::spawn_blocking(move || {
        let database = database.as_deref();
        let said: Vec<Vec<String>> =
            [3, 60, 120].into_iter().map(|lines| killed_worker(&data, database, lines)).collect();
        let list = issuance(&data, database, &["leases", "list", "--json"]).output().unwrap();
        let list: Value = serde_json::from_slice(&list.stdout).unwrap();
        let shown = |one: &Value| -> Value {
            let id = one["id"].as_str().unwrap();
            let output = issuance(&data, database, &["leases", "show", id, "--json"]).output().unwrap();
            serde_json::from_slice(&output.stdout).unwrap()
        };
        let shown: Vec<Value> = list.as_array().unwrap().iter().map(shown).collect();
        (said, shown)
    })
    .await
    .unwrap();
    let listed: Vec<&str> =
        shown.iter().flat_map(|one| one["unused"].as_array().unwrap()).map(|n| n.as_str().unwrap()).collect();
    let distinct: BTreeSet<&str> = listed.iter().copied().collect();
    assert_eq!(distinct.len(), listed.len(), "no number is in two leases");
    let mut drawn = 0;
    for line in said.iter().flatten() {
        match line.strip_prefix("lease ") {
            Some(id) => assert!(shown.iter().any(|one| one["lease"]["id"] == id), "{id} is durable before it is told"),
            None => {
                drawn += 1;
                assert!(distinct.contains(&**line), "a number that was drawn is listed");
            }
        }
    }
    assert!(drawn >= 170, "{drawn}");
    // A worker tells of a lease as soon as it is durable: at most the one in hand is untold.
    let told = said.iter().flatten().filter(|line| line.starts_with("lease ")).count();
    assert!(shown.len() <= told + said.len(), "{} leases, {told} told", shown.len());
    house.service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_loses_at_most_the_lease_in_hand_and_that_one_is_listed() {
    Box::pin(a_killed_worker_loses_what_is_listed(None)).await;
    if let Some(url) = fresh_database() {
        Box::pin(a_killed_worker_loses_what_is_listed(Some(url))).await;
    }
}
