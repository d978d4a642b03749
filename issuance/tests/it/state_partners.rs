//! The eleven authorities that were joined first, each as it would be today: by its own agreement, in its own words,
//! and shut out of what the others were granted.

use std::collections::{BTreeMap, BTreeSet};

use issuance::ground::Role;
use issuance::{args, sql};
use reqwest::Method;
use serde_json::{Value, json};

use crate::exchange::{Joined, agreed, asks, grant, joined, partner, person, question, system_of};
use crate::house::{House, Said, on_both};
use crate::incoming::{newborn, report};
use crate::oauth::{Heard, heard, token};
use crate::statistics::{counted, counting, counts};

/// An authority that is joined, and what of its agreement a test looks at.
struct Authority {
    joined: Joined,
    services: BTreeSet<&'static str>,
}

/// Of each authority its code and the grants of its agreement: which services, with which fields, of whom.
fn agreements() -> Vec<(&'static str, Vec<Value>)> {
    let of = |service: &str, fields: &[&str], provinces: &[&str]| {
        let mut grant = grant(service, fields);
        grant["provinces"] = json!(provinces);
        grant
    };
    let for_services = |province: &'static str| {
        vec![
            of("confirm", &["full_name", "birth_date", "sex"], &[province]),
            of("look-up", &["full_name", "birth_date", "permanent_residence"], &[province]),
        ]
    };
    let mut vehicles = of("confirm", &["full_name", "birth_date"], &[]);
    vehicles["procedures"] = json!(["1.000001"]);
    vec![
        ("p-tai-chinh", vec![of("look-up", &["personal_number", "full_name", "birth_date", "sex"], &[])]),
        (
            "p-tu-phap",
            vec![
                of("birth", &["personal_number"], &[]),
                of("death", &["life"], &[]),
                of("change", &["marital_status"], &[]),
            ],
        ),
        (
            "p-cong-dvc",
            vec![
                of("confirm", &["full_name", "birth_date"], &[]),
                of("look-up", &["full_name", "birth_date", "sex", "ethnic_group", "permanent_residence"], &[]),
            ],
        ),
        ("p-tinh-mot", for_services("003")),
        ("p-tinh-hai", for_services("004")),
        ("p-tinh-ba", for_services("006")),
        ("p-a08", vec![of("card-status", &["card_status", "card_expires"], &[])]),
        ("p-c08", vec![vehicles]),
        (
            "p-bhxh",
            vec![of("confirm-list", &["full_name", "birth_date"], &[]), of("follow", &["life", "full_name"], &[])],
        ),
        ("p-ngan-hang", vec![of("confirm", &["full_name", "birth_date"], &[])]),
        // It counts, and is told of no person.
        ("p-thong-ke", vec![counts(&["province", "age_group", "sex"])]),
    ]
}

async fn authorities(house: &House) -> BTreeMap<&'static str, Authority> {
    let first = joined(house).await;
    let mut all = BTreeMap::new();
    for (code, grants) in agreements() {
        let partner = partner(house, &first.bao, code).await;
        let (system, system_id) = system_of(house, &first.bao, &partner, "may-chu-1").await;
        let joined = Joined { bao: first.bao.clone(), system, partner, system_id };
        agreed(house, &joined, &joined.partner, &format!("TT-{code}"), json!(grants)).await;
        let services =
            SERVICES.iter().copied().filter(|service| grants.iter().any(|grant| grant["service"] == *service));
        all.insert(code, Authority { joined, services: services.collect() });
    }
    all
}

const SERVICES: &[&str] = &[
    "birth",
    "card-status",
    "change",
    "confirm",
    "confirm-list",
    "death",
    "follow",
    "household",
    "kinship",
    "look-up",
    "statistics",
];

const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");

/// Asks a service in the words of REST.
async fn asks_any(system: &crate::house::Caller, service: &str, request: &str, number: &str) -> Said {
    let mut about = question(request, number, MAU.0, MAU.1);
    about["officer"] = json!(format!("can.bo.{request}"));
    let (path, body) = match service {
        "birth" => (service, report(request, "birth", newborn("Nguyễn Thị Mầm", "20/11/2026"))),
        "death" | "change" => {
            let of = match service {
                "death" => json!({"died": "19/11/2026", "registration": "Số 12/2026"}),
                _ => json!({"kind": "marital-status-changed", "valid_from": "01/10/2026",
                    "fields": {"marital_status": "married"}, "registration": "Số 13/2026"}),
            };
            about[service] = of;
            (service, about)
        }
        "confirm-list" => {
            let body = json!({"request": request, "purpose": "tax-number", "case": "KH-1", "officer": "nguyen.van.thu",
                "second_officer": "tran.thi.duyet", "unit": "Cục Thử", "lines": 1});
            ("lists", body)
        }
        "statistics" => (service, counting(request, &["province", "sex"])),
        _ => (service, about),
    };
    system.asks(Method::POST, &format!("/api/v1/exchange/{path}"), None, Some(body)).await
}

#[tokio::test]
async fn each_authority_may_ask_what_its_agreement_names_and_nothing_of_the_others() {
    on_both(async |house| {
        let all = authorities(house).await;
        assert_eq!(all.len(), 11);
        let (id, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let office = &all["p-thong-ke"].joined.system;
        let counted = counted(office, |n| counting(&format!("w-{n}"), &["province", "sex"])).await;
        // So few as these are never told.
        assert_eq!((counted.status, &counted.body["cells"]), (200, &json!([])), "{counted:?}");
        let mut granted = 0;
        for (code, authority) in &all {
            for service in SERVICES {
                let said = asks_any(&authority.joined.system, service, &format!("{code}.{service}"), &number).await;
                let refused = said.code() == "exchange-not-agreed";
                assert_eq!(!refused, authority.services.contains(service), "{code}, {service}: {said:?}");
                // A province's office is told of its own residents: of another's as of a number that no person has.
                let elsewhere = ["p-tinh-hai", "p-tinh-ba"].contains(code);
                match (refused, *service) {
                    (true, _) => assert_eq!(said.status, 403, "{code}, {service}: {said:?}"),
                    (false, "confirm") => {
                        let outcome = if elsewhere { "not-confirmed" } else { "confirmed" };
                        assert_eq!(said.body["outcome"], outcome, "{code}: {said:?}");
                    }
                    (false, "look-up") if elsewhere => {
                        assert_eq!(said.body["outcome"], "not-found", "{code}: {said:?}");
                    }
                    (false, _) => assert_eq!(said.status, 200, "{code}, {service}: {said:?}"),
                }
                granted += usize::from(!refused);
            }
        }
        assert_eq!(granted, all.values().map(|authority| authority.services.len()).sum::<usize>());
        // Whichever authority it was, the person sees each look: what was answered, and what was refused.
        let counter = house.officer("xem", &[Role::Capture], "o-1").await;
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let mut rest = String::new();
        loop {
            let told = counter.get(&format!("/api/v1/persons/{id}/looks{rest}")).await;
            assert_eq!(told.status, 200, "{told:?}");
            for look in told.body["looks"].as_array().unwrap().iter().filter(|look| !look["unit"].is_null()) {
                *seen.entry(look["unit"].as_str().unwrap().to_owned()).or_default() += 1;
            }
            match told.body["before"].as_str() {
                Some(next) => rest = format!("?before={next}"),
                None => break,
            }
        }
        let about_person = sql!(
            "select count(*) as n from audit_entry where person_id = $1
             and action in ('exchange-answered', 'exchange-refused')"
        );
        let person: issuance::ground::ids::PersonId = id.parse().unwrap();
        let records = house.count(about_person, args![person]).await;
        // Births and counts name no person of the register, and a list is asked about its lines.
        assert_eq!(
            records,
            11 * (i64::try_from(SERVICES.len()).unwrap() - 3),
            "each look is recorded about the person"
        );
        assert_eq!(seen.values().sum::<usize>(), usize::try_from(records).unwrap(), "and told: {seen:?}");
    })
    .await;
}

/// Posts a message of the national population database.
async fn says(system: &crate::house::Caller, operation: &str, more: &str, number: &str) -> Heard {
    let body = format!(
        "<s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" xmlns:d=\"http://dancuquocgia.bca\"><s:Header/>\
         <s:Body><d:{operation}><d:MaYeuCau>YC-{operation}</d:MaYeuCau>{more}<d:MaCanBo>nguyen.van.thu</d:MaCanBo>\
         <d:SoDinhDanh>{number}</d:SoDinhDanh><d:HoVaTen>{}</d:HoVaTen><d:NgayThangNamSinh><d:NgayThangNam>19900517\
         </d:NgayThangNam></d:NgayThangNamSinh></d:{operation}></s:Body></s:Envelope>",
        MAU.0
    );
    let request = system.client.post(format!("{}/npdb/soap", system.address));
    heard(request.header("content-type", "text/xml; charset=utf-8").body(body)).await
}

#[tokio::test]
async fn each_authority_asks_in_the_words_that_its_programmes_speak() {
    on_both(async |house| {
        let all = authorities(house).await;
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let of = |code: &str| &all[code].joined;
        let text = |said: &Heard| String::from_utf8(said.bytes.clone()).unwrap();

        // Finance: SOAP as today, and the tax code is the number.
        let told = text(&says(&of("p-tai-chinh").system, "TraCuuThongTinCongDan", "", &number).await);
        assert!(told.contains(&number) && !told.contains("ThuongTru>"), "{told}");
        // Vehicles: SOAP with the procedure that has the purpose; another procedure has none.
        let procedure = |code: &str| format!("<d:MaDVC>{code}</d:MaDVC>");
        let owner = says(&of("p-c08").system, "XacThucThongTinCongDan", &procedure("1.000001"), &number).await;
        assert!(text(&owner).contains("true"), "{owner:?}");
        let other = says(&of("p-c08").system, "XacThucThongTinCongDan", &procedure("9.999999"), &number).await;
        assert_eq!(other.status, 500, "{other:?}");
        assert!(text(&other).contains("exchange-not-agreed"), "{other:?}");

        // A province behind its service platform: OAuth, with the certificate of the platform's system.
        let province = of("p-tinh-mot");
        let shown = token(&province.system, &province.system_id, "exchange.confirm").await;
        let asked = province.system.client.post(format!("{}/api/v1/exchange/confirm", province.system.address));
        let said = heard(asked.bearer_auth(&shown).json(&question("t-1", &number, MAU.0, MAU.1))).await;
        assert_eq!((said.status, &said.body["outcome"]), (200, &json!("confirmed")), "{said:?}");
        // A token of one authority is worth nothing in another's hand.
        let bank = of("p-ngan-hang");
        let asked = bank.system.client.post(format!("{}/api/v1/exchange/confirm", bank.system.address));
        let said = heard(asked.bearer_auth(&shown).json(&question("t-2", &number, MAU.0, MAU.1))).await;
        assert_eq!((said.status, said.body["code"].as_str()), (401, Some("exchange-token-unfit")), "{said:?}");

        // Justice: a birth by OSIA has its number at once; a death is proposed.
        let justice = of("p-tu-phap");
        let shown = token(&justice.system, &justice.system_id, "uin.generate").await;
        let born = json!({"lastName": "Nguyễn", "firstName": "Thị Chồi", "dateOfBirth": "2026-11-20", "gender": "F",
            "birthProvince": "003", "originProvince": "003", "ethnicGroup": "01", "motherName": "Trần Thị Thử",
            "registration": "Số 7"});
        let request =
            justice.system.client.post(format!("{}/osia/uin/v1/uin?transactionId=ks-1", justice.system.address));
        let request = request.header("x-exchange-case", "KS-1").header("x-exchange-officer", "tran.thi.thu");
        let request = request.header("x-exchange-unit", "UBND%20ph%C6%B0%E1%BB%9Dng%20Th%E1%BB%AD");
        let said = heard(request.bearer_auth(&shown).json(&born)).await;
        assert_eq!(said.status, 200, "{said:?}");
        let child = said.body.as_str().unwrap().to_owned();
        assert_eq!(child.len(), 12);

        // Social insurance: a list of its insured, and the changes of one whom it follows, without data.
        let insurance = of("p-bhxh");
        let opening = json!({"request": "l-1", "purpose": "tax-number", "case": "KH-1", "officer": "nguyen.van.thu",
            "second_officer": "tran.thi.duyet", "unit": "Cục Thử", "lines": 2});
        let posts = async |path: String, body: Value| {
            insurance.system.asks(Method::POST, &format!("/api/v1/exchange/lists{path}"), None, Some(body)).await
        };
        let list = posts(String::new(), opening).await.body["list"].as_str().unwrap().to_owned();
        let line = |number: &str| json!({"personal_number": number, "full_name": MAU.0, "birth_date": MAU.1});
        let lines = json!({"number": 1, "lines": [line(&number), line("003190999999")]});
        let said = posts(format!("/{list}/stretches"), lines).await;
        let outcome = |at: usize| said.body["lines"][at]["outcome"].as_str();
        assert_eq!((outcome(0), outcome(1)), (Some("confirmed"), Some("not-confirmed")), "{said:?}");
        let followed = asks(&insurance.system, "follow", question("f-1", &number, MAU.0, MAU.1)).await;
        assert_eq!(followed.body["outcome"], "found", "{followed:?}");
        assert!(!followed.body.to_string().contains(&number), "it has a name of its own for the person");

        // The portal fills a form in; immigration asks of the card; the bank hears yes or no.
        let form = asks(&of("p-cong-dvc").system, "look-up", question("p-1", &number, MAU.0, MAU.1)).await;
        let fields: BTreeSet<&str> = form.body["record"].as_object().unwrap().keys().map(String::as_str).collect();
        let agreed = ["full_name", "birth_date", "sex", "ethnic_group", "permanent_residence"];
        assert_eq!(fields, agreed.into_iter().collect());
        let card = asks(&of("p-a08").system, "card-status", question("a-1", &number, MAU.0, MAU.1)).await;
        assert_eq!(card.body["record"]["card_status"], "none", "{card:?}");
        let yes = asks(&bank.system, "confirm", question("b-1", &number, MAU.0, MAU.1)).await;
        assert_eq!(
            (&yes.body["outcome"], yes.body.get("record"), yes.body.get("pseudonym")),
            (&json!("confirmed"), None, None)
        );
        // Two authorities that both know the person cannot tell so by the names that they have.
        let names: BTreeSet<String> = [&form, &card, &followed]
            .iter()
            .map(|said| said.body["pseudonym"].as_str().unwrap_or_else(|| panic!("{said:?}")).to_owned())
            .collect();
        assert_eq!(names.len(), 3);
        // The statistics office counts: it is told of no person in any words.
        let none = says(&of("p-thong-ke").system, "XacThucThongTinCongDan", "", &number).await;
        assert!(text(&none).contains("exchange-not-agreed"), "{none:?}");
    })
    .await;
}
