//! Each route × each role: closed unless the table says otherwise.

use std::collections::BTreeSet;

use issuance::access::{Right, Role, TABLE, right};
use reqwest::Method;
use serde_json::json;

use crate::house::{Caller, House, on_both};

/// Method and path of everything in the OpenAPI document.
fn routes() -> Vec<(Method, String)> {
    let document = serde_json::to_value(issuance::http::document()).unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for method in operations.as_object().unwrap().keys() {
            if let Ok(method @ (Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::PATCH)) =
                Method::from_bytes(method.to_uppercase().as_bytes())
            {
                routes.push((method, path.clone()));
            }
        }
    }
    routes
}

#[test]
fn the_document_and_the_table_of_rights_name_the_same_routes() {
    let documented: BTreeSet<_> = routes().into_iter().map(|(method, path)| (method.to_string(), path)).collect();
    let listed: BTreeSet<_> = TABLE.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
    assert_eq!(listed.len(), TABLE.len(), "a route stands twice in the table");
    assert_eq!(
        documented.difference(&listed).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "routes without right"
    );
    assert_eq!(
        listed.difference(&documented).collect::<Vec<_>>(),
        Vec::<&(String, String)>::new(),
        "rights without route"
    );
}

#[test]
fn the_document_says_who_may_call() {
    let document = serde_json::to_value(issuance::http::document()).unwrap();
    let of = |method: &str, path: &str| document["paths"][path][method]["security"].clone();
    assert_eq!(of("post", "/api/applications/{id}/approval"), json!([{"officer": ["approver"]}]));
    assert_eq!(of("post", "/api/station/intake/orders"), json!([{"station": []}]));
    assert_eq!(of("get", "/health"), json!(null));
    let parameters = document["paths"]["/api/officers"]["post"]["parameters"].clone();
    assert_eq!(parameters[0]["name"], "Idempotency-Key");
    for role in Role::ALL {
        assert_eq!(json!(role), role.name());
    }
}

#[test]
fn a_route_that_is_not_in_the_table_is_closed() {
    assert_eq!(right(&Method::GET, "/api/everything"), None);
    assert_eq!(right(&Method::PUT, "/api/officers"), None);
}

#[tokio::test]
async fn each_route_for_each_role() {
    let house = House::open(None).await;
    let mut officers = Vec::new();
    for role in Role::ALL {
        officers.push((Some(role), house.officer(&format!("{role:?}"), &[role], "o-1").await));
    }
    officers.push((None, house.officer("no-role", &[], "o-1").await));
    let (station, _) = house.station("counter-1").await;
    let anyone = house.anyone();
    for (method, path) in routes() {
        if path == "/api/sessions/current" {
            continue; // it would sign the officers out; see `sessions`
        }
        let right = right(&method, &path).unwrap();
        let asked = async |caller: &Caller| {
            let path = path.replace("{serial}", "00").replace("{id}", "0").replace("{sod_sha256}", "00");
            let body = (method != Method::GET).then(|| json!({}));
            caller.asks(method.clone(), &path, Some("k"), body).await.code().to_owned()
        };
        let barred = ["session-needed", "role-missing", "station-certificate-needed", "station-unknown"];
        for (role, officer) in &officers {
            let code = asked(officer).await;
            match right {
                Right::Anyone | Right::SignedIn => {
                    assert!(!barred.contains(&&*code), "{method} {path} {role:?}: {code}")
                }
                Right::Officer(permission) if role.is_some_and(|role| permission.roles().contains(&role)) => {
                    assert!(!barred.contains(&&*code), "{method} {path} {role:?}: {code}");
                }
                Right::Officer(_) => assert_eq!(code, "role-missing", "{method} {path} {role:?}"),
                Right::Station => assert_eq!(code, "station-certificate-needed", "{method} {path} {role:?}"),
            }
        }
        let (by_station, by_anyone) = (asked(&station).await, asked(&anyone).await);
        match right {
            Right::Anyone => {
                assert!(!barred.contains(&&*by_station) && !barred.contains(&&*by_anyone), "{method} {path}");
            }
            Right::Officer(_) | Right::SignedIn => {
                assert_eq!((&*by_station, &*by_anyone), ("session-needed", "session-needed"), "{method} {path}");
            }
            Right::Station => {
                assert!(!barred.contains(&&*by_station), "{method} {path}: {by_station}");
                assert_eq!(by_anyone, "station-certificate-needed", "{method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn paths_and_methods_that_do_not_exist_are_problems_too() {
    let house = House::open(None).await;
    let said = house.anyone().get("/api/everything").await;
    assert_eq!((said.status, said.code()), (404, "no-such-path"));
    let said = house.anyone().asks(Method::PUT, "/health", None, None).await;
    assert_eq!((said.status, said.code()), (405, "method-not-allowed"));
}

/// Over HTTP: what one office opened is closed to every role of another, and the slip is shown to who prints it only.
#[tokio::test]
async fn an_office_is_closed_to_the_others_and_a_slip_to_who_asks_for_it() {
    on_both(async |house| {
        let capture = house.officer("capture", &[Role::Capture], "o-1").await;
        let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
        let counter = house.officer("counter", &[Role::HandOver], "o-1").await;
        let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
        let declaration = json!({"full_name": "Nguyễn Thị Mẫu", "birth_date": "05/01/2000", "sex": "Nữ",
            "birth_registration": place, "place_of_origin": place, "ethnic_group": "01", "permanent_residence": place});
        let declared = registrar.post("/api/declarations", "k-1", declaration).await;
        let person = declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).to_owned();
        let number = registrar.post(&format!("/api/persons/{person}/number"), "k-2", json!({})).await;
        assert_eq!(number.status, 200, "{number:?}");
        let body = json!({"person_id": person, "kind": "first", "office": "o-1"});
        let opened = capture.post("/api/applications", "k-3", body.clone()).await;
        assert!(opened.body["slip"].is_string(), "{opened:?}");
        let application = opened.body["id"].as_str().unwrap();
        let read = counter.get(&format!("/api/applications/{application}")).await;
        assert_eq!((read.status, read.body["slip"].is_null()), (200, true), "{read:?}");

        let stranger = house.officer("stranger", &Role::ALL, "o-2").await;
        for path in [format!("/api/persons/{person}"), format!("/api/applications/{application}")] {
            assert_eq!(stranger.get(&path).await.code(), "other-office", "{path}");
        }
        let reason = json!({"reason": "x"});
        let capture = json!({"portrait": photograph(), "features": "x"});
        for (path, body) in [
            (format!("/api/persons/{person}/number"), json!({})),
            ("/api/applications".to_owned(), body),
            (format!("/api/applications/{application}/capture"), capture),
            (format!("/api/applications/{application}/approval"), json!({})),
            (format!("/api/applications/{application}/refusal"), reason.clone()),
            (format!("/api/applications/{application}/cancellation"), reason),
        ] {
            assert_eq!(stranger.post(&path, "k", body).await.code(), "other-office", "{path}");
        }
    })
    .await;
}

fn photograph() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(crate::offices::photograph())
}
