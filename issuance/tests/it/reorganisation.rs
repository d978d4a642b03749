//! An invented reorganisation: two communes of Ba Đình become one from a day on. What was declared before stays as it
//! was declared, and is shown with what took its place.

use issuance::ground::Role;
use issuance::population::model::{Declaration, DeclaredPlace};
use serde_json::{Value, json};
use time::Duration;

use crate::house::{Caller, House, PASSWORD, now};
use crate::offices::declaration;

const HEADER: &str = "table,code,valid_from,within,name_vi,name_en,successor";

/// A table as it is answered, and its tag.
async fn table(by: &Caller, path: &str) -> (Value, String) {
    let request = by.client.get(format!("{}/api/v1/reference/{path}", by.address));
    let response = request.bearer_auth(by.token.as_ref().unwrap()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    (response.json().await.unwrap(), tag)
}

fn entry<'a>(table: &'a Value, code: &str) -> Option<&'a Value> {
    table["items"].as_array().unwrap().iter().find(|entry| entry["code"] == code)
}

async fn declares(by: &Caller, name: &str, commune: &str) -> Value {
    let (province, district) = ("001".to_owned(), "001".to_owned());
    let home = DeclaredPlace { province, district, commune: commune.into(), ..Default::default() };
    let declared = Declaration { full_name: name.into(), permanent_residence: Some(home), ..declaration() };
    let said = by.post("/api/v1/declarations", &hex::encode(name), json!(declared)).await;
    assert_eq!(said.status, 201, "{}", said.body);
    said.body
}

fn found(declared: &Value) -> Vec<&str> {
    declared["findings"].as_array().unwrap().iter().map(|finding| finding["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_address_keeps_the_commune_that_ended_and_names_the_one_in_its_place() {
    let tables = tempfile::tempdir().unwrap();
    let day = now().date() + Duration::days(3);
    let rows = format!(
        "{HEADER}\ncommunes,00001,{day},,,,99001\ncommunes,00004,{day},,,,99001\ncommunes,99001,{day},001,Phường Mẫu,Mau,\n"
    );
    std::fs::write(tables.path().join("2026-invented.csv"), rows).unwrap();
    let house = House::open_with(|settings| settings.population.reorganisations = Some(tables.path().into()));
    let house = Box::pin(house).await;
    let mut lan = house.officer("lan", &[Role::Registrar], "o-1").await;
    let declared = declares(&lan, "Lê Thị Mẫu", "00001").await;
    assert!(!found(&declared).contains(&"commune-ended"), "{declared}");
    let unborn = declares(&lan, "Lê Thị Sớm", "99001").await;
    assert!(found(&unborn).contains(&"commune-unknown"), "it begins later");
    let person = declared["person_id"].as_str().unwrap();
    let seen = lan.get(&format!("/api/v1/persons/{person}")).await.body;
    assert_eq!(seen["ended_units"], json!([]));
    let (before, tag) = table(&lan, "communes").await;
    let old = entry(&before, "00001").unwrap();
    assert_eq!((&old["valid_from"], &old["valid_until"]), (&Value::Null, &json!(day.to_string())), "known ahead");
    assert_eq!((&old["successor"], entry(&before, "99001")), (&json!("99001"), None));
    let (ahead, tag_ahead) = table(&lan, &format!("communes?on={day}")).await;
    assert_ne!(tag, tag_ahead);

    house.clock.advance(Duration::days(4));
    lan.token = lan.signs_in("lan", PASSWORD).await.body["token"].as_str().map(str::to_owned);
    let (after, tag_after) = table(&lan, "communes").await;
    assert_eq!((tag_after, &after), (tag_ahead, &ahead), "the same as was asked for ahead");
    assert_eq!(entry(&after, "00001"), None);
    let new = entry(&after, "99001").unwrap();
    assert_eq!((&new["within"], &new["valid_from"]), (&json!("001"), &json!(day.to_string())));
    let (past, tag_past) = table(&lan, &format!("communes?on={}", day.previous_day().unwrap())).await;
    assert_eq!((past, tag_past), (before, tag));
    let seen = lan.get(&format!("/api/v1/persons/{person}")).await.body;
    assert_eq!(seen["person"]["permanent_residence"]["commune"], "00001", "as it was declared");
    let ended = json!([{"field": "permanent_residence.commune", "code": "00001", "name_vi": "Phúc Xá",
        "ended": day.to_string(), "successor": "99001", "successor_name_vi": "Phường Mẫu"}]);
    assert_eq!(seen["ended_units"], ended);
    let late = declares(&lan, "Lê Thị Muộn", "00004").await;
    assert!(found(&late).contains(&"commune-ended"), "{late}");
    let right = declares(&lan, "Lê Thị Đúng", "99001").await;
    let codes = found(&right);
    assert!(!codes.iter().any(|code| code.starts_with("commune")), "{right}");
    // Sought by the unit of today, or by one that went into it, all who live there are found.
    let search = async |place: Value, name: &str| {
        let sought = json!({"full_name": name, "birth_date": "2000", "residence": place});
        let said = lan.post("/api/v1/persons/search?purpose=update", "unused", sought).await;
        assert_eq!(said.status, 200, "{}", said.body);
        said.body["items"].as_array().unwrap().len()
    };
    for commune in ["99001", "00001", "00004"] {
        for name in ["Lê Thị Mẫu", "Lê Thị Muộn", "Lê Thị Đúng"] {
            assert_eq!(search(json!({"commune": commune}), name).await, 1, "{commune} {name}");
        }
    }
    assert_eq!(search(json!({"commune": "00006"}), "Lê Thị Mẫu").await, 0);
    let sought = json!({"birth_date": "05/01/2000", "residence": {"commune": "99001"}});
    let said = lan.post("/api/v1/persons/search?purpose=update", "unused", sought).await;
    assert_eq!(said.body["items"].as_array().unwrap().len(), 4, "{}", said.body);
    for unfit in ["communes?on=2026", "communes?on=tomorrow"] {
        assert_eq!(lan.get(&format!("/api/v1/reference/{unfit}")).await.code(), "query-malformed", "{unfit}");
    }
    house.service.stop().await;
}

#[tokio::test]
async fn a_folder_that_does_not_hang_together_keeps_the_service_from_starting_and_names_the_line() {
    let tables = tempfile::tempdir().unwrap();
    std::fs::write(tables.path().join("wrong.csv"), format!("{HEADER}\ncommunes,00001,2027-01-01,,,,99001\n")).unwrap();
    let settings = issuance::population::Settings {
        reorganisations: Some(tables.path().into()),
        ..issuance::population::Settings::default()
    };
    let refused = issuance::population::Register::open(&settings).unwrap_err().to_string();
    assert!(refused.contains("wrong.csv:2: the successor"), "{refused}");
}
