//! Other authorities ask under agreements: joined by two officers, told no more than is agreed, and logged for the
//! citizen.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use issuance::ground::Role;
use issuance::{args, sql};
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use rcgen::{CertificateParams, KeyPair};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Duration;
use time::format_description::well_known::Rfc3339;

use crate::house::{self, Caller, House, NIL, Said, on_both};
use crate::pages::Browser;

const PURPOSE: &str = "tax-number";

/// The officers of the national office, a partner and its system.
pub struct Joined {
    /// Data protection officer.
    pub bao: Caller,
    /// The partner's system.
    pub system: Caller,
    pub partner: String,
    pub system_id: String,
}

pub fn csr() -> (KeyPair, String) {
    let key = KeyPair::generate().unwrap();
    let request = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
    (key, request)
}

pub fn new_partner(code: &str) -> Value {
    json!({"code": code, "name": "Bộ Thử nghiệm", "unit": "Cục Mẫu", "contact_name": "Nguyễn Văn Thử",
        "contact_email": "ket-noi@example.invalid", "contact_phone": "024 0000 0000"})
}

/// A system of a partner that two officers confirmed.
pub async fn system_of(house: &House, bao: &Caller, partner: &str, name: &str) -> (Caller, String) {
    let (pem, id) = certified(house, bao, partner, name).await;
    let client = house::client(&house.folder, Some(&pem));
    (Caller { client, address: house.admin.address.clone(), token: None }, id)
}

/// As [`system_of`]: its certificate with the key, and its identifier.
pub async fn certified(house: &House, bao: &Caller, partner: &str, name: &str) -> (String, String) {
    let (key, csr_pem) = csr();
    let path = format!("/api/v1/partners/{partner}/systems");
    let drafted =
        house.admin.post(&path, &format!("s-{name}-{partner}"), json!({"name": name, "csr_pem": csr_pem})).await;
    assert_eq!(drafted.status, 200, "{drafted:?}");
    let id = drafted.body["id"].as_str().unwrap().to_owned();
    let confirmed =
        bao.post(&format!("/api/v1/partner-systems/{id}/confirmation"), &format!("c-{id}"), json!({})).await;
    assert_eq!(confirmed.status, 200, "{confirmed:?}");
    (format!("{}{}", confirmed.body["certificate_pem"].as_str().unwrap(), key.serialize_pem()), id)
}

/// A partner that two officers confirmed.
pub async fn partner(house: &House, bao: &Caller, code: &str) -> String {
    let drafted = house.admin.post("/api/v1/partners", &format!("p-{code}"), new_partner(code)).await;
    assert_eq!(drafted.status, 200, "{drafted:?}");
    let id = drafted.body["id"].as_str().unwrap().to_owned();
    let confirmed = bao.post(&format!("/api/v1/partners/{id}/confirmation"), &format!("pc-{code}"), json!({})).await;
    assert_eq!((confirmed.status, &confirmed.body["state"]), (200, &json!("joined")), "{confirmed:?}");
    id
}

pub async fn joined(house: &House) -> Joined {
    let bao = house.officer("bao", &[Role::DataProtection], "national").await;
    let purpose = json!({"code": PURPOSE, "name_vi": "Cấp mã số thuế", "name_en": "Tax code",
        "law": "Law 38/2019/QH14, Art. 35(7)", "dpv": "dpv:LegalCompliance"});
    assert_eq!(house.admin.post("/api/v1/exchange-purposes", "purpose", purpose).await.status, 200);
    let path = format!("/api/v1/exchange-purposes/{PURPOSE}/confirmation");
    assert_eq!(bao.post(&path, "purpose-c", json!({})).await.status, 200);
    let partner = partner(house, &bao, "p-thue").await;
    let (system, system_id) = system_of(house, &bao, &partner, "may-chu-1").await;
    Joined { bao, system, partner, system_id }
}

pub fn grant(service: &str, fields: &[&str]) -> Value {
    json!({"purpose": PURPOSE, "service": service, "fields": fields, "per_day": 1000})
}

pub fn moment(house: &House, after: Duration) -> String {
    (house.clock.now() + after).replace_nanosecond(0).unwrap().format(&Rfc3339).unwrap()
}

async fn drafted(house: &House, partner: &str, number: &str, grants: Value) -> Said {
    let body = json!({"partner_id": partner, "number": number, "basis": "Decree 47/2020/NĐ-CP, Art. 5",
        "valid_from": moment(house, Duration::seconds(-5)), "valid_to": moment(house, Duration::days(100)), "kept_days": 30,
        "grants": grants});
    house.admin.post("/api/v1/agreements", number, body).await
}

/// An agreement with both signatures. Returns its identifier.
pub async fn agreed(house: &House, joined: &Joined, partner: &str, number: &str, grants: Value) -> String {
    let drafted = drafted(house, partner, number, grants).await;
    assert_eq!(drafted.status, 200, "{drafted:?}");
    let id = drafted.body["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/agreements/{id}/signature");
    assert_eq!(house.second.post(&path, &format!("{number}-1"), json!({})).await.body["state"], "drafted");
    let signed = joined.bao.post(&path, &format!("{number}-2"), json!({})).await;
    assert_eq!((signed.status, &signed.body["state"]), (200, &json!("in-force")), "{signed:?}");
    id
}

/// A person of the register with a number: identifier and number.
pub async fn person(house: &House, name: &str, birth: &str, more: Value) -> (String, String) {
    let path = format!(
        "registrar-{}",
        name.to_lowercase().replace(' ', ".").chars().filter(char::is_ascii).collect::<String>()
    );
    let registrar = house.officer(&path, &[Role::Registrar], "o-1").await;
    let place = json!({"province": "003", "detail": "Số 1, đường Thử"});
    let mut declaration = json!({"full_name": name, "birth_date": birth, "sex": "Nữ", "ethnic_group": "01",
        "birth_registration": place, "place_of_origin": place, "permanent_residence": place});
    for (field, value) in more.as_object().into_iter().flatten() {
        declaration[field] = value.clone();
    }
    let declared = registrar.post("/api/v1/declarations", &format!("d-{path}"), declaration).await;
    let id = declared.body["person_id"].as_str().unwrap_or_else(|| panic!("{declared:?}")).to_owned();
    let number = registrar.post(&format!("/api/v1/persons/{id}/number"), &format!("n-{path}"), json!({})).await;
    (id, number.body["personal_number"].as_str().unwrap().to_owned())
}

const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");

pub fn question(request: &str, number: &str, name: &str, birth: &str) -> Value {
    json!({"request": request, "purpose": PURPOSE, "case": "HS-1", "officer": "nguyen.van.thu", "unit": "Chi cục Thử",
        "subject": {"personal_number": number, "full_name": name, "birth_date": birth}})
}

pub async fn asks(system: &Caller, service: &str, body: Value) -> Said {
    system.asks(Method::POST, &format!("/api/v1/exchange/{service}"), None, Some(body)).await
}

#[tokio::test]
async fn an_authority_is_joined_by_two_officers_and_its_system_too() {
    on_both(async |house| {
        let bao = house.officer("bao", &[Role::DataProtection], "national").await;
        let drafted = house.admin.post("/api/v1/partners", "p", new_partner("p-thue")).await;
        let id = drafted.body["id"].as_str().unwrap();
        let confirmation = format!("/api/v1/partners/{id}/confirmation");
        assert_eq!(house.admin.post("/api/v1/partners", "p2", new_partner("p-thue")).await.code(), "name-taken");
        assert_eq!(house.admin.post(&confirmation, "c-1", json!({})).await.code(), "second-officer-needed");
        let (_, csr_pem) = csr();
        let body = json!({"name": "may-1", "csr_pem": csr_pem});
        let systems = format!("/api/v1/partners/{id}/systems");
        assert_eq!(bao.post(&systems, "s-0", body.clone()).await.code(), "partner-state-unfit", "not confirmed yet");
        assert_eq!(bao.post(&confirmation, "c-2", json!({})).await.body["state"], "joined");
        assert_eq!(bao.post(&confirmation, "c-3", json!({})).await.code(), "partner-state-unfit");

        let unfit = bao.post(&systems, "s-1", json!({"name": "may-1", "csr_pem": "nothing"})).await;
        assert_eq!(unfit.code(), "certification-request-unfit");
        let system = bao.post(&systems, "s-2", body.clone()).await;
        assert_eq!((system.status, &system.body["state"]), (200, &json!("drafted")));
        assert_eq!(bao.post(&systems, "s-3", body).await.code(), "name-taken");
        let path = format!("/api/v1/partner-systems/{}/confirmation", system.body["id"].as_str().unwrap());
        assert_eq!(bao.post(&path, "s-4", json!({})).await.code(), "second-officer-needed");
        assert_eq!(house.second.post(&path, "s-5", json!({})).await.body["state"], "joined");
        assert_eq!(house.admin.post(&path, "s-6", json!({})).await.code(), "partner-state-unfit");

        // A key that was certified once is certified no second time, for whichever partner.
        let (key, _) = csr();
        let pem = CertificateParams::new(vec![]).unwrap().serialize_request(&key).unwrap().pem().unwrap();
        for (name, code) in [("may-2", ""), ("may-3", "key-certified-before")] {
            let system = bao.post(&systems, name, json!({"name": name, "csr_pem": pem})).await;
            let path = format!("/api/v1/partner-systems/{}/confirmation", system.body["id"].as_str().unwrap());
            assert_eq!(house.admin.post(&path, &format!("{name}-c"), json!({})).await.code(), code);
        }
        let file = bao.get(&format!("/api/v1/partners/{id}")).await;
        assert_eq!(file.body["systems"].as_array().unwrap().len(), 3);
        assert_eq!(house.admin.get("/api/v1/partners").await.body["items"].as_array().unwrap().len(), 1);
        assert_eq!(bao.get(&format!("/api/v1/partners/{NIL}")).await.code(), "partner-unknown");
        // Only the national office joins authorities.
        let elsewhere = house.officer("elsewhere", &[Role::DataProtection], "o-1").await;
        assert_eq!(elsewhere.get("/api/v1/partners").await.code(), "other-office");
        assert_eq!(elsewhere.post("/api/v1/partners", "p3", new_partner("p-x")).await.code(), "other-office");
    })
    .await;
}

#[tokio::test]
async fn an_agreement_counts_with_the_signatures_of_two_officers_one_of_them_for_data_protection() {
    on_both(async |house| {
        let joined = joined(house).await;
        let refused = drafted(house, &joined.partner, "TT-0", json!([grant("confirm", &["full_name"])])).await;
        assert_eq!(refused.code(), "agreement-unfit");
        assert!(refused.body["detail"].as_str().unwrap().contains("always put to the test"));
        let mut nowhere = grant("look-up", &["sex"]);
        nowhere["provinces"] = json!(["003", "998"]);
        let refused = drafted(house, &joined.partner, "TT-0", json!([nowhere])).await;
        assert_eq!(refused.code(), "agreement-unfit");
        assert!(refused.body["detail"].as_str().unwrap().contains("no province `998`"), "{refused:?}");
        let mut other = grant("look-up", &["sex"]);
        other["purpose"] = json!("never-confirmed");
        let refused = drafted(house, &joined.partner, "TT-0", json!([other])).await;
        assert!(refused.body["detail"].as_str().unwrap().contains("no confirmed purpose"), "{refused:?}");

        let draft = drafted(house, &joined.partner, "TT-1", json!([grant("look-up", &["sex"])])).await;
        let id = draft.body["id"].as_str().unwrap();
        let path = format!("/api/v1/agreements/{id}/signature");
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let ask = |n: u32| asks_n(&joined.system, "look-up", n, &number);
        assert_eq!(ask(1).await.code(), "exchange-not-agreed", "no signature");
        assert_eq!(house.admin.post(&path, "a-1", json!({})).await.status, 200);
        assert_eq!(house.second.post(&path, "a-2", json!({})).await.code(), "agreement-state-unfit", "it is there");
        assert_eq!(ask(2).await.code(), "exchange-not-agreed", "one signature");
        let signed = joined.bao.post(&path, "a-3", json!({})).await;
        assert_eq!(signed.body["state"], "in-force");
        assert_eq!(ask(3).await.status, 200);
        // It ended a moment ago.
        let ended = joined.bao.post(&format!("/api/v1/agreements/{id}/end"), "a-4", json!({"reason": "over"})).await;
        assert_eq!(ended.body["state"], "ended");
        assert_eq!(ask(4).await.code(), "exchange-not-agreed");
        assert_eq!(joined.bao.post(&path, "a-5", json!({})).await.code(), "agreement-state-unfit");

        // One officer who has both roles by an unlawful hand still gives one signature.
        let draft = drafted(house, &joined.partner, "TT-2", json!([grant("look-up", &["sex"])])).await;
        let path = format!("/api/v1/agreements/{}/signature", draft.body["id"].as_str().unwrap());
        let both = house.officer("both", &[Role::Admin, Role::DataProtection], "national").await;
        assert_eq!(both.post(&path, "b-1", json!({})).await.status, 200);
        assert_eq!(both.post(&path, "b-2", json!({})).await.code(), "agreement-state-unfit");
        // Its last moment is over.
        house.clock.advance(Duration::days(100));
        assert_eq!(ask(5).await.code(), "exchange-not-agreed");
    })
    .await;
}

async fn asks_n(system: &Caller, service: &str, n: u32, number: &str) -> Said {
    asks(system, service, question(&format!("r-{n}"), number, MAU.0, MAU.1)).await
}

#[tokio::test]
async fn a_confirmation_says_yes_or_no_and_no_more() {
    on_both(async |house| {
        let joined = joined(house).await;
        let fields = ["full_name", "birth_date", "sex"];
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("confirm", &fields)])).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let yes = asks(&joined.system, "confirm", question("r-1", &number, "NGUYỄN THỊ MẪU", "1990-05-17")).await;
        assert_eq!((yes.status, &yes.body["outcome"]), (200, &json!("confirmed")), "{yes:?}");
        let members: Vec<_> = yes.body.as_object().unwrap().keys().cloned().collect();
        let only = ["agreement", "answer", "answered_at", "outcome", "purpose", "request", "request_sha256", "service"];
        assert_eq!(members, only, "no field of the person, no name for the person");

        // Another's name, another number, a number that cannot be one: the same answer but for what names the request.
        let mut same = Vec::new();
        for (n, number, name) in
            [("r-2", number.as_str(), "Trần Thị Khác"), ("r-3", "003190999999", MAU.0), ("r-4", "no number", MAU.0)]
        {
            let mut no = asks(&joined.system, "confirm", question(n, number, name, MAU.1)).await;
            assert_eq!(no.status, 200);
            for own in ["request", "request_sha256", "answer", "answered_at"] {
                no.body.as_object_mut().unwrap().remove(own).unwrap();
            }
            same.push(no.body);
        }
        assert_eq!(same[0]["outcome"], "not-confirmed");
        assert!(same.windows(2).all(|pair| pair[0] == pair[1]), "{same:?}");

        // What is put to the test must be agreed; without name and date of birth nothing is.
        let mut more = question("r-5", &number, MAU.0, MAU.1);
        more["subject"]["nationality"] = json!("VNM");
        let said = asks(&joined.system, "confirm", more).await;
        assert_eq!((said.status, said.code()), (403, "exchange-not-agreed"));
        let mut bare = question("r-6", &number, MAU.0, MAU.1);
        bare["subject"].as_object_mut().unwrap().remove("birth_date");
        assert_eq!(asks(&joined.system, "confirm", bare).await.code(), "exchange-request-unfit");

        // The record names the person where the person was asked about, also for the answer no.
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = $2");
        let id: issuance::ground::ids::PersonId = id.parse().unwrap();
        assert_eq!(house.count(about, args![id, "exchange-answered"]).await, 2);
        assert_eq!(house.count(about, args![id, "exchange-refused"]).await, 1);
    })
    .await;
}

#[tokio::test]
async fn which_field_differs_is_said_only_where_it_is_agreed() {
    on_both(async |house| {
        let joined = joined(house).await;
        let mut telling = grant("confirm", &["full_name", "birth_date", "sex"]);
        telling["tells_which"] = json!(true);
        agreed(house, &joined, &joined.partner, "TT-1", json!([telling])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let mut wrong = question("r-1", &number, MAU.0, "18/05/1990");
        wrong["subject"]["sex"] = json!("Nam");
        let said = asks(&joined.system, "confirm", wrong).await;
        assert_eq!(said.body["differs"], json!(["birth_date", "sex"]), "{said:?}");
        // Of a number that no person has, nothing is right.
        let said = asks(&joined.system, "confirm", question("r-2", "003190999999", MAU.0, MAU.1)).await;
        assert_eq!(said.body["differs"], json!(["birth_date", "full_name", "personal_number"]));
        // Where neither name nor date of birth is the person's the answer is that for a number that no person has: what
        // is easily guessed (the sex) tells not which numbers there are.
        let told = async |request: &str, number: &str| {
            let mut guess = question(request, number, "Trần Văn Khác", "01/01/1970");
            guess["subject"]["sex"] = json!("Nữ");
            asks(&joined.system, "confirm", guess).await.body["differs"].clone()
        };
        let nobody = told("r-3", "003190999999").await;
        assert_eq!(nobody, json!(["birth_date", "full_name", "personal_number", "sex"]));
        assert_eq!(told("r-4", &number).await, nobody);
    })
    .await;
}

#[tokio::test]
async fn of_every_agreement_of_one_field_exactly_that_field_is_told() {
    on_both(async |house| {
        let joined = joined(house).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({"religion": "Không", "blood_group": "A"})).await;
        for (n, field) in issuance::exchange::Field::ALL.iter().map(|field| field.word()).enumerate() {
            let id =
                agreed(house, &joined, &joined.partner, &format!("TT-{n}"), json!([grant("look-up", &[field])])).await;
            let said = asks(&joined.system, "look-up", question(&format!("r-{n}"), &number, MAU.0, MAU.1)).await;
            assert_eq!(said.body["outcome"], "found", "{field}: {said:?}");
            let told: Vec<_> = said.body["record"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(told, [field]);
            if field != "personal_number" {
                assert!(!said.body.to_string().contains(&number), "{field}");
            }
            let other = if field == "sex" { "full_name" } else { "sex" };
            let mut more = question(&format!("m-{n}"), &number, MAU.0, MAU.1);
            more["fields"] = json!([field, other]);
            assert_eq!(asks(&joined.system, "look-up", more).await.code(), "exchange-not-agreed", "{field}");
            let end = format!("/api/v1/agreements/{id}/end");
            assert_eq!(joined.bao.post(&end, &format!("e-{n}"), json!({"reason": "next"})).await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn the_answer_is_signed_over_its_bytes_and_holds_the_digest_of_the_question() {
    on_both(async |house| {
        let joined = joined(house).await;
        let grants = json!([grant("look-up", &["full_name"]), grant("card-status", &["card_status"])]);
        agreed(house, &joined, &joined.partner, "TT-1", grants).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let body = serde_json::to_vec(&question("r-1", &number, MAU.0, MAU.1)).unwrap();
        let (answer, signature) = posts(&joined.system, "look-up", &body).await;
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        let verified = |answer: &[u8]| verifies(&keys, &signature, answer);
        assert!(verified(&answer));
        let told: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(told["request_sha256"], json!(hex::encode(Sha256::digest(&body))));
        let mut other = answer.clone();
        other[10] ^= 1;
        assert!(!verified(&other));
        // Asked again with the same bytes: the same answer, with a record; with other bytes: refused.
        assert_eq!(posts(&joined.system, "look-up", &body).await, (answer, signature));
        let replayed = sql!("select count(*) as n from audit_entry where action = $1 and person_id is not null");
        assert_eq!(house.count(replayed, args!["answer-replayed"]).await, 1);
        let elsewhere = asks(&joined.system, "card-status", question("r-1", &number, MAU.0, MAU.1)).await;
        assert_eq!(elsewhere.code(), "exchange-request-reused", "the same bytes to another service");
        let mut changed = question("r-1", &number, MAU.0, MAU.1);
        changed["case"] = json!("HS-2");
        let said = asks(&joined.system, "look-up", changed).await;
        assert_eq!((said.status, said.code()), (409, "exchange-request-reused"));
        // Kept for as long as the agreement says; the digest and the signature stay.
        house.clock.advance(Duration::days(31));
        assert_eq!(issuance::exchange::erase_answers(house.service.offices().deeds()).await.unwrap(), 1);
        let said = asks(&joined.system, "look-up", question("r-1", &number, MAU.0, MAU.1)).await;
        assert_eq!(said.code(), "exchange-request-unfit", "{said:?}");
    })
    .await;
}

pub async fn posts(system: &Caller, service: &str, body: &[u8]) -> (Vec<u8>, String) {
    let request = system.client.post(format!("{}/api/v1/exchange/{service}", system.address));
    let response = request.header("content-type", "application/json").body(body.to_vec()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["cache-control"], "no-store");
    let signature = response.headers()["x-jws-signature"].to_str().unwrap().to_owned();
    (response.bytes().await.unwrap().to_vec(), signature)
}

/// Verifies a detached JWS as a partner would: by another library than the one that signed.
pub fn verifies(keys: &Value, signature: &str, payload: &[u8]) -> bool {
    let (header, signature) = signature.split_once("..").unwrap();
    let said: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap();
    assert_eq!((&said["alg"], &said["b64"], &said["crit"]), (&json!("ES256"), &json!(false), &json!(["b64"])));
    let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == said["kid"]).unwrap();
    let coordinate = |name: &str| BASE64_URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let key = VerifyingKey::from_sec1_bytes(&point).unwrap();
    let signature = Signature::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    key.verify(&[header.as_bytes(), b".", payload].concat(), &signature).is_ok()
}

#[tokio::test]
async fn household_and_kinship_tell_of_others_with_a_record_about_each() {
    on_both(async |house| {
        let joined = joined(house).await;
        let kin = ["mother", "father", "full_name", "birth_date", "personal_number"];
        let grants = json!([grant("household", &["full_name", "relation_to_head"]), grant("kinship", &kin)]);
        agreed(house, &joined, &joined.partner, "TT-1", grants).await;
        let home = json!({"province": "001", "district": "001", "commune": "00001", "detail": "Số 1"});
        let (mother_id, mother) = person(
            house,
            "Trần Thị Thử",
            "01/02/1965",
            json!({"permanent_residence": home, "household_book_number": "SHK-1", "relation_to_head": "chủ hộ"}),
        )
        .await;
        let (child_id, child) = person(
            house,
            MAU.0,
            MAU.1,
            json!({
            "permanent_residence": home, "household_book_number": "SHK-1", "relation_to_head": "con",
            "mother": {"full_name": "Trần Thị Thử", "personal_number": mother},
            "father": {"full_name": "Nguyễn Văn Thử"}}),
        )
        .await;

        let said = asks(&joined.system, "household", question("r-1", &child, MAU.0, MAU.1)).await;
        let members = said.body["members"].as_array().unwrap_or_else(|| panic!("{said:?}"));
        assert_eq!(members.len(), 2);
        assert!(members.contains(&json!({"full_name": "Trần Thị Thử", "relation_to_head": "chủ hộ"})), "{members:?}");
        let said = asks(&joined.system, "kinship", question("r-2", &child, MAU.0, MAU.1)).await;
        let relatives = said.body["relatives"].as_array().unwrap();
        assert_eq!(relatives[0]["relation"], "father");
        assert_eq!(relatives[0]["record"]["birth_date"], json!(null), "the register has no record of him");
        let told = &relatives[1]["record"];
        assert_eq!((&told["birth_date"], &told["personal_number"]), (&json!("01/02/1965"), &json!(mother)));
        let about = sql!("select count(*) as n from audit_entry where person_id = $1 and action = 'exchange-answered'");
        for id in [mother_id, child_id] {
            let id: issuance::ground::ids::PersonId = id.parse().unwrap();
            assert_eq!(house.count(about, args![id]).await, 2, "each sees both looks");
        }
    })
    .await;
}

#[tokio::test]
async fn an_agreement_for_one_province_reaches_nobody_elsewhere() {
    on_both(async |house| {
        let joined = joined(house).await;
        let mut here = grant("look-up", &["full_name"]);
        here["provinces"] = json!(["003"]);
        agreed(house, &joined, &joined.partner, "TT-1", json!([here])).await;
        let (_, near) = person(house, MAU.0, MAU.1, json!({})).await;
        let away = json!({"permanent_residence": {"province": "001", "district": "001", "commune": "00001"}});
        let (_, far) = person(house, "Trần Thị Xa", "01/02/1991", away).await;
        let said = asks(&joined.system, "look-up", question("r-1", &near, MAU.0, MAU.1)).await;
        assert_eq!(said.body["outcome"], "found");
        let said = asks(&joined.system, "look-up", question("r-2", &far, "Trần Thị Xa", "01/02/1991")).await;
        assert_eq!((&said.body["outcome"], said.body.get("record")), (&json!("not-found"), None));
        // A mother who lives elsewhere is told of as she was declared, and no more.
        let mut kin = grant("kinship", &["mother", "full_name", "birth_date"]);
        kin["provinces"] = json!(["003"]);
        agreed(house, &joined, &joined.partner, "TT-2", json!([kin])).await;
        let mother = json!({"mother": {"full_name": "Trần Thị Xa", "personal_number": far}});
        let (_, child) = person(house, "Phạm Thị Con", "01/02/2015", mother).await;
        let said = asks(&joined.system, "kinship", question("r-3", &child, "Phạm Thị Con", "01/02/2015")).await;
        let told = json!({"full_name": "Trần Thị Xa", "birth_date": null});
        assert_eq!(said.body["relatives"][0]["record"], told, "{said:?}");
    })
    .await;
}

#[tokio::test]
async fn a_partner_finds_a_person_again_by_a_name_of_its_own() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("look-up", &["full_name"])])).await;
        let other = partner(house, &joined.bao, "p-bhxh").await;
        let (other_system, _) = system_of(house, &joined.bao, &other, "may-chu-1").await;
        agreed(house, &joined, &other, "TT-2", json!([grant("look-up", &["full_name"])])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let first = asks(&joined.system, "look-up", question("r-1", &number, MAU.0, MAU.1)).await;
        let name = first.body["pseudonym"].as_str().unwrap().to_owned();
        let theirs = asks(&other_system, "look-up", question("r-1", &number, MAU.0, MAU.1)).await;
        assert_ne!(theirs.body["pseudonym"], json!(name), "two partners cannot compare whom they know");
        let by_name = |request: &str| {
            let mut question = question(request, "", "", "");
            question["subject"] = json!({"pseudonym": name});
            question
        };
        let again = asks(&joined.system, "look-up", by_name("r-2")).await;
        assert_eq!((&again.body["record"], &again.body["pseudonym"]), (&first.body["record"], &json!(name)));
        assert_eq!(asks(&other_system, "look-up", by_name("r-3")).await.body["outcome"], "not-found");
        // What is said beside the name is put to the test all the same.
        let mut wrong = by_name("r-4");
        wrong["subject"]["birth_date"] = json!("18/05/1990");
        assert_eq!(asks(&joined.system, "look-up", wrong).await.body["outcome"], "not-found");
    })
    .await;
}

#[tokio::test]
async fn quota_hours_and_guesses_have_an_end() {
    on_both(async |house| {
        let joined = joined(house).await;
        let mut few = grant("look-up", &["sex"]);
        few["per_day"] = json!(2);
        let mut never = grant("card-status", &["card_status"]);
        let today = issuance::ground::Clock::today(&house.clock).weekday().number_from_monday();
        never["hours"] = json!({"from": 0, "to": 24, "days": [today % 7 + 1]});
        let grants = json!([few, never, grant("confirm", &["full_name", "birth_date"])]);
        agreed(house, &joined, &joined.partner, "TT-1", grants).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        for n in 0..2 {
            assert_eq!(asks_n(&joined.system, "look-up", n, &number).await.status, 200);
        }
        let spent = asks_n(&joined.system, "look-up", 2, &number).await;
        assert_eq!((spent.status, spent.code()), (429, "exchange-quota-spent"));
        assert!(spent.retry_after.is_some_and(|wait| wait <= 86_400), "{spent:?}");
        let hours = asks_n(&joined.system, "card-status", 3, &number).await;
        assert_eq!(hours.code(), "exchange-not-agreed");
        assert!(hours.body["detail"].as_str().unwrap().contains("hours"));

        // One person is guessed at: ten misses, whichever officer; then another person is still told of.
        for n in 0..10 {
            let mut guess = question(&format!("g-{n}"), &number, "Trần Thị Đoán", MAU.1);
            guess["officer"] = json!(format!("officer-{n}"));
            assert_eq!(asks(&joined.system, "confirm", guess).await.body["outcome"], "not-confirmed");
        }
        let right = asks(&joined.system, "confirm", question("g-10", &number, MAU.0, MAU.1)).await;
        assert_eq!((right.status, right.code()), (429, "exchange-guessing"), "also for what is so");
        let (_, other) = person(house, "Trần Thị Khác", "01/02/1991", json!({})).await;
        let said = asks(&joined.system, "confirm", question("g-11", &other, "Trần Thị Khác", "01/02/1991")).await;
        assert_eq!(said.body["outcome"], "confirmed");
        // One officer guesses at many.
        for n in 0..30 {
            let mut guess = question(&format!("h-{n}"), &format!("0031909{n:05}"), MAU.0, MAU.1);
            guess["officer"] = json!("guesser");
            assert_eq!(asks(&joined.system, "confirm", guess).await.status, 200, "{n}");
        }
        let mut guess = question("h-30", &other, "Trần Thị Khác", "01/02/1991");
        guess["officer"] = json!("guesser");
        assert_eq!(asks(&joined.system, "confirm", guess).await.code(), "exchange-guessing");
        house.clock.advance(Duration::minutes(61));
        assert_eq!(asks(&joined.system, "confirm", question("i-1", &number, MAU.0, MAU.1)).await.status, 200);
        // The next day has a quota of its own.
        house.clock.advance(Duration::days(1));
        assert_eq!(asks_n(&joined.system, "look-up", 4, &number).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_question_without_officer_purpose_or_case_or_at_another_time_has_no_answer() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("look-up", &["sex"])])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        for field in ["officer", "purpose", "case", "unit", "request"] {
            let mut without = question("r-1", &number, MAU.0, MAU.1);
            without.as_object_mut().unwrap().remove(field);
            assert_eq!(asks(&joined.system, "look-up", without.clone()).await.code(), "body-invalid", "{field}");
            without[field] = json!("  ");
            let said = asks(&joined.system, "look-up", without).await;
            assert_eq!((said.status, said.body["code"].is_string()), (422, true), "{field}: {said:?}");
        }
        for robot in ["System", "p-thue", "May-Chu-1", "0", "robot"] {
            let mut asked = question("r-2", &number, MAU.0, MAU.1);
            asked["officer"] = json!(robot);
            assert_eq!(asks(&joined.system, "look-up", asked).await.code(), "exchange-request-unfit", "{robot}");
        }
        for (after, status) in [(Duration::minutes(6), 422), (Duration::minutes(-6), 422), (Duration::minutes(4), 200)]
        {
            let mut asked = question(&format!("r-{}", after.whole_minutes()), &number, MAU.0, MAU.1);
            asked["asked_at"] = json!(moment(house, after));
            assert_eq!(asks(&joined.system, "look-up", asked).await.status, status, "{after}");
        }
        let mut asked = question("r-4", &number, MAU.0, MAU.1);
        asked["purpose"] = json!("another-purpose");
        assert_eq!(asks(&joined.system, "look-up", asked).await.code(), "exchange-not-agreed");
        assert_eq!(asks_n(&joined.system, "confirm", 5, &number).await.code(), "exchange-not-agreed", "the service");
        let mut both = question("r-6", &number, MAU.0, MAU.1);
        both["subject"]["pseudonym"] = json!("ab");
        assert_eq!(asks(&joined.system, "look-up", both).await.code(), "exchange-request-unfit");
    })
    .await;
}

#[tokio::test]
async fn only_a_certificate_of_a_partner_that_is_joined_lets_a_system_in() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("look-up", &["sex"])])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let ask = async |caller: &Caller, n: u32| asks_n(caller, "look-up", n, &number).await;
        assert_eq!(ask(&house.anyone(), 0).await.code(), "partner-certificate-needed");
        assert_eq!(ask(&house.admin, 0).await.code(), "partner-certificate-needed", "a session does not help");
        let (station, _) = house.station("counter-1").await;
        assert_eq!(ask(&station, 0).await.code(), "partner-certificate-unfit", "a station's");
        let on_station = joined.system.post("/api/v1/station/intake/orders", "k", json!({})).await;
        assert_eq!(on_station.code(), "station-unknown", "and a partner is no station");
        // Another partner has another agreement, or none.
        let other = partner(house, &joined.bao, "p-bhxh").await;
        let (theirs, their_id) = system_of(house, &joined.bao, &other, "may-1").await;
        assert_eq!(ask(&theirs, 1).await.code(), "exchange-not-agreed");
        assert_eq!(ask(&joined.system, 1).await.status, 200);
        // Revoked, on a connection that is open.
        let path = format!("/api/v1/partner-systems/{}/revocation", joined.system_id);
        assert_eq!(house.admin.post(&path, "k-1", json!({"reason": "stolen"})).await.body["state"], "revoked");
        assert_eq!(ask(&joined.system, 2).await.code(), "partner-certificate-unfit");
        let (next, _) = system_of(house, &joined.bao, &joined.partner, "may-chu-2").await;
        assert_eq!(ask(&next, 3).await.status, 200);
        // Ended, with all its systems.
        let end = format!("/api/v1/partners/{}/end", joined.partner);
        assert_eq!(joined.bao.post(&end, "k-2", json!({"reason": "over"})).await.body["state"], "ended");
        assert_eq!(ask(&next, 4).await.code(), "partner-certificate-unfit");
        assert_eq!(joined.bao.post(&end, "k-3", json!({"reason": "over"})).await.code(), "partner-state-unfit");
        // A year later its certificate has ended.
        let _ = their_id;
        house.clock.advance(Duration::days(366));
        assert_eq!(ask(&theirs, 5).await.code(), "partner-certificate-unfit");
    })
    .await;
}

#[tokio::test]
async fn what_another_hand_wrote_into_an_agreement_allows_nothing() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("look-up", &["sex"])])).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let more = json!([grant("look-up", &["sex", "religion"])]);
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let widen = sql!("update agreement set grants = $1 where number = 'TT-1'");
        tx.run(widen, args![issuance::store::Argument::json(&more)]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(asks_n(&joined.system, "look-up", 1, &number).await.code(), "record-tampered");
        let list = joined.bao.get("/api/v1/agreements").await;
        assert_eq!(list.body["items"][0]["tampered"], json!(true));
    })
    .await;
}

#[tokio::test]
async fn the_citizen_is_told_who_looked_and_what_a_judge_delays_on_its_day() {
    on_both(async |house| {
        let joined = joined(house).await;
        let grants = json!([grant("look-up", &["full_name", "sex"]), grant("confirm", &["full_name", "birth_date"])]);
        agreed(house, &joined, &joined.partner, "TT-1", grants).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        asks_n(&joined.system, "look-up", 1, &number).await;
        asks(&joined.system, "confirm", question("r-2", &number, "Trần Thị Khác", MAU.1)).await;
        asks_n(&joined.system, "kinship", 3, &number).await;
        let counter = house.officer("counter", &[Role::Capture], "o-1").await;
        let path = format!("/api/v1/persons/{id}/looks");
        let told = counter.get(&path).await;
        let looks = told.body["looks"].as_array().unwrap_or_else(|| panic!("{told:?}")).clone();
        let words = |look: &Value| ["service", "outcome"].map(|name| look[name].as_str().unwrap_or("").to_owned());
        let asked = [["kinship", "exchange-not-agreed"], ["confirm", "not-confirmed"], ["look-up", "found"]];
        assert_eq!(looks[..3].iter().map(words).collect::<Vec<_>>(), asked, "the newest first, refusals too");
        let look = &looks[2];
        assert_eq!((&look["institution"], &look["unit"]), (&json!("Bộ Thử nghiệm"), &json!("Chi cục Thử")));
        assert_eq!(
            (&look["law"], &look["fields"]),
            (&json!("Law 38/2019/QH14, Art. 35(7)"), &json!(["full_name", "sex"]))
        );
        assert!(!told.body.to_string().contains("nguyen.van.thu"), "the institution, and not its officer");
        assert!(!told.body.to_string().contains("HS-1"));
        // The page says the same in words.
        let browser = Browser::of(house, "counter").await;
        let page = browser.reads(&format!("/pages/persons/{id}/looks")).await;
        let told =
            ["Bộ Thử nghiệm", "Chi cục Thử", "Cấp mã số thuế", "Law 38/2019/QH14, Art. 35(7)", "tra cứu thông tin"];
        for words in told.into_iter().chain(["Họ, chữ đệm và tên", "không khớp", "bị từ chối", "đã cung cấp"])
        {
            assert!(page.says(words), "{words}: {}", page.text);
        }
        assert!(!page.says("nguyen.van.thu") && !page.says("HS-1"));
        // What was put together is itself a look.
        let again = counter.get(&path).await;
        assert_eq!(again.body["looks"][0]["service"], "exchange-looks-read");
        let elsewhere = house.officer("elsewhere", &[Role::Capture], "o-2").await;
        assert_eq!(elsewhere.get(&path).await.code(), "other-office");

        // A judge's order, by two officers of the national office.
        let order =
            |until| json!({"partner_id": joined.partner, "court": "Tòa án Thử", "order": "QĐ-1", "until": until});
        let delays = format!("/api/v1/persons/{id}/look-delays");
        for unfit in [Duration::seconds(-1), Duration::days(800)] {
            let said = joined.bao.post(&delays, &format!("d-{unfit}"), order(moment(house, unfit))).await;
            assert_eq!(said.code(), "look-delay-unfit");
        }
        let proposed = joined.bao.post(&delays, "d-1", order(moment(house, Duration::days(10)))).await;
        let hidden = async || {
            let told = counter.get(&path).await.body;
            let of_partner = told["looks"].as_array().unwrap().iter().filter(|look| !look["unit"].is_null()).count();
            (of_partner, told["delayed"].as_u64().unwrap())
        };
        assert_eq!(hidden().await, (3, 0), "proposed only");
        let confirmation = format!("/api/v1/look-delays/{}/confirmation", proposed.body["id"].as_str().unwrap());
        assert_eq!(joined.bao.post(&confirmation, "d-2", json!({})).await.code(), "second-officer-needed");
        let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
        assert_eq!(auditor.post(&confirmation, "d-3", json!({})).await.status, 200);
        assert_eq!(hidden().await, (0, 3), "counted, and not told");
        let page = browser.reads(&format!("/pages/persons/{id}/looks")).await;
        assert!(!page.says("Bộ Thử nghiệm") && page.says("còn 3 lần xem sẽ được thông báo sau"), "{}", page.text);
        let counter = house.officer("counter-2", &[Role::Capture], "o-1").await;
        house.clock.advance(Duration::days(10));
        let mut fresh = house.anyone();
        fresh.token = Some(fresh.signs_in("counter-2", house::PASSWORD).await.body["token"].as_str().unwrap().into());
        let told = fresh.get(&path).await.body;
        assert_eq!(told["delayed"], json!(0), "by itself, on its day: {told}");
        drop(counter);
    })
    .await;
}

#[tokio::test]
async fn a_look_at_a_record_that_is_of_no_person_is_told_within_seconds() {
    on_both(async |house| {
        let joined = joined(house).await;
        agreed(house, &joined, &joined.partner, "TT-1", json!([grant("look-up", &["full_name"])])).await;
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let path = format!("/api/v1/persons/{id}/canary");
        assert_eq!(joined.bao.post(&path, "c-1", json!({})).await.status, 200);
        assert_eq!(joined.bao.post(&path, "c-2", json!({})).await.code(), "agreement-state-unfit");
        let confirmation = format!("{path}/confirmation");
        assert_eq!(joined.bao.post(&confirmation, "c-3", json!({})).await.code(), "second-officer-needed");
        let auditor = house.officer("auditor", &[Role::Auditor], "national").await;
        assert_eq!(auditor.post(&confirmation, "c-4", json!({})).await.status, 200);
        let sung = async || house.anyone().get("/health").await.body.to_string().contains("is of no person");
        assert!(!sung().await);
        asks_n(&joined.system, "look-up", 1, &number).await;
        let began = std::time::Instant::now();
        while !sung().await {
            assert!(began.elapsed() < std::time::Duration::from_mins(1), "no alert");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[test]
fn a_key_that_was_cut_while_it_was_made_keeps_no_service_closed() {
    let folder = tempfile::tempdir().unwrap();
    let settings = house::settings(&folder, None);
    let rng = &mut issuance::ground::Randomness::seeded(3).draw();
    issuance::server::init(&settings, &issuance::keys::InitOptions::default(), "admin", house::now(), rng).unwrap();
    let store = issuance::keys::KeyStore::open(&settings.data, None).unwrap();
    let opened = || issuance::exchange::AnswerSigner::open(&store, house::now(), false).unwrap().keys().to_vec();
    let first = opened();
    assert_eq!((first.len(), opened()), (1, first.clone()), "the same at the next start");
    // As a cut leaves it between the key and the list that tells of it.
    std::fs::remove_file(settings.data.join("exchange-keys.json")).unwrap();
    let next = opened();
    assert!(next.len() == 1 && next != first);
}
