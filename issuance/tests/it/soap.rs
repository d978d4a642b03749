//! SOAP as the national population database speaks it: questions of today's clients, byte for byte, with their answers;
//! what is no question; and the description that is published.

use std::collections::BTreeSet;
use std::process::Command;
use std::{env, fs};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use issuance::{args, sql};
use quick_xml::events::Event;
use quick_xml::name::ResolveResult;
use quick_xml::reader::NsReader;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Duration;

use crate::exchange::{Joined, agreed, asks, certified, grant, joined, partner, person, question, system_of, verifies};
use crate::house::{Caller, House, on_both};
use crate::oauth::{Heard, heard, part, token};

pub const MAU: (&str, &str) = ("Nguyễn Thị Mẫu", "17/05/1990");
pub const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const ASKED: &str = "http://dancuquocgia.bca";
const CITIZENS: &str = "http://www.mic.gov.vn/dancu/1.0";
const OWN: &str = "https://citizen-card.invalid/exchange/1";

fn golden(name: &str) -> String {
    fs::read_to_string(format!("tests/data/soap/{name}.xml")).unwrap()
}

async fn posts(system: &Caller, body: impl Into<reqwest::Body>) -> Heard {
    let request = system.client.post(format!("{}/npdb/soap", system.address));
    heard(request.header("content-type", "text/xml; charset=utf-8").header("soapaction", "\"\"").body(body)).await
}

/// The message as text; nothing of it may stand outside the description, and its status is that of SOAP 1.1.
pub fn text(said: &Heard) -> String {
    let text = String::from_utf8(said.bytes.clone()).unwrap();
    assert_eq!(said.headers["content-type"], "text/xml; charset=utf-8", "{text}");
    assert_eq!(said.headers["cache-control"], "no-store");
    let described = described();
    for (namespace, name) in elements(&text) {
        if namespace != SOAP && !namespace.is_empty() {
            assert!(described.contains(&(namespace.clone(), name.clone())), "{namespace} {name} is not described");
        }
    }
    assert_eq!(said.status == 500, text.contains("<soapenv:Fault>"), "{text}");
    text
}

/// Returns what stands between two tags.
pub fn between<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    Some(rest.split_once(&format!("</{name}>"))?.0)
}

/// Returns the code of a fault, of SOAP 1.1 and ours.
pub fn fault(said: &Heard) -> (String, String) {
    let text = text(said);
    let of = |name: &str| between(&text, name).unwrap_or_default().to_owned();
    (of("faultcode").replace("soapenv:", ""), of("cc:Code"))
}

fn unfit() -> (String, String) {
    ("Client".to_owned(), "exchange-request-unfit".to_owned())
}

/// Returns the elements of a message with their namespaces.
pub fn elements(xml: &str) -> BTreeSet<(String, String)> {
    let mut reader = NsReader::from_str(xml);
    let mut found = BTreeSet::new();
    loop {
        match reader.read_resolved_event().unwrap() {
            (_, Event::Eof) => return found,
            (namespace, Event::Start(start) | Event::Empty(start)) => {
                let namespace = match namespace {
                    ResolveResult::Bound(namespace) => namespace.into_inner().to_owned(),
                    _ => String::new(),
                };
                found.insert((namespace, start.local_name().into_inner().to_owned()));
            }
            _ => {}
        }
    }
}

/// Returns the elements that the description has, with their namespaces.
fn described() -> BTreeSet<(String, String)> {
    let mut reader = NsReader::from_str(include_str!("../../src/exchange/adapters/npdb/npdb.wsdl"));
    let (mut found, mut target) = (BTreeSet::new(), String::new());
    loop {
        let event = reader.read_event().unwrap();
        let (Event::Start(start) | Event::Empty(start)) = &event else {
            if matches!(event, Event::Eof) {
                return found;
            }
            continue;
        };
        let of = |name: &str| start.try_get_attribute(name).unwrap().map(|attribute| attribute.value.into_owned());
        match start.name().as_ref() {
            "xs:schema" => target = of("targetNamespace").unwrap(),
            "xs:element" => drop(found.insert((target.clone(), of("name").unwrap()))),
            _ => {}
        }
    }
}

/// A question of two particulars and a number.
pub fn asking(operation: &str, namespace: &str, request: &str, number: &str, name: &str) -> String {
    format!(
        "<s:Envelope xmlns:s=\"{SOAP}\" xmlns:d=\"{namespace}\"><s:Header/><s:Body><d:{operation}><d:MaYeuCau>{request}\
         </d:MaYeuCau><d:MaCanBo>nguyen.van.thu</d:MaCanBo><d:SoDinhDanh>{number}</d:SoDinhDanh><d:HoVaTen>{name}\
         </d:HoVaTen><d:NgayThangNamSinh><d:NgayThangNam>19900517</d:NgayThangNam></d:NgayThangNamSinh></d:{operation}>\
         </s:Body></s:Envelope>"
    )
}

pub fn confirming(request: &str, number: &str, name: &str) -> String {
    asking("XacThucThongTinCongDan", ASKED, request, number, name)
}

pub fn looking_up(request: &str, number: &str) -> String {
    asking("TraCuuThongTinCongDan", ASKED, request, number, MAU.0)
}

/// Returns the answer that the header of a message holds, as a partner would: its signature is verified by another
/// library than the one that signed, and so is that over the bytes of the message.
async fn proven(house: &House, said: &Heard, asked: &str) -> Value {
    let text = text(said);
    let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
    let content = BASE64_STANDARD.decode(between(&text, "cc:Content").unwrap_or_else(|| panic!("{text}"))).unwrap();
    let signature = between(&text, "cc:Signature").unwrap();
    assert!(verifies(&keys, signature, &content));
    let mut other = content.clone();
    other[20] ^= 1;
    assert!(!verifies(&keys, signature, &other));
    let answer: Value = serde_json::from_slice(&content).unwrap();
    let digest = json!(hex::encode(Sha256::digest(asked)));
    assert_eq!(answer["request_sha256"], digest);
    let over_bytes = said.headers["x-jws-signature"].to_str().unwrap();
    assert!(verifies(&keys, over_bytes, &said.bytes));
    let header = part(over_bytes, 0);
    assert_eq!((&header["answer"], &header["request_sha256"]), (&answer["answer"], &digest));
    answer
}

/// What REST says to the same question, without what names request and moment.
async fn over_rest(system: &Caller, service: &str, number: &str, fields: Option<Vec<&str>>) -> Value {
    let mut body = question(&format!("rest-{service}"), number, MAU.0, MAU.1);
    if let Some(fields) = fields {
        body["fields"] = json!(fields);
    }
    let said = asks(system, service, body).await;
    assert_eq!(said.status, 200, "{said:?}");
    plain(said.body)
}

fn plain(mut answer: Value) -> Value {
    for own in ["request", "request_sha256", "answer", "answered_at"] {
        answer.as_object_mut().unwrap().remove(own).unwrap();
    }
    answer
}

/// A family, and an agreement of this grant.
pub async fn family(house: &House, grants: Value) -> (Joined, String, String) {
    let joined = joined(house).await;
    agreed(house, &joined, &joined.partner, "TT-1", grants).await;
    let (_, mother) = person(house, "Trần Thị Thử", "01/02/1965", json!({})).await;
    let more = json!({
        "old_id_number": "012345678", "blood_group": "A", "marital_status": "married",
        "permanent_residence": {"province": "001", "district": "001", "commune": "00001", "detail": "Số 2 & 4"},
        "mother": {"full_name": "Trần Thị Thử", "personal_number": mother}, "father": {"full_name": "Nguyễn Văn Thử"},
        "head_of_household": {"full_name": "Nguyễn Văn Thử"}, "relation_to_head": "con",
        "household_book_number": "SHK-1"});
    let (_, number) = person(house, MAU.0, MAU.1, more).await;
    (joined, number, mother)
}

/// Asks as the golden question does; the answer is the golden one, byte for byte.
async fn as_golden(house: &House, system: &Caller, name: &str, number: &str, mother: &str) -> (Value, String) {
    let asked = golden(&format!("{name}.question")).replace("{number}", number);
    let described = described();
    for (namespace, name) in elements(&asked) {
        assert!(namespace == SOAP || described.contains(&(namespace.clone(), name.clone())), "{namespace} {name}");
    }
    let said = posts(system, asked.clone()).await;
    let answer = proven(house, &said, &asked).await;
    let text = text(&said);
    let member = |name: &str| answer[name].as_str().unwrap().to_owned();
    let expected = golden(&format!("{name}.answer"))
        .replace("{content}", between(&text, "cc:Content").unwrap())
        .replace("{signature}", between(&text, "cc:Signature").unwrap())
        .replace("{at}", &member("answered_at"))
        .replace("{answer}", &member("answer"))
        .replace("{number}", number)
        .replace("{mother}", mother);
    assert_eq!(text, expected);
    (answer, asked)
}

#[tokio::test]
async fn particulars_are_confirmed_as_todays_clients_ask() {
    on_both(async |house| {
        let (joined, number, mother) = family(house, json!([grant("confirm", &["full_name", "birth_date"])])).await;
        let (answer, asked) = as_golden(house, &joined.system, "confirm", &number, &mother).await;
        assert_eq!(plain(answer.clone()), over_rest(&joined.system, "confirm", &number, None).await);
        assert_eq!(answer["outcome"], "confirmed");
        // The unit of the partner stands for the one that the message does not name; the request is the case.
        let kept =
            sql!("select count(*) as n from exchange_request where unit = $1 and case_number = $2 and officer = $3");
        assert_eq!(house.count(kept, args!["Cục Mẫu", "YC-1", "nguyen.van.thu"]).await, 1);
        // The same again: the same answer, with a record; another content under it: refused, and no value said again.
        let again = posts(&joined.system, asked.clone()).await;
        assert_eq!(proven(house, &again, &asked).await, answer);
        let other = posts(&joined.system, asked.replace("MẪU", "KHÁC")).await;
        assert_eq!(fault(&other).1, "exchange-request-reused");
        // The identifier is that of an officer and a day: today's clients make it of the time of day.
        let of_another = asked.replace("MẪU", "KHÁC").replace("nguyen.van.thu", "tran.thi.xa");
        assert_eq!(between(&text(&posts(&joined.system, of_another).await), "dc:TonTai"), Some("false"));
        house.clock.advance(Duration::days(1));
        let next_day = posts(&joined.system, asked.replace("MẪU", "KHÁC")).await;
        assert_eq!(between(&text(&next_day), "dc:TonTai"), Some("false"));
        // By the number of the old card too.
        let old = confirming("YC-9", "", MAU.0).replace("<d:HoVaTen>", "<d:SoCMND>012345678</d:SoCMND><d:HoVaTen>");
        assert_eq!(between(&text(&posts(&joined.system, old).await), "dc:TonTai"), Some("true"));
    })
    .await;
}

#[tokio::test]
async fn a_citizen_is_looked_up_as_todays_clients_ask() {
    on_both(async |house| {
        let all: Vec<_> = issuance::exchange::Field::ALL.iter().map(|field| field.word()).collect();
        let (joined, number, mother) = family(house, json!([grant("look-up", &all)])).await;
        let (answer, _) = as_golden(house, &joined.system, "look-up", &number, &mother).await;
        // What has no element in the message is not told in the signed answer either.
        let without = ["card_expires", "card_issued", "card_status", "life", "temporary_residence"];
        let written: Vec<_> = all.into_iter().filter(|field| !without.contains(field)).collect();
        assert_eq!(plain(answer), over_rest(&joined.system, "look-up", &number, Some(written)).await);
        let kept = sql!("select count(*) as n from exchange_request where unit = $1 and officer = $2");
        assert_eq!(house.count(kept, args!["G22.1", "000190000017"]).await, 1);
        let about = sql!("select count(*) as n from audit_entry where action = $1 and person_id is not null");
        assert_eq!(house.count(about, args!["exchange-answered"]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn kin_are_told_as_todays_clients_ask_with_a_record_about_each() {
    on_both(async |house| {
        let fields = ["father", "mother", "full_name", "personal_number"];
        let (joined, number, mother) = family(house, json!([grant("kinship", &fields)])).await;
        let (answer, _) = as_golden(house, &joined.system, "kinship", &number, &mother).await;
        assert_eq!(plain(answer), over_rest(&joined.system, "kinship", &number, None).await);
        let about = sql!("select count(distinct person_id) as n from audit_entry where action = $1");
        assert_eq!(house.count(about, args!["exchange-answered"]).await, 2);
    })
    .await;
}

#[tokio::test]
async fn an_unknown_number_and_particulars_of_another_have_one_answer() {
    on_both(async |house| {
        let grants = json!([grant("confirm", &["full_name", "birth_date"]), grant("look-up", &["full_name", "sex"])]);
        let (joined, number, _) = family(house, grants).await;
        let mut bodies = BTreeSet::new();
        for (n, number, name) in [
            ("1", number.as_str(), "Trần Thị Khác"),
            ("2", "003190999999", MAU.0),
            ("3", "no number", MAU.0),
            ("4", number.as_str(), "&lt;&amp;&gt;"),
        ] {
            for operation in ["XacThucThongTinCongDan", "TraCuuThongTinCongDan"] {
                let asked = asking(operation, ASKED, &format!("{n}{operation}"), number, name);
                let said = posts(&joined.system, asked.clone()).await;
                assert_eq!(said.status, 200);
                let answer = proven(house, &said, &asked).await;
                let own = ["answer", "answered_at"].map(|name| answer[name].as_str().unwrap().to_owned());
                let text = text(&said);
                let body = between(&text, "soapenv:Body").unwrap().replace(&own[0], "").replace(&own[1], "");
                bodies.insert(format!("{body} {}", plain(answer)));
            }
        }
        assert_eq!(bodies.len(), 2, "{bodies:?}");
        let bodies = bodies.into_iter().collect::<String>();
        assert!(bodies.contains("<dc:TonTai>false</dc:TonTai>") && bodies.contains("SoCongDan=\"0\""), "{bodies}");
    })
    .await;
}

/// The element of each field in an answer to a look-up; none: it has no place there.
const PLACES: &[(&str, &[&str])] = &[
    ("birth_date", &["NgayThangNamSinh", "Nam", "NgayThangNam"]),
    ("birth_registration", &["NoiDangKyKhaiSinh"]),
    ("blood_group", &["NhomMau"]),
    ("card_expires", &[]),
    ("card_issued", &[]),
    ("card_status", &[]),
    ("current_residence", &["NoiOHienTai"]),
    ("ethnic_group", &["DanToc"]),
    ("father", &["Cha", "HoVaTen", "QuocTich"]),
    ("full_name", &["HoVaTen", "Ho", "ChuDem", "Ten"]),
    ("head_of_household", &["ChuHo", "HoVaTen"]),
    ("household_book_number", &["SoSoHoKhau"]),
    ("life", &[]),
    ("marital_status", &["TinhTrangHonNhan"]),
    ("mother", &["Me", "HoVaTen", "QuocTich"]),
    ("nationality", &["QuocTich"]),
    ("old_id_number", &["SoCMND"]),
    ("permanent_residence", &["ThuongTru"]),
    ("personal_number", &["SoDinhDanh"]),
    ("place_of_origin", &["QueQuan"]),
    ("relation_to_head", &["ChuHo", "QuanHe"]),
    ("religion", &["TonGiao"]),
    ("representative", &["NguoiDaiDien"]),
    ("sex", &["GioiTinh"]),
    ("spouse", &["VoChong"]),
    ("temporary_residence", &[]),
];

#[tokio::test]
async fn of_every_agreement_of_one_field_exactly_its_elements_are_written() {
    on_both(async |house| {
        let joined = joined(house).await;
        let more = json!({"mother": {"full_name": "Trần Thị Thử", "personal_number": "003165000001"},
            "father": {"full_name": "Nguyễn Văn Thử"}, "head_of_household": {"full_name": "Nguyễn Văn Thử"}});
        let (_, number) = person(house, MAU.0, MAU.1, more).await;
        let parts = ["MaTinhThanh", "MaQuanHuyen", "MaPhuongXa", "ChiTiet", "QuocGia"];
        let fields: Vec<_> = issuance::exchange::Field::ALL.iter().map(|field| field.word()).collect();
        assert_eq!(PLACES.iter().map(|(field, _)| *field).collect::<Vec<_>>(), fields);
        for (n, (field, places)) in PLACES.iter().enumerate() {
            let grants = json!([grant("look-up", &[field])]);
            let id = agreed(house, &joined, &joined.partner, &format!("TT-{n}"), grants).await;
            let asked = looking_up(&format!("r-{n}"), &number);
            let said = posts(&joined.system, asked.clone()).await;
            let answer = proven(house, &said, &asked).await;
            let told: Vec<_> = answer["record"].as_object().unwrap().keys().cloned().collect();
            assert_eq!(told, if places.is_empty() { vec![] } else { vec![(*field).to_owned()] }, "{answer}");
            let text = text(&said);
            let body = between(&text, "soapenv:Body").unwrap();
            let written = elements(body);
            let names: BTreeSet<_> = written.iter().map(|(_, name)| name.as_str()).collect();
            let beside: BTreeSet<_> = parts.into_iter().chain(["CongdanCollection", "CongDan"]).collect();
            let own: BTreeSet<_> = names.difference(&beside).copied().collect();
            assert_eq!(own, places.iter().copied().collect(), "{field}: {body}");
            if *field != "personal_number" {
                assert!(!text.contains(&number), "{field}");
            }
            let end = format!("/api/v1/agreements/{id}/end");
            assert_eq!(joined.bao.post(&end, &format!("e-{n}"), json!({"reason": "next"})).await.status, 200);
        }
    })
    .await;
}

#[tokio::test]
async fn the_procedure_says_the_purpose_where_the_agreement_does() {
    on_both(async |house| {
        let joined = joined(house).await;
        let purpose = json!({"code": "residence", "name_vi": "Đăng ký cư trú", "name_en": "Residence",
            "law": "Law 68/2020/QH14, Art. 22", "dpv": "dpv:LegalCompliance"});
        assert_eq!(house.admin.post("/api/v1/exchange-purposes", "purpose-2", purpose).await.status, 200);
        assert_eq!(
            joined.bao.post("/api/v1/exchange-purposes/residence/confirmation", "c", json!({})).await.status,
            200
        );
        let fields = ["full_name", "birth_date"];
        let of = |purpose: &str, procedures: &[&str]| {
            let mut grant = grant("confirm", &fields);
            grant["purpose"] = json!(purpose);
            grant["procedures"] = json!(procedures);
            grant
        };
        let (_, number) = person(house, MAU.0, MAU.1, json!({})).await;
        let with = |request: &str, code: &str| {
            confirming(request, &number, MAU.0).replace("<d:MaCanBo>", &format!("<d:MaDVC>{code}</d:MaDVC><d:MaCanBo>"))
        };
        let purpose_of = async |request: &str, code: &str| {
            let asked = with(request, code);
            let said = posts(&joined.system, asked.clone()).await;
            match said.status {
                200 => proven(house, &said, &asked).await["purpose"].as_str().unwrap().to_owned(),
                _ => fault(&said).1,
            }
        };
        let grants = json!([of("tax-number", &["1.000656"]), of("residence", &["1.004222", "2.000286"])]);
        let first = agreed(house, &joined, &joined.partner, "TT-1", grants).await;
        assert_eq!(purpose_of("r-1", "1.000656").await, "tax-number");
        assert_eq!(purpose_of("r-2", "2.000286").await, "residence");
        // A procedure of no agreement, and none: refused, and the person sees it.
        assert_eq!(purpose_of("r-3", "9.999999").await, "exchange-not-agreed");
        assert_eq!(purpose_of("r-4", "").await, "exchange-not-agreed");
        let refused = sql!("select count(*) as n from audit_entry where action = $1 and person_id is not null");
        assert_eq!(house.count(refused, args!["exchange-refused"]).await, 2);
        assert_eq!(
            joined.bao.post(&format!("/api/v1/agreements/{first}/end"), "e", json!({"reason": "next"})).await.status,
            200
        );
        // Where no procedure is named, the only purpose; of two, none is guessed.
        agreed(house, &joined, &joined.partner, "TT-2", json!([of("residence", &[])])).await;
        assert_eq!(purpose_of("r-5", "9.999999").await, "residence");
        assert_eq!(purpose_of("r-6", "").await, "residence");
        agreed(house, &joined, &joined.partner, "TT-3", json!([of("tax-number", &[])])).await;
        assert_eq!(purpose_of("r-7", "").await, "exchange-request-unfit");
    })
    .await;
}

#[tokio::test]
async fn what_is_no_question_is_a_fault_that_names_the_culprit_and_says_no_value_again() {
    on_both(async |house| {
        let (joined, number, _) = family(house, json!([grant("confirm", &["full_name", "birth_date"])])).await;
        let system = &joined.system;
        let good = confirming("r-1", &number, MAU.0);
        let with = |from: &str, to: &str| {
            assert!(good.contains(from), "{from}");
            good.replace(from, to)
        };
        let bomb = format!(
            "<!DOCTYPE x [<!ENTITY a \"{}\"><!ENTITY b \"&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;\">]>{}",
            "x".repeat(1_000),
            with(MAU.0, "&c;")
        );
        let outside = format!("<!DOCTYPE x [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>{}", with(MAU.0, "&a;"));
        let deep = with(MAU.0, &format!("{}{}", "<d:x>".repeat(5_000), "</d:x>".repeat(5_000)));
        for (body, detail) in [
            (String::new(), "the message ends before"),
            ("{}".to_owned(), "text beside the message"),
            (good[..good.len() - 20].to_owned(), "the message"),
            (bomb, "document type"),
            (outside, "document type"),
            (with(MAU.0, "&b;"), "an entity"),
            (with(MAU.0, "A & B"), "not well-formed"),
            (deep, "too deep"),
            (format!("<?xml version=\"1.0\" encoding=\"windows-1258\"?>{good}"), "UTF-8"),
            (with("<d:MaYeuCau>r-1</d:MaYeuCau>", ""), "MaYeuCau is needed"),
            (with("<d:MaYeuCau>r-1", &format!("<d:MaYeuCau>{}", "r".repeat(41))), "MaYeuCau: "),
            (with("nguyen.van.thu", ""), "MaCanBo is needed"),
            (with("nguyen.van.thu", "0"), "officer"),
            (with("nguyen.van.thu", "a b"), "MaCanBo"),
            (with("<d:HoVaTen>", "<d:HoVaTen/><d:HoVaTen>"), "HoVaTen stands there twice"),
            (with("<d:HoVaTen>", "<d:GhiChu>x</d:GhiChu><d:HoVaTen>"), "GhiChu does not belong there"),
            (with("<d:HoVaTen>", "<d:SoCMND>012345678</d:SoCMND><d:HoVaTen>"), "one of personal_number"),
            (with("<d:HoVaTen>", "<d:MaTichHop>037</d:MaTichHop><d:HoVaTen>"), "MaTichHop: not a code"),
            (
                with("<d:HoVaTen>", "<d:MaTichHop>003</d:MaTichHop><d:MaDichVu>003</d:MaDichVu><d:HoVaTen>"),
                "one of MaTichHop",
            ),
            (with("19900517", "17.5.1990"), "NgayThangNam: a day is yyyyMMdd"),
            (with("<d:NgayThangNam>19900517</d:NgayThangNam>", ""), "birth_date"),
            (
                with(ASKED, "http://dancuquocgia.example"),
                "the namespace of XacThucThongTinCongDan is http://dancuquocgia.bca",
            ),
            (with("d:XacThucThongTinCongDan", "d:XoaCongDan"), "XoaCongDan is no operation"),
        ] {
            let said = posts(system, body.clone()).await;
            assert_eq!(fault(&said), unfit(), "{}", body.chars().take(300).collect::<String>());
            let text = text(&said);
            let told = between(&text, "cc:Detail").unwrap();
            assert!(told.contains(detail), "{detail}: {told}");
            assert!(!text.contains(&number) && !text.contains("Mẫu") && !text.contains("passwd"), "{text}");
        }
        let unknown = posts(system, with("<d:HoVaTen>", "<d:GhiChu>x</d:GhiChu><d:HoVaTen>")).await;
        let said = issuance::web::catalogued(crypto::perso::problem::ProblemCode::ExchangeRequestUnfit);
        let expected = golden("refusal.answer")
            .replace("{cause}", &said.vi.cause)
            .replace("{remedy}", &said.vi.remedy)
            .replace("{status}", &said.status.to_string());
        assert_eq!(text(&unknown), expected);
        // A name without UTF-8, and another encoding of it.
        for bytes in [&b"M\xe3u"[..], b"\xff\xfe"] {
            let mut body = good.clone().into_bytes();
            let at = good.find(MAU.0).unwrap();
            body.splice(at..at + MAU.0.len(), bytes.iter().copied());
            assert_eq!(fault(&posts(system, body).await), unfit());
        }
        // Neither the envelope's version nor what must be understood is passed over.
        let other = posts(system, with(SOAP, "http://www.w3.org/2003/05/soap-envelope")).await;
        assert_eq!(fault(&other).0, "VersionMismatch");
        let header = with("<s:Header/>", "<s:Header><x xmlns='urn:x' s:mustUnderstand='1'/></s:Header>");
        assert_eq!(fault(&posts(system, header).await).0, "MustUnderstand");
        // What would give the data of all that changed.
        let span = "<d:TuNgay>1600000000000</d:TuNgay><d:DenNgay>1700000000000</d:DenNgay><d:Loai>1</d:Loai>\
            <d:Trang>1</d:Trang><d:SoBanGhi>1000</d:SoBanGhi>";
        let bulk = looking_up("r-1", &number).replace("<d:MaCanBo>", &format!("{span}<d:MaCanBo>"));
        let said = posts(system, bulk).await;
        assert_eq!(fault(&said), ("Client".to_owned(), "exchange-not-agreed".to_owned()));
        assert!(text(&said).contains("follow the persons"));
        // Ten million bytes, of text and of namespaces.
        let spaces = (0..400_000).map(|n| format!(" xmlns:n{n}=\"urn:{n:07}\"")).collect::<Vec<_>>().concat();
        for body in [with(MAU.0, &"x".repeat(10_000_000)), with("<s:Header/>", &format!("<s:Header{spaces}/>"))] {
            assert!(body.len() > 9_000_000);
            let said = posts(system, body).await;
            assert_eq!((fault(&said).0.as_str(), said.status), ("Client", 500));
            assert!(text(&said).len() < 3_000);
        }
        // Nothing of all this was a look at the person.
        let looks = sql!("select count(*) as n from exchange_request where case_number = $1");
        assert_eq!(house.count(looks, args!["r-1"]).await, 0);
        assert_eq!(between(&text(&posts(system, good).await), "dc:TonTai"), Some("true"));
    })
    .await;
}

#[tokio::test]
async fn the_kind_of_the_body_and_the_action_are_judged() {
    let house = House::open(None).await;
    let (joined, number, _) = family(&house, json!([grant("confirm", &["full_name", "birth_date"])])).await;
    let at = format!("{}/npdb/soap", joined.system.address);
    let sends = async |kind: &str, action: Option<&str>, request: &str| {
        let body = confirming(request, &number, MAU.0);
        let mut post = joined.system.client.post(&at).header("content-type", kind).body(body);
        if let Some(action) = action {
            post = post.header("soapaction", action);
        }
        heard(post).await
    };
    let operation = "XacThucThongTinCongDan";
    for (n, (kind, action)) in [
        ("text/xml", None),
        ("application/xml", Some("")),
        ("TEXT/XML; charset=\"UTF-8\"", Some("\"\"")),
        ("text/xml", Some(operation)),
        ("text/xml", Some("\"http://dancuquocgia.bca/XacThucThongTinCongDan\"")),
    ]
    .into_iter()
    .enumerate()
    {
        let said = sends(kind, action, &format!("k-{n}")).await;
        assert_eq!(between(&text(&said), "dc:TonTai"), Some("true"), "{kind} {action:?}");
    }
    for kind in ["", "application/json", "text/xml; charset=utf-16", "application/soap+xml", "multipart/related"] {
        let said = sends(kind, None, "k-x").await;
        assert_eq!(fault(&said), unfit(), "{kind}");
        assert!(text(&said).contains("Content-Type"));
    }
    for action in ["TraCuuThongTinCongDan", "\"urn:XacMinhThongTinNhanThan\"", "x"] {
        let said = sends("text/xml", Some(action), "k-y").await;
        assert_eq!(fault(&said), unfit(), "{action}");
        assert!(text(&said).contains("SOAPAction"));
    }
    house.service.stop().await;
}

#[tokio::test]
async fn refusals_of_the_exchange_are_faults_with_our_codes() {
    on_both(async |house| {
        let mut few = grant("confirm", &["full_name", "birth_date"]);
        few["per_day"] = json!(2);
        let (joined, number, _) = family(house, json!([few])).await;
        let system = &joined.system;
        // Without a certificate, and with a service that no agreement grants.
        assert_eq!(
            fault(&posts(&house.anyone(), confirming("r", &number, MAU.0)).await).1,
            "partner-certificate-needed"
        );
        assert_eq!(fault(&posts(&house.station("s-1").await.0, "x").await).1, "partner-certificate-unfit");
        let said = posts(system, looking_up("r-1", &number)).await;
        assert_eq!(fault(&said), ("Client".to_owned(), "exchange-not-agreed".to_owned()));
        assert!(text(&said).contains("<cc:Status>403</cc:Status>"));
        // A token that is shown narrows; none is needed.
        let narrow = token(system, &joined.system_id, "exchange.confirm").await;
        let shown = async |body: String, token: &str| {
            let post = system.client.post(format!("{}/npdb/soap", system.address)).header("content-type", "text/xml");
            heard(post.bearer_auth(token).body(body)).await
        };
        let said = shown(confirming("r-2", &number, MAU.0), &narrow).await;
        assert_eq!(between(&text(&said), "dc:TonTai"), Some("true"));
        assert_eq!(fault(&shown(looking_up("r-3", &number), &narrow).await).1, "exchange-scope-missing");
        assert_eq!(fault(&shown(confirming("r-4", &number, MAU.0), "x.y.z").await).1, "exchange-token-unfit");
        // The quota of a day: told with when to come again.
        assert_eq!(posts(system, confirming("r-5", &number, MAU.0)).await.status, 200);
        let said = posts(system, confirming("r-6", &number, MAU.0)).await;
        assert_eq!(fault(&said), ("Client".to_owned(), "exchange-quota-spent".to_owned()));
        assert!(said.headers["retry-after"].to_str().unwrap().parse::<u32>().unwrap() > 0);
        assert!(text(&said).contains("<cc:Status>429</cc:Status>"));
        // Another partner's system has its own agreements.
        let other = partner(house, &joined.bao, "p-khac").await;
        let (stranger, _) = system_of(house, &joined.bao, &other, "may-khac").await;
        assert_eq!(fault(&posts(&stranger, confirming("r-7", &number, MAU.0)).await).1, "exchange-not-agreed");
        let revoke = format!("/api/v1/partner-systems/{}/revocation", joined.system_id);
        assert_eq!(joined.bao.post(&revoke, "revoke", json!({"reason": "lost"})).await.status, 200);
        let said = posts(system, confirming("r-8", &number, MAU.0)).await;
        assert_eq!(fault(&said).1, "partner-certificate-unfit");
    })
    .await;
}

#[tokio::test]
async fn guesses_are_counted_as_over_rest() {
    let house = House::open(None).await;
    let (joined, number, _) = family(&house, json!([grant("confirm", &["full_name", "birth_date"])])).await;
    let mut codes = Vec::new();
    for n in 0..12 {
        let said = posts(&joined.system, confirming(&format!("g-{n}"), &number, "Trần Thị Khác")).await;
        codes.push(if said.status == 200 { String::new() } else { fault(&said).1 });
    }
    assert_eq!(codes.iter().filter(|code| code.is_empty()).count(), 10, "{codes:?}");
    assert_eq!(codes[11], "exchange-guessing");
    // Over REST no other guess is free.
    let said = asks(&joined.system, "confirm", question("g", &number, "Trần Thị Khác", MAU.1)).await;
    assert_eq!(said.code(), "exchange-guessing");
    house.service.stop().await;
}

#[tokio::test]
async fn an_officer_may_have_to_be_named_by_number() {
    let house = House::open_with(|settings| settings.exchange.npdb.officers_by_number = true).await;
    let (joined, number, _) = family(&house, json!([grant("confirm", &["full_name", "birth_date"])])).await;
    let said = posts(&joined.system, confirming("r-1", &number, MAU.0)).await;
    assert_eq!(fault(&said), unfit());
    assert!(text(&said).contains("MaCanBo: the officer"));
    let by_number = confirming("r-1", &number, MAU.0).replace("nguyen.van.thu", "000190000017");
    assert_eq!(between(&text(&posts(&joined.system, by_number).await), "dc:TonTai"), Some("true"));
    house.service.stop().await;
}

#[tokio::test]
async fn the_description_is_published_and_says_where_the_service_is() {
    let house =
        House::open_with(|settings| "https://register.invalid:8443".clone_into(&mut settings.exchange.issuer)).await;
    let anyone = house.anyone();
    let read = async |query: &str| heard(anyone.client.get(format!("{}/npdb/soap{query}", anyone.address))).await;
    for query in ["?wsdl", "?WSDL"] {
        let said = read(query).await;
        assert_eq!((said.status, said.headers["content-type"].to_str().unwrap()), (200, "text/xml; charset=utf-8"));
        let text = String::from_utf8(said.bytes).unwrap();
        assert!(text.contains("<soap:address location=\"https://register.invalid:8443/npdb/soap\"/>"), "{text}");
        assert!(elements(&text).len() > 10);
    }
    for query in ["", "?xsd=1", "?wsdl=1", "?wsdl&x"] {
        assert_eq!(fault(&read(query).await).1, "query-malformed", "{query}");
    }
    let described = described();
    for (namespace, name) in
        [(ASKED, "XacThucThongTinCongDan"), (CITIZENS, "CongDan"), (OWN, "SignedAnswer"), (OWN, "Problem")]
    {
        assert!(described.contains(&(namespace.to_owned(), name.to_owned())), "{name}");
    }
    house.service.stop().await;
}

/// What zeep hears of each operation, and of a question that is refused.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "make interop runs it: it wants zeep"]
async fn a_client_that_zeep_makes_hears_what_rest_says() {
    let python = env::var_os("ZEEP_PYTHON").expect("tests/interop/zeep/run.sh says where Python with zeep is");
    let house = House::open(None).await;
    let fields = ["full_name", "birth_date", "sex", "permanent_residence", "personal_number", "father", "spouse"];
    let kin = ["mother", "father", "full_name", "personal_number"];
    let grants =
        json!([grant("confirm", &["full_name", "birth_date"]), grant("look-up", &fields), grant("kinship", &kin)]);
    let (joined, number, mother) = family(&house, grants).await;
    let (pem, _) = certified(&house, &joined.bao, &joined.partner, "may-zeep").await;
    let folder = tempfile::tempdir().unwrap();
    let [identity, questions] = ["identity.pem", "questions.json"].map(|name| folder.path().join(name));
    fs::write(&identity, pem).unwrap();
    let question = |request: &str, name: &str, integration: &str| {
        json!({"MaYeuCau": request, "MaTichHop": integration, "MaCanBo": "nguyen.van.thu", "MaDonVi": "G22.1",
            "SoDinhDanh": number, "HoVaTen": name, "NgayThangNamSinh": {"NgayThangNam": "19900517"}})
    };
    let asked = json!([
        ["XacThucThongTinCongDan", question("z-1", MAU.0, "003")],
        ["XacThucThongTinCongDan", question("z-2", "Trần Thị Khác", "003")],
        ["TraCuuThongTinCongDan", question("z-3", MAU.0, "037")],
        ["XacMinhThongTinNhanThan", question("z-4", MAU.0, "041")],
        ["TraCuuThongTinCongDan", question("z-5", "Trần Thị Khác", "037")],
        ["TraCuuThongTinCongDan", question("z-6", MAU.0, "003")],
    ]);
    fs::write(&questions, asked.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/zeep/ask.py");
    let mut command = Command::new(python);
    command.arg(script).arg(&joined.system.address).arg(house.folder.path().join("data/tls-ca.pem"));
    command.args([&identity, &questions]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let [yes, no, found, kinship, none, refused] = told.as_slice() else { panic!("{told:?}") };

    assert_eq!((&yes["body"]["TonTai"], &no["body"]["TonTai"]), (&json!(true), &json!(false)), "{told:?}");
    for (service, heard) in [("confirm", yes), ("look-up", found), ("kinship", kinship)] {
        let over = over_rest(&joined.system, service, &number, None).await;
        assert_eq!(plain(heard["signed"].clone()), over, "{service}");
    }
    let citizen = &found["body"]["CongDan"][0];
    assert_eq!(citizen["SoDinhDanh"], json!(number));
    assert_eq!(citizen["HoVaTen"], json!({"Ho": "Nguyễn", "ChuDem": "Thị", "Ten": "Mẫu"}));
    assert_eq!((&citizen["GioiTinh"], &citizen["NgayThangNamSinh"]["NgayThangNam"]), (&json!("2"), &json!("19900517")));
    assert_eq!(citizen["ThuongTru"]["ChiTiet"], json!("Số 2 & 4, Phúc Xá, Ba Đình, Hà Nội"));
    assert_eq!((&citizen["Cha"]["HoVaTen"], &citizen["Me"]), (&json!("Nguyễn Văn Thử"), &Value::Null));
    let kin = &kinship["body"]["CongDan"][0];
    assert_eq!((&kin["Me"]["SoDinhDanh"], &kin["HoVaTen"]), (&json!(mother), &Value::Null), "{kinship}");
    assert_eq!((&none["body"]["SoCongDan"], &none["signed"]["outcome"]), (&json!("0"), &json!("not-found")));
    assert_eq!((&refused["fault"], &refused["code"]), (&json!("soapenv:Client"), &json!("exchange-request-unfit")));
    house.service.stop().await;
}
