//! Finding people: by number at every office, by name at one's own; what is told, and what is recorded.

use issuance::ground::Role;
use issuance::population::model::Declaration;
use serde_json::{Value, json};

use crate::house::{Caller, House, on_both};
use crate::offices::declaration;

async fn declares(registrar: &Caller, name: &str, birth: &str, old: &str) -> String {
    let declaration =
        Declaration { full_name: name.into(), birth_date: birth.into(), old_id_number: old.into(), ..declaration() };
    let key = format!("{name}{birth}");
    let key = hex::encode(key);
    let said = registrar.post("/api/v1/declarations", &key[key.len().saturating_sub(100)..], json!(declaration)).await;
    assert_eq!(said.status, 201, "{}", said.body);
    said.body["person_id"].as_str().unwrap().into()
}

async fn finds(by: &Caller, sought: Value) -> Value {
    let said = by.post("/api/v1/persons/search", "unused", sought).await;
    assert_eq!(said.status, 200, "{}", said.body);
    said.body
}

fn names(found: &Value) -> Vec<(&str, &str)> {
    let items = found["items"].as_array().unwrap();
    items.iter().map(|item| (item["full_name"].as_str().unwrap_or("-"), item["fit"].as_str().unwrap())).collect()
}

async fn registrar(house: &House, name: &str, office: &str) -> Caller {
    house.officer(name, &[Role::Registrar], office).await
}

#[tokio::test]
async fn a_name_is_found_with_and_without_its_tones_and_the_best_fit_comes_first() {
    on_both(async |house| {
        let lan = registrar(house, "lan", "o-1").await;
        declares(&lan, "Đặng Thị Hòa", "05/01/1990", "").await;
        declares(&lan, "Đặng Thị Hoa", "1990", "").await;
        declares(&lan, "Đặng Thị Hoàn", "05/01/1991", "").await;
        let found = finds(&lan, json!({"full_name": "Đặng Thị Hoà"})).await;
        assert_eq!(names(&found), [("Đặng Thị Hòa", "exact"), ("Đặng Thị Hoa", "without-tones")]);
        // As a scanner writes it: the eth of Icelandic, no tones, two spaces.
        let found = finds(&lan, json!({"full_name": "\u{d0}ANG  THI HOA", "birth_date": "1990"})).await;
        assert_eq!(found["items"].as_array().unwrap().len(), 2);
        let found = finds(&lan, json!({"full_name": "Đặng Thị Hòa", "birth_date": "05/01/1990"})).await;
        assert_eq!(names(&found), [("Đặng Thị Hòa", "exact"), ("Đặng Thị Hoa", "without-tones")], "she may be the one");
        // Of a month: its days, what is known as that month or year, and no other month.
        declares(&lan, "Đặng Thị Hòa", "01/1990", "").await;
        declares(&lan, "Đặng Thị Hòa", "02/1990", "").await;
        let found = finds(&lan, json!({"full_name": "Đặng Thị Hòa", "birth_date": "1990-01"})).await;
        let fits = [("Đặng Thị Hòa", "exact"), ("Đặng Thị Hòa", "exact"), ("Đặng Thị Hoa", "without-tones")];
        assert_eq!(names(&found), fits);
        let found = finds(&lan, json!({"full_name": "Đặng Thị Hòa", "birth_date": "06/02/1990"})).await;
        let mut either = names(&found);
        either.sort_unstable();
        assert_eq!(either, [("Đặng Thị Hoa", "without-tones"), ("Đặng Thị Hòa", "without-tones")]);
        let found = finds(&lan, json!({"full_name": "dang thi h", "beginning": true, "birth_date": "1991"})).await;
        assert_eq!(names(&found), [("Đặng Thị Hoàn", "beginning")]);
    })
    .await;
}

#[tokio::test]
async fn another_office_finds_the_number_and_nothing_of_the_person_and_each_finding_is_recorded() {
    on_both(async |house| {
        let (lan, hoa) = (registrar(house, "lan", "o-1").await, registrar(house, "hoa", "o-2").await);
        let person = declares(&lan, "Lê Thị Mẫu", "05/01/1990", "012345678").await;
        let number = lan.post(&format!("/api/v1/persons/{person}/number"), "n", json!({})).await;
        let number = number.body["personal_number"].as_str().unwrap().to_owned();
        for sought in [json!({"personal_number": number}), json!({"old_id_number": "012345678"})] {
            let own = finds(&lan, sought.clone()).await;
            assert_eq!(own["items"][0]["full_name"], "Lê Thị Mẫu");
            let other = finds(&hoa, sought).await;
            let item = &other["items"][0];
            assert_eq!((item["person_id"].as_str().unwrap(), &item["full_name"]), (person.as_str(), &Value::Null));
            assert_eq!((&item["personal_number"], &item["birth_date"]), (&Value::Null, &Value::Null));
        }
        let by_name = finds(&hoa, json!({"full_name": "Lê Thị Mẫu"})).await;
        assert_eq!(names(&by_name), [], "a name is sought at one's own office");
        let auditor = house.officer("minh", &[Role::Auditor], "o-1").await;
        let trail = auditor.get(&format!("/api/v1/audit?person={person}&limit=200")).await;
        let entries = trail.body["items"].as_array().unwrap();
        let count = entries.iter().filter(|entry| entry["action"] == "person-found").count();
        assert_eq!(count, 4, "{}", trail.body);
    })
    .await;
}

#[tokio::test]
async fn a_question_that_is_none_or_that_half_the_nation_answers_is_refused() {
    let house = Box::pin(House::open(None)).await;
    let lan = registrar(&house, "lan", "o-1").await;
    for unfit in [
        json!({}),
        json!({"full_name": "a"}),
        json!({"full_name": "'-"}),
        json!({"personal_number": "12"}),
        json!({"personal_number": "003300000017", "full_name": "Lê"}),
        json!({"old_id_number": "012345678", "beginning": true}),
        json!({"full_name": "Lê Thị", "birth_date": "yesterday"}),
    ] {
        let said = lan.post("/api/v1/persons/search", "unused", unfit.clone()).await;
        assert_eq!((said.status, said.code()), (422, "search-unfit"), "{unfit}");
    }
    let of_case = format!("/api/v1/persons/search?case={}", crate::house::NIL);
    let said = lan.post(&of_case, "unused", json!({"full_name": "Lê Thị Mẫu"})).await;
    assert_eq!(said.code(), "query-malformed", "a case tells whom it is about");
    for day in 1..=28 {
        for month in 1..=2 {
            declares(&lan, "Nguyễn Thị Anh", &format!("{day:02}/{month:02}/1990"), "").await;
        }
    }
    let said = lan.post("/api/v1/persons/search", "unused", json!({"full_name": "nguyen thi anh"})).await;
    assert_eq!((said.status, said.code()), (422, "search-too-broad"));
    let found = finds(&lan, json!({"full_name": "nguyen thi anh", "birth_date": "1990"})).await;
    assert_eq!((found["items"].as_array().unwrap().len(), &found["more"]), (50, &json!(true)));
    let found = finds(&lan, json!({"full_name": "nguyen thi anh", "birth_date": "03/02/1990"})).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
    house.service.stop().await;
}
