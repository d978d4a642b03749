//! A message of birth gives the child its number at once, once.

use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};

use crate::house::{Caller, House, on_both};

fn message(name: &str, day: &str) -> Value {
    let place = json!({"province": "003"});
    json!({
        "full_name": name, "birth_date": day, "sex": "Nữ", "birth_registration": place, "place_of_origin": place,
        "ethnic_group": "01", "mother": {"full_name": "Trần Thị Thử"}, "registration": format!("Sổ khai sinh {name} {day}"),
    })
}

/// A grown woman with a number.
async fn woman(registrar: &Caller, name: &str) -> (String, String) {
    let place = json!({"province": "003"});
    let declaration = json!({"full_name": name, "birth_date": "05/01/1995", "sex": "Nữ", "ethnic_group": "01",
        "birth_registration": place, "place_of_origin": place});
    let declared = registrar.post("/api/v1/declarations", &format!("d-{}", name.len()), declaration).await;
    let id = declared.body["person_id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/persons/{id}/number");
    let number = registrar.post(&path, &format!("n-{}", name.len()), json!({})).await;
    (id, number.body["personal_number"].as_str().unwrap().into())
}

async fn registrars(house: &House) -> (Caller, Caller) {
    let one = house.officer("lan", &[Role::Registrar], "o-1").await;
    (one, house.officer("hoa", &[Role::Registrar], "o-1").await)
}

#[tokio::test]
async fn a_child_has_its_number_at_once_and_a_repeated_message_the_same_one() {
    on_both(async |house| {
        let (lan, hoa) = registrars(house).await;
        let (_, mother) = woman(&lan, "Trần Thị Thử").await;
        let mut born = message("Nguyễn Thị Mầm", "20/11/2026");
        born["mother"]["personal_number"] = json!(mother);
        let first = lan.post("/api/v1/births", "b-1", born.clone()).await;
        assert_eq!(first.status, 201, "{}", first.body);
        assert!(first.body["personal_number"].as_str().unwrap().starts_with("003326"), "{}", first.body);
        let again = lan.post("/api/v1/births", "b-1", born.clone()).await;
        assert_eq!((again.replayed, &again.body), (true, &first.body));
        // Another registrar, another key, a name without tones in capitals: the same child.
        born["full_name"] = json!("NGUYEN THI MAM");
        let twice = hoa.post("/api/v1/births", "b-2", born.clone()).await;
        assert_eq!((twice.status, twice.code()), (409, "birth-recorded"), "{}", twice.body);
        assert!(twice.body["detail"].as_str().unwrap().contains(first.body["person_id"].as_str().unwrap()));
        born["full_name"] = json!("Nguyễn Thị Mận");
        born["registration"] = json!("Sổ khai sinh 14/2026");
        let twin = hoa.post("/api/v1/births", "b-3", born).await;
        assert_eq!(twin.status, 201, "a twin has another name: {}", twin.body);
        let person = first.body["person_id"].as_str().unwrap();
        let history = lan.get(&format!("/api/v1/persons/{person}/history")).await;
        assert_eq!(history.body["events"][0]["evidence"]["form"], "birth-message", "{}", history.body);
    })
    .await;
}

#[tokio::test]
async fn a_child_under_another_spelling_of_its_name_is_the_same_child() {
    on_both(async |house| {
        let (lan, hoa) = registrars(house).await;
        let mut born = message("Nguyễn Thị Thu Hà", "20/11/2026");
        let first = lan.post("/api/v1/births", "b-1", born.clone()).await;
        assert_eq!(first.status, 201, "{}", first.body);
        born["mother"] = json!({"full_name": "Thử Trần Thị"});
        for (n, name) in ["Nguyễn Thị Hà Thu", "Thu Hà Nguyễn Thị", "THU HA NGUYEN THI"].iter().enumerate() {
            born["full_name"] = json!(name);
            born["registration"] = json!(format!("Sổ khai sinh {n}/2026"));
            let again = hoa.post("/api/v1/births", &format!("b-2-{n}"), born.clone()).await;
            assert_eq!((again.status, again.code()), (409, "birth-recorded"), "{name}: {}", again.body);
            assert!(again.body["detail"].as_str().unwrap().contains(first.body["person_id"].as_str().unwrap()));
        }
        // Twins may be called so.
        born["full_name"] = json!("Nguyễn Thị Hà Thu");
        born["acknowledged"] = json!(true);
        born["because"] = json!("twins, two certificates of the clinic");
        let twin = hoa.post("/api/v1/births", "b-3", born).await;
        assert_eq!(twin.status, 201, "{}", twin.body);
    })
    .await;
}

#[tokio::test]
async fn a_child_without_parents_has_one_number() {
    let house = Box::pin(House::open(None)).await;
    let (lan, _) = registrars(&house).await;
    let mut born = message("Nguyễn Thị Mầm", "20/11/2026");
    born.as_object_mut().unwrap().remove("mother");
    assert_eq!(lan.post("/api/v1/births", "b-1", born.clone()).await.status, 201);
    assert_eq!(lan.post("/api/v1/births", "b-2", born.clone()).await.code(), "birth-recorded");
    born["mother"] = json!({"full_name": "Trần Thị Thử"});
    born["registration"] = json!("Sổ khai sinh 13/2026");
    let doubt = lan.post("/api/v1/births", "b-3", born.clone()).await;
    assert_eq!(doubt.code(), "acknowledgement-needed", "{}", doubt.body);
    born["acknowledged"] = json!(true);
    born["because"] = json!("another mother, another ward");
    assert_eq!(lan.post("/api/v1/births", "b-4", born).await.status, 201);
    house.service.stop().await;
}

#[tokio::test]
async fn ten_messages_of_one_child_at_once_make_one_child() {
    on_both(async |house| {
        let (lan, _) = registrars(house).await;
        let asked: Vec<_> = (0..10)
            .map(|n| {
                let mut caller = house.anyone();
                caller.token.clone_from(&lan.token);
                let born = message("Nguyễn Thị Mầm", "20/11/2026");
                tokio::spawn(async move { caller.post("/api/v1/births", &format!("b-{n}"), born).await })
            })
            .collect();
        let mut statuses = vec![];
        for one in asked {
            statuses.push(one.await.unwrap().status);
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [&[201][..], &[409; 9]].concat());
    })
    .await;
}

#[tokio::test]
async fn a_parent_who_is_unknown_or_was_dead_and_a_day_that_cannot_be_are_refused() {
    on_both(async |house| {
        let (lan, hoa) = registrars(house).await;
        let (id, mother) = woman(&lan, "Trần Thị Thử").await;
        let mut born = message("Nguyễn Thị Mầm", "20/11/2026");
        born["mother"]["personal_number"] = json!("003195999999");
        let unknown = lan.post("/api/v1/births", "b-1", born.clone()).await;
        assert_eq!((unknown.status, unknown.code()), (422, "parent-unknown"), "{}", unknown.body);
        assert_eq!(unknown.body["errors"][0]["pointer"], "/mother/personal_number");
        let died = json!({"kind": "died", "fields": {"died": "19/11/2026"}, "evidence": {"form": "death-message",
            "source": "civil-status", "confidence": "proved"}});
        let change = lan.post(&format!("/api/v1/persons/{id}/changes"), "c-1", died).await;
        assert_eq!(change.status, 201, "{}", change.body);
        let change = change.body["change_id"].as_str().unwrap();
        let applied = hoa.post(&format!("/api/v1/register-changes/{change}/application"), "a-1", json!({})).await;
        assert_eq!(applied.status, 204, "{}", applied.body);
        born["mother"]["personal_number"] = json!(mother);
        let dead = lan.post("/api/v1/births", "b-2", born.clone()).await;
        assert_eq!((dead.status, dead.code()), (422, "parent-dead"), "{}", dead.body);
        born["birth_date"] = json!("19/11/2026");
        assert_eq!(lan.post("/api/v1/births", "b-3", born).await.status, 201, "on the day of her death");
        let mut other = message("Lê Thị Khác", "19/11/2026");
        other["mother"] = json!({"full_name": "Phạm Thị Lạ", "personal_number": mother});
        let differs = lan.post("/api/v1/births", "b-4", other).await;
        assert_eq!((differs.status, differs.code()), (422, "parent-unknown"), "another name: {}", differs.body);
        let told = sql!("select count(*) as n from audit_entry where action = 'person-found' and reason = $1");
        assert_eq!(house.count(told, args!["parent-dead"]).await, 1, "a refusal that tells of a person");
        assert_eq!(house.count(told, args!["parent-unknown"]).await, 1);
        for (day, code) in [
            ("2026", "declaration-incomplete"),
            ("20/11/1990", "declaration-incomplete"),
            ("30/02/2026", "date-impossible"),
            ("20/11/2099", "date-in-future"),
        ] {
            let said = lan.post("/api/v1/births", &day.replace('/', "-"), message("Lê Thị Mơ", day)).await;
            assert_eq!((said.status, said.code()), (422, code), "{}", said.body);
        }
    })
    .await;
}

/// Each date of a reported death that does not fit is pointed at, and the remedy speaks of the paper that it is on.
#[tokio::test]
async fn a_date_of_death_that_does_not_fit_is_pointed_at() {
    on_both(async |house| {
        let (lan, _) = registrars(house).await;
        let (id, _) = woman(&lan, "Trần Thị Thử").await;
        let path = format!("/api/v1/persons/{id}/changes");
        for (n, (valid_from, died, code, pointer)) in [
            (json!(null), json!("19/11/2999"), "date-in-future", "/fields/died"),
            (json!(null), json!("31/02/2026"), "date-impossible", "/fields/died"),
            (json!(null), json!("yesterday"), "date-unreadable", "/fields/died"),
            (json!(null), json!(20_261_119), "change-unfit", "/fields/died"),
            (json!("2999"), json!("19/11/2026"), "change-unfit", "/valid_from"),
            (json!("yesterday"), json!("19/11/2026"), "body-invalid", "/valid_from"),
        ]
        .into_iter()
        .enumerate()
        {
            let body = json!({"kind": "died", "valid_from": valid_from, "fields": {"died": died},
                "evidence": {"form": "death-message", "source": "civil-status", "confidence": "proved"}});
            let said = lan.post(&path, &format!("d-{n}"), body).await;
            assert_eq!((said.status, said.code(), &said.body["errors"][0]["pointer"]), (422, code, &json!(pointer)));
            let remedy = said.body["remedy"].as_str().unwrap();
            assert!(code != "date-in-future" || remedy.contains("extract of the death"), "{remedy}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_record_that_was_merged_is_no_child_that_is_recorded() {
    on_both(async |house| {
        let (lan, _) = registrars(house).await;
        let mut born = message("Nguyễn Thị Mầm", "20/11/2026");
        let first = lan.post("/api/v1/births", "b-1", born.clone()).await;
        let other = lan.post("/api/v1/births", "b-2", message("Lò Thị Vượng", "20/11/2026")).await;
        let id = |said: &crate::house::Said| -> issuance::ground::ids::PersonId {
            said.body["person_id"].as_str().unwrap().parse().unwrap()
        };
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let merge = sql!("insert into merged_person (person_id, survivor_id) values ($1, $2)");
        tx.run(merge, args![id(&first), id(&other)]).await.unwrap();
        tx.commit().await.unwrap();
        born["registration"] = json!("Sổ khai sinh 15/2026");
        let again = lan.post("/api/v1/births", "b-3", born).await;
        assert_eq!(again.status, 201, "{}", again.body);
    })
    .await;
}
