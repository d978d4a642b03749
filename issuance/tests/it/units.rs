//! Units and calendar of working days, asked over HTTP.

use issuance::ground::Role;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::house::{Caller, House, PASSWORD, Said, on_both};

fn province(code: &str) -> Value {
    json!({"code": code, "kind": "province", "province": "001", "name": "Tỉnh Mẫu", "parent": "national"})
}

fn district(code: &str, parent: &str) -> Value {
    json!({"code": code, "kind": "district", "province": "001", "name": "Quận  Mẫu", "parent": parent})
}

fn good(said: &Said) -> &Value {
    assert!([200, 201].contains(&said.status), "{said:?}");
    &said.body
}

fn refused(said: &Said, status: u16, code: &str) {
    assert_eq!((said.status, said.code()), (status, code), "{said:?}");
}

/// Rows of the trail with this action and object, whose purpose is administration and whose actor is an officer.
async fn told(house: &House, action: &str, object: &str, reason: Option<&str>) -> i64 {
    let sql = sql!(
        "select count(*) as n from audit_entry where action = $1 and object = $2
           and coalesce(reason, '') = $3 and purpose = 'administration' and actor like 'officer/%'"
    );
    house.count(sql, args![action, object, reason.unwrap_or_default()]).await
}

/// A new officer's id.
async fn hires(house: &House, name: &str, roles: &[Role], office: &str) -> String {
    house.appointed(name, roles, office).await.1
}

async fn signed_in(house: &House, name: &str) -> Caller {
    let mut officer = house.anyone();
    officer.token = Some(officer.signs_in(name, PASSWORD).await.body["token"].as_str().unwrap().into());
    officer
}

fn codes(said: &Said) -> Vec<&str> {
    good(said)["items"].as_array().unwrap().iter().map(|unit| unit["code"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn the_national_office_is_there_and_others_are_made_below_it() {
    on_both(async |house| {
        let clerk = house.officer("clerk", &[Role::Capture], "o-1").await;
        assert_eq!(codes(&clerk.get("/api/v1/units").await), ["national"]);
        good(&house.admin.post("/api/v1/units", "k-1", province("p-001")).await);
        let made = house.admin.post("/api/v1/units", "k-2", district("d-001", "p-001")).await;
        assert_eq!(good(&made)["name"], "Quận Mẫu", "tidy");
        assert_eq!(good(&made)["valid_from"], house.clock.today().to_string());
        let centre = json!({"code": "c-1", "kind": "centre", "name": "Trung tâm Mẫu", "parent": "national"});
        good(&house.admin.post("/api/v1/units", "k-3", centre).await);
        assert_eq!(told(house, "unit-changed", "unit/d-001", None).await, 1);

        let first = clerk.get("/api/v1/units?limit=2").await;
        assert_eq!(codes(&first), ["c-1", "d-001"]);
        let next = first.body["next"].as_str().unwrap();
        let second = clerk.get(&format!("/api/v1/units?limit=3&after={next}")).await;
        assert_eq!((codes(&second), &second.body["next"]), (vec!["national", "p-001"], &json!(null)));
        for query in ["limit=0", "limit=201", "limit=x", "after=Ở", "all=1"] {
            refused(&clerk.get(&format!("/api/v1/units?{query}")).await, 400, "query-malformed");
        }
    })
    .await;
}

#[tokio::test]
async fn a_unit_that_cannot_be_is_refused_and_leaves_nothing() {
    on_both(async |house| {
        let admin = &house.admin;
        good(&admin.post("/api/v1/units", "k-1", province("p-001")).await);
        refused(&admin.post("/api/v1/units", "k-2", province("p-001")).await, 409, "already-there");
        refused(&admin.post("/api/v1/units", "k-2", district("d-1", "p-999")).await, 422, "unit-parent-unknown");
        refused(&admin.post("/api/v1/units", "k-2", district("d-1", "d-1")).await, 409, "unit-cycle");
        let with = |key: &str, value: Value| {
            let mut body = district("d-1", "p-001");
            body[key] = value;
            body
        };
        for (key, value) in [("kind", json!("national")), ("province", Value::Null), ("name", json!(" \t"))] {
            refused(&admin.post("/api/v1/units", "k-2", with(key, value)).await, 422, "unit-unfit");
        }
        let long = with("name", json!("x".repeat(201)));
        refused(&admin.post("/api/v1/units", "k-2", long).await, 422, "text-too-long");
        for (key, value) in [("kind", json!("ward")), ("code", json!("Ở")), ("province", json!("1"))] {
            refused(&admin.post("/api/v1/units", "k-2", with(key, value)).await, 422, "body-invalid");
        }
        assert_eq!(codes(&admin.get("/api/v1/units").await), ["national", "p-001"]);
        assert_eq!(told(house, "unit-changed", "unit/d-1", None).await, 0);
        good(&admin.post("/api/v1/units", "k-2", with("name", json!("x".repeat(200)))).await);
    })
    .await;
}

#[tokio::test]
async fn a_unit_is_renamed_and_moved_and_its_history_stays() {
    on_both(async |house| {
        let admin = &house.admin;
        hires(house, "chief", &[Role::Admin], "national").await;
        let first_day = house.clock.today();
        good(&admin.post("/api/v1/units", "k-1", province("p-001")).await);
        good(&admin.post("/api/v1/units", "k-2", province("p-002")).await);
        good(&admin.post("/api/v1/units", "k-3", district("d-001", "p-001")).await);
        house.clock.advance(Duration::days(1));
        let admin = &signed_in(house, "chief").await;
        let path = "/api/v1/units/d-001/change";
        let renamed = json!({"name": "Quận Mới", "reason": "Nghị quyết 1"});
        good(&admin.post(path, "k-4", renamed.clone()).await);
        let moved = admin.post(path, "k-5", json!({"parent": "p-002", "reason": "Nghị quyết 2"})).await;
        assert_eq!((&good(&moved)["name"], &moved.body["parent"]), (&json!("Quận Mới"), &json!("p-002")));
        assert_eq!(told(house, "unit-changed", "unit/d-001", Some("Nghị quyết 2")).await, 1);

        let again = admin.post(path, "k-4", renamed.clone()).await;
        assert!(again.replayed && good(&again)["parent"] == "p-001", "{again:?}");
        refused(&admin.post(path, "k-4", json!({"name": "x", "reason": "x"})).await, 422, "idempotency-key-reused");
        refused(&admin.post(path, "k-6", renamed).await, 422, "unit-unfit");

        let read = admin.get("/api/v1/units/d-001").await;
        assert_eq!(good(&read)["unit"]["parent"], "p-002");
        let versions: Vec<_> = read.body["versions"].as_array().unwrap().iter().collect();
        let told: Vec<_> = versions.iter().map(|version| (&version["name"], &version["parent"])).collect();
        let (old, new, one, two) = (&json!("Quận Mẫu"), &json!("Quận Mới"), &json!("p-001"), &json!("p-002"));
        assert_eq!(told, [(old, one), (new, one), (new, two)]);
        let days: Vec<_> = versions.iter().map(|version| version["valid_from"].as_str().unwrap()).collect();
        let (first, next) = (first_day.to_string(), house.clock.today().to_string());
        assert_eq!(days, [&*first, &next, &next]);
        assert!(versions.iter().all(|version| version["recorded_by"].is_string()));
        assert_eq!(codes(&admin.get("/api/v1/units").await), ["d-001", "national", "p-001", "p-002"], "one row a unit");
        refused(&admin.get("/api/v1/units/nowhere").await, 404, "unit-unknown");
    })
    .await;
}

#[tokio::test]
async fn no_unit_stands_above_itself() {
    on_both(async |house| {
        let admin = &house.admin;
        good(&admin.post("/api/v1/units", "k-1", province("a")).await);
        for (code, parent) in [("b", "a"), ("c", "b")] {
            good(&admin.post("/api/v1/units", code, district(code, parent)).await);
        }
        let to = |parent: &str| json!({"parent": parent, "reason": "x"});
        for parent in ["a", "b", "c"] {
            refused(&admin.post("/api/v1/units/a/change", "k-2", to(parent)).await, 409, "unit-cycle");
        }
        refused(&admin.post("/api/v1/units/a/change", "k-2", to("z")).await, 422, "unit-parent-unknown");
        refused(&admin.post("/api/v1/units/z/change", "k-2", to("a")).await, 404, "unit-unknown");
        refused(&admin.post("/api/v1/units/national/change", "k-2", to("a")).await, 422, "unit-unfit");
        let no_reason = json!({"parent": "national", "reason": " "});
        refused(&admin.post("/api/v1/units/c/change", "k-2", no_reason).await, 422, "reason-missing");
        good(&admin.post("/api/v1/units/c/change", "k-2", to("a")).await);
        good(&admin.post("/api/v1/units/b/change", "k-3", to("c")).await);
    })
    .await;
}

/// Two moves that are fine apart make a cycle together: of two at once, one is refused.
#[tokio::test]
async fn two_moves_at_once_make_no_cycle() {
    on_both(async |house| {
        let admin = &house.admin;
        for code in ["a", "b"] {
            good(&admin.post("/api/v1/units", code, province(code)).await);
        }
        for turn in 0..5 {
            let to = |parent: &str| json!({"parent": parent, "reason": "x"});
            let (key_a, key_b) = (format!("a-{turn}"), format!("b-{turn}"));
            let (a, b) = tokio::join!(
                admin.post("/api/v1/units/a/change", &key_a, to("b")),
                admin.post("/api/v1/units/b/change", &key_b, to("a")),
            );
            let mut statuses = [a.status, b.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 409], "{a:?} {b:?}");
            let moved = if a.status == 200 { "a" } else { "b" };
            good(&admin.post(&format!("/api/v1/units/{moved}/change"), &format!("back-{turn}"), to("national")).await);
        }
    })
    .await;
}

async fn working(caller: &Caller, day: &str) -> (bool, Option<String>) {
    let said = caller.get(&format!("/api/v1/calendar?from={day}&to={day}")).await;
    let days = good(&said)["days"].as_array().unwrap();
    assert_eq!((days.len(), &days[0]["day"]), (1, &json!(day)));
    (days[0]["working"].as_bool().unwrap(), days[0]["name"].as_str().map(ToOwned::to_owned))
}

#[tokio::test]
async fn the_calendar_knows_weekends_and_fixed_holidays_and_what_was_set() {
    on_both(async |house| {
        let clerk = house.officer("clerk", &[Role::Capture], "o-1").await;
        let april = clerk.get("/api/v1/calendar?from=2027-04-26&to=2027-05-05").await;
        let days: Vec<_> =
            good(&april)["days"].as_array().unwrap().iter().map(|day| day["working"].as_bool().unwrap()).collect();
        assert_eq!(days, [true, true, true, true, false, false, false, false, true, true], "a day in lieu on 3 May");
        let years = |body: &Value| (body["years_without_entries"].clone(), body["years_not_announced"].clone());
        assert_eq!((&april.body["working_days"], years(&april.body)), (&json!(6), (json!([]), json!([2027]))));
        let later = clerk.get("/api/v1/calendar?from=2028-01-24&to=2028-01-30").await;
        assert_eq!((&later.body["working_days"], years(&later.body)), (&json!(5), (json!([2028]), json!([]))));

        let set = |day: &str, kind: &str, name: &str| {
            json!({"day": day, "kind": kind, "name": name, "reason": "Thông báo 1"})
        };
        let (admin, second) = (&house.admin, &house.second);
        let confirms = async |key: &str, day: &str, kind: &str, name: &str| {
            let path = format!("/api/v1/calendar/days/{day}/confirmation");
            second.post(&path, key, json!({"kind": kind, "name": name})).await
        };
        good(&admin.post("/api/v1/calendar/days", "k-1", set("2027-02-05", "holiday", "Tết Nguyên đán")).await);
        good(&admin.post("/api/v1/calendar/days", "k-2", set("2027-02-20", "working", "làm bù")).await);
        good(&admin.post("/api/v1/calendar/days", "k-5", set("2028-01-26", "holiday", "Tết Nguyên đán")).await);
        // One administrator alone moves no deadline.
        assert_eq!(working(&clerk, "2027-02-20").await, (false, None));
        let waits = clerk.get("/api/v1/calendar?from=2027-02-20&to=2027-02-20").await;
        assert_eq!(good(&waits)["proposed"][0]["name"], "làm bù");
        let path = "/api/v1/calendar/days/2027-02-20/confirmation";
        let read = json!({"kind": "working", "name": "làm bù"});
        refused(&admin.post(path, "k-6", read.clone()).await, 403, "second-officer-needed");
        refused(&confirms("c-0", "2027-02-20", "holiday", "làm bù").await, 404, "proposal-unknown");
        refused(&confirms("c-0", "2027-02-21", "holiday", "làm bù").await, 404, "proposal-unknown");
        good(&confirms("c-1", "2027-02-05", "holiday", "Tết Nguyên đán").await);
        good(&confirms("c-2", "2027-02-20", "working", "làm bù").await);
        good(&confirms("c-5", "2028-01-26", "holiday", "Tết Nguyên đán").await);
        refused(&confirms("c-6", "2027-02-20", "working", "làm bù").await, 404, "proposal-unknown");
        assert_eq!(working(&clerk, "2027-02-05").await, (false, Some("Tết Nguyên đán".into())));
        assert_eq!(working(&clerk, "2027-02-20").await, (true, Some("làm bù".into())));
        assert_eq!(told(house, "holiday-proposed", "calendar-day/2027-02-05", Some("Thông báo 1")).await, 1);
        assert_eq!(told(house, "holiday-changed", "calendar-day/2027-02-05", None).await, 1);
        let later = clerk.get("/api/v1/calendar?from=2028-01-24&to=2028-01-30").await;
        let unknown = (&json!(4), (json!([2028]), json!([])));
        assert_eq!((&later.body["working_days"], years(&later.body)), unknown, "one day makes no year known");

        good(&admin.post("/api/v1/calendar/days", "k-3", set("2027-02-05", "working", "như thường")).await);
        assert!(!working(&clerk, "2027-02-05").await.0, "it waits");
        good(&confirms("c-3", "2027-02-05", "working", "như thường").await);
        assert_eq!(working(&clerk, "2027-02-05").await, (true, Some("như thường".into())), "the later word counts");
        let again = admin.post("/api/v1/calendar/days", "k-1", set("2027-02-05", "holiday", "Tết Nguyên đán")).await;
        assert!(again.replayed, "{again:?}");
        assert!(working(&clerk, "2027-02-05").await.0, "a repeated request has no second effect");

        let mut unfit = set("2027-02-08", "holiday", " ");
        refused(&admin.post("/api/v1/calendar/days", "k-4", unfit.clone()).await, 422, "calendar-day-unfit");
        unfit["name"] = json!("x");
        unfit["reason"] = json!("");
        refused(&admin.post("/api/v1/calendar/days", "k-4", unfit.clone()).await, 422, "reason-missing");
        for (key, value) in [("day", "2027-02-30"), ("day", "8/2/2027"), ("kind", "half")] {
            let mut unfit = set("2027-02-08", "holiday", "x");
            unfit[key] = json!(value);
            refused(&admin.post("/api/v1/calendar/days", "k-4", unfit).await, 422, "body-invalid");
        }
        refused(&clerk.get("/api/v1/calendar?from=2027-02-05&to=2027-02-04").await, 422, "period-unfit");
        refused(&clerk.get("/api/v1/calendar?from=2027-01-01&to=2028-01-02").await, 422, "period-unfit");
        assert_eq!(clerk.get("/api/v1/calendar?from=2027-01-01&to=2028-01-01").await.status, 200);
        for query in ["from=2027-02-05", "from=x&to=y", "from=2027-02-05&to=2027-02-05&x=1"] {
            refused(&clerk.get(&format!("/api/v1/calendar?{query}")).await, 400, "query-malformed");
        }
    })
    .await;
}

#[tokio::test]
async fn everyone_signed_in_reads_and_only_administrators_write() {
    on_both(async |house| {
        let reads = [
            "/api/v1/units",
            "/api/v1/units/national",
            "/api/v1/calendar?from=2027-01-01&to=2027-01-02",
            "/api/v1/deputies?office=o-1",
        ];
        let writes = [
            "/api/v1/units",
            "/api/v1/units/national/change",
            "/api/v1/calendar/days",
            "/api/v1/deputies",
            "/api/v1/deputies/0197a3f0-1234-7abc-8def-0123456789ab/end",
        ];
        let (station, _) = house.station("counter-1").await;
        for caller in [&house.anyone(), &station] {
            for path in reads {
                refused(&caller.get(path).await, 401, "session-needed");
            }
            for path in writes {
                refused(&caller.post(path, "k-1", json!({})).await, 401, "session-needed");
            }
        }
        for role in Role::ALL {
            let officer = house.officer(&format!("one-{}", role.name()), &[role], "o-1").await;
            for path in reads {
                good(&officer.get(path).await);
            }
            for path in writes {
                let said = officer.post(path, "k-1", json!({})).await;
                let expected = if role == Role::Admin { (422, "body-invalid") } else { (403, "role-missing") };
                assert_eq!((said.status, said.code()), expected, "{path} {role:?}");
            }
        }
        let local = house.officer("local", &[Role::Admin], "o-1").await;
        let day = json!({"day": "2027-02-05", "kind": "holiday", "name": "Tết", "reason": "x"});
        refused(&local.post("/api/v1/units", "k-1", province("p-001")).await, 403, "other-office");
        let change = json!({"name": "x", "reason": "x"});
        refused(&local.post("/api/v1/units/national/change", "k-1", change).await, 403, "other-office");
        refused(&local.post("/api/v1/calendar/days", "k-1", day).await, 403, "other-office");
    })
    .await;
}
