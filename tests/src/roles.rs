//! The people of the road as HTTP clients: `officer.enrols(..)`, `approver.approves(..)`. Every route of the service
//! that the tests call stands here, each in one method, and nowhere else.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use crate::ambient;

/// A request that the service refused: its problem document.
#[derive(Debug)]
pub struct Refusal {
    /// HTTP status; 0 if there was no answer at all.
    pub status: u16,
    /// Stable code of the problem.
    pub code: String,
    /// What is wrong, in general.
    pub title: String,
    /// What is wrong here.
    pub detail: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} {} {}", self.status, self.code, self.title, self.detail, self.remedy)
    }
}

impl std::error::Error for Refusal {}

/// The JSON body of an answer, or a refusal.
pub type Answer = Result<Value, Refusal>;

/// The service as its clients see it: an address, and the certificate authority of its TLS certificate.
#[derive(Clone)]
pub struct Service {
    /// `https://127.0.0.1:PORT`
    pub address: String,
    client: Client,
    /// Whether it is of the time before addresses carried a version.
    unversioned: bool,
}

impl Service {
    /// A client that trusts this authority (PEM) and no other.
    ///
    /// # Panics
    /// If the file is not a PEM certificate: the service wrote it.
    pub fn new(address: &str, authority: &Path) -> Self {
        let pem = std::fs::read(authority).expect("the service exports its TLS authority");
        let root = reqwest::Certificate::from_pem(&pem).expect("the TLS authority is a PEM certificate");
        let client = Client::builder().tls_certs_only([root]).no_proxy().build().expect("a TLS client can be made");
        Self { address: address.to_owned(), client, unversioned: false }
    }

    /// The same service, if it is of the time before addresses carried a version.
    #[must_use]
    pub fn without_versions(self) -> Self {
        Self { unversioned: true, ..self }
    }

    /// A caller without session.
    pub fn anyone(&self) -> Caller {
        Caller { service: self.clone(), token: None, key: None }
    }

    /// Signs an officer in.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn officer(&self, username: &str, password: &str) -> Result<Caller, Refusal> {
        let session = self.anyone().post("/api/v1/sessions", &json!({ "username": username, "password": password }))?;
        Ok(Caller { service: self.clone(), token: session["token"].as_str().map(str::to_owned), key: None })
    }
}

/// One caller of the service: an officer who is signed in, or a client without session.
#[derive(Clone)]
pub struct Caller {
    service: Service,
    token: Option<String>,
    key: Option<String>,
}

/// The same caller elsewhere, or with the same request again.
impl Caller {
    /// Returns this caller, whose writes go out under this key and their path: repeated, they have one effect.
    #[must_use]
    pub fn under(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// Returns this caller at another address of the service.
    #[must_use]
    pub fn at(&self, address: &str) -> Self {
        Self { service: Service { address: address.to_owned(), ..self.service.clone() }, ..self.clone() }
    }
}

/// How a request travels: all go through `asks`.
impl Caller {
    fn get(&self, path: &str) -> Answer {
        self.asks(Method::GET, path, None, None).map(|octets| parsed(&octets))
    }

    /// Posts under a fresh idempotency key, or under the caller's own.
    fn post(&self, path: &str, body: &Value) -> Answer {
        let key = self.key.as_ref().map_or_else(ambient::fresh_id, |key| format!("{key}{path}"));
        self.post_under(&key, path, body)
    }

    fn post_under(&self, key: &str, path: &str, body: &Value) -> Answer {
        self.asks(Method::POST, path, Some(key), Some(body)).map(|octets| parsed(&octets))
    }

    fn asks(&self, method: Method, path: &str, key: Option<&str>, body: Option<&Value>) -> Result<Vec<u8>, Refusal> {
        let path = if self.service.unversioned { path.replacen("/api/v1/", "/api/", 1) } else { path.to_owned() };
        let mut request = self.service.client.request(method, format!("{}{path}", self.service.address));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().map_err(|error| unreachable_service(&error))?;
        let status = answer.status().as_u16();
        let octets = answer.bytes().map_err(|error| unreachable_service(&error))?.to_vec();
        if status < 300 { Ok(octets) } else { Err(refusal(status, &parsed(&octets))) }
    }
}

/// The acts of the road, each named for the officer whose act it is. All fail with the service's refusal.
#[expect(
    clippy::missing_errors_doc,
    reason = "said once above: each fails with the service's refusal and with nothing else"
)]
impl Caller {
    /// Administrator: proposes an officer, who has no password yet.
    pub fn proposes_officer(&self, username: &str, roles: &[&str], office: &str) -> Answer {
        self.post("/api/v1/officers", &json!({ "username": username, "roles": roles, "office": office }))
    }

    /// Administrator: confirms what another administrator proposed. The answer has the officer's one-time token.
    pub fn confirms(&self, proposal: &str) -> Answer {
        self.post(&format!("/api/v1/officer-proposals/{proposal}/confirmation"), &json!({}))
    }

    /// Two administrators appoint an officer, who chooses a password.
    pub fn appoints(&self, second: &Self, username: &str, password: &str, roles: &[&str], office: &str) -> Answer {
        let proposed = self.proposes_officer(username, roles, office)?;
        let confirmed = second.confirms(proposed["proposal_id"].as_str().unwrap_or_default())?;
        self.service.anyone().sets_first_password(confirmed["token"].as_str().unwrap_or_default(), password)?;
        Ok(confirmed)
    }

    /// An officer: sets the password with the one-time token.
    pub fn sets_first_password(&self, token: &str, password: &str) -> Answer {
        self.post("/api/v1/password", &json!({ "token": token, "password": password }))
    }

    /// An officer: changes the password.
    pub fn changes_password(&self, old: &str, new: &str) -> Answer {
        self.post("/api/v1/me/password", &json!({ "old": old, "new": new }))
    }

    /// Administrator: registers a station by its certificate request.
    pub fn registers_station(&self, name: &str, office: &str, csr_pem: &str) -> Answer {
        self.post("/api/v1/stations", &json!({ "name": name, "office": office, "csr_pem": csr_pem }))
    }

    /// Administrator: revokes a station's certificate.
    pub fn revokes_station(&self, station: &str, reason: &str) -> Answer {
        self.post(&format!("/api/v1/stations/{station}/revocation"), &json!({ "reason": reason }))
    }

    /// Registrar: enters a declaration into the register.
    pub fn declares(&self, declaration: &Value) -> Answer {
        self.post("/api/v1/declarations", declaration)
    }

    /// Registrar: the same under a given idempotency key.
    pub fn declares_under(&self, key: &str, declaration: &Value) -> Answer {
        self.post_under(key, "/api/v1/declarations", declaration)
    }

    /// Registrar: establishes the personal number.
    pub fn numbers(&self, person: &str) -> Answer {
        self.post(&format!("/api/v1/persons/{person}/number"), &json!({}))
    }

    /// Registrar: the same, answering by name for what the register says against it.
    pub fn numbers_knowing(&self, person: &str, because: &str) -> Answer {
        let known = json!({ "acknowledged": true, "because": because });
        self.post(&format!("/api/v1/persons/{person}/number"), &known)
    }

    /// Registrar: reads a person's entry in the register.
    pub fn person(&self, person: &str) -> Answer {
        self.get(&format!("/api/v1/persons/{person}"))
    }

    /// Capture officer: takes an application for a card.
    pub fn applies(&self, person: &str, kind: &str, reason: Option<&str>, office: &str) -> Answer {
        let mut body = json!({ "person_id": person, "kind": kind, "office": office });
        if let Some(reason) = reason {
            body["reason"] = json!(reason);
        }
        self.post("/api/v1/applications", &body)
    }

    /// Capture officer: adds portrait (JPEG) and features to an application.
    pub fn captures(&self, application: &str, portrait: &[u8], features: &str) -> Answer {
        let body = json!({ "portrait": STANDARD.encode(portrait), "features": features });
        self.post(&format!("/api/v1/applications/{application}/capture"), &body)
    }

    /// Capture officer: enters the complaint that a citizen makes today about a refusal.
    pub fn complains(&self, application: &str, words: &str) -> Answer {
        let body =
            json!({ "words": words, "on": ambient::now().to_offset(time::macros::offset!(+7)).date().to_string() });
        self.post(&format!("/api/v1/applications/{application}/appeal"), &body)
    }

    /// Capture officer: cancels an application.
    pub fn cancels(&self, application: &str, reason: &str) -> Answer {
        self.post(&format!("/api/v1/applications/{application}/cancellation"), &json!({ "reason": reason }))
    }

    /// Capture officer: reads an application.
    pub fn application(&self, application: &str) -> Answer {
        self.get(&format!("/api/v1/applications/{application}"))
    }

    /// Approving officer: reads an application and approves what it shows.
    pub fn approves(&self, application: &str) -> Answer {
        let seen = self.application(application)?;
        let approval = json!({ "dossier": seen["dossier_sha256"] });
        self.post(&format!("/api/v1/applications/{application}/approval"), &approval)
    }

    /// Approving officer: refuses an application.
    pub fn refuses(&self, application: &str, reason: &str) -> Answer {
        self.post(&format!("/api/v1/applications/{application}/refusal"), &json!({ "reason": reason }))
    }

    /// Approving officer: puts a held application back into the queue.
    pub fn releases(&self, application: &str) -> Answer {
        self.post(&format!("/api/v1/applications/{application}/release"), &json!({}))
    }

    /// Stock keeper: takes a delivery of blanks and gives them into a station's custody.
    pub fn takes_in(&self, batch: &str, serials: &[String], station: &str) -> Answer {
        let delivery = json!({
            "manufacturer": "Simulated Silicon", "batch": batch, "transport_key_id": "simulator", "serials": serials,
        });
        self.post("/api/v1/stock/deliveries", &delivery)?;
        self.gives_into_custody(serials, station)
    }

    /// Stock keeper: gives chips into a station's custody.
    pub fn gives_into_custody(&self, serials: &[String], station: &str) -> Answer {
        self.post("/api/v1/stock/custody", &json!({ "serials": serials, "station_id": station }))
    }

    /// Stock keeper: drafts a batch of so many cards at most.
    pub fn drafts_batch(&self, most: u32) -> Answer {
        self.post("/api/v1/batches", &json!({ "priority": 1, "most": most }))
    }

    /// Stock keeper: how far a batch is.
    pub fn batch(&self, batch: &str) -> Answer {
        self.get(&format!("/api/v1/batches/{batch}"))
    }

    /// Another stock keeper: releases a batch.
    pub fn releases_batch(&self, batch: &str) -> Answer {
        self.post(&format!("/api/v1/batches/{batch}/release"), &json!({}))
    }

    /// Stock keeper: pauses a batch.
    pub fn pauses_batch(&self, batch: &str) -> Answer {
        self.post(&format!("/api/v1/batches/{batch}/pause"), &json!({ "reason": "the printer is cleaned" }))
    }

    /// Stock keeper: lets a batch go on.
    pub fn resumes_batch(&self, batch: &str) -> Answer {
        self.post(&format!("/api/v1/batches/{batch}/resumption"), &json!({}))
    }

    /// Stock keeper: wants a chip written off, before a witness, named by identifier.
    pub fn writes_off(&self, serial: &str, reason: &str, witness: &str) -> Answer {
        self.post(&format!("/api/v1/stock/{serial}/write-off"), &json!({ "reason": reason, "witness": witness }))
    }

    /// The witness whom a write-off names: confirms it, with its reason.
    pub fn confirms_write_off(&self, serial: &str, reason: &str) -> Answer {
        self.post(&format!("/api/v1/stock/{serial}/write-off/confirmation"), &json!({ "reason": reason }))
    }

    /// Stock keeper: reads the ledger's entry of a chip.
    pub fn chip(&self, serial: &str) -> Answer {
        self.get(&format!("/api/v1/stock/{serial}"))
    }

    /// Counter officer: hands the card to its holder, who shows the appointment slip.
    pub fn hands_over(&self, card: &str, slip: &str) -> Answer {
        self.post(&format!("/api/v1/cards/{card}/hand-over"), &json!({ "slip": slip }))
    }

    /// Hand-over: sets the code that the citizen chose for the card.
    pub fn sets_code(&self, card: &str, code: &str) -> Answer {
        self.post(&format!("/api/v1/cards/{card}/citizen-code"), &json!({ "code": code }))
    }

    /// Counter officer: enters the holder's report that the card is lost.
    pub fn reports_loss(&self, card: &str) -> Answer {
        self.post(
            &format!("/api/v1/cards/{card}/loss"),
            &json!({ "reported_by": "holder", "grounds": "left on a bus" }),
        )
    }

    /// Counter officer: reads a card's entry.
    pub fn card(&self, card: &str) -> Answer {
        self.get(&format!("/api/v1/cards/{card}"))
    }

    /// Auditor: reads the audit rows about a person.
    pub fn audit_of_person(&self, person: &str) -> Answer {
        self.audit_of("person", person)
    }

    /// Auditor: reads the audit rows about an object of this kind: `application`, `card`, `chip`, `person`, …
    pub fn audit_of(&self, kind: &str, id: &str) -> Answer {
        self.get(&format!("/api/v1/audit?object={kind}/{id}&limit=200"))
    }

    /// Auditor: reads all audit rows about a person, whatever was acted on.
    pub fn audit_about(&self, person: &str) -> Answer {
        self.get(&format!("/api/v1/audit?person={person}&limit=200"))
    }

    /// A kiosk: fetches the signed trust bundle (CMS).
    pub fn trust_bundle(&self) -> Result<Vec<u8>, Refusal> {
        self.asks(Method::GET, "/api/v1/trust-bundle", None, None)
    }
}

/// A JSON body; null if it is none.
fn parsed(octets: &[u8]) -> Value {
    serde_json::from_slice(octets).unwrap_or_default()
}

fn refusal(status: u16, problem: &Value) -> Refusal {
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    Refusal { status, code: text("code"), title: text("title"), detail: text("detail"), remedy: text("remedy") }
}

fn unreachable_service(error: &reqwest::Error) -> Refusal {
    Refusal {
        status: 0,
        code: "unreachable".into(),
        title: "The service does not answer.".into(),
        detail: format!("{error:?}"),
        remedy: String::new(),
    }
}
