//! Counts for the statistics office: exactly what its agreement names, never a person, and never a small number.

use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::exchange::{Joined, agreed, asks, grant, joined, partner, person, system_of};
use crate::house::{Caller, House, Said};
use crate::tables;

/// A grant of counts.
pub fn counts(by: &[&str]) -> Value {
    let mut counts = grant("statistics", &[]);
    counts["dimensions"] = json!(by);
    counts
}

/// A question for counts.
pub fn counting(request: &str, crossed: &[&str]) -> Value {
    json!({"request": request, "purpose": "tax-number", "case": "KH-1", "officer": "nguyen.van.thu",
        "unit": "Cục Thống kê Thử", "crossed": crossed})
}

/// Asks until the register is counted. Returns the first answer.
pub async fn counted(system: &Caller, question: impl Fn(u32) -> Value) -> Said {
    for n in 0..300 {
        let said = asks(system, "statistics", question(n)).await;
        if said.code() != "exchange-request-unfit" {
            return said;
        }
        assert!(said.body["detail"].as_str().unwrap().contains("no state"), "{said:?}");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the register was not counted");
}

/// Without errors and with a low threshold, so that what is told is known: no configuration may have that.
async fn on_both_without_noise(scenario: impl AsyncFn(&House)) {
    for database in [Some(None), tables::fresh_database().map(Some)].into_iter().flatten() {
        let open = House::open_with(|settings| {
            settings.database = database;
            (settings.exchange.small_cell, settings.exchange.noise) = (3, 0);
        });
        let house = Box::new(Box::pin(open).await);
        Box::pin(scenario(house.as_ref())).await;
        Box::pin(house.service.stop()).await;
    }
}

/// Five women, four men and two girls in one province, three women in another. Women and men are 32, girls 7.
async fn people(house: &House) {
    let year = issuance::ground::Clock::today(&house.clock).year();
    let away = json!({"province": "001", "district": "001", "commune": "00001"});
    let all = [
        ("Nguyễn Thị", &["An", "Bình", "Chi", "Dung", "Giang"][..], 32, json!({})),
        ("Trần Văn", &["Hải", "Khoa", "Long", "Minh"], 32, json!({"sex": "Nam"})),
        ("Lê Thị", &["Nga", "Oanh"], 7, json!({})),
        ("Phạm Thị", &["Quyên", "Sen", "Tâm"], 32, json!({"permanent_residence": away})),
    ];
    for (family, names, age, more) in all {
        for name in names {
            person(house, &format!("{family} {name}"), &format!("01/01/{}", year - age), more.clone()).await;
        }
    }
}

fn cells(said: &Said) -> &Value {
    assert_eq!(said.status, 200, "{said:?}");
    &said.body["cells"]
}

fn detail(said: &Said) -> &str {
    said.body["detail"].as_str().unwrap_or_else(|| panic!("{said:?}"))
}

#[tokio::test]
async fn what_is_counted_is_told_as_the_agreement_says_and_small_counts_are_not() {
    on_both_without_noise(async |house| {
        let joined = joined(house).await;
        people(house).await;
        let by = counts(&["province", "district", "sex", "age_group", "life"]);
        agreed(house, &joined, &joined.partner, "TK-1", json!([by])).await;
        let first = counted(&joined.system, |n| counting(&format!("w-{n}"), &[])).await;
        assert_eq!(cells(&first), &json!([{"persons": 14}]));
        assert_eq!((&first.body["outcome"], &first.body["least"]), (&json!("counted"), &json!(3)));
        assert_eq!(first.body["service"], "statistics");

        let asked = async |request: &str, crossed: &[&str], only: Value| {
            let mut question = counting(request, crossed);
            question["only"] = only;
            asks(&joined.system, "statistics", question).await
        };
        let said = asked("r-1", &["province"], json!({})).await;
        let provinces = json!([{"province": "001", "persons": 3}, {"province": "003", "persons": 11}]);
        assert_eq!(cells(&said), &provinces);
        let said = asked("r-2", &["district"], json!({})).await;
        assert_eq!(
            cells(&said),
            &json!([{"province": "001", "district": "001", "persons": 3},
                {"province": "003", "district": null, "persons": 11}])
        );
        let said = asked("r-3", &["sex", "province", "age_group"], json!({})).await;
        let cell = |province: &str, sex: &str, persons: u32| {
            json!({"province": province, "age_group": "30-34", "sex": sex, "persons": persons})
        };
        // The two girls are not told.
        assert_eq!(cells(&said), &json!([cell("001", "F", 3), cell("003", "F", 5), cell("003", "M", 4)]));
        let said = asked("r-4", &[], json!({"sex": ["M"], "province": ["003", "005"]})).await;
        assert_eq!(cells(&said), &json!([{"province": "003", "sex": "M", "persons": 4}]));
        assert_eq!(said.body["crossed"], json!(["province", "sex"]));
        let said = asked("r-5", &["life"], json!({})).await;
        assert_eq!(cells(&said), &json!([{"life": "living", "persons": 14}]), "none is dead");
        assert_eq!(cells(&asked("r-6", &[], json!({"life": ["dead"]})).await), &json!([]));

        // What is not agreed is refused by its name, crossed or not; what is too much has no answer.
        for (n, (crossed, only)) in
            [(&["ethnic_group"][..], json!({})), (&["sex"], json!({"ethnic_group": ["01"]}))].into_iter().enumerate()
        {
            let said = asked(&format!("n-{n}"), crossed, only).await;
            assert_eq!((said.status, said.code()), (403, "exchange-not-agreed"));
            assert!(detail(&said).contains("ethnic_group"), "{said:?}");
        }
        let many: Vec<String> = (0..101).map(|n| format!("{n:03}")).collect();
        for (n, only) in [json!({"province": []}), json!({"province": many})].into_iter().enumerate() {
            let said = asked(&format!("m-{n}"), &[], only).await;
            assert_eq!(said.code(), "exchange-request-unfit", "{said:?}");
        }
        let mut other_day = counting("d-1", &[]);
        other_day["day"] = json!("1999-01-01");
        assert!(detail(&asks(&joined.system, "statistics", other_day).await).contains("no state"));

        // The same bytes have the same answer, signature included; others under the identifier have none.
        let again = asked("r-1", &["province"], json!({})).await;
        assert_eq!(cells(&again), &provinces);
        let first_answer = asked("r-1", &["province"], json!({})).await;
        assert_eq!(again.body["answer"], first_answer.body["answer"]);
        let other = asked("r-1", &["sex"], json!({})).await;
        assert_eq!((other.status, other.code()), (409, "exchange-request-reused"));

        // The log names officer and question, and no person; no citizen is told of a look.
        let reasons = sql!(
            "select count(*) as n from audit_entry where action = 'exchange-answered' and person_id is null
             and reason like 'counted for nguyen.van.thu: province=003|005,sex=M;%'"
        );
        assert_eq!(house.count(reasons, args![]).await, 1);
        let about = sql!(
            "select count(*) as n from audit_entry
             where action in ('exchange-answered', 'exchange-refused') and person_id is not null"
        );
        assert_eq!(house.count(about, args![]).await, 0);
        // Exact counts are kept nowhere, and of what is small nothing.
        let small = sql!("select count(*) as n from statistics_cell where persons < 3");
        assert_eq!(house.count(small, args![]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn an_agreement_for_a_province_counts_there_and_one_with_a_higher_threshold_tells_less() {
    on_both_without_noise(async |house| {
        let joined = joined(house).await;
        people(house).await;
        let mut here = counts(&["province", "district", "sex"]);
        here["provinces"] = json!(["003"]);
        agreed(house, &joined, &joined.partner, "TK-1", json!([here])).await;
        let first = counted(&joined.system, |n| counting(&format!("w-{n}"), &["province", "sex"])).await;
        let women = json!({"province": "003", "sex": "F", "persons": 7});
        let men = json!({"province": "003", "sex": "M", "persons": 4});
        assert_eq!(cells(&first), &json!([women, men]));
        let said = asks(&joined.system, "statistics", counting("r-1", &["sex"])).await;
        assert_eq!((said.status, said.code()), (403, "exchange-not-agreed"), "the whole country");
        let mut away = counting("r-2", &["sex"]);
        away["only"] = json!({"province": ["001"]});
        assert_eq!(asks(&joined.system, "statistics", away).await.code(), "exchange-not-agreed");
        let districts = asks(&joined.system, "statistics", counting("r-3", &["district"])).await;
        assert_eq!(cells(&districts), &json!([{"province": "003", "district": null, "persons": 11}]));

        let other = partner(house, &joined.bao, "p-khac").await;
        let (system, _) = system_of(house, &joined.bao, &other, "may-chu-1").await;
        let mut careful = counts(&["province", "sex"]);
        careful["small_cell"] = json!(5);
        careful["per_day"] = json!(2);
        agreed(house, &joined, &other, "TK-2", json!([careful])).await;
        let said = asks(&system, "statistics", counting("r-1", &["province", "sex"])).await;
        assert_eq!((cells(&said), &said.body["least"]), (&json!([women]), &json!(5)));
        // A quota counts questions; what was answered is answered again when it is spent.
        let second = asks(&system, "statistics", counting("r-2", &["province"])).await;
        assert_eq!(cells(&second), &json!([{"province": "003", "persons": 11}]));
        let spent = asks(&system, "statistics", counting("r-3", &["province"])).await;
        assert_eq!((spent.status, spent.code()), (429, "exchange-quota-spent"));
        let again = asks(&system, "statistics", counting("r-2", &["province"])).await;
        assert_eq!(again.body, second.body);
        // A threshold below that of the settings is that of the settings.
        let low = partner(house, &joined.bao, "p-thap").await;
        let (system, _) = system_of(house, &joined.bao, &low, "may-chu-1").await;
        let mut careless = counts(&["sex"]);
        careless["small_cell"] = json!(1);
        agreed(house, &joined, &low, "TK-3", json!([careless])).await;
        assert_eq!(asks(&system, "statistics", counting("r-1", &["sex"])).await.body["least"], 3);
    })
    .await;
}

/// The day of the newest state that a system is told of.
async fn day_of(joined: &Joined, request: &str) -> String {
    let said = asks(&joined.system, "statistics", counting(request, &[])).await;
    said.body["day"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned()
}

#[tokio::test]
async fn a_state_is_of_its_quarter_and_who_comes_later_is_in_the_next_one() {
    on_both_without_noise(async |house| {
        let joined = joined(house).await;
        people(house).await;
        // Nothing is counted while no agreement wants it.
        let states = sql!("select count(*) as n from statistics_state");
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        assert_eq!(house.count(states, args![]).await, 0);
        agreed(house, &joined, &joined.partner, "TK-1", json!([counts(&["sex"])])).await;
        counted(&joined.system, |n| counting(&format!("w-{n}"), &[])).await;
        let before = day_of(&joined, "r-1").await;
        person(house, "Vũ Thị Uyên", "01/01/1980", json!({})).await;
        let said = asks(&joined.system, "statistics", counting("r-2", &[])).await;
        assert_eq!(cells(&said), &json!([{"persons": 14}]), "as of the state");
        house.clock.advance(Duration::days(92));
        let mut after = before.clone();
        for n in 0..300 {
            after = day_of(&joined, &format!("l-{n}")).await;
            if after != before {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert!(after > before, "{after}");
        let said = asks(&joined.system, "statistics", counting("r-3", &[])).await;
        assert_eq!(cells(&said), &json!([{"persons": 15}]));
        let mut then = counting("r-4", &[]);
        then["day"] = json!(before);
        assert_eq!(cells(&asks(&joined.system, "statistics", then).await), &json!([{"persons": 14}]));
    })
    .await;
}

/// A process that ended in the middle of its counting left cells behind.
#[tokio::test]
async fn a_state_that_a_process_left_is_counted_anew() {
    on_both_without_noise(async |house| {
        let joined = joined(house).await;
        people(house).await;
        let deeds = house.service.offices().deeds();
        let (now, day) = (house.clock.now(), issuance::ground::Clock::today(&house.clock));
        let month = u8::from(day.month());
        let quarter = day.replace_day(1).unwrap().replace_month(((month - 1) / 3 * 3 + 1).try_into().unwrap()).unwrap();
        let mut tx = deeds.db().begin_upkeep().await.unwrap();
        let (state, worker): (issuance::ground::ids::StatisticsStateId, issuance::ground::ids::StationId) =
            (deeds.source().id(), deeds.source().id());
        let begun = sql!(
            "insert into statistics_state (id, day, worker, touched_at, counted_from, small_cell, noise, least)
             values ($1, $2, $3, $4, $5, 3, 0, 3)"
        );
        tx.run(begun, args![state, quarter, worker, now - Duration::minutes(5), now]).await.unwrap();
        let cell = sql!(
            "insert into statistics_cell (state_id, crossed, life, province, district, first_value, second_value,
                 persons) values ($1, 'country', 'living', '', '', '', '', 7)"
        );
        tx.run(cell, args![state]).await.unwrap();
        tx.commit().await.unwrap();
        agreed(house, &joined, &joined.partner, "TK-1", json!([counts(&["sex"])])).await;
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        let said = asks(&joined.system, "statistics", counting("r-0", &[])).await;
        assert_eq!(said.code(), "exchange-request-unfit", "the other process may still count, and half is not told");
        house.clock.advance(Duration::minutes(6));
        let said = counted(&joined.system, |n| counting(&format!("w-{n}"), &[])).await;
        assert_eq!(cells(&said), &json!([{"persons": 14}]));
    })
    .await;
}
