//! The issuance service as a station sees it.
//!
//! Every write carries an `Idempotency-Key`. A request that the network swallowed is sent again under the same key, at once and
//! after a restart: the service does it once and gives the same answer.

use std::{error::Error as _, thread, time::Duration};

use crypto::{
    identity::CardSerial,
    perso::{Order, Presentation, Receipt},
};
use reqwest::{
    Certificate, Identity, Url,
    blocking::{Client, RequestBuilder, Response},
    header::HeaderName,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use thiserror::Error;
use uuid::Uuid;
use zeroize::Zeroizing;

/// What a station asks of the service: over HTTPS ([`HttpService`]), and in process in the tests.
pub trait Service {
    /// An order that initialises (or, if that was done, reports) this blank.
    ///
    /// # Errors
    /// [`ServiceError`].
    fn intake_order(&self, presentation: &Presentation, key: &IdempotencyKey) -> Result<Order, ServiceError>;

    /// Reports what a blank answered.
    ///
    /// # Errors
    /// [`ServiceError`].
    fn intake_receipt(&self, receipt: &Receipt, key: &IdempotencyKey) -> Result<Outcome, ServiceError>;

    /// An order that makes this chip the card of the next approved application (or proves that it already is).
    ///
    /// # Errors
    /// [`ServiceError`].
    fn personalization_order(
        &self,
        presentation: &Presentation,
        key: &IdempotencyKey,
    ) -> Result<PersonalizationOrder, ServiceError>;

    /// Reports what a chip answered, and its signature over the service's challenge.
    ///
    /// # Errors
    /// [`ServiceError`].
    fn personalization_receipt(
        &self,
        receipt: &Receipt,
        proof: Option<&ActiveAuthenticationProof>,
        key: &IdempotencyKey,
    ) -> Result<Outcome, ServiceError>;

    /// Accounts for a chip that is given up.
    ///
    /// # Errors
    /// [`ServiceError`].
    fn spoiled(
        &self,
        serial: &CardSerial,
        reason: &str,
        evidence: &str,
        key: &IdempotencyKey,
    ) -> Result<(), ServiceError>;
}

/// Names one effect. The same key with the same request has that effect once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// For a request that is new each time it is made (an order for a chip whose counter may have moved).
    pub fn fresh() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// For the one report of this order's receipt, with or without a proof: the two are different requests.
    pub fn of_receipt(order: &str, proved: bool) -> Self {
        Self(format!("receipt-{order}-{}", if proved { "proved" } else { "bare" }))
    }

    /// For the one account of this spoiled chip by this journal entry.
    pub fn of_spoiled(entry: Uuid) -> Self {
        Self(format!("spoiled-{entry}"))
    }

    /// As it stands in the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the service made of a receipt.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Outcome {
    /// `initialised`, `personalized` or `incomplete`.
    pub outcome: String,
    /// The card's id at the service, once personalized.
    #[serde(default)]
    pub card_id: Option<String>,
    /// What the service expects next, when incomplete.
    #[serde(default)]
    pub next: Option<String>,
}

impl Outcome {
    /// Whether the chip needs another order.
    pub fn is_incomplete(&self) -> bool {
        self.outcome == "incomplete"
    }
}

/// A sealed order and what is needed to read the finished card back.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct PersonalizationOrder {
    /// The commands.
    pub order: Order,
    /// Access and challenge.
    pub read_back: ReadBack,
    /// The application that this chip is for.
    pub application_id: String,
}

/// What is needed to read the finished card back.
#[derive(Clone, Deserialize, Serialize)]
pub struct ReadBack {
    /// Card access number, six digits.
    pub can: String,
    /// Eight bytes that the chip shall sign.
    #[serde(with = "hex::serde")]
    pub challenge: [u8; 8],
}

/// Hides the CAN.
impl std::fmt::Debug for ReadBack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ReadBack(…)")
    }
}

/// Active authentication over the service's challenge (Doc 9303-11 §6.1).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ActiveAuthenticationProof {
    /// The challenge, eight bytes.
    #[serde(with = "hex::serde")]
    pub challenge: Vec<u8>,
    /// The chip's answer.
    #[serde(with = "hex::serde")]
    pub signature: Vec<u8>,
}

/// A refusal in the service's own words (RFC 9457, with our `code` and `remedy`).
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Problem {
    /// Stable word.
    #[serde(default)]
    pub code: String,
    /// What it means in general.
    #[serde(default)]
    pub title: String,
    /// HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What it means here.
    #[serde(default)]
    pub detail: Option<String>,
    /// What to do.
    #[serde(default)]
    pub remedy: Option<String>,
    /// Finds the request in the service's log.
    #[serde(default)]
    pub request_id: Option<String>,
}

/// Why the service did not do it.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// Its answer is not what the interface says.
    #[error("the service's answer is not understood: {0}")]
    Answer(String),
    /// It refuses, and says why.
    #[error("the service refuses: {} ({})", .0.title, .0.code)]
    Problem(Box<Problem>),
    /// No answer came, several times.
    #[error("the service does not answer: {0}")]
    Unreachable(String),
    /// The TLS handshake failed over a certificate.
    #[error("no trusted connection to the service: {0}")]
    Untrusted(String),
}

/// What a client needs to know the service, and to be known by it.
pub struct Connection {
    /// `https://host:port`.
    pub service: String,
    /// The only authority whose certificate is accepted, PEM.
    pub authority: Vec<u8>,
    /// Private key and certificate of the station, PEM; none for what anyone may ask.
    pub identity: Option<Zeroizing<Vec<u8>>>,
}

/// The service over HTTPS.
pub struct HttpService {
    base: Url,
    http: Client,
}

impl HttpService {
    /// Prepares; nothing is sent yet.
    ///
    /// # Errors
    /// [`ServiceError::Untrusted`] if key, certificate or authority are no usable PEM, [`ServiceError::Unreachable`] if the
    /// address is none.
    pub fn new(connection: &Connection) -> Result<Self, ServiceError> {
        let untrusted = |e: reqwest::Error| ServiceError::Untrusted(chain(&e));
        let base = Url::parse(&connection.service)
            .map_err(|e| ServiceError::Unreachable(format!("`{}` is no address: {e}", connection.service)))?;
        let mut http = Client::builder()
            .https_only(true)
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .tls_certs_only(Certificate::from_pem_bundle(&connection.authority).map_err(untrusted)?);
        if let Some(identity) = &connection.identity {
            http = http.identity(Identity::from_pem(identity).map_err(untrusted)?);
        }
        Ok(Self { base, http: http.build().map_err(untrusted)? })
    }

    /// The signed trust bundle, as octets. Anyone may ask.
    ///
    /// # Errors
    /// [`ServiceError`].
    pub fn trust_bundle(&self) -> Result<Vec<u8>, ServiceError> {
        let answer = self.send(|| self.http.get(self.at("api/trust-bundle")))?;
        answer.bytes().map(|bytes| bytes.to_vec()).map_err(|e| ServiceError::Unreachable(chain(&e)))
    }

    fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: &IdempotencyKey,
    ) -> Result<A, ServiceError> {
        let body = Zeroizing::new(serde_json::to_vec(body).expect("our own types are JSON"));
        let answer = self.send(|| {
            self.http
                .post(self.at(path))
                .header(IDEMPOTENCY_KEY, key.as_str())
                .header(reqwest::header::CONTENT_TYPE, "application/json")
                .body(body.to_vec())
        })?;
        let bytes = answer.bytes().map_err(|e| ServiceError::Unreachable(chain(&e)))?;
        let bytes: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
        serde_json::from_slice(bytes).map_err(|e| ServiceError::Answer(e.to_string()))
    }

    fn at(&self, path: &str) -> Url {
        self.base.join(path).expect("our own paths are relative addresses")
    }

    fn send(&self, request: impl Fn() -> RequestBuilder) -> Result<Response, ServiceError> {
        let mut pauses = PAUSES.iter();
        loop {
            let error = match request().send() {
                Ok(answer) if answer.status().is_success() => return Ok(answer),
                Ok(answer) if answer.status().as_u16() != 503 => return Err(refusal(answer)),
                Ok(answer) => refusal(answer),
                Err(error) if is_about_certificates(&error) => return Err(ServiceError::Untrusted(chain(&error))),
                Err(error) => ServiceError::Unreachable(chain(&error)),
            };
            let Some(pause) = pauses.next() else { return Err(error) };
            tracing::warn!(pause_ms = pause.as_millis(), "{error}; trying again under the same key");
            thread::sleep(*pause);
        }
    }
}

impl Service for HttpService {
    fn intake_order(&self, presentation: &Presentation, key: &IdempotencyKey) -> Result<Order, ServiceError> {
        #[derive(Deserialize)]
        struct Answer {
            order: Order,
        }
        let answer: Answer = self.post("api/station/intake/orders", &Presented { presentation }, key)?;
        Ok(answer.order)
    }

    fn intake_receipt(&self, receipt: &Receipt, key: &IdempotencyKey) -> Result<Outcome, ServiceError> {
        self.post("api/station/intake/receipts", &Received { receipt, active_authentication: None }, key)
    }

    fn personalization_order(
        &self,
        presentation: &Presentation,
        key: &IdempotencyKey,
    ) -> Result<PersonalizationOrder, ServiceError> {
        self.post("api/station/personalization/orders", &Presented { presentation }, key)
    }

    fn personalization_receipt(
        &self,
        receipt: &Receipt,
        proof: Option<&ActiveAuthenticationProof>,
        key: &IdempotencyKey,
    ) -> Result<Outcome, ServiceError> {
        let body = Received { receipt, active_authentication: proof };
        self.post("api/station/personalization/receipts", &body, key)
    }

    fn spoiled(
        &self,
        serial: &CardSerial,
        reason: &str,
        evidence: &str,
        key: &IdempotencyKey,
    ) -> Result<(), ServiceError> {
        let body = serde_json::json!({ "reason": reason, "evidence": evidence });
        self.post::<serde::de::IgnoredAny>(&format!("api/station/chips/{serial}/spoiled"), &body, key).map(drop)
    }
}

#[derive(Serialize)]
struct Presented<'a> {
    presentation: &'a Presentation,
}

#[derive(Serialize)]
struct Received<'a> {
    receipt: &'a Receipt,
    #[serde(skip_serializing_if = "Option::is_none")]
    active_authentication: Option<&'a ActiveAuthenticationProof>,
}

fn refusal(answer: Response) -> ServiceError {
    let status = answer.status();
    match answer.json::<Problem>() {
        Ok(problem) if !problem.code.is_empty() => ServiceError::Problem(Box::new(problem)),
        _ => ServiceError::Answer(format!("HTTP {status} without a problem description")),
    }
}

fn is_about_certificates(error: &reqwest::Error) -> bool {
    let words = chain(error).to_lowercase();
    words.contains("certificate") || words.contains("received fatal alert")
}

fn chain(error: &reqwest::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        source = inner.source();
    }
    words
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Between the attempts at one request.
const PAUSES: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_keeps_the_services_own_words() {
        let problem: Problem = serde_json::from_str(
            r#"{"type":"about:nothing-to-personalize","code":"nothing-to-personalize","title":"Nothing to personalize",
                "status":409,"detail":"no approved application waits for this station","remedy":"Approve one."}"#,
        )
        .expect("problem+json");
        let shown = crate::failure::Failure::from(ServiceError::Problem(Box::new(problem))).to_string();
        assert!(shown.contains("nothing-to-personalize") && shown.contains("Approve one."), "{shown}");
    }

    #[test]
    fn the_same_receipt_has_the_same_key_after_a_restart() {
        assert_eq!(IdempotencyKey::of_receipt("o", true), IdempotencyKey::of_receipt("o", true));
        assert_ne!(IdempotencyKey::of_receipt("o", true), IdempotencyKey::of_receipt("o", false));
        assert_ne!(IdempotencyKey::fresh(), IdempotencyKey::fresh());
    }

    #[test]
    fn a_service_that_is_not_there_is_unreachable_and_http_is_not_spoken() {
        let authority = b"".to_vec();
        let connection = Connection { service: "http://127.0.0.1:9".to_owned(), authority, identity: None };
        let service = HttpService::new(&connection).expect("prepared");
        assert!(matches!(service.trust_bundle(), Err(ServiceError::Unreachable(_))));
    }
}
