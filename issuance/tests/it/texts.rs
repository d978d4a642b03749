//! Text from outside is the same on both databases: U+0000 at no door, no invisible sign, one officer by one name, a
//! limit wherever there is one at the end of the road.

use issuance::applications::model::Kind;
use issuance::applications::steps as counter;
use issuance::ground::Role;
use issuance::population::model::Declaration;
use issuance::web::Right;
use issuance::{args, population, sql};
use reqwest::Method;
use serde_json::{Value, json};

use crate::house::{Caller, House, NIL, PASSWORD, on_both};
use crate::offices::{Offices, declaration, within};

/// A body with U+0000 in a value, in a name of a field, and in a field that is not there.
fn bodies_with_nul() -> [serde_json::Value; 3] {
    [json!({"username": "a\0b", "password": PASSWORD}), json!({"user\0name": "a"}), json!({"more": ["\0"]})]
}

async fn nul_is_refused_at_every_door(house: &House) {
    let id = "0197a3f0-1234-7abc-8def-0123456789ab";
    let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
    let capture = house.officer("capture", &[Role::Capture], "o-1").await;
    let approver = house.officer("approver", &[Role::Approver], "o-1").await;
    let stock = house.officer("stock", &[Role::Stock], "o-1").await;
    let counter = house.officer("counter", &[Role::HandOver], "o-1").await;
    let (station, _) = house.station("station-1").await;
    let anyone = house.anyone();
    let doors = [
        (&anyone, "/api/v1/sessions".to_owned()),
        (&house.admin, "/api/v1/officers".to_owned()),
        (&house.admin, "/api/v1/stations".to_owned()),
        (&house.admin, format!("/api/v1/officers/{id}/disablement")),
        (&house.admin, format!("/api/v1/officers/{id}/enablement")),
        (&house.admin, format!("/api/v1/officers/{id}/roles")),
        (&house.admin, format!("/api/v1/officers/{id}/office")),
        (&house.admin, format!("/api/v1/officers/{id}/password-reset")),
        (&anyone, "/api/v1/password".to_owned()),
        (&house.admin, "/api/v1/me/password".to_owned()),
        (&house.admin, format!("/api/v1/stations/{id}/revocation")),
        (&registrar, "/api/v1/declarations".to_owned()),
        (&registrar, format!("/api/v1/persons/{id}/number")),
        (&registrar, format!("/api/v1/persons/{id}/reading")),
        (&capture, "/api/v1/applications".to_owned()),
        (&capture, format!("/api/v1/applications/{id}/capture")),
        (&capture, format!("/api/v1/applications/{id}/cancellation")),
        (&approver, format!("/api/v1/applications/{id}/approval")),
        (&capture, format!("/api/v1/applications/{id}/classification")),
        (&approver, format!("/api/v1/applications/{id}/archive-request")),
        (&registrar, format!("/api/v1/archive-requests/{id}/answer")),
        (&approver, format!("/api/v1/applications/{id}/refusal")),
        (&stock, "/api/v1/stock/deliveries".to_owned()),
        (&stock, "/api/v1/stock/custody".to_owned()),
        (&stock, "/api/v1/stock/00000000000000000001/write-off".to_owned()),
        (&approver, "/api/v1/stock/00000000000000000001/write-off/confirmation".to_owned()),
        (&stock, "/api/v1/stock/00000000000000000001/loss".to_owned()),
        (&stock, "/api/v1/stock/00000000000000000001/finding".to_owned()),
        (&stock, "/api/v1/stock/destructions".to_owned()),
        (&approver, format!("/api/v1/stock/destructions/{id}/confirmation")),
        (&stock, "/api/v1/stock/boxes".to_owned()),
        (&stock, "/api/v1/stock/parcels".to_owned()),
        (&stock, format!("/api/v1/stock/boxes/{id}/receipt")),
        (&stock, format!("/api/v1/stock/cases/{id}/confirmation")),
        (&stock, format!("/api/v1/stock/cases/{id}/proposal")),
        (&stock, "/api/v1/stock/counts".to_owned()),
        (&stock, "/api/v1/stock/batches".to_owned()),
        (&stock, format!("/api/v1/stock/batches/{id}/closing")),
        (&stock, format!("/api/v1/production/{id}/body-check")),
        (&stock, format!("/api/v1/batches/{id}/pause")),
        (&stock, format!("/api/v1/batches/{id}/cancellation")),
        (&stock, "/api/v1/stock/recalls".to_owned()),
        (&counter, format!("/api/v1/cards/{id}/hand-over")),
        (&counter, format!("/api/v1/cards/{id}/hand-over/refusal")),
        (&counter, format!("/api/v1/cards/{id}/loss")),
        (&counter, format!("/api/v1/cards/{id}/loss/undoing")),
        (&station, "/api/v1/station/intake/orders".to_owned()),
        (&station, "/api/v1/station/chips/00000000000000000001/spoiled".to_owned()),
    ];
    for (caller, path) in &doors {
        for (number, body) in bodies_with_nul().into_iter().enumerate() {
            let key = format!("nul-{number}-{}", path.len());
            let said = caller.asks(Method::POST, path, Some(&key), Some(body)).await;
            assert_eq!((said.status, said.code()), (422, "text-unfit"), "{path} {number}");
        }
    }
    let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
    for query in ["object=a%00b", "actor=%00"] {
        let said = auditor.get(&format!("/api/v1/audit?{query}")).await;
        assert_eq!((said.status, said.code()), (400, "query-malformed"), "{query}");
    }
}

async fn a_text_is_no_longer_than_its_field(house: &House) {
    let lan = house.admin.post("/api/v1/officers", "lan", account("lan")).await.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/officers/{lan}/disablement");
    let long = house.admin.post(&path, "k-1", json!({"reason": "x".repeat(3_000_000)})).await;
    assert_eq!((long.status, long.code()), (422, "text-too-long"), "{:?}", long.body);
    let detail = long.body["detail"].as_str().unwrap();
    assert!(detail.starts_with("text too long: at most 400 characters, line 1 column 30000"), "{detail}");
    let kept = sql!("select count(*) as n from v_audit_entry where length(reason) > 400");
    assert_eq!(house.count(kept, args![]).await, 0);
    assert_eq!(house.admin.post(&path, "k-2", json!({"reason": "ẫ".repeat(400)})).await.status, 200);
    let station = json!({"name": "s".repeat(65), "office": "o-1", "csr_pem": ""});
    assert_eq!(house.admin.post("/api/v1/stations", "k-3", station).await.code(), "text-too-long");
    let request = json!({"name": "s", "office": "o-1", "csr_pem": "x".repeat(1_000_000)});
    assert_eq!(house.admin.post("/api/v1/stations", "k-4", request).await.code(), "text-too-long");
    let stock = house.officer("stock", &[Role::Stock], "o-1").await;
    let note = json!({"manufacturer": "m".repeat(101), "batch": "1", "transport_key_id": "k", "serials": []});
    assert_eq!(stock.post("/api/v1/stock/deliveries", "k-5", note).await.code(), "text-too-long");
    let registrar = house.officer("registrar", &[Role::Registrar], "o-1").await;
    let form = json!({"relation_to_head": "c".repeat(1_000_000), "full_name": "Nguyễn Thị Mẫu"});
    let said = registrar.post("/api/v1/declarations", "k-6", form).await;
    assert!(
        said.body["detail"].as_str().unwrap().contains("relation_to_head: longer than 8192 bytes"),
        "{:?}",
        said.body
    );
}

fn account(username: &str) -> serde_json::Value {
    json!({"username": username, "roles": ["auditor"], "office": "o-1"})
}

async fn one_officer_has_one_account_by_every_spelling(house: &House) {
    let spellings = ["lan.nguyễn", "Lan.Nguyễn", "lan.nguye\u{302}\u{303}n", "ｌａｎ.nguyễn", " LAN.NGUYỄN "];
    for (number, name) in spellings.iter().enumerate() {
        let said = house.admin.post("/api/v1/officers", &format!("k-{number}"), account(name)).await;
        assert_eq!(said.code(), if number == 0 { "" } else { "name-taken" }, "{name}");
        if number == 0 {
            house.anyone().owns(name, &house.confirms(&said).await).await;
        }
        assert_eq!(house.anyone().signs_in(name, PASSWORD).await.status, 200, "{name}");
    }
    for (number, name) in ["l\u{430}n.nguyễn", "lan\u{200b}.nguyễn", "lan nguyễn"].iter().enumerate() {
        let said = house.admin.post("/api/v1/officers", &format!("s-{number}"), account(name)).await;
        assert_eq!(said.code(), "text-unfit", "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_is_judged_at_the_door() {
    on_both(nul_is_refused_at_every_door).await;
    on_both(a_text_is_no_longer_than_its_field).await;
    on_both(one_officer_has_one_account_by_every_spelling).await;
}

/// Paths of the texts in a request's body, as the document describes them.
fn texts_of(document: &Value, schema: &Value, path: &[String], found: &mut Vec<Vec<String>>) {
    if let Some(name) = schema["$ref"].as_str() {
        return texts_of(document, document.pointer(&name[1..]).unwrap(), path, found);
    }
    for alternative in ["oneOf", "allOf", "anyOf"] {
        for one in schema[alternative].as_array().into_iter().flatten() {
            texts_of(document, one, path, found);
        }
    }
    let is =
        |kind: &str| schema["type"] == kind || schema["type"].as_array().is_some_and(|all| all.contains(&kind.into()));
    if is("string") {
        found.push(path.to_vec());
    }
    let further = |name: &str| [path, &[name.to_owned()]].concat();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        texts_of(document, property, &further(name), found);
    }
    if is("array") {
        texts_of(document, &schema["items"], &further("[]"), found);
    }
}

/// A body with nothing but this value at this path.
fn body_with(path: &[String], value: &Value) -> Value {
    match path {
        [] => value.clone(),
        [first, rest @ ..] if first == "[]" => json!([body_with(rest, value)]),
        [first, rest @ ..] => json!({ first: body_with(rest, value) }),
    }
}

/// What a text costs is known before it is read: refusing two million characters costs no more in any field
/// of any route than in one whose type refuses them by their number of bytes. In declarations it once cost
/// a hundred times as much.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_field_of_any_route_does_work_on_a_text_before_it_is_measured() {
    let house = House::open(None).await;
    let document = serde_json::to_value(issuance::server::document()).unwrap();
    let every = house.officer("every", &Role::ALL, "o-1").await;
    let (station, _) = house.station("station-1").await;
    // Words whose marks have to be put in order and composed.
    let long = json!("a\u{323}\u{302} ".repeat(330_000));
    let took = async |caller: &Caller, path: &str, body: Value| {
        let began = std::time::Instant::now();
        let said = caller.asks(Method::POST, path, Some("long"), Some(body)).await;
        assert!((400..500).contains(&said.status), "{path}: {said:?}");
        let told = said.body.to_string();
        assert!(told.len() < 3_000, "{path} answers {} bytes: {}…", told.len(), &told[..300]);
        began.elapsed()
    };
    let measured = format!("/api/v1/officers/{NIL}/disablement");
    let mut fields = 0;
    for ((method, path), right) in issuance::server::rights() {
        let operation = &document["paths"][&path][method.to_lowercase()];
        let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
        // A stranger's body is small.
        if method != "POST" || schema.is_null() || right == Right::Anyone {
            continue;
        }
        let caller = if right == Right::Station { &station } else { &every };
        let mut texts = vec![vec!["no_such_field".to_owned()]];
        texts_of(&document, schema, &[], &mut texts);
        let (before, after) = path.split_once('{').unwrap_or((&path, ""));
        let path = match after.split_once('}') {
            Some(("code", after)) => format!("{before}o-1{after}"),
            Some(("serial", after)) => format!("{before}00000000000000000001{after}"),
            Some((_, after)) => format!("{before}{NIL}{after}"),
            None => path.clone(),
        };
        for text in texts {
            // The machine may be busy with other things: what counts is the ratio within one round.
            let mut kept = false;
            for _ in 0..6 {
                let usual = took(&every, &measured, json!({ "reason": long })).await;
                let this = took(caller, &path, body_with(&text, &long)).await;
                kept = this < usual * 4;
                if kept {
                    break;
                }
                println!("{path} {text:?}: {this:?}, and {usual:?} where the type refuses it");
            }
            assert!(kept, "{path} {text:?} works on a text before it measures it");
            fields += 1;
        }
    }
    assert!(fields > 80, "{fields} fields");
    house.service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn letters_of_one_shape_are_one_name() {
    let offices = Offices::open(None).await;
    let register = &offices.state.register;
    let declared = async |name: &str| {
        // A child with the same mother, day and given name is alike whatever the surname.
        let birth_date = match name.chars().next() {
            Some('N') => "17/09/1961",
            Some('L') => "28/11/1974",
            _ => "05/01/2000",
        };
        let form = Declaration { full_name: name.into(), birth_date: birth_date.into(), mother: None, ..declaration() };
        within!(offices, offices.registrar, deed => population::steps::declare(deed, register, &form)).unwrap().1
    };
    let alike = |findings: &[population::model::Finding]| {
        findings.iter().any(|finding| finding.code == "perhaps-declared-before")
    };
    assert!(!alike(&declared("\u{110}ặng Thị Mẫu").await));
    assert!(alike(&declared("\u{d0}ặng Thị Mẫu").await), "U+00D0");
    assert!(alike(&declared("\u{110}ặng\u{200b} Thị\u{202e} Mẫu").await), "zero width and direction");
    assert!(!alike(&declared("Noé Thị Mẫu").await));
    // Stored as it is written, since it is no syllable of Vietnamese; compared without its marks.
    assert!(alike(&declared("Nóe Thị Mẫu").await));
    assert!(!alike(&declared("Loé Thị Mẫu").await), "another name");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_leaves_no_mark_does_not_reach_the_card() {
    let offices = Offices::open(None).await;
    let person = offices.citizen().await;
    let id = offices.applies(person, Kind::First).await.unwrap().id;
    let (portrait, features) = ("0".repeat(64), "Nốt\u{202e} ruồi\u{200b}\u{feff}\u{7}đen\u{e0041}");
    let captured = within!(offices, offices.capture, deed => counter::capture(deed, id, portrait, features)).unwrap();
    assert_eq!(captured.stage.capture_of().map(|capture| capture.features.as_str()), Some("Nốt ruồi đen"));
}

#[tokio::test]
async fn no_act_that_needs_a_reason_takes_a_blank_one() {
    on_both(async |house| {
        let id = "0197a3f0-1234-7abc-8def-0123456789ab";
        let capture = house.officer("capture", &[Role::Capture], "o-1").await;
        let approver = house.officer("approver", &[Role::Approver], "o-1").await;
        let stock = house.officer("stock", &[Role::Stock], "o-1").await;
        let admin = &house.admin;
        for (caller, path) in [
            (admin, format!("/api/v1/officers/{id}/disablement")),
            (admin, format!("/api/v1/officers/{id}/enablement")),
            (admin, format!("/api/v1/officers/{id}/roles")),
            (admin, format!("/api/v1/officers/{id}/office")),
            (admin, format!("/api/v1/officers/{id}/password-reset")),
            (admin, format!("/api/v1/stations/{id}/revocation")),
            (&capture, format!("/api/v1/applications/{id}/cancellation")),
            (&approver, format!("/api/v1/applications/{id}/refusal")),
            (&stock, "/api/v1/stock/00000000000000000001/write-off".to_owned()),
            (&stock, "/api/v1/stock/00000000000000000001/loss".to_owned()),
            (&stock, "/api/v1/stock/00000000000000000001/finding".to_owned()),
        ] {
            for blank in ["", " \n", "\u{200b}\u{3164}"] {
                let said = caller.post(&path, &format!("k-{}", blank.len()), json!({"reason": blank})).await;
                assert_eq!((said.status, said.code()), (422, "reason-missing"), "{path} {blank:?}");
            }
        }
    })
    .await;
}

/// Fields of requests that hold text as it came, each with what limits it.
const AS_IT_CAME: &[(&str, &str, &str)] = &[
    ("Credentials", "password", "hashed; the body of a stranger is small"),
    ("FirstPassword", "token", "hashed; the body of a stranger is small"),
    ("FirstPassword", "password", "12 to 256 characters"),
    ("NewPassword", "old", "hashed"),
    ("NewPassword", "new", "12 to 256 characters"),
    ("NewCertificate", "csr_pem", "its length is checked, and it is no text for people"),
    ("CertificateRenewal", "csr_pem", "its length is checked, and it is no text for people"),
    ("StationRenewal", "csr_pem", "its length is checked, and it is no text for people"),
    ("NewCertificate", "token", "hashed; its officer has a session"),
    ("NewStation", "csr_pem", "its length is checked, and it is no text for people"),
    ("NewAddress", "roots_pem", "its length is checked, and it is no text for people"),
    ("NewSystem", "csr_pem", "its length is checked, and it is no text for people"),
    ("FingerprintGiven", "image", "base64; decoded within the limit of a body"),
    ("CitizenCode", "code", "6 to 12 digits, and hashed"),
    ("Grant", "purpose", "one of the purposes that two officers confirmed"),
    ("Grant", "procedures", "1 to 40 ASCII characters each"),
    ("Grant", "provinces", "three digits each"),
    ("AnswerKey", "", "read from our own folder, and answered"),
    ("Captured", "portrait", "base64; decoded within the limit of a body"),
    (
        "RowCorrection",
        "columns",
        "each name is one of a list; the texts are `Words`, and judged by `population::check`",
    ),
    // Form DC01: each field is judged by the register, which says all that is wrong at once.
    ("BirthMessage", "", "judged by `population::check`"),
    ("Newborn", "", "judged by `population::check`"),
    ("CivilChange", "fields", "judged by `population::check`, as a declaration"),
    ("CivilDeath", "died", "judged by `population::check`, as a declaration"),
    ("FieldChange", "field", "read from the register, and answered"),
    ("Change", "fields", "judged by `population::check`, as a declaration"),
    ("Splitting", "fields", "judged by `population::check`, as a declaration"),
    ("Declaration", "", "judged by `population::check`"),
    ("DeclaredPlace", "", "judged by `population::check`"),
    ("DeclaredRelative", "", "judged by `population::check`"),
];

/// The other texts of requests are `Words`, `Login`, or a type of their own. Returns struct and field of each that is a
/// plain string.
fn plain_texts(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for part in source.split("#[derive(").skip(1) {
        let Some((derived, rest)) = part.split_once(")]") else { continue };
        // A body or a query; what is stored or answered is no text from outside.
        let asked = derived.contains("Deserialize") && (derived.contains("ToSchema") || derived.contains("IntoParams"));
        let Some((_, item)) = rest.split_once("struct ").filter(|_| asked) else { continue };
        let Some((name, fields)) = item.split_once(" {") else { continue };
        if !name.chars().all(char::is_alphanumeric) {
            continue;
        }
        let fields = fields.split_once("\n}").map_or("", |(fields, _)| fields);
        for line in fields.lines().filter(|line| line.contains("String") && !line.trim_start().starts_with(['#', '/']))
        {
            let (field, _) = line.trim().trim_start_matches("pub ").split_once(':').unwrap();
            found.push((name.to_owned(), field.to_owned()));
        }
    }
    found
}

/// What of the register's model comes from outside.
const FROM_OUTSIDE: [&str; 4] = ["Claim", "Declaration", "DeclaredPlace", "DeclaredRelative"];

#[test]
fn no_text_of_a_request_is_a_plain_string() {
    let mut met = std::collections::BTreeSet::new();
    for source in crate::statements::sources() {
        for (name, field) in plain_texts(&source.text) {
            // What the register holds is read back from it.
            if source.path == "population/model.rs" && !FROM_OUTSIDE.contains(&name.as_str()) {
                continue;
            }
            let excused = AS_IT_CAME.iter().find(|(of, one, _)| *of == name && (one.is_empty() || *one == field));
            let (of, one, _) = excused.unwrap_or_else(|| panic!("{}: {name}.{field} is a plain string", source.path));
            met.insert((of, one));
        }
    }
    assert_eq!(met.len(), AS_IT_CAME.len(), "an excuse is no longer needed: {met:?}");
    let body = "#[derive(Deserialize, ToSchema)]\nstruct Loss {\n    /// A String.\n    #[schema(value_type = String)]\n    \
                by: Words<4>,\n    grounds: Option<String>,\n}\n";
    assert_eq!(plain_texts(body), [("Loss".to_owned(), "grounds".to_owned())]);
}
