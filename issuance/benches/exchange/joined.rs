//! A partner that is joined as officers join one, over the API.

use std::path::Path;

use issuance::access::{OFFICER, SESSION};
use issuance::ground::Role;
use issuance::ground::actor::Partner;
use issuance::ground::ids::{OfficerId, SessionId};
use issuance::store::Argument;
use issuance::{Service, args, sql};
use rcgen::{CertificateParams, KeyPair};
use reqwest::{Certificate, Client};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use time::format_description::well_known::Rfc3339;

use crate::moments::now;

/// The purpose of the questions.
pub const PURPOSE: &str = "tax-number";

/// A partner, its system, and what it may ask.
pub struct Joined {
    pub partner: Partner,
    pub agreement: String,
    /// SHA-256 of the system's certificate.
    pub fingerprint: String,
    /// A person whom an officer declared.
    pub person: String,
}

impl Joined {
    /// Joins a partner; leaves the certificate and the key of its system in the folder.
    pub async fn new(service: &Service, folder: &Path) -> Self {
        let office = Office { client: client(folder), base: format!("https://{}", service.address()) };
        let place = json!({"province": "001", "detail": "Số 1 Phố Mẫu"});
        let declaration = json!({"full_name": crate::people::NAME, "birth_date": "17/05/1990", "sex": "F", "ethnic_group": "01",
            "birth_registration": place, "place_of_origin": place, "permanent_residence": place,
            "father": {"full_name": "Nguyễn Văn Thử"}, "mother": {"full_name": "Trần Thị Thử"}});
        let declared = office.posts("declares", "/api/v1/declarations", &declaration).await;
        let purpose =
            json!({"code": PURPOSE, "name_vi": "Cấp mã số thuế", "name_en": "Tax code", "law": "Law 38/2019/QH14"});
        office.posts("joins", "/api/v1/exchange-purposes", &purpose).await;
        office.posts("protects", &format!("/api/v1/exchange-purposes/{PURPOSE}/confirmation"), &json!({})).await;
        let partner = json!({"code": "p-thue", "name": "Bộ Thử nghiệm", "unit": "Cục Mẫu", "contact_name": "Nguyễn Văn Thử",
            "contact_email": "ket-noi@example.invalid", "contact_phone": "024 0000 0000"});
        let partner = text(&office.posts("joins", "/api/v1/partners", &partner).await["id"]);
        office.posts("protects", &format!("/api/v1/partners/{partner}/confirmation"), &json!({})).await;
        let key = KeyPair::generate().expect("a key");
        let csr = CertificateParams::new(vec![]).expect("a request").serialize_request(&key).expect("signed");
        let body = json!({"name": "may-chu-1", "csr_pem": csr.pem().expect("PEM")});
        let system = text(&office.posts("joins", &format!("/api/v1/partners/{partner}/systems"), &body).await["id"]);
        let confirmed =
            office.posts("protects", &format!("/api/v1/partner-systems/{system}/confirmation"), &json!({})).await;
        let pem = format!("{}{}", text(&confirmed["certificate_pem"]), key.serialize_pem());
        std::fs::write(folder.join("system.pem"), pem).expect("written");
        let moment = |days| (now() + time::Duration::days(days)).format(&Rfc3339).expect("a moment");
        let grant = json!({"purpose": PURPOSE, "service": "confirm", "fields": ["full_name", "birth_date"],
            "per_day": 1_000_000_000});
        let agreement = json!({"partner_id": partner, "number": "TT-1", "basis": "Decree 47/2020/NĐ-CP, Art. 5",
            "valid_from": moment(-1), "valid_to": moment(100), "kept_days": 30, "grants": [grant]});
        let agreement = text(&office.posts("joins", "/api/v1/agreements", &agreement).await["id"]);
        for officer in ["joins", "protects"] {
            office.posts(officer, &format!("/api/v1/agreements/{agreement}/signature"), &json!({})).await;
        }
        let mut tx = service.offices().deeds().db().begin_read().await.expect("a transaction");
        let row =
            tx.one(sql!("select fingerprint from partner_system"), args![]).await.expect("read").expect("a system");
        let fingerprint: Vec<u8> = row.get("fingerprint").expect("bytes");
        let partner = Partner {
            id: partner.parse().expect("an id"),
            code: "p-thue".parse().expect("a code"),
            system: system.parse().expect("an id"),
            name: "may-chu-1".to_owned(),
            carried: None,
        };
        Self { partner, agreement, fingerprint: hex::encode(fingerprint), person: text(&declared["person_id"]) }
    }
}

/// The API, for officers.
struct Office {
    client: Client,
    base: String,
}

impl Office {
    async fn posts(&self, who: &str, path: &str, body: &Value) -> Value {
        let request = self.client.post(format!("{}{path}", self.base)).bearer_auth(who).json(body);
        let answer =
            request.header("idempotency-key", format!("{who}-{}", path.len())).send().await.expect("an answer");
        let (status, body) = (answer.status(), answer.json::<Value>().await.expect("JSON"));
        assert!(status.is_success(), "{path}: {body}");
        body
    }
}

/// A client without a certificate.
pub fn client(folder: &Path) -> Client {
    let authority = std::fs::read(folder.join("data/tls-ca.pem")).expect("the authority");
    let authority = Certificate::from_pem(&authority).expect("a certificate");
    Client::builder().tls_certs_only([authority]).no_proxy().build().expect("a client")
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// An officer with a session, put in by hand; the token is the name.
pub async fn officer(service: &Service, (name, office): (&str, &str), roles: &[Role]) {
    let source = service.offices().deeds().source();
    let (id, session, at): (OfficerId, SessionId, _) = (source.id(), source.id(), source.now());
    let mut tx = service.offices().deeds().db().begin_upkeep().await.expect("a transaction");
    let make =
        sql!("insert into officer (id, username, password, roles, office, made_at) values ($1, $2, '', $3, $4, $5)");
    tx.run(make, args![id, name, Argument::json(&roles), office, at]).await.expect("an officer");
    tx.seal(&OFFICER, id).await.expect("sealed");
    let open = sql!(
        "insert into session (id, token_hash, officer_id, opened_at, seen_at, expires_at) values ($1, $2, $3, $4, $4, $5)"
    );
    let hash: [u8; 32] = Sha256::digest(name).into();
    tx.run(open, args![session, hash, id, at, at + time::Duration::days(1)]).await.expect("a session");
    tx.seal(&SESSION, session).await.expect("sealed");
    tx.commit().await.expect("kept");
}
