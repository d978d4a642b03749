//! Finding people: by number at every office, by name at one's own; what is told, and what is recorded.

use issuance::ground::Role;
use issuance::population::model::{Declaration, DeclaredPlace, DeclaredRelative};
use serde_json::{Value, json};

use crate::house::{Caller, House, on_both};
use crate::offices::declaration;

async fn declares(registrar: &Caller, name: &str, birth: &str, old: &str) -> String {
    let of = declaration();
    enters(registrar, Declaration { full_name: name.into(), birth_date: birth.into(), old_id_number: old.into(), ..of })
        .await
}

async fn enters(registrar: &Caller, declaration: Declaration) -> String {
    let key = format!("{}{}", declaration.full_name, declaration.birth_date);
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
        assert_eq!(either, [("Đặng Thị Hoa", "without-tones"), ("Đặng Thị Hòa", "exact")]);
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

#[tokio::test]
async fn the_words_of_a_name_are_found_in_any_order_and_with_one_letter_wrong() {
    on_both(async |house| {
        let lan = registrar(house, "lan", "o-1").await;
        declares(&lan, "Đặng Thị Hòa", "05/01/1990", "").await;
        declares(&lan, "Đặng Thị Minh Hòa", "05/01/1991", "").await;
        declares(&lan, "Đặng Thị Hiền", "05/01/1992", "").await;
        let finds_by = async |name: &str| finds(&lan, json!({"full_name": name})).await;
        let found = finds_by("hoa thi dang").await;
        assert_eq!(names(&found), [("Đặng Thị Hòa", "word-order")]);
        let found = finds_by("hoa dang").await;
        assert_eq!(
            names(&found),
            [("Đặng Thị Hòa", "some-words"), ("Đặng Thị Minh Hòa", "some-words")],
            "all that was asked, among other words"
        );
        for wrong in ["dang thi hieen", "dnag thi hien", "dang thi hie", "dangthi hien", "dang th i hien"] {
            assert_eq!(names(&finds_by(wrong).await), [("Đặng Thị Hiền", "one-letter")], "{wrong}");
        }
        assert_eq!(names(&finds_by("dnag thi hein").await), [], "two letters");
        assert_eq!(names(&finds_by("dang % hien").await), []);
        assert_eq!(names(&finds_by("dang thi hoa").await), [("Đặng Thị Hòa", "without-tones")], "no need to go on");
        let found = finds(&lan, json!({"full_name": "dang thi hoa", "alike": true})).await;
        assert_eq!(names(&found), [("Đặng Thị Hòa", "without-tones"), ("Đặng Thị Minh Hòa", "some-words")]);
        let found = finds(&lan, json!({"full_name": "dang thi hoa", "birth_date": "1991"})).await;
        assert_eq!(names(&found), [("Đặng Thị Minh Hòa", "some-words")], "no one of the name was born then");
        // A word that came later is known at once.
        declares(&lan, "Đặng Thị Khuê", "05/01/1993", "").await;
        assert_eq!(names(&finds_by("dang thi khuye").await), [("Đặng Thị Khuê", "one-letter")]);
        let hoa = registrar(house, "hoa", "o-2").await;
        assert_eq!(names(&finds(&hoa, json!({"full_name": "hoa thi dang"})).await), [], "people of one's own office");
    })
    .await;
}

#[tokio::test]
async fn a_child_is_found_by_parents_and_by_place_and_a_date_that_is_known_in_part_comes_later() {
    on_both(async |house| {
        let (lan, hoa) = (registrar(house, "lan", "o-1").await, registrar(house, "hoa", "o-2").await);
        let parent = |name: &str| Some(DeclaredRelative { full_name: name.into(), ..Default::default() });
        let home = |commune: &str| {
            let (province, district) = ("001".to_owned(), "001".to_owned());
            Some(DeclaredPlace { province, district, commune: commune.into(), ..Default::default() })
        };
        let child = |name: &str, birth: &str, mother: &str, commune: &str| Declaration {
            full_name: name.into(),
            birth_date: birth.into(),
            father: parent("Lê Văn Thử"),
            mother: parent(mother),
            permanent_residence: home(commune),
            ..declaration()
        };
        enters(&lan, child("Lê Thị Một", "05/01/1990", "Trần Thị Nữ", "00001")).await;
        enters(&lan, child("Lê Thị Hai", "1990", "Trần Thị Nụ", "00001")).await;
        enters(&lan, child("Lê Thị Ba", "07/01/1990", "Trần Thị Khác", "00004")).await;
        let found = finds(&lan, json!({"mother": "tran thi nu", "birth_date": "1990"})).await;
        let items = found["items"].as_array().unwrap();
        assert_eq!(names(&found).len(), 2, "{found}");
        assert!(items.iter().all(|item| item["found_by"] == "parents" && item["birth_fit"] == "year"), "{found}");
        let found = finds(&lan, json!({"mother": "Trần Thị Nữ", "father": "Lê Văn Thử", "birth_date": "1990"})).await;
        assert_eq!(names(&found), [("Lê Thị Một", "exact"), ("Lê Thị Hai", "without-tones")]);
        let found = finds(&lan, json!({"father": "le van thu", "birth_date": "05/01/1990"})).await;
        assert_eq!(names(&found), [("Lê Thị Một", "without-tones"), ("Lê Thị Hai", "without-tones")]);
        let fits: Vec<_> = found["items"].as_array().unwrap().iter().map(|item| &item["birth_fit"]).collect();
        assert_eq!(fits, [&json!("day"), &json!("year-only")]);
        let in_commune = json!({"residence": {"commune": "00004"}, "birth_date": "07/01/1990"});
        let found = finds(&lan, in_commune.clone()).await;
        assert_eq!(
            (names(&found), &found["items"][0]["found_by"]),
            (vec![("Lê Thị Ba", "exact")], &json!("residence"))
        );
        assert_eq!(names(&finds(&hoa, in_commune).await), [], "people of one's own office");
        let place =
            json!({"full_name": "le thi", "beginning": true, "residence": {"district": "001", "commune": "00001"}});
        assert_eq!(names(&finds(&lan, place).await).len(), 2);
        for unfit in [
            json!({"mother": "tran thi nu"}),
            json!({"residence": {"commune": "00001"}, "birth_date": "1990"}),
            json!({"residence": {"commune": "1"}, "full_name": "le thi"}),
            json!({"birth_date": "05/01/1990"}),
            json!({"alike": true, "mother": "tran thi nu", "birth_date": "1990"}),
        ] {
            let said = lan.post("/api/v1/persons/search", "unused", unfit.clone()).await;
            assert_eq!((said.status, said.code()), (422, "search-unfit"), "{unfit}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_number_that_was_replaced_and_a_name_of_before_lead_where_they_should() {
    on_both(async |house| {
        let (lan, mai) = (registrar(house, "lan", "o-1").await, registrar(house, "mai", "o-1").await);
        let person = declares(&lan, "Lê Thị Mẫu", "05/01/1990", "").await;
        let number = lan.post(&format!("/api/v1/persons/{person}/number"), "n", json!({})).await;
        let old = number.body["personal_number"].as_str().unwrap().to_owned();
        let evidence = json!({"form": "dc02", "source": "court", "document": "QĐ 1/2026", "confidence": "proved"});
        let fields = json!({"birth_date": "05/01/1991", "full_name": "Lê Thị Mực"});
        let change = json!({"kind": "redetermined", "fields": fields, "evidence": evidence});
        let change = lan.post(&format!("/api/v1/persons/{person}/changes"), "c", change).await;
        let change = change.body["change_id"].as_str().unwrap().to_owned();
        let done = mai.post(&format!("/api/v1/register-changes/{change}/application"), "a", json!({})).await;
        assert_eq!(done.status, 204, "{}", done.body);
        let found = finds(&lan, json!({"personal_number": old})).await;
        let item = &found["items"][0];
        assert_eq!((&item["found_by"], item["person_id"].as_str()), (&json!("replaced"), Some(&*person)));
        let new = item["personal_number"].as_str().unwrap().to_owned();
        assert_ne!(new, old);
        let found = finds(&lan, json!({"personal_number": new})).await;
        assert_eq!(found["items"][0]["found_by"], "personal-number");
        assert_eq!(names(&finds(&lan, json!({"full_name": "Lê Thị Mực"})).await), [("Lê Thị Mực", "exact")]);
        assert_eq!(names(&finds(&lan, json!({"full_name": "le thi mau"})).await), [], "no one has the old name");
    })
    .await;
}

#[tokio::test]
async fn of_a_name_that_very_many_bear_no_one_is_read_without_a_second_field() {
    on_both(async |house| {
        let national = registrar(house, "lan", "national").await;
        declares(&national, "Nguyễn Thị Anh", "05/01/1990", "").await;
        let by_name = json!({"full_name": "nguyen thi anh"});
        assert_eq!(names(&finds(&national, by_name.clone()).await).len(), 1);
        let db = house.service.offices().deeds().db();
        let mut tx = db.begin_upkeep().await.unwrap();
        let many = issuance::sql!("update full_name set n = 171213 where fold = 'nguyen thi anh'");
        assert_eq!(tx.run(many, vec![]).await.unwrap(), 1, "the dictionary has the name");
        tx.commit().await.unwrap();
        let said = national.post("/api/v1/persons/search", "unused", by_name).await;
        assert_eq!((said.status, said.code()), (422, "search-too-broad"));
        let found = finds(&national, json!({"full_name": "nguyen thi anh", "birth_date": "1990"})).await;
        assert_eq!(names(&found), [("Nguyễn Thị Anh", "without-tones")]);
    })
    .await;
}
