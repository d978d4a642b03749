//! X-Road: the service behind a security server, as a provider. Members ask in SOAP and over REST; what they may, a
//! carrier says alone, and which systems they are two officers said.

mod security_server;

use std::process::Command;
use std::sync::Arc;
use std::{env, fs};

use issuance::{args, sql};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::Duration;

use self::security_server::SecurityServer;
use crate::exchange::{Joined, agreed, asks, certified, csr, grant, partner, question, verifies};
use crate::exchange_attacks::{sends_slowly, shows};
use crate::house::{Caller, House, NIL, Said, on_both};
use crate::oauth::{Heard, heard, token};
use crate::soap::{ASKED, MAU, SOAP, asking, between, confirming, family, looking_up};

const XROAD: &str = "http://x-road.eu/xsd/xroad.xsd";
const IDENTIFIERS: &str = "http://x-road.eu/xsd/identifiers";
const THUE: &str = "VN/GOV/000.00.00.G12/thue";
const CONFIRM: &str = "XacThucThongTinCongDan";

/// Brings a system of a partner, and has another officer confirm it.
async fn brought(house: &House, bao: &Caller, partner: &str, system: Value) -> (Said, Said) {
    let key = format!("x-{}", system["name"].as_str().unwrap());
    let drafted = house.admin.post(&format!("/api/v1/partners/{partner}/systems"), &key, system).await;
    assert_eq!((drafted.status, &drafted.body["state"]), (200, &json!("drafted")), "{drafted:?}");
    let id = drafted.body["id"].as_str().unwrap();
    let path = format!("/api/v1/partner-systems/{id}/confirmation");
    let confirmed = bao.post(&path, &format!("c-{id}"), json!({})).await;
    assert_eq!((confirmed.status, &confirmed.body["state"]), (200, &json!("joined")), "{confirmed:?}");
    (drafted, confirmed)
}

/// Joins a system of a partner as a member. Returns its identifier.
pub async fn member(house: &House, bao: &Caller, partner: &str, member: &str) -> String {
    let name = member.replace('/', "-");
    let (drafted, confirmed) = brought(house, bao, partner, json!({"name": name, "member": member})).await;
    assert_eq!(confirmed.body["member"], json!(member));
    assert!(confirmed.body.get("certificate_pem").is_none(), "a member has no certificate");
    drafted.body["id"].as_str().unwrap().to_owned()
}

/// Joins a security server as a carrier of the instance `VN`.
pub async fn carrier(house: &House, bao: &Caller, partner: &str, name: &str) -> (SecurityServer, String) {
    let (key, csr_pem) = csr();
    let system = json!({"name": name, "csr_pem": csr_pem, "carries": "VN"});
    let (drafted, confirmed) = brought(house, bao, partner, system).await;
    assert_eq!(confirmed.body["carries"], json!("VN"));
    let pem = format!("{}{}", confirmed.body["certificate_pem"].as_str().unwrap(), key.serialize_pem());
    (SecurityServer::new(house, &pem), drafted.body["id"].as_str().unwrap().to_owned())
}

/// A family, an agreement with these grants, the partner as a member, and a security server of an authority of its own.
struct Behind {
    joined: Joined,
    number: String,
    member: String,
    server: SecurityServer,
    carrier: String,
    /// The authority that runs the security server.
    runs: String,
}

async fn behind(house: &House, grants: Value) -> Behind {
    let (joined, number, _) = family(house, grants).await;
    let runs = partner(house, &joined.bao, "p-truc").await;
    let (server, carrier) = carrier(house, &joined.bao, &runs, "may-chu-bao-mat").await;
    let member = member(house, &joined.bao, &joined.partner, THUE).await;
    Behind { joined, number, member, server, carrier, runs }
}

fn confirms() -> Value {
    json!([grant("confirm", &["full_name", "birth_date"])])
}

fn identifier(name: &str, path: &str) -> String {
    let names = ["xRoadInstance", "memberClass", "memberCode", "subsystemCode", "serviceCode", "serviceVersion"];
    let parts: Vec<_> = path.split('/').collect();
    let kind = ["MEMBER", "SUBSYSTEM", "SERVICE"][parts.len().min(5) - 3];
    let inner: Vec<String> =
        names.iter().zip(&parts).map(|(name, part)| format!("<iden:{name}>{part}</iden:{name}>")).collect();
    let inner = inner.concat();
    format!("<xro:{name} iden:objectType=\"{kind}\">{inner}</xro:{name}>")
}

/// The blocks of a header, by this message identifier.
fn header(client: &str, service: &str, id: &str, more: &str) -> String {
    format!(
        "{}{}<xro:id>{id}</xro:id>{more}<xro:protocolVersion>4.0</xro:protocolVersion>",
        identifier("client", client),
        identifier("service", &format!("VN/GOV/G01/npdb/{service}"))
    )
}

/// A message of the national population database beneath a header.
fn beneath(header: &str, message: &str) -> String {
    message.replacen(
        "<s:Header/>",
        &format!("<s:Header xmlns:xro=\"{XROAD}\" xmlns:iden=\"{IDENTIFIERS}\">{header}</s:Header>"),
        1,
    )
}

const KIND: [(&str, &str); 2] = [("Content-Type", "text/xml; charset=utf-8"), ("SOAPAction", "\"\"")];

/// Brings a confirmation of a member; what a security server demands of the answer holds.
async fn confirms_by(server: &SecurityServer, client: &str, id: &str, message: &str) -> String {
    server.soap(&beneath(&header(client, CONFIRM, id, ""), message), &KIND).await.unwrap()
}

/// Posts whatever it is, as a carrier that checks nothing.
async fn raw(client: &reqwest::Client, address: &str, body: String) -> (u16, String) {
    let request = client.post(format!("{address}/xroad/soap")).header("content-type", "text/xml");
    let said = heard(request.body(body)).await;
    (said.status, String::from_utf8(said.bytes).unwrap())
}

/// Returns our code of a refusal, in a fault or in a body.
fn code(text: &str) -> &str {
    between(text, "cc:Code").unwrap_or_default()
}

async fn rest_confirms(server: &SecurityServer, client: &str, headers: &[(&str, &str)], body: &Value) -> Heard {
    let mut all = vec![("content-type", "application/json")];
    all.extend(headers);
    server.rest(client, Method::POST, "/api/v1/exchange/confirm", &all, Some(body.to_string())).await
}

#[tokio::test]
async fn a_member_asks_in_soap_as_the_layer_speaks_it() {
    on_both(async |house| {
        let fields = ["full_name", "sex", "birth_date"];
        let kin = ["father", "mother", "full_name"];
        let grants =
            json!([grant("confirm", &["full_name", "birth_date"]), grant("look-up", &fields), grant("kinship", &kin)]);
        let Behind { number, server, .. } = behind(house, grants).await;
        // The officer and the case are those of the layer where the message has none; blocks of others go back too.
        let more = "\n <xro:userId>VN000190000017</xro:userId><xro:issue>HS &amp; 7 ư</xro:issue> <!-- c -->\
            <o:other xmlns:o=\"urn:o\" s:mustUnderstand=\"0\" k=\"v\"><o:in/>t</o:other>";
        let silent = confirming("YC-1", &number, MAU.0).replace("<d:MaCanBo>nguyen.van.thu</d:MaCanBo>", "");
        let asked = beneath(&header(THUE, CONFIRM, "m-1", more), &silent);
        let said = server
            .soap(&asked, &[KIND[0], KIND[1], ("X-Road-Client", "VN/GOV/other"), ("Authorization", "Bearer x")])
            .await
            .unwrap();
        assert_eq!(between(&said, "dc:TonTai"), Some("true"), "{said}");
        assert!(said.contains("<!-- c -->") && said.contains("HS &amp; 7 ư"), "to the byte: {said}");
        // The proof stands in the body.
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        let content = base64(between(&said, "cc:Content").unwrap());
        assert!(verifies(&keys, between(&said, "cc:Signature").unwrap(), &content));
        let answer: Value = serde_json::from_slice(&content).unwrap();
        assert_eq!(answer["request_sha256"], json!(hex::encode(Sha256::digest(&asked))));
        assert_eq!(answer["outcome"], "confirmed");
        let kept = sql!(
            "select count(*) as n from exchange_request where message_id = $1 and officer = $2 and case_number = $3"
        );
        assert_eq!(house.count(kept, args!["m-1", "000190000017", "HS & 7 ư"]).await, 1);
        // The other operations, each by its name.
        let asked = beneath(&header(THUE, "TraCuuThongTinCongDan", "m-2", ""), &looking_up("YC-2", &number));
        let said = server.soap(&asked, &KIND).await.unwrap();
        assert!(said.contains("<dc:GioiTinh>2</dc:GioiTinh>") && said.contains("<q:TraCuuThongTinCongDanResponse"));
        let kin = asking("XacMinhThongTinNhanThan", "http://gtel.vn/qldc", "YC-3", &number, MAU.0);
        let said = server.soap(&beneath(&header(THUE, "XacMinhThongTinNhanThan/v1", "m-3", ""), &kin), &KIND).await;
        assert!(said.unwrap().contains("<dc:Cha>"));
        // Particulars of another, and a number that no person has, are no refusal.
        let said = confirms_by(&server, THUE, "m-4", &confirming("YC-4", "003190999999", MAU.0)).await;
        assert_eq!(between(&said, "dc:TonTai"), Some("false"));
    })
    .await;
}

fn base64(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    base64::prelude::BASE64_STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn what_is_decided_stands_in_the_body_and_what_is_no_question_is_a_fault() {
    on_both(async |house| {
        let mut few = grant("confirm", &["full_name", "birth_date"]);
        few["per_day"] = json!(1);
        let Behind { number, server, .. } = behind(house, json!([few])).await;
        let good = confirming("YC-1", &number, MAU.0);
        let body = |said: &str| (said.contains("Response xmlns:q="), said.contains("Fault>"), code(said).to_owned());
        let decided = |code: &str| (true, false, code.to_owned());
        let faulty = |code: &str| (false, true, code.to_owned());
        let look = beneath(&header(THUE, "TraCuuThongTinCongDan", "m-1", ""), &looking_up("YC-2", &number));
        assert_eq!(body(&server.soap(&look, &KIND).await.unwrap()), decided("exchange-not-agreed"));
        let silent = good.replace("<d:MaCanBo>nguyen.van.thu</d:MaCanBo>", "");
        assert_eq!(body(&confirms_by(&server, THUE, "m-2", &silent).await), decided("exchange-request-unfit"));
        for more in ["<xro:userId>tran.thi.xa</xro:userId>", "<xro:userId>VN000190000018</xro:userId>"] {
            let other = beneath(&header(THUE, CONFIRM, "m-3", more), &good);
            let said = server.soap(&other, &KIND).await.unwrap();
            assert_eq!(body(&said), decided("exchange-request-unfit"), "{more}");
            assert!(said.contains("userId"), "{said}");
        }
        let agrees = beneath(&header(THUE, CONFIRM, "m-4", "<xro:userId>Nguyen.Van.Thu</xro:userId>"), &good);
        assert_eq!(body(&server.soap(&agrees, &KIND).await.unwrap()), (true, false, String::new()));
        let next = confirming("YC-5", &number, MAU.0);
        assert_eq!(body(&confirms_by(&server, THUE, "m-5", &next).await), decided("exchange-quota-spent"));

        // Elements that are none, beneath a good header; the header goes back.
        let odd = good.replace("<d:MaYeuCau>", "<d:GhiChu>bí mật</d:GhiChu><d:MaYeuCau>");
        let said = confirms_by(&server, THUE, "m-6", &odd).await;
        assert_eq!(body(&said), faulty("exchange-request-unfit"));
        assert!(said.contains("<xro:id>m-6</xro:id>") && !said.contains("mật"), "{said}");
        let action = [KIND[0], ("SOAPAction", "TraCuuThongTinCongDan")];
        let said = server.soap(&beneath(&header(THUE, CONFIRM, "m-7", ""), &next), &action).await.unwrap();
        assert_eq!(body(&said), faulty("exchange-request-unfit"));
        for kind in ["application/json", "multipart/related; boundary=x", "text/xml; charset=iso-8859-1"] {
            let said = server.soap(&beneath(&header(THUE, CONFIRM, "m-8", ""), &next), &[("Content-Type", kind)]).await;
            assert_eq!(body(&said.unwrap()), faulty("exchange-request-unfit"), "{kind}");
        }
        let understood = |block: &str| beneath(&header(THUE, CONFIRM, "m-9", block), &next);
        let said = server.soap(&understood("<xro:issue s:mustUnderstand=\"1\">YC-5</xro:issue>"), &KIND).await.unwrap();
        assert_eq!(body(&said), decided("exchange-quota-spent"));
        let said = server.soap(&understood("<o xmlns=\"urn:o\" s:mustUnderstand=\"1\"/>"), &KIND).await.unwrap();
        assert!(said.contains("soapenv:MustUnderstand"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn todays_clients_send_the_envelope_as_the_body_of_a_call_over_rest() {
    on_both(async |house| {
        let Behind { number, server, .. } = behind(house, confirms()).await;
        // What gateways on the way want of their callers comes through, and is not for this service.
        let of_gateways = [
            ("Content-Type", "application/xml"),
            ("SOAPAction", "\"\""),
            ("ApiKey", "k"),
            ("Timestamp", "1669500000000"),
            ("Authorization", "Basic dTpo"),
            ("X-Road-UserId", "nguyen.van.thu"),
            ("X-Road-Id", "m-1"),
        ];
        let asked = confirming("YC-1", &number, MAU.0);
        let post =
            async |body: &str| server.rest(THUE, Method::POST, "/npdb/soap", &of_gateways, Some(body.to_owned())).await;
        let said = post(&asked).await;
        let text = crate::soap::text(&said);
        assert_eq!(between(&text, "dc:TonTai"), Some("true"), "{text}");
        // Over REST the header of HTTP survives, beside the proof in the envelope.
        let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
        assert!(verifies(&keys, said.headers["x-jws-signature"].to_str().unwrap(), &said.bytes));
        assert!(verifies(
            &keys,
            between(&text, "cc:Signature").unwrap(),
            &base64(between(&text, "cc:Content").unwrap())
        ));
        let kept = sql!("select count(*) as n from exchange_request where message_id = $1 and query_id is not null");
        assert_eq!(house.count(kept, args!["m-1"]).await, 1);
        // Refusals are faults, those of the gate too.
        let other = server.rest("VN/GOV/khac", Method::POST, "/npdb/soap", &of_gateways, Some(asked.clone())).await;
        assert_eq!(crate::soap::fault(&other), ("Client".to_owned(), "partner-member-unfit".to_owned()));
        let said = server
            .rest(THUE, Method::POST, "/npdb/soap", &[of_gateways[0], ("Authorization", "Bearer x.y.z")], Some(asked))
            .await;
        assert_eq!(crate::soap::fault(&said).1, "exchange-token-unfit");
    })
    .await;
}

#[tokio::test]
async fn questions_over_rest_are_answered_as_to_a_system_of_its_own() {
    on_both(async |house| {
        let grants = json!([
            grant("confirm", &["full_name", "birth_date"]),
            grant("look-up", &["sex"]),
            grant("follow", &["full_name"]),
            grant("confirm-list", &["full_name", "birth_date"]),
        ]);
        let Behind { joined, number, server, .. } = behind(house, grants).await;
        let body = question("r-1", &number, MAU.0, MAU.1);
        let facts = [("X-Road-UserId", "nguyen.van.thu"), ("X-Road-Issue", "HS-1"), ("X-Road-Id", "m-1")];
        let said = rest_confirms(&server, THUE, &facts, &body).await;
        assert_eq!((said.status, &said.body["outcome"]), (200, &json!("confirmed")), "{said:?}");
        let keys = server.rest(THUE, Method::GET, "/api/v1/exchange/keys", &[], None).await;
        assert!(verifies(&keys.body, said.headers["x-jws-signature"].to_str().unwrap(), &said.bytes));
        let kept = sql!(
            "select count(*) as n from exchange_request where request = $1 and message_id = $2 and query_id is not null"
        );
        assert_eq!(house.count(kept, args!["r-1", "m-1"]).await, 1);
        // Another officer or case than the layer says.
        for facts in [[("X-Road-UserId", "tran.thi.xa")], [("X-Road-Issue", "HS-2")]] {
            let said = rest_confirms(&server, THUE, &facts, &question("r-2", &number, MAU.0, MAU.1)).await;
            assert_eq!((said.status, &said.body["code"]), (422, &json!("exchange-request-unfit")), "{said:?}");
        }
        // All that a system of its own may ask: a look-up, its agreements, what changed, a list.
        let post = async |path: &str, body: Value| {
            let kind = [("content-type", "application/json")];
            let said = server.rest(THUE, Method::POST, path, &kind, Some(body.to_string())).await;
            assert_eq!(said.status, 200, "{path} {said:?}");
            said.body
        };
        let told = post("/api/v1/exchange/look-up", question("r-3", &number, MAU.0, MAU.1)).await;
        assert_eq!(told["record"]["sex"], "F");
        let told = post("/api/v1/exchange/follow", question("r-4", &number, MAU.0, MAU.1)).await;
        assert!(told["pseudonym"].is_string());
        let list = json!({"request": "l-1", "purpose": "tax-number", "case": "HS-1", "officer": "nguyen.van.thu",
            "second_officer": "tran.thi.xa", "unit": "Chi cục Thử", "lines": 1});
        let list = post("/api/v1/exchange/lists", list).await;
        let stretch = json!({"number": 1, "lines": [
            {"personal_number": number, "full_name": MAU.0, "birth_date": MAU.1}]});
        let path = format!("/api/v1/exchange/lists/{}/stretches", list["list"].as_str().unwrap());
        assert_eq!(post(&path, stretch).await["lines"][0]["outcome"], "confirmed");
        for path in ["/api/v1/exchange/agreements", "/api/v1/exchange/changes?purpose=tax-number"] {
            let said = server.rest(THUE, Method::GET, path, &[], None).await;
            assert_eq!(said.status, 200, "{path} {said:?}");
        }
        // What systems do not ask by their certificates alone is not there: tokens, officers' routes, other interfaces.
        for path in ["/oauth2/token", "/api/v1/persons", "/osia/uin/v1/uin", "/xroad/soap", "/health"] {
            let said = server.rest(THUE, Method::POST, path, &[], Some("{}".to_owned())).await;
            assert_eq!((said.status, &said.body["code"]), (404, &json!("no-such-path")), "{path} {said:?}");
        }
        // The same question by the system's own certificate has the same answer: one partner, two ways.
        let own = asks(&joined.system, "confirm", body).await;
        assert_eq!((own.status, &own.body["answer"]), (200, &said.body["answer"]), "{own:?}");
    })
    .await;
}

#[tokio::test]
async fn a_member_is_joined_by_two_officers_for_one_system_alone() {
    on_both(async |house| {
        let Behind { joined, member: id, number, server, .. } = behind(house, confirms()).await;
        let systems = format!("/api/v1/partners/{}/systems", joined.partner);
        let drafts = async |key: &str, body: Value| house.admin.post(&systems, key, body).await;
        let (_, csr_pem) = csr();
        for (key, body) in [
            ("b-1", json!({"name": "a"})),
            ("b-2", json!({"name": "a", "csr_pem": csr_pem, "member": "VN/GOV/1"})),
            ("b-3", json!({"name": "a", "carries": "VN"})),
            ("b-4", json!({"name": "a", "member": "VN/GOV/1", "carries": "VN"})),
            ("b-5", json!({"name": "a", "csr_pem": csr_pem, "carries": "V N"})),
            ("b-6", json!({"name": "a", "member": "VN/GOV"})),
            ("b-7", json!({"name": "a", "member": "VN/GOV/1/2/3"})),
            ("b-8", json!({"name": "a", "member": "VN/GOV/ưu"})),
        ] {
            assert_eq!(drafts(key, body).await.code(), "body-invalid", "{key}");
        }
        // The member is another system's already, of whichever partner.
        assert_eq!(drafts("b-9", json!({"name": "b", "member": THUE})).await.code(), "name-taken");
        let other = partner(house, &joined.bao, "p-khac").await;
        let path = format!("/api/v1/partners/{other}/systems");
        let taken = json!({"name": "b", "member": THUE});
        assert_eq!(house.admin.post(&path, "b-10", taken.clone()).await.code(), "name-taken");
        // Who proposed it does not confirm it, and until another does it may not ask.
        let drafted = drafts("b-11", json!({"name": "c", "member": "VN/GOV/c"})).await;
        let confirmation = format!("/api/v1/partner-systems/{}/confirmation", drafted.body["id"].as_str().unwrap());
        assert_eq!(house.admin.post(&confirmation, "b-12", json!({})).await.code(), "second-officer-needed");
        let asked = question("r-1", &number, MAU.0, MAU.1);
        let refused = rest_confirms(&server, "VN/GOV/c", &[], &asked).await;
        assert_eq!(refused.body["code"], "partner-member-unfit");
        assert!(refused.body["detail"].as_str().unwrap().contains("confirmed"), "{refused:?}");
        assert_eq!(joined.bao.post(&confirmation, "b-13", json!({})).await.body["state"], "joined");
        assert_eq!(rest_confirms(&server, "VN/GOV/c", &[], &asked).await.status, 200);
        // It lasts until it is revoked, longer than a certificate; then another may be it.
        let revoke = format!("/api/v1/partner-systems/{id}/revocation");
        assert_eq!(joined.bao.post(&revoke, "b-14", json!({"reason": "moved"})).await.body["state"], "revoked");
        assert_eq!(house.admin.post(&path, "b-15", taken).await.status, 200);
        let file = joined.bao.get(&format!("/api/v1/partners/{}", joined.partner)).await;
        let shown: Vec<_> = file.body["systems"].as_array().unwrap().iter().map(|one| &one["state"]).collect();
        assert_eq!(shown, [&json!("joined"), &json!("revoked"), &json!("joined")], "{file:?}");
        let noted = sql!("select count(*) as n from audit_entry where action = $1");
        assert_eq!(house.count(noted, args!["partner-system-confirmed"]).await, 4);
    })
    .await;
}

#[tokio::test]
async fn who_a_member_is_says_a_carrier_alone_and_a_carrier_is_nothing_else() {
    on_both(async |house| {
        let Behind { joined, number, server, .. } = behind(house, confirms()).await;
        let body = question("r-1", &number, MAU.0, MAU.1);
        let message = beneath(&header(THUE, CONFIRM, "m-1", ""), &confirming("YC-1", &number, MAU.0));
        // Another partner, by its own certificate, in the name of the member; no certificate; a station's.
        let other = partner(house, &joined.bao, "p-khac").await;
        let (pem, _) = certified(house, &joined.bao, &other, "may-khac").await;
        let stranger = SecurityServer::new(house, &pem);
        let station = house.station("s-1").await.0;
        let anyone = house.anyone();
        for (client, expected) in [
            (&stranger.client, "partner-certificate-unfit"),
            (&station.client, "partner-certificate-unfit"),
            (&anyone.client, "partner-certificate-needed"),
            (&joined.system.client, "partner-certificate-unfit"),
        ] {
            let server = SecurityServer { client: client.clone(), ..SecurityServer::new(house, &pem) };
            assert_eq!(rest_confirms(&server, THUE, &[], &body).await.body["code"], expected);
            let soap = [("content-type", "text/xml")];
            let said =
                server.rest(THUE, Method::POST, "/npdb/soap", &soap, Some(confirming("YC-1", &number, MAU.0))).await;
            assert_eq!(crate::soap::fault(&said).1, expected);
            assert_eq!(code(&raw(client, &house.admin.address, message.clone()).await.1), expected);
        }
        // On the ordinary routes what a caller says of members is nothing: the certificate is who asks.
        let path = format!("{}/api/v1/exchange/confirm", house.admin.address);
        let claims = async |client: &reqwest::Client| {
            let request = client.post(&path).header("x-road-client", THUE).header("x-road-id", "m-2");
            heard(request.header("x-road-service", "VN/GOV/G01/npdb/x").json(&body)).await
        };
        assert_eq!(claims(&stranger.client).await.body["code"], "exchange-not-agreed");
        assert_eq!(claims(&anyone.client).await.body["code"], "partner-certificate-needed");
        // A carrier asks nothing for itself, and has no token.
        let said = claims(&server.client).await;
        assert_eq!((said.status, &said.body["code"]), (403, &json!("partner-certificate-unfit")));
        assert!(said.body["detail"].as_str().unwrap().contains("carrier"), "{said:?}");
        for (method, path) in [
            (Method::GET, "/api/v1/exchange/agreements"),
            (Method::POST, "/npdb/soap"),
            (Method::POST, "/oauth2/token"),
            (Method::GET, "/osia/dataaccess/v1/persons"),
        ] {
            let said = heard(server.client.request(method, format!("{}{path}", server.address))).await;
            assert!(matches!(said.status, 401 | 403 | 500), "{path} {said:?}");
        }
        let answered = sql!("select count(*) as n from exchange_request where message_id is not null");
        assert_eq!(house.count(answered, args![]).await, 0);
        // A token is bound to the certificate of a system: a carrier has none to show.
        let narrow = token(&joined.system, &joined.system_id, "exchange.confirm").await;
        let bearer = format!("Bearer {narrow}");
        for headers in
            [&[("Authorization", bearer.as_str())][..], &[("Authorization", "Basic x"), ("Authorization", &bearer)]]
        {
            assert_eq!(rest_confirms(&server, THUE, headers, &body).await.body["code"], "exchange-token-unfit");
        }
        assert_eq!(rest_confirms(&server, THUE, &[("Authorization", "Basic x")], &body).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_a_carrier_says_is_judged_strictly_and_refused_by_name() {
    on_both(async |house| {
        let Behind { joined, number, server, .. } = behind(house, confirms()).await;
        let SecurityServer { client, address, .. } = &server;
        let body = question("r-1", &number, MAU.0, MAU.1);
        // Headers of HTTP, as a careless server would let them through.
        let claims = async |headers: &[(&str, &str)]| {
            let mut request = client.post(format!("{address}/xroad/r1/api/v1/exchange/confirm")).json(&body);
            for (name, value) in headers {
                request = request.header(*name, *value);
            }
            heard(request).await
        };
        let (service, id) = (("x-road-service", "VN/GOV/G01/npdb/x"), ("x-road-id", "m-1"));
        let by = ("x-road-client", THUE);
        for (headers, named) in [
            (vec![], "X-Road-Client"),
            (vec![service, id], "X-Road-Client"),
            (vec![by, id], "X-Road-Service"),
            (vec![by, service], "X-Road-Id"),
            (vec![by, ("x-road-client", "VN/GOV/khac"), service, id], "X-Road-Client: it stands there twice"),
            (vec![by, by, service, id], "X-Road-Client: it stands there twice"),
            (vec![("x-road-client", "VN/GOV/khac, VN/GOV/000.00.00.G12/thue"), service, id], "X-Road-Client"),
            (vec![by, service, id, id], "X-Road-Id: it stands there twice"),
            (vec![by, service, id, ("x-road-represented-party", "COM/1")], "X-Road-Represented-Party"),
            (vec![("x-road-client", "EE/GOV/1"), service, id], "X-Road-Service: another instance"),
            (vec![("x-road-client", "EE/GOV/1"), ("x-road-service", "EE/GOV/1/a"), id], "client: another instance"),
            (vec![("x-road-client", "VN/GOV/khac"), service, id], "client: no system"),
            (vec![("x-road-client", "VN/GOV/000.00.00.G12"), service, id], "client: no system"),
            (vec![("x-road-client", "vn/gov/000.00.00.g12/thue"), service, id], "X-Road-Service: another instance"),
            (vec![("x-road-client", "VN/gov/000.00.00.G12/thue"), service, id], "client: no system"),
        ] {
            let said = claims(&headers).await;
            assert_eq!(
                (said.status, &said.body["code"]),
                (403, &json!("partner-member-unfit")),
                "{headers:?} {said:?}"
            );
            assert!(said.body["detail"].as_str().unwrap().starts_with(named), "{named}: {said:?}");
        }
        // Each of them is recorded, with the authority that runs the carrier.
        let refused = sql!("select count(*) as n from audit_entry where action = $1 and reason = $2");
        assert_eq!(house.count(refused, args!["access-refused", "partner-member-unfit"]).await, 15);

        // Headers of SOAP, as a careless server would let them through.
        let question = confirming("YC-1", &number, MAU.0);
        let good = beneath(&header(THUE, CONFIRM, "m-2", ""), &question);
        let client_block = identifier("client", THUE);
        for (from, to, expected, named) in [
            ("4.0", "3.1", "partner-member-unfit", "protocolVersion"),
            ("4.0", "4.0 ", "partner-member-unfit", "protocolVersion"),
            ("xroad.xsd\"", "xroad.xsd/\"", "partner-member-unfit", "client"),
            ("xsd/identifiers", "xsd/identifier", "partner-member-unfit", "client"),
            (&*client_block, "", "partner-member-unfit", "client: it is needed"),
            (&client_block, &client_block.repeat(2), "partner-member-unfit", "client: it stands there twice"),
            (THUE_CODE, "VN/GOV/khac", "partner-member-unfit", "client"),
            ("thue", "khac", "partner-member-unfit", "client: no system"),
            (">VN<", ">EE<", "partner-member-unfit", "service: another instance"),
            ("<xro:id>m-2</xro:id>", "", "partner-member-unfit", "id: it is needed"),
            ("m-2", "", "partner-member-unfit", "id"),
            (
                "<xro:id>",
                "<r:representedParty xmlns:r=\"http://x-road.eu/xsd/representation.xsd\"/><xro:id>",
                "partner-member-unfit",
                "representedParty",
            ),
            ("serviceCode>XacThuc", "serviceCode>TraCuu", "exchange-request-unfit", "service: its serviceCode"),
            ("d:XacThuc", "d:TraCuu", "exchange-request-unfit", "service: its serviceCode"),
            ("d:XacThucThongTinCongDan", "d:Xoa", "exchange-request-unfit", "Body: Xoa"),
        ] {
            assert!(good.contains(from), "{from}");
            let other = if from.starts_with("d:") { good.replace(from, to) } else { good.replacen(from, to, 1) };
            let (status, said) = raw(client, address, other).await;
            assert_eq!((status, code(&said)), (500, expected), "{from} -> {to}: {said}");
            assert!(between(&said, "cc:Detail").unwrap().starts_with(named), "{from} -> {to}: {said}");
        }
        let (status, said) = raw(client, address, question).await;
        assert_eq!((status, between(&said, "cc:Detail")), (500, Some("protocolVersion: it is needed")), "{said}");
        for body in ["", "x", "<x/>", "<!DOCTYPE x><x/>"] {
            let (status, said) = raw(client, address, body.to_owned()).await;
            assert_eq!((status, code(&said)), (500, "exchange-request-unfit"), "{body}: {said}");
        }
        let other = good.replace(SOAP, "http://www.w3.org/2003/05/soap-envelope");
        assert!(raw(client, address, other).await.1.contains("soapenv:VersionMismatch"));
        let huge = good.replace("<xro:id>", &format!("<o xmlns=\"urn:o\">{}</o><xro:id>", "a".repeat(70_000)));
        assert!(raw(client, address, huge).await.1.contains("65,536"));
        let (status, said) = raw(client, address, "x".repeat(10_000_001)).await;
        assert!(status == 500 && code(&said) == "body-too-large", "{status} {said}");
        assert_eq!(code(&raw(client, address, good).await.1), "");
        drop(joined);
    })
    .await;
}

/// A part that a member's code may not be.
const THUE_CODE: &str = "000.00.00.G12";

#[tokio::test]
async fn members_have_the_agreements_of_their_own_partner() {
    on_both(async |house| {
        let Behind { joined, number, server, .. } = behind(house, confirms()).await;
        let other = partner(house, &joined.bao, "p-khac").await;
        member(house, &joined.bao, &other, "VN/GOV/khac/he-thong").await;
        let asked = question("r-1", &number, MAU.0, MAU.1);
        assert_eq!(rest_confirms(&server, THUE, &[], &asked).await.status, 200);
        let said = rest_confirms(&server, "VN/GOV/khac/he-thong", &[], &asked).await;
        assert_eq!((said.status, &said.body["code"]), (403, &json!("exchange-not-agreed")));
        // Identifiers of requests and messages are each partner's own.
        agreed(house, &joined, &other, "TT-2", confirms()).await;
        let said = rest_confirms(&server, "VN/GOV/khac/he-thong", &[("X-Road-Id", "m-1")], &asked).await;
        assert_eq!((said.status, &said.body["agreement"]), (200, &json!("TT-2")), "{said:?}");
        let next = question("r-2", &number, MAU.0, MAU.1);
        assert_eq!(rest_confirms(&server, THUE, &[("X-Road-Id", "m-1")], &next).await.status, 200);
        // The citizen is told of the authority that asked, and not of the one that runs the security server.
        let by = sql!("select count(*) as n from audit_entry where action = $1 and actor = $2");
        for (of, n) in [(&joined.partner, 2), (&other, 1)] {
            assert_eq!(house.count(by, args!["exchange-answered", format!("partner/{of}")]).await, n);
        }
        // A member lasts longer than sessions and tokens do.
        house.clock.advance(Duration::days(90));
        let later = question("r-3", &number, MAU.0, MAU.1);
        assert_eq!(rest_confirms(&server, THUE, &[("X-Road-Id", "m-2")], &later).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn a_message_that_comes_again_has_its_answer_and_none_with_another_content() {
    on_both(async |house| {
        let Behind { number, server, .. } = behind(house, confirms()).await;
        let first = confirming("YC-1", &number, MAU.0);
        let answer = confirms_by(&server, THUE, "m-1", &first).await;
        assert_eq!(between(&answer, "dc:TonTai"), Some("true"));
        let again = confirms_by(&server, THUE, "m-1", &first).await;
        assert_eq!(between(&again, "cc:Content"), between(&answer, "cc:Content"), "the same to the byte");
        // The message with another content, and another message with the identifier of the question.
        for (id, asked) in
            [("m-1", confirming("YC-2", &number, MAU.0)), ("m-2", confirming("YC-1", &number, "Trần Thị Khác"))]
        {
            let said = confirms_by(&server, THUE, id, &asked).await;
            assert_eq!(code(&said), "exchange-request-reused", "{id}");
        }
        // Over REST alike, and over both.
        let asked = |request: &str| question(request, &number, MAU.0, MAU.1);
        let of_message = |id: &'static str| [("X-Road-Id", id)];
        let said = rest_confirms(&server, THUE, &of_message("m-3"), &asked("r-3")).await;
        let again = rest_confirms(&server, THUE, &of_message("m-3"), &asked("r-3")).await;
        assert_eq!((said.status, again.status, &said.bytes), (200, 200, &again.bytes));
        for (id, request) in [("m-3", "r-4"), ("m-1", "r-5")] {
            let said = rest_confirms(&server, THUE, &of_message(id), &asked(request)).await;
            assert_eq!((said.status, &said.body["code"]), (409, &json!("exchange-request-reused")), "{said:?}");
        }
        // The same question in a message of its own has the answer that it had: the identifier of the question counts.
        let said_ = rest_confirms(&server, THUE, &of_message("m-9"), &asked("r-3")).await;
        assert_eq!((said_.status, &said_.bytes), (200, &said.bytes));
        // A refused message may come again, once what stood against it is gone.
        let other = [("X-Road-Id", "m-4"), ("X-Road-Issue", "HS-2")];
        assert_eq!(rest_confirms(&server, THUE, &other, &asked("r-6")).await.status, 422);
        assert_eq!(rest_confirms(&server, THUE, &of_message("m-4"), &asked("r-6")).await.status, 200);
        let kept = sql!("select count(*) as n from exchange_request where message_id is not null and signature <> ''");
        assert_eq!(house.count(kept, args![]).await, 3);
    })
    .await;
}

#[tokio::test]
async fn what_ended_is_refused_at_once_on_an_open_connection() {
    on_both(async |house| {
        let Behind { joined, number, member: id, server, carrier: carrier_id, runs } = behind(house, confirms()).await;
        let bao = &joined.bao;
        let asks = async |server: &SecurityServer, n: u32| {
            let rest = rest_confirms(server, THUE, &[], &question(&format!("r-{n}"), &number, MAU.0, MAU.1)).await;
            let soap =
                beneath(&header(THUE, CONFIRM, &format!("m-{n}"), ""), &confirming(&format!("YC-{n}"), &number, MAU.0));
            let soap = raw(&server.client, &server.address, soap).await.1;
            let rest = rest.body["code"].as_str().unwrap_or_default().to_owned();
            assert_eq!(rest, code(&soap), "{soap}");
            rest
        };
        assert_eq!(asks(&server, 1).await, "");
        // The member's system; another system is the member from then on.
        let revoke = |id: &str| format!("/api/v1/partner-systems/{id}/revocation");
        assert_eq!(bao.post(&revoke(&id), "e-1", json!({"reason": "left"})).await.status, 200);
        assert_eq!(asks(&server, 2).await, "partner-member-unfit");
        let system = json!({"name": "lan-hai", "member": THUE});
        brought(house, bao, &joined.partner, system).await;
        assert_eq!(asks(&server, 3).await, "");
        assert_eq!(bao.post(&revoke(&carrier_id), "e-2", json!({"reason": "stolen"})).await.status, 200);
        assert_eq!(asks(&server, 5).await, "partner-certificate-unfit");
        let (next, _) = carrier(house, bao, &runs, "may-hai").await;
        assert_eq!(asks(&next, 6).await, "");
        assert_eq!(
            bao.post(&format!("/api/v1/partners/{runs}/end"), "e-3", json!({"reason": "left"})).await.status,
            200
        );
        assert_eq!(asks(&next, 7).await, "partner-certificate-unfit");
        let runs = partner(house, bao, "p-truc-2").await;
        let (last, _) = carrier(house, bao, &runs, "may-ba").await;
        assert_eq!(asks(&last, 8).await, "");
        let end = format!("/api/v1/partners/{}/end", joined.partner);
        assert_eq!(bao.post(&end, "e-4", json!({"reason": "left"})).await.status, 200);
        assert_eq!(asks(&last, 9).await, "partner-member-unfit");
        assert_eq!(bao.post(&revoke(NIL), "e-5", json!({"reason": "x"})).await.code(), "partner-system-unknown");
    })
    .await;
}

#[tokio::test]
async fn what_ended_while_a_question_came_in_is_ended_for_it() {
    on_both(async |house| {
        let Behind { joined, number, member: id, server, carrier: carrier_id, .. } = behind(house, confirms()).await;
        let settings = shows(house, &server.identity);
        let head = format!(
            "POST /xroad/r1/api/v1/exchange/confirm HTTP/1.1\r\nX-Road-Client: {THUE}\r\nX-Road-Id: m-1\r\n\
             X-Road-Service: VN/GOV/G01/npdb/x"
        );
        let asks = async |n: u32, meanwhile: Option<&str>| {
            let body = question(&format!("r-{n}"), &number, MAU.0, MAU.1);
            let head = head.replace("m-1", &format!("m-{n}"));
            let revokes = async || {
                if let Some(system) = meanwhile {
                    let path = format!("/api/v1/partner-systems/{system}/revocation");
                    let said = joined.bao.post(&path, &format!("k-{n}"), json!({"reason": "stolen"})).await;
                    assert_eq!(said.status, 200);
                }
            };
            let (status, code, _) = sends_slowly(house, &settings, &head, &body, revokes).await.unwrap();
            (status, code)
        };
        let ended = (403, "partner-certificate-unfit".to_owned());
        assert_eq!(asks(1, None).await, (200, String::new()));
        assert_eq!(asks(2, Some(&id)).await, ended, "the member was revoked");
        brought(house, &joined.bao, &joined.partner, json!({"name": "lan-hai", "member": THUE})).await;
        assert_eq!(asks(3, None).await, (200, String::new()));
        assert_eq!(asks(4, Some(&carrier_id)).await, ended, "the carrier was revoked");
    })
    .await;
}

#[tokio::test]
async fn a_member_that_was_written_by_another_hand_opens_nothing() {
    on_both(async |house| {
        let Behind { joined, number, server, .. } = behind(house, confirms()).await;
        let asked = |n: u32| question(&format!("r-{n}"), &number, MAU.0, MAU.1);
        let writes = async |sql: issuance::store::Sql| {
            let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
            tx.run(sql, args![]).await.unwrap();
            tx.commit().await.unwrap();
        };
        writes(sql!("update partner_system set member = 'VN/GOV/khac' where member is not null")).await;
        let said = rest_confirms(&server, "VN/GOV/khac", &[], &asked(1)).await;
        assert_eq!(said.body["code"], "record-tampered");
        writes(sql!("update partner_system set member = 'VN/GOV/000.00.00.G12/thue' where member is not null")).await;
        assert_eq!(rest_confirms(&server, THUE, &[], &asked(2)).await.status, 200);
        // A system that was made a carrier, and a carrier of another instance.
        writes(sql!("update partner_system set carries = 'EE' where carries is not null")).await;
        assert_eq!(rest_confirms(&server, THUE, &[], &asked(3)).await.body["code"], "record-tampered");
        writes(sql!("update partner_system set carries = 'VN' where name = 'may-chu-1'")).await;
        let forged = SecurityServer { client: joined.system.client.clone(), ..server };
        assert_eq!(rest_confirms(&forged, THUE, &[], &asked(4)).await.body["code"], "record-tampered");
    })
    .await;
}

#[tokio::test]
async fn the_description_is_published_for_the_security_server() {
    let house =
        House::open_with(|settings| "https://register.invalid:8443".clone_into(&mut settings.exchange.issuer)).await;
    let anyone = house.anyone();
    let said = heard(anyone.client.get(format!("{}/xroad/soap?wsdl", anyone.address))).await;
    let text = String::from_utf8(said.bytes).unwrap();
    assert_eq!((said.status, said.headers["content-type"].to_str().unwrap()), (200, "text/xml; charset=utf-8"));
    assert!(text.contains("<soap:address location=\"https://register.invalid:8443/xroad/soap\"/>"), "{text}");
    let names: std::collections::BTreeSet<_> = crate::soap::elements(&text).into_iter().map(|(_, name)| name).collect();
    assert!(names.contains("definitions") && names.contains("binding"), "it is well-formed: {names:?}");
    for operation in [CONFIRM, "TraCuuThongTinCongDan", "XacMinhThongTinNhanThan"] {
        assert_eq!(text.matches(&format!("<wsdl:operation name=\"{operation}\">")).count(), 2);
        assert!(text.contains(&format!("<xs:element name=\"{operation}\"")));
        assert!(text.contains(&format!("<xs:element name=\"{operation}Response\">")));
    }
    assert!(!text.contains("TYPES-OF-THE-DATABASE") && !text.contains("ADDRESS-OF-THE-SERVICE"));
    let said = heard(anyone.client.get(format!("{}/xroad/soap", anyone.address))).await;
    assert!(String::from_utf8(said.bytes).unwrap().contains("query-malformed"));
    assert!(text.contains(ASKED) && text.contains(XROAD) && text.contains(IDENTIFIERS));
    house.service.stop().await;
}

/// What pyxroad hears of each operation, and of what is refused.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "make interop runs it: it wants pyxroad"]
async fn pyxroad_asks_through_a_security_server() {
    let python = env::var_os("PYXROAD_PYTHON").expect("tests/interop/xroad/run.sh says where Python with pyxroad is");
    let house = House::open(None).await;
    let grants = json!([
        grant("confirm", &["full_name", "birth_date"]),
        grant("look-up", &["full_name", "birth_date", "sex", "permanent_residence", "personal_number"]),
    ]);
    let Behind { joined, number, server, .. } = behind(&house, grants).await;
    let address = Arc::new(server).listens().await;
    let folder = tempfile::tempdir().unwrap();
    let questions = folder.path().join("questions.json");
    let asked = |operation: &str, user: &str, message: &str, name: &str| {
        json!([operation, user, message, {"MaYeuCau": message, "MaCanBo": "nguyen.van.thu", "SoDinhDanh": number,
            "HoVaTen": name, "NgayThangNamSinh": {"NgayThangNam": "19900517"}}])
    };
    let all = json!([
        asked(CONFIRM, "nguyen.van.thu", "m-1", MAU.0),
        asked(CONFIRM, "nguyen.van.thu", "m-2", "Trần Thị Khác"),
        asked("TraCuuThongTinCongDan", "nguyen.van.thu", "m-3", MAU.0),
        asked("XacMinhThongTinNhanThan", "nguyen.van.thu", "m-4", MAU.0),
        asked(CONFIRM, "tran.thi.xa", "m-5", MAU.0),
    ]);
    fs::write(&questions, all.to_string()).unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/interop/xroad/ask.py");
    let mut command = Command::new(python);
    command.args([script, &address, THUE, "VN/GOV/G01/npdb"]).arg(&questions);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
    let [yes, no, found, kin, other] = told.as_slice() else { panic!("{told:?}") };
    let body = |told: &Value| told["body"].clone();
    assert_eq!(
        (&body(yes)["KetQuaXacThuc"]["TonTai"], &body(no)["KetQuaXacThuc"]["TonTai"]),
        (&json!(true), &json!(false)),
        "{told:?}"
    );
    let keys = house.anyone().get("/api/v1/exchange/keys").await.body;
    let signed = &body(yes)["SignedAnswer"];
    let content = signed["Content"].as_str().unwrap().as_bytes();
    assert!(verifies(&keys, signed["Signature"].as_str().unwrap(), content), "{signed}");
    let citizen = &body(found)["CongdanCollection"]["CongDan"][0];
    assert_eq!((&citizen["SoDinhDanh"], &citizen["GioiTinh"]), (&json!(number), &json!("2")), "{found}");
    assert_eq!(body(kin)["Problem"]["Code"], "exchange-not-agreed", "{kin}");
    assert_eq!(body(other)["Problem"]["Code"], "exchange-request-unfit", "{other}");
    assert_eq!(yes["header"]["client"]["subsystemCode"], "thue", "the header came back: {yes}");
    let kept = sql!("select count(*) as n from exchange_request where message_id = $1 and outcome = $2");
    assert_eq!(house.count(kept, args!["m-1", "confirmed"]).await, 1);
    drop(joined);
    house.service.stop().await;
}
