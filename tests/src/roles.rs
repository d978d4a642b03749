//! The people of the road as HTTP clients: `officer.enrols(..)`, `approver.approves(..)`. They know the interface, nothing else.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::blocking::{Client, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

/// The service's answer when it says no: a problem document.
#[derive(Debug)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// Stable code of the problem.
    pub code: String,
    /// What is wrong, in general.
    pub title: String,
    /// What is wrong here.
    pub detail: String,
    /// What it advises.
    pub remedy: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {} {} {}", self.status, self.code, self.title, self.detail, self.remedy)
    }
}

impl std::error::Error for Refusal {}

/// What a role hears.
pub type Answer = Result<Value, Refusal>;

/// The service as its clients see it: an address and the certificate authority of its TLS certificate.
#[derive(Clone)]
pub struct Service {
    /// `https://127.0.0.1:8443`
    pub address: String,
    client: Client,
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
        Self { address: address.to_owned(), client }
    }

    /// The same service, as someone who shows this client certificate and key (PEM).
    ///
    /// # Panics
    /// If they are not PEM.
    pub fn with_certificate(&self, authority: &Path, identity: &[u8]) -> Self {
        let pem = std::fs::read(authority).expect("the service exports its TLS authority");
        let root = reqwest::Certificate::from_pem(&pem).expect("the TLS authority is a PEM certificate");
        let identity = reqwest::Identity::from_pem(identity).expect("certificate and key are PEM");
        let client = Client::builder()
            .tls_certs_only([root])
            .identity(identity)
            .no_proxy()
            .build()
            .expect("a TLS client can be made");
        Self { address: self.address.clone(), client }
    }

    /// Someone who is nobody in particular.
    pub fn anyone(&self) -> Caller {
        Caller { service: self.clone(), token: None }
    }

    /// Signs an officer in.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn officer(&self, username: &str, password: &str) -> Result<Caller, Refusal> {
        let session = self.anyone().post("/api/sessions", json!({ "username": username, "password": password }))?;
        Ok(Caller { service: self.clone(), token: session["token"].as_str().map(str::to_owned) })
    }
}

/// One caller of the service.
#[derive(Clone)]
pub struct Caller {
    service: Service,
    token: Option<String>,
}

impl Caller {
    /// Reads.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn get(&self, path: &str) -> Answer {
        self.send(self.service.client.get(self.url(path)))
    }

    /// Reads octets.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn get_octets(&self, path: &str) -> Result<Vec<u8>, Refusal> {
        let answer = self.signed(self.service.client.get(self.url(path))).send().map_err(unreachable_service)?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().map_err(unreachable_service)?.to_vec();
        if status < 300 { Ok(bytes) } else { Err(refusal(status, &serde_json::from_slice(&bytes).unwrap_or_default())) }
    }

    /// Writes, once: with a fresh idempotency key.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn post(&self, path: &str, body: Value) -> Answer {
        self.post_as(&Uuid::now_v7().to_string(), path, body)
    }

    /// Writes under this idempotency key.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn post_as(&self, key: &str, path: &str, body: Value) -> Answer {
        self.send(self.service.client.post(self.url(path)).header("Idempotency-Key", key).json(&body))
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.service.address)
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    fn send(&self, request: RequestBuilder) -> Answer {
        let answer = self.signed(request).send().map_err(unreachable_service)?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().map_err(unreachable_service)?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status < 300 { Ok(value) } else { Err(refusal(status, &value)) }
    }
}

/// The acts of the road, each by the officer whose act it is.
impl Caller {
    /// Administrator: a new officer.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn appoints(&self, username: &str, password: &str, roles: &[&str], office: &str) -> Answer {
        self.post(
            "/api/officers",
            json!({ "username": username, "password": password, "roles": roles, "office": office }),
        )
    }

    /// Administrator: a station, from its certificate request.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn registers_station(&self, name: &str, office: &str, csr_pem: &str) -> Answer {
        self.post("/api/stations", json!({ "name": name, "office": office, "csr_pem": csr_pem }))
    }

    /// Registrar: a declaration enters the register.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn declares(&self, declaration: &Value) -> Answer {
        self.post("/api/declarations", declaration.clone())
    }

    /// Registrar: a number for life.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn numbers(&self, person: &str) -> Answer {
        self.post(&format!("/api/persons/{person}/number"), json!({}))
    }

    /// Capture officer: an application for a card.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn applies(&self, person: &str, kind: &str, reason: Option<&str>, office: &str) -> Answer {
        let mut body = json!({ "person_id": person, "kind": kind, "office": office });
        if let Some(reason) = reason {
            body["reason"] = json!(reason);
        }
        self.post("/api/applications", body)
    }

    /// Capture officer: portrait (JPEG) and features.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn captures(&self, application: &str, portrait: &[u8], features: &str) -> Answer {
        let body = json!({ "portrait": STANDARD.encode(portrait), "features": features });
        self.post(&format!("/api/applications/{application}/capture"), body)
    }

    /// Approving officer: yes.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn approves(&self, application: &str) -> Answer {
        self.post(&format!("/api/applications/{application}/approval"), json!({}))
    }

    /// Stock keeper: blanks arrive and are given into a station's custody.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn takes_in(&self, batch: &str, serials: &[String], station: &str) -> Answer {
        let delivery = json!({ "manufacturer": "Simulated Silicon", "batch": batch, "transport_key_id": "simulator", "serials": serials });
        self.post("/api/stock/deliveries", delivery)?;
        self.post("/api/stock/custody", json!({ "serials": serials, "station_id": station }))
    }

    /// Counter officer: hands the card to its holder.
    ///
    /// # Errors
    /// The service's refusal.
    pub fn hands_over(&self, card: &str, slip: &str) -> Answer {
        self.post(&format!("/api/cards/{card}/hand-over"), json!({ "slip": slip }))
    }
}

fn refusal(status: u16, problem: &Value) -> Refusal {
    let text = |name: &str| problem[name].as_str().unwrap_or_default().to_owned();
    Refusal { status, code: text("code"), title: text("title"), detail: text("detail"), remedy: text("remedy") }
}

fn unreachable_service(error: reqwest::Error) -> Refusal {
    Refusal {
        status: 0,
        code: "unreachable".into(),
        title: "The service does not answer.".into(),
        detail: format!("{error:?}"),
        remedy: String::new(),
    }
}
