//! Officers who stand in for others, asked over HTTP, on SQLite and on PostgreSQL: what a deputy may, for how long, and
//! what deputy and absent officer may not do together.

use issuance::access::DEPUTY;
use issuance::ground::Role;
use issuance::ground::ids::DeputyId;
use issuance::store::Argument;
use issuance::{args, sql};
use serde_json::{Value, json};
use time::Duration;

use crate::deadlines::TwoPlaces;
use crate::house::{Caller, House, PASSWORD, Said, on_both};
use crate::pages::{Browser, fields};
use crate::tables::fresh_database;

fn good(said: &Said) -> &Value {
    assert!([200, 201].contains(&said.status), "{said:?}");
    &said.body
}

fn refused(said: &Said, code: &str) {
    assert_eq!(said.code(), code, "{said:?}");
}

/// Days from today on, as they are written.
fn day(house: &House, n: i64) -> String {
    (house.clock.today() + Duration::days(n)).to_string()
}

/// Appoints, and answers what the service says.
async fn appoints(house: &House, by: &Caller, (deputy, absent): (&str, &str), (from, to): (i64, i64)) -> Said {
    let body = json!({"officer": deputy, "stands_for": absent, "from": day(house, from), "to": day(house, to),
        "reason": "nghỉ phép"});
    by.post("/api/v1/deputies", &format!("{deputy} {absent} {from} {to}"), body).await
}

/// The second administrator confirms what was read.
async fn confirms(by: &Caller, appointed: &Said) -> Said {
    let id = appointed.body["id"].as_str().unwrap();
    by.post(&format!("/api/v1/deputies/{id}/confirmation"), id, json!({"digest": appointed.body["digest"]})).await
}

async fn id_of(caller: &Caller) -> String {
    caller.get("/api/v1/me").await.body["id"].as_str().unwrap().to_owned()
}

async fn signs_in(house: &House, name: &str) -> Caller {
    let mut officer = house.anyone();
    officer.token = Some(officer.signs_in(name, PASSWORD).await.body["token"].as_str().unwrap().into());
    officer
}

async fn told(house: &House, action: &str, id: &str) -> i64 {
    let sql = sql!("select count(*) as n from audit_entry where action = $1 and object = $2");
    house.count(sql, args![action, format!("deputy/{id}")]).await
}

#[tokio::test]
async fn a_deputy_has_the_roles_from_the_first_day_to_the_last_and_a_second_administrator_agrees_where_one_approves() {
    on_both(async |house| {
        let (hoa, hoa_id) = house.appointed("hoa", &[Role::HandOver], "o-1").await;
        let (_, lan) = house.appointed("lan", &[Role::Approver], "o-1").await;
        let (_, nam) = house.appointed("nam", &[Role::Registrar], "o-1").await;
        let local = house.officer("local", &[Role::Admin], "o-1").await;
        let roles = async |caller: &Caller| good(&caller.get("/api/v1/me").await)["roles"].clone();

        let proposed = appoints(house, &local, (&hoa_id, &lan), (0, 2)).await;
        assert_eq!((&good(&proposed)["state"], &proposed.body["roles"]), (&json!("proposed"), &json!(["approver"])));
        assert_eq!(roles(&hoa).await, json!(["hand-over"]), "it waits for a second administrator");
        refused(&confirms(&local, &proposed).await, "second-officer-needed");
        let id = proposed.body["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/deputies/{id}/confirmation");
        refused(&house.admin.post(&path, "other", json!({"digest": "00"})).await, "proposal-changed");
        refused(&hoa.post(&path, "k", json!({"digest": "00"})).await, "role-missing");
        let confirmed = confirms(&house.admin, &proposed).await;
        assert_eq!((&good(&confirmed)["state"], &confirmed.body["digest"]), (&json!("acting"), &Value::Null));
        assert!(confirms(&house.admin, &proposed).await.replayed);
        assert_eq!((told(house, "deputy-appointed", &id).await, told(house, "deputy-confirmed", &id).await), (1, 1));
        assert_eq!(roles(&hoa).await, json!(["hand-over", "approver"]));
        assert_eq!(hoa.get("/api/v1/me").await.body["stands_in_for"], json!(lan));
        let listed = hoa.get("/api/v1/deputies?office=o-1").await;
        assert_eq!((good(&listed)["items"].as_array().unwrap().len(), &listed.body["items"][0]["id"]), (1, &json!(id)));

        // Where no role approves, one administrator is enough; the first day comes by itself.
        let hoa_too = appoints(house, &local, (&nam, &hoa_id), (5, 6)).await;
        assert_eq!((&good(&hoa_too)["state"], &hoa_too.body["digest"]), (&json!("appointed"), &Value::Null));
        let nam = signs_in(house, "nam").await;
        assert_eq!(roles(&nam).await, json!(["registrar"]));

        // The last day is the third: then the roles are gone, in the same session.
        house.clock.advance(Duration::days(2));
        let hoa = signs_in(house, "hoa").await;
        assert_eq!(roles(&hoa).await, json!(["hand-over", "approver"]));
        house.clock.advance(Duration::days(1));
        let hoa = signs_in(house, "hoa").await;
        assert_eq!(roles(&hoa).await, json!(["hand-over"]));
        house.clock.advance(Duration::days(2));
        let nam = signs_in(house, "nam").await;
        assert_eq!(roles(&nam).await, json!(["registrar", "hand-over"]));
    })
    .await;
}

#[tokio::test]
async fn a_standing_in_ends_with_its_withdrawal_and_with_the_service_of_either() {
    on_both(async |house| {
        let (hoa, hoa_id) = house.appointed("hoa", &[Role::HandOver], "o-1").await;
        let (_, lan) = house.appointed("lan", &[Role::Stock], "o-1").await;
        let admin = &house.admin;
        let stock = "/api/v1/stock?limit=1";
        refused(&hoa.get(stock).await, "role-missing");
        let made = appoints(house, admin, (&hoa_id, &lan), (0, 5)).await;
        good(&hoa.get(stock).await);
        let end = format!("/api/v1/deputies/{}/end", good(&made)["id"].as_str().unwrap());
        refused(&admin.post(&end, "k", json!({"reason": " "})).await, "reason-missing");
        let ended = admin.post(&end, "end", json!({"reason": "trở lại sớm"})).await;
        assert_eq!((&good(&ended)["state"], &ended.body["ended_on"]), (&json!("over"), &json!(day(house, 0))));
        assert_eq!(told(house, "deputy-ended", made.body["id"].as_str().unwrap()).await, 1);
        refused(&hoa.get(stock).await, "role-missing");
        assert_eq!(good(&hoa.get("/api/v1/deputies?office=o-1").await)["items"], json!([]));

        // With the service of the absent officer: no other end is needed.
        good(&appoints(house, admin, (&hoa_id, &lan), (0, 4)).await);
        good(&hoa.get(stock).await);
        let body = json!({"office": "o-2", "reason": "x"});
        let moved = admin.post(&format!("/api/v1/officers/{lan}/office"), "moves", body).await;
        house.confirms(&moved).await;
        refused(&hoa.get(stock).await, "role-missing");
        let back = json!({"office": "o-1", "reason": "x"});
        let moved = admin.post(&format!("/api/v1/officers/{lan}/office"), "back", back).await;
        house.confirms(&moved).await;
        good(&hoa.get(stock).await);
        good(&admin.post(&format!("/api/v1/officers/{lan}/disablement"), "d", json!({"reason": "x"})).await);
        refused(&hoa.get(stock).await, "role-missing");

        let unknown = "/api/v1/deputies/0197a3f0-1234-7abc-8def-0123456789ab/end";
        refused(&admin.post(unknown, "k-3", json!({"reason": "x"})).await, "deputy-unknown");
        refused(&admin.post("/api/v1/deputies/0/end", "k-3", json!({"reason": "x"})).await, "identifier-malformed");
    })
    .await;
}

#[tokio::test]
async fn a_deputy_who_cannot_stand_in_is_refused() {
    on_both(async |house| {
        let (_, lan) = house.appointed("lan", &[Role::Approver], "o-1").await;
        let (_, hoa) = house.appointed("hoa", &[Role::HandOver], "o-1").await;
        let (_, nam) = house.appointed("nam", &[Role::Registrar], "o-1").await;
        let (_, clerk) = house.appointed("clerk", &[Role::Capture], "o-1").await;
        let (_, far) = house.appointed("far", &[Role::HandOver], "o-2").await;
        let (local, local_id) = house.appointed("local", &[Role::Admin], "o-1").await;
        let admin = &house.admin;
        refused(&appoints(house, admin, (&lan, &lan), (0, 1)).await, "deputy-unfit");
        refused(&appoints(house, admin, (&far, &lan), (0, 1)).await, "deputy-unfit");
        refused(&appoints(house, &local, (&far, &lan), (0, 1)).await, "deputy-unfit");
        refused(&appoints(house, &local, (&lan, &far), (0, 1)).await, "other-office");
        let excluded = appoints(house, admin, (&clerk, &lan), (0, 1)).await;
        refused(&excluded, "deputy-unfit");
        assert!(excluded.body["detail"].as_str().unwrap().contains("an officer who decides"), "{excluded:?}");
        refused(&appoints(house, admin, (&local_id, &lan), (0, 1)).await, "deputy-unfit");
        refused(&appoints(house, &local, (&local_id, &lan), (0, 1)).await, "deputy-unfit");
        refused(&appoints(house, admin, (&hoa, &lan), (1, 0)).await, "period-unfit");
        refused(&appoints(house, admin, (&hoa, &lan), (-1, 1)).await, "period-unfit");
        let long = appoints(house, admin, (&hoa, &lan), (0, 90)).await;
        refused(&long, "period-unfit");
        assert_eq!(long.body["detail"], "a deputy stands in for at most 90 days");
        refused(&appoints(house, admin, (crate::house::NIL, &lan), (0, 1)).await, "officer-not-found");

        // What is lent is lent no further, in either direction; and one has one deputy at a time.
        good(&appoints(house, admin, (&hoa, &lan), (2, 5)).await);
        for (pair, detail) in [
            ((&*nam, &*hoa), "lent no further"),
            ((&*lan, &*nam), "lent no further"),
            ((&*nam, &*lan), "in these days"),
            ((&*hoa, &*nam), "in these days"),
        ] {
            let said = appoints(house, admin, pair, (5, 6)).await;
            refused(&said, "deputy-unfit");
            assert!(said.body["detail"].as_str().unwrap().contains(detail), "{said:?}");
        }
        good(&appoints(house, admin, (&nam, &hoa), (6, 7)).await);
        let count = sql!("select count(*) as n from stand_in");
        assert_eq!(house.count(count, args![]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn what_another_hand_lends_is_not_lent() {
    on_both(async |house| {
        let (hoa, hoa_id) = house.appointed("hoa", &[Role::HandOver], "o-1").await;
        let (_, lan) = house.appointed("lan", &[Role::Stock], "o-1").await;
        let made = appoints(house, &house.admin, (&hoa_id, &lan), (0, 5)).await;
        let id: DeputyId = good(&made)["id"].as_str().unwrap().parse().unwrap();
        good(&hoa.get("/api/v1/stock?limit=1").await);
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let roles = Argument::json(&[Role::Stock, Role::Registrar]);
        let by_hand = sql!("update stand_in set roles = $1 where id = $2");
        assert_eq!(tx.run(by_hand, args![roles, id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        refused(&hoa.get("/api/v1/stock?limit=1").await, "role-missing");
        let listed = hoa.get("/api/v1/deputies?office=o-1").await;
        assert_eq!(good(&listed)["items"][0]["tampered"], json!(true));
        let end = format!("/api/v1/deputies/{id}/end");
        refused(&house.admin.post(&end, "k", json!({"reason": "x"})).await, "record-tampered");
        let mut tx = house.service.offices().deeds().db().begin_read().await.unwrap();
        let (_, faults) = tx.walk(&DEPUTY).await.unwrap();
        assert_eq!(faults, [id.to_string()]);
    })
    .await;
}

/// Runs a scenario in a house in which the head of the team checks before another officer approves.
async fn with_a_check(scenario: impl AsyncFn(&House)) {
    for database in [Some(None), fresh_database().map(Some)].into_iter().flatten() {
        let house = House::open_with(|settings| {
            settings.database = database;
            settings.applications.procedure.team_check = true;
        });
        let house = Box::new(Box::pin(house).await);
        Box::pin(scenario(house.as_ref())).await;
        Box::pin(house.service.stop()).await;
    }
}

#[tokio::test]
async fn deputy_and_absent_officer_are_one_where_a_second_officer_is_needed_and_each_act_is_recorded_for_whom_it_is() {
    with_a_check(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let (hoa, hoa_id) = house.appointed("hoa", &[Role::HandOver], "o-1").await;
        let (head, chief) = (id_of(&places.head).await, id_of(&places.chief).await);
        let appointed = appoints(house, &house.admin, (&hoa_id, &head), (0, 1)).await;
        good(&confirms(&house.second, &appointed).await);

        // What the deputy agrees to is recorded as for the absent officer.
        let checked = places.agrees(&hoa, "check", "k-1").await;
        assert_eq!(good(&checked)["stage"], "checked");
        let acting = sql!("select count(*) as n from audit_entry where action = $1 and actor = $2 and acting_for = $3");
        let head_id: issuance::ground::ids::OfficerId = head.parse().unwrap();
        let of = async |action: &str| house.count(acting, args![action, format!("officer/{hoa_id}"), head_id]).await;
        assert_eq!(
            (of("application-checked").await, of("application-read").await),
            (1, 0),
            "reading is the own role's"
        );
        let auditor = house.officer("auditor", &[Role::Auditor], "o-1").await;
        let trail = auditor.get(&format!("/api/v1/audit?object=application/{}", places.id)).await;
        let rows = good(&trail)["items"].as_array().unwrap();
        let row = rows.iter().find(|row| row["action"] == "application-checked").unwrap();
        assert_eq!((&row["actor"], &row["acting_for"]), (&json!(format!("officer/{hoa_id}")), &json!(head)));
        assert!(
            rows.iter().filter(|row| row["action"] != "application-checked").all(|row| row["acting_for"].is_null())
        );

        // Neither of the two is the other's second officer, also after it is over.
        refused(&places.agrees(&hoa, "approval", "k-2").await, "second-officer-needed");
        refused(&places.agrees(&places.head, "approval", "k-3").await, "second-officer-needed");
        let end = format!("/api/v1/deputies/{}/end", appointed.body["id"].as_str().unwrap());
        good(&house.admin.post(&end, "end", json!({"reason": "trở lại sớm"})).await);
        refused(&places.agrees(&hoa, "approval", "k-4").await, "role-missing");
        refused(&places.agrees(&places.head, "approval", "k-5").await, "second-officer-needed");
        assert_eq!(good(&places.agrees(&places.chief, "approval", "k-6").await)["stage"], "approved");
        assert_ne!(head, chief);
    })
    .await;
}

#[tokio::test]
async fn a_deputy_who_decides_on_a_page_acts_for_the_absent_officer_too_and_keeps_what_the_deputy_took() {
    with_a_check(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let (hoa, hoa_id) = house.appointed("hoa", &[Role::HandOver], "o-1").await;
        let head = id_of(&places.head).await;
        let claim = format!("/api/v1/applications/{}/claim", places.id);
        refused(&hoa.post(&claim, "early", json!({})).await, "stage-does-not-allow");
        let appointed = appoints(house, &house.admin, (&hoa_id, &head), (0, 1)).await;
        good(&confirms(&house.second, &appointed).await);

        // By the role that is lent the deputy has it, for those who take it and in lists.
        good(&hoa.post(&claim, "k-1", json!({})).await);
        refused(&places.chief.post(&claim, "k-2", json!({})).await, "application-claimed");
        let listed = places.chief.get("/api/v1/applications?office=o-1").await;
        assert_eq!(good(&listed)["items"][0]["claimed_by"], json!(hoa_id));

        let browser = Browser::of(house, "hoa").await;
        let page = format!("/pages/approvals/{}", places.id);
        let file = browser.reads(&page).await;
        let form = fields(&file, &[("dossier", file.field("dossier"))]);
        let checked = browser.sends(&format!("{page}/check"), &form).await;
        assert_eq!(checked.status, 303, "{}", checked.text);
        let acting = sql!("select count(*) as n from audit_entry where action = $1 and actor = $2 and acting_for = $3");
        let head: issuance::ground::ids::OfficerId = head.parse().unwrap();
        let done = args!["application-checked", format!("officer/{hoa_id}"), head];
        assert_eq!(house.count(acting, done).await, 1);
        refused(&places.agrees(&places.head, "approval", "k-3").await, "second-officer-needed");
    })
    .await;
}

#[tokio::test]
async fn what_a_deputy_has_by_a_role_that_is_lent_is_free_when_the_lending_ends() {
    on_both(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        let (hoa, hoa_id) = house.appointed("hoa", &[Role::HandOver], "o-1").await;
        let head = id_of(&places.head).await;
        let claim = format!("/api/v1/applications/{}/claim", places.id);
        let appointed = appoints(house, &house.admin, (&hoa_id, &head), (0, 1)).await;
        good(&confirms(&house.second, &appointed).await);
        good(&hoa.post(&claim, "k-1", json!({})).await);
        refused(&places.agrees(&places.chief, "approval", "k-2").await, "application-claimed");
        let end = format!("/api/v1/deputies/{}/end", appointed.body["id"].as_str().unwrap());
        good(&house.admin.post(&end, "end", json!({"reason": "trở lại sớm"})).await);
        let listed = places.chief.get("/api/v1/applications?office=o-1").await;
        assert_eq!(good(&listed)["items"][0]["claimed_by"], Value::Null);
        assert_eq!(good(&places.agrees(&places.chief, "approval", "k-3").await)["stage"], "approved");
    })
    .await;
}

#[tokio::test]
async fn no_deputy_decides_about_what_the_absent_officer_opened() {
    on_both(async |house| {
        let places = Box::pin(TwoPlaces::of(house)).await;
        // The registrar, who declared the person and gave the number, is absent; the head of the team stands in.
        let registrar = house.count(sql!("select count(*) as n from officer where username = 'registrar'"), args![]);
        assert_eq!(registrar.await, 1);
        let signed_in = signs_in(house, "registrar").await;
        let (registrar, head) = (id_of(&signed_in).await, id_of(&places.head).await);
        good(&appoints(house, &house.admin, (&head, &registrar), (0, 1)).await);
        refused(&places.agrees(&places.head, "approval", "k-1").await, "second-officer-needed");
        assert_eq!(good(&places.agrees(&places.chief, "approval", "k-2").await)["stage"], "approved");
    })
    .await;
}
