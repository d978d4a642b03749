//! The issuance service as a station sees it.
//!
//! Every write carries an `Idempotency-Key`. A request without an answer is sent again under the same key, at once and
//! after a restart: the service does it once and gives the same answer.

mod citizen;
mod clock;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::error::Error as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crypto::identity::CardSerial;
pub use crypto::perso::problem::Problem;
use crypto::perso::problem::{About, ProblemCode};
use crypto::perso::protocol::{
    AUTHORITIES, IntakeOrder, IntakeReceipt, PersonalizationReceipt, Presented, PresentedFor, Renewal, Renewed,
    Spoiled, path, version,
};
pub use crypto::perso::protocol::{
    ActiveAuthentication, BatchProgress, ChipInCustody, Custody, Outcome, PersonalizationOrder, ReadBack,
};
use crypto::perso::{Order, Presentation, Receipt};
use reqwest::blocking::{Client, RequestBuilder};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Identity, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::address::ServiceAddress;
use crate::ambient;
use crate::session::Stop;

/// The requests of a station to the service: over HTTPS ([`HttpService`]), and in process in the tests.
pub trait Service {
    /// Returns an order that initialises (or, if that was done, reports) this blank.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    fn intake_order(&self, presentation: &Presentation, key: &IdempotencyKey) -> Result<Order, ServiceError>;

    /// Reports what a blank answered. Returns what the service concluded.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    fn intake_receipt(&self, receipt: &Receipt, key: &IdempotencyKey) -> Result<Outcome, ServiceError>;

    /// Returns an order that makes this chip the card of the next approved application, or of the one with this slip
    /// (or proves that it already is).
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    fn personalization_order(
        &self,
        presentation: &Presentation,
        slip: Option<&str>,
        key: &IdempotencyKey,
    ) -> Result<PersonalizationOrder, ServiceError>;

    /// Reports what a chip answered, and its signature over the service's challenge. Returns
    /// what the service concluded.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    fn personalization_receipt(
        &self,
        receipt: &Receipt,
        proof: Option<&ActiveAuthentication>,
        key: &IdempotencyKey,
    ) -> Result<Outcome, ServiceError>;

    /// Accounts for a chip that is given up.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    fn spoiled(
        &self,
        serial: &CardSerial,
        reason: &str,
        evidence: &str,
        key: &IdempotencyKey,
    ) -> Result<(), ServiceError>;
}

/// Names one request. However often it is sent under the same key, it has its effect once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// Returns a key for a request that is new each time it is made (an order for a chip whose counter may have moved).
    pub fn fresh() -> Self {
        Self(ambient::new_id().to_string())
    }

    /// Returns the key of the report of this order's receipt, with or without a proof: the two are different requests.
    pub fn of_receipt(order: &str, proved: bool) -> Self {
        Self(format!("receipt-{order}-{}", if proved { "proved" } else { "bare" }))
    }

    /// Returns the key of the account of a spoiled chip by this journal entry. Another reason or other evidence is
    /// another request, and has another key.
    pub fn of_spoiled(entry: Uuid, reason: &str, evidence: &str) -> Self {
        let said = Sha256::new().chain_update(reason).chain_update([0]).chain_update(evidence).finalize();
        Self(format!("spoiled-{entry}-{}", hex::encode(&said[..8])))
    }

    /// Returns the value of the header.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Why a request to the service had no success.
#[derive(Debug, Error)]
pub enum ServiceError {
    /// The answer does not have the form of the interface.
    #[error("the service's answer is not understood: {0}")]
    Answer(String),
    /// The service refuses the request and gives the reason.
    #[error("the service refuses: {} ({})", .0.title, .0.code)]
    Problem(Box<Problem>),
    /// A certificate of the TLS connection is not valid at the time of a clock: one of the two is wrong.
    #[error("{0}")]
    Clock(String),
    /// The operator asked to stop; no further attempt was made.
    #[error("stopped on request")]
    Interrupted,
    /// The time for the whole work ran out while the service was waited for.
    #[error("not finished within {seconds} s: {waited_for} was waited for when the time ran out")]
    LimitReached {
        /// The limit.
        seconds: u64,
        /// The answer that did not come, in words.
        waited_for: String,
    },
    /// No answer came, at any of several attempts.
    #[error("the service does not answer: {0}")]
    Unreachable(String),
    /// The TLS handshake failed over a certificate.
    #[error("no trusted connection to the service: {0}")]
    Untrusted(String),
}

/// What a client needs to authenticate the service, and to be authenticated by it.
pub struct Connection {
    /// `https://host:port`.
    pub service: ServiceAddress,
    /// The only authority whose certificate is accepted, PEM.
    pub authority: Vec<u8>,
    /// Private key and certificate of the station, PEM; none for requests that need no station.
    pub identity: Option<Zeroizing<Vec<u8>>>,
}

/// The service over HTTPS.
pub struct HttpService {
    address: ServiceAddress,
    http: Client,
    /// When the present work began, and the most that it may take; none without a limit.
    limit: Cell<Option<(Instant, Duration)>>,
    stop: RefCell<Stop>,
    /// The batch from which chips get their applications; none: from those that are in no batch.
    batch: RefCell<Option<String>>,
    known: Arc<Known>,
}

/// What the clients of one process have learned of the service.
#[derive(Default)]
struct Known {
    /// Whether a difference of the clocks was told.
    clock_told: AtomicBool,
    /// The version that is spoken with the service, once it answered.
    agreed: Mutex<Option<u16>>,
    /// The TLS authorities that the service said it has.
    authorities: Mutex<Vec<String>>,
    /// The fences of the leases that this process has, by chip.
    fences: Mutex<HashMap<CardSerial, u64>>,
}

/// What a glance at the service found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Glance {
    /// Whether it says that it can do its work.
    pub ready: bool,
    /// The HTTP status of its answer.
    pub status: u16,
    /// How far this computer's clock is ahead of the service's, in whole seconds; none without a readable `Date`.
    pub clock_ahead: Option<i64>,
    /// Until its answer was here.
    pub milliseconds: u128,
    /// The versions of the station protocol that the service speaks; empty if what it says of them cannot be read.
    pub protocol: Vec<u16>,
}

/// What the service has a document as.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct CardStatus {
    /// `active`, `personalized`, `suspended`, `revoked` or `unknown`.
    pub status: String,
    /// The moment of the answer.
    #[serde(with = "time::serde::rfc3339")]
    pub as_of: OffsetDateTime,
}

impl HttpService {
    /// Prepares a client. Nothing is sent yet.
    ///
    /// # Errors
    /// [`ServiceError::Untrusted`] if key, certificate or authority are not usable PEM.
    pub fn new(connection: &Connection) -> Result<Self, ServiceError> {
        let untrusted = |e: reqwest::Error| ServiceError::Untrusted(chain(&e));
        let said = HeaderValue::try_from(version::said()).expect("numbers and commas are a header");
        let mut http = Client::builder()
            .https_only(true)
            .no_proxy()
            .timeout(ATTEMPT)
            .default_headers(HeaderMap::from_iter([(PROTOCOL, said)]))
            .tls_certs_only(Certificate::from_pem_bundle(&connection.authority).map_err(untrusted)?);
        if let Some(identity) = &connection.identity {
            http = http.identity(Identity::from_pem(identity).map_err(untrusted)?);
        }
        let http = http.build().map_err(untrusted)?;
        let (limit, stop, batch, known) = (Cell::new(None), RefCell::default(), RefCell::default(), Arc::default());
        Ok(Self { address: connection.service.clone(), http, limit, stop, batch, known })
    }

    /// Returns another client over the same connections, with a limit and a stop of its own: for another reader, on
    /// another thread.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self {
            address: self.address.clone(),
            http: self.http.clone(),
            limit: Cell::new(None),
            stop: RefCell::default(),
            batch: self.batch.clone(),
            known: self.known.clone(),
        }
    }

    /// Makes chips get their applications from this batch; none: from the applications that are in no batch.
    pub fn take_from_batch(&self, batch: Option<String>) {
        self.batch.replace(batch);
    }

    /// Asks how far a batch of cards is: once, and for ten seconds at most.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn batch(&self, id: &str) -> Result<BatchProgress, ServiceError> {
        self.look(&path::batch(id))
    }

    /// Makes each further request end with [`ServiceError::LimitReached`] once the work that began then has taken this
    /// long, and with [`ServiceError::Interrupted`] instead of another attempt once `stop` was requested.
    pub fn work_within(&self, begun: Instant, limit: Duration, stop: &Stop) {
        self.limit.set(Some((begun, limit)));
        self.stop.replace(stop.clone());
    }

    /// Asks the service whether it is ready: once, and for five seconds at most. Says nothing about this station.
    ///
    /// # Errors
    /// [`ServiceError::Unreachable`], [`ServiceError::Untrusted`], [`ServiceError::Clock`].
    pub fn glance(&self) -> Result<Glance, ServiceError> {
        let begun = Instant::now();
        let request = self.http.get(self.address.at("readyz")).timeout(Duration::from_secs(5));
        let answer = request.send().map_err(|e| Attempt::broken(&e).error)?;
        let date = answer.headers().get(reqwest::header::DATE);
        self.compare_clocks(date);
        let date = date.and_then(|date| date.to_str().ok());
        let clock_ahead = date.and_then(|date| clock::ahead(ambient::now(), date)).map(time::Duration::whole_seconds);
        let (ready, status) = (answer.status().is_success(), answer.status().as_u16());
        let protocol = version::heard(answer.headers().get(PROTOCOL).map(HeaderValue::as_bytes)).unwrap_or_default();
        Ok(Glance { ready, status, clock_ahead, milliseconds: begun.elapsed().as_millis(), protocol })
    }

    /// Returns the signed trust bundle. The request needs no identity.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn trust_bundle(&self) -> Result<Vec<u8>, ServiceError> {
        self.send("the trust bundle", || self.http.get(self.address.at("api/trust-bundle")))
    }

    /// Asks what the document with this fingerprint is: once, and for ten seconds at most. The
    /// request needs no identity.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn card_status(&self, fingerprint: &[u8; 32]) -> Result<CardStatus, ServiceError> {
        self.look(&format!("api/v1/card-status/{}", hex::encode(fingerprint)))
    }

    /// Asks which chips are in this station's custody: once, and for ten seconds at most.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn custody(&self) -> Result<Custody, ServiceError> {
        self.look(path::CUSTODY)
    }

    /// Asks what the ledger has this chip as, if it is in this station's custody.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn chip_in_custody(&self, serial: &CardSerial) -> Result<Option<ChipInCustody>, ServiceError> {
        let asked: Custody = self.look(&format!("{}?serial={serial}", path::CUSTODY))?;
        Ok(asked.items.into_iter().find(|chip| chip.serial == *serial))
    }

    fn look<A: DeserializeOwned>(&self, path: &str) -> Result<A, ServiceError> {
        let answered = || {
            let answer = self.http.get(self.address.at(path)).timeout(LOOK).send()?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok((status, headers, answer.bytes()?))
        };
        let (status, headers, body) = answered().map_err(|e: reqwest::Error| Attempt::broken(&e).error)?;
        self.compare_clocks(headers.get(reqwest::header::DATE));
        self.note_authorities(&headers);
        if !status.is_success() {
            return Err(Attempt::refused(status, &body).error);
        }
        serde_json::from_slice(&body).map_err(|e| ServiceError::Answer(e.to_string()))
    }

    /// Asks for the next certificate of this station.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn renewal(&self, csr_pem: &str) -> Result<Renewed, ServiceError> {
        let said = Sha256::digest(csr_pem);
        let key = IdempotencyKey(format!("renewal-{}", hex::encode(&said[..16])));
        self.post(path::RENEWAL, &Renewal { csr_pem: csr_pem.to_owned() }, &key)
    }

    fn post<A: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
        key: &IdempotencyKey,
    ) -> Result<A, ServiceError> {
        let body = Zeroizing::new(serde_json::to_vec(body).expect("our own types are JSON"));
        let post = |address: &str| {
            self.send(waited_for(path), || {
                self.http
                    .post(self.address.at(address))
                    .header(IDEMPOTENCY_KEY, key.as_str())
                    .header(reqwest::header::CONTENT_TYPE, "application/json")
                    .body(body.to_vec())
            })
        };
        // A service of version 1 knows addresses without version only, and has done nothing when it says so.
        let unversioned = path.replacen("/api/v1/", "/api/", 1);
        let agreed = || *lock(&self.known.agreed);
        let answer = match agreed() {
            Some(version::UNSAID) => post(&unversioned)?,
            _ => match post(path) {
                Err(ServiceError::Problem(problem))
                    if problem.code == ProblemCode::NoSuchPath && agreed() == Some(version::UNSAID) =>
                {
                    post(&unversioned)?
                }
                answered => answered?,
            },
        };
        let answer: &[u8] = if answer.is_empty() { b"null" } else { &answer };
        serde_json::from_slice(answer).map_err(|e| ServiceError::Answer(e.to_string()))
    }

    /// Sends the request until it is answered for good, or the time of the whole work has run out. Returns the body of
    /// a success.
    fn send(&self, what: &'static str, request: impl Fn() -> RequestBuilder) -> Result<Vec<u8>, ServiceError> {
        let may_go_on = |pause| self.may_go_on(what, pause);
        patiently(&PAUSES, may_go_on, || {
            let left = self.left(what).map_err(|error| Attempt { error, passing: false })?;
            let done = while_telling(what, || {
                let answer = request().timeout(left.min(ATTEMPT)).send()?;
                let (status, headers) = (answer.status(), answer.headers().clone());
                Ok((status, headers, answer.bytes()?))
            });
            let (status, headers, body) = done.map_err(|e: reqwest::Error| match self.left(what) {
                Err(error) => Attempt { error, passing: false },
                Ok(_) => Attempt::broken(&e),
            })?;
            self.compare_clocks(headers.get(reqwest::header::DATE));
            self.note_authorities(&headers);
            let said = headers.get(PROTOCOL).map(HeaderValue::as_bytes);
            // A gateway that answers in the service's stead says nothing of versions.
            if said.is_some() || status.is_success() || status == StatusCode::NOT_FOUND {
                *lock(&self.known.agreed) = version::heard(said).ok().and_then(|theirs| version::agreed(&theirs).ok());
            }
            if status.is_success() { Ok(body.to_vec()) } else { Err(Attempt::refused(status, &body)) }
        })
    }

    /// Returns the time that the whole work still has.
    fn left(&self, what: &str) -> Result<Duration, ServiceError> {
        let Some((begun, limit)) = self.limit.get() else { return Ok(ATTEMPT) };
        let late = ServiceError::LimitReached { seconds: limit.as_secs(), waited_for: what.to_owned() };
        limit.checked_sub(begun.elapsed()).filter(|left| !left.is_zero()).ok_or(late)
    }

    /// Fails if the work is to stop, or has no time for a pause of this length and another attempt.
    fn may_go_on(&self, what: &str, pause: Duration) -> Result<(), ServiceError> {
        if self.stop.borrow().requested() {
            return Err(ServiceError::Interrupted);
        }
        if let Ok(left) = self.left(what)
            && left <= pause
        {
            thread::sleep(left);
        }
        self.left(what).map(drop)
    }

    /// Notes which TLS authorities the service said that it has.
    fn note_authorities(&self, headers: &HeaderMap) {
        if let Some(said) = headers.get(AUTHORITIES).and_then(|said| said.to_str().ok()) {
            *lock(&self.known.authorities) = said.split(',').map(|one| one.trim().to_owned()).collect();
        }
    }

    /// Returns the TLS authorities that the service said that it has, by the SHA-256 of their certificates in
    /// hexadecimal; none if it was not asked, or is of a version that does not say it.
    pub fn authorities(&self) -> Vec<String> {
        lock(&self.known.authorities).clone()
    }

    /// Warns once if the service's clock and this computer's differ by more than a minute.
    fn compare_clocks(&self, date: Option<&HeaderValue>) {
        let difference =
            date.and_then(|date| date.to_str().ok()).and_then(|date| clock::difference(ambient::now(), date));
        if let Some(words) = difference
            && !self.known.clock_told.swap(true, Ordering::SeqCst)
        {
            tracing::warn!("{words}");
        }
    }
}

impl Service for HttpService {
    fn intake_order(&self, presentation: &Presentation, key: &IdempotencyKey) -> Result<Order, ServiceError> {
        let body = Presented { presentation: presentation.clone() };
        self.post(path::INTAKE_ORDERS, &body, key).map(|IntakeOrder { order }| order)
    }

    fn intake_receipt(&self, receipt: &Receipt, key: &IdempotencyKey) -> Result<Outcome, ServiceError> {
        self.post(path::INTAKE_RECEIPTS, &IntakeReceipt { receipt: receipt.clone() }, key)
    }

    fn personalization_order(
        &self,
        presentation: &Presentation,
        slip: Option<&str>,
        key: &IdempotencyKey,
    ) -> Result<PersonalizationOrder, ServiceError> {
        let (serial, slip) = (presentation.serial, slip.map(str::to_owned));
        let fence = lock(&self.known.fences).get(&serial).copied();
        let batch = if slip.is_none() { self.batch.borrow().clone() } else { None };
        let body = PresentedFor { presentation: presentation.clone(), slip, batch, fence };
        let answer: PersonalizationOrder = match self.post(path::PERSONALIZATION_ORDERS, &body, key) {
            // Another process of this station asked for this chip after us. The chip is here: a new lease.
            Err(ServiceError::Problem(problem)) if problem.code == ProblemCode::LeaseLost && fence.is_some() => {
                lock(&self.known.fences).remove(&serial);
                let body = PresentedFor { fence: None, ..body };
                self.post(path::PERSONALIZATION_ORDERS, &body, &IdempotencyKey::fresh())?
            }
            answered => answered?,
        };
        if let Some(lease) = &answer.lease {
            lock(&self.known.fences).insert(serial, lease.fence);
        }
        Ok(answer)
    }

    fn personalization_receipt(
        &self,
        receipt: &Receipt,
        proof: Option<&ActiveAuthentication>,
        key: &IdempotencyKey,
    ) -> Result<Outcome, ServiceError> {
        let body = PersonalizationReceipt { receipt: receipt.clone(), active_authentication: proof.cloned() };
        self.post(path::PERSONALIZATION_RECEIPTS, &body, key)
    }

    fn spoiled(
        &self,
        serial: &CardSerial,
        reason: &str,
        evidence: &str,
        key: &IdempotencyKey,
    ) -> Result<(), ServiceError> {
        let body = Spoiled { reason: reason.to_owned(), evidence: evidence.to_owned() };
        self.post::<serde::de::IgnoredAny>(&path::spoiled(serial), &body, key).map(drop)
    }
}

/// One attempt at a request that had no success.
#[derive(Debug)]
struct Attempt {
    error: ServiceError,
    /// Whether the same request may succeed shortly.
    passing: bool,
}

impl Attempt {
    /// The service answered with something else than a success. It may be unable for now; so may a gateway before it,
    /// which describes no problem and has only the status to say so.
    fn refused(status: StatusCode, body: &[u8]) -> Self {
        match serde_json::from_slice::<Problem>(body) {
            Ok(problem) if !problem.code.word().is_empty() => {
                let passing = problem.about == About::Service;
                Self { error: ServiceError::Problem(Box::new(problem)), passing }
            }
            _ => {
                let error = ServiceError::Answer(format!("HTTP {status} without a problem description"));
                Self { error, passing: status.is_server_error() }
            }
        }
    }

    /// No answer came, or not all of it.
    fn broken(error: &reqwest::Error) -> Self {
        let words = chain(error);
        if let Some(words) = clock::doubt(&words, ambient::now()) {
            return Self { error: ServiceError::Clock(words), passing: false };
        }
        if is_about_certificates(error) {
            return Self { error: ServiceError::Untrusted(words), passing: false };
        }
        Self { error: ServiceError::Unreachable(words), passing: !error.is_builder() }
    }
}

/// Makes attempts with these pauses between them, until one succeeds or fails for good, or there may be no other.
fn patiently<T>(
    pauses: &[Duration],
    may_go_on: impl Fn(Duration) -> Result<(), ServiceError>,
    mut attempt: impl FnMut() -> Result<T, Attempt>,
) -> Result<T, ServiceError> {
    let mut pauses = pauses.iter();
    loop {
        match (attempt(), pauses.next()) {
            (Ok(answer), _) => return Ok(answer),
            (Err(Attempt { error, passing: true }), Some(pause)) => {
                tracing::warn!(pause_ms = pause.as_millis(), "{error}; trying again under the same key");
                may_go_on(*pause)?;
                thread::sleep(*pause);
                may_go_on(Duration::ZERO)?;
            }
            (Err(Attempt { error, .. }), _) => return Err(error),
        }
    }
}

/// Does a piece of work, and tells every few seconds that it is still waited for.
fn while_telling<T>(what: &'static str, work: impl FnOnce() -> T) -> T {
    let (done, doing) = channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            let begun = Instant::now();
            while doing.recv_timeout(SILENCE) == Err(RecvTimeoutError::Timeout) {
                tracing::warn!("waiting for {what} from the service for {} s", begun.elapsed().as_secs());
            }
        });
        let result = work();
        drop(done);
        result
    })
}

/// Returns the answer to a request in words, as far as a station sends it.
fn waited_for(path: &str) -> &'static str {
    match path {
        path::INTAKE_ORDERS | path::PERSONALIZATION_ORDERS => "an order for the chip",
        path::RENEWAL => "the new certificate",
        path::INTAKE_RECEIPTS | path::PERSONALIZATION_RECEIPTS => "the answer to the receipt",
        _ => "the answer to the report of a spoiled chip",
    }
}

/// Whether the connection failed over a certificate. The outermost words are left out: they contain the address,
/// which may contain any word.
fn is_about_certificates(error: &reqwest::Error) -> bool {
    let words = sources(error).to_lowercase();
    words.contains("certificate") || words.contains("received fatal alert")
}

/// Returns the error's words and those of all its sources.
fn chain(error: &reqwest::Error) -> String {
    format!("{error}{}", sources(error))
}

/// Returns the words of all sources of the error, each after a colon.
fn sources(error: &reqwest::Error) -> String {
    let mut words = String::new();
    let mut source = error.source();
    while let Some(inner) = source {
        words.push_str(": ");
        words.push_str(&inner.to_string());
        source = inner.source();
    }
    words
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PROTOCOL: HeaderName = HeaderName::from_static(version::HEADER);

/// The most that one attempt at a request may take.
const ATTEMPT: Duration = Duration::from_secs(30);

/// The most that a look may take, which nothing waits for.
const LOOK: Duration = Duration::from_secs(10);

/// The time after which it is told, again and again, what is waited for.
const SILENCE: Duration = Duration::from_secs(3);

/// The pauses between the attempts at one request.
const PAUSES: [Duration; 3] = [Duration::from_millis(300), Duration::from_secs(1), Duration::from_secs(3)];

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> Attempt {
        Attempt::refused(StatusCode::from_u16(status).expect("a status"), body.as_bytes())
    }

    #[test]
    fn a_refusal_keeps_the_services_own_words() {
        let body = r#"{"type":"about:nothing-to-personalize","code":"nothing-to-personalize","title":"Nothing to personalize",
                "status":409,"detail":"no approved application waits for this station","remedy":"Approve one."}"#;
        let shown = crate::failure::Failure::from(refused(409, body).error).to_string();
        assert!(shown.contains("nothing-to-personalize") && shown.contains("Approve one."), "{shown}");
    }

    #[test]
    fn an_attempt_is_repeated_only_if_the_service_is_unable_for_now_whatever_the_status() {
        for code in ProblemCode::ALL {
            for status in [409, 422, 500, 503] {
                let body = serde_json::to_string(&Problem::new(*code, status, "")).expect("JSON");
                let attempt = refused(status, &body);
                assert_eq!(attempt.passing, code.about() == About::Service, "{code} {status}");
                assert!(matches!(attempt.error, ServiceError::Problem(problem) if problem.code == *code));
            }
        }
        assert!(refused(422, r#"{"code":"of-a-newer-service","about":"service"}"#).passing);
        assert!(!refused(503, r#"{"code":"of-a-newer-service","about":"chip"}"#).passing);
    }

    #[test]
    fn an_answer_without_a_problem_is_not_understood_and_a_gateways_is_repeated() {
        for (status, passing) in [(404, false), (500, true), (502, true), (503, true)] {
            for body in ["", "<html>", "{}", r#"{"code":""}"#] {
                let attempt = refused(status, body);
                assert!(matches!(attempt.error, ServiceError::Answer(_)));
                assert_eq!(attempt.passing, passing, "{status} {body}");
            }
        }
    }

    #[test]
    fn attempts_end_with_a_success_with_a_final_refusal_or_with_the_pauses() {
        let pauses = [Duration::ZERO; 3];
        let fails = |passing| Attempt { error: ServiceError::Unreachable(String::new()), passing };
        let mut attempts = 0;
        let answer = patiently(
            &pauses,
            |_| Ok(()),
            || {
                attempts += 1;
                if attempts < 3 { Err(fails(true)) } else { Ok(attempts) }
            },
        );
        assert_eq!(answer.expect("the third succeeds"), 3);
        for (passing, expected) in [(true, 4), (false, 1)] {
            let mut attempts = 0;
            let answer = patiently::<()>(
                &pauses,
                |_| Ok(()),
                || {
                    attempts += 1;
                    Err(fails(passing))
                },
            );
            assert!(answer.is_err());
            assert_eq!(attempts, expected);
        }
    }

    #[test]
    fn no_attempt_is_made_once_the_time_of_the_work_has_run_out_or_a_stop_was_asked_for() {
        let service = "https://127.0.0.1:9".parse().expect("an address");
        let service = HttpService::new(&Connection { service, authority: vec![], identity: None }).expect("prepared");
        let (begun, stop) = (Instant::now(), Stop::default());
        service.work_within(begun, Duration::from_millis(100), &stop);
        let error = service.trust_bundle().expect_err("port 9 is closed");
        assert!(matches!(error, ServiceError::LimitReached { .. }), "{error}");
        assert!(begun.elapsed() >= Duration::from_millis(100), "the time was used");
        service.work_within(Instant::now(), Duration::from_hours(1), &stop);
        stop.request();
        assert!(matches!(service.trust_bundle(), Err(ServiceError::Interrupted)));
    }

    #[test]
    fn an_address_that_speaks_of_certificates_can_be_unreachable() {
        let service = "https://127.0.0.1:9".parse().expect("an address");
        let service = HttpService::new(&Connection { service, authority: vec![], identity: None }).expect("prepared");
        let error = service.http.get(service.address.at("certificates/")).send().expect_err("port 9 is closed");
        assert!(matches!(Attempt::broken(&error), Attempt { error: ServiceError::Unreachable(_), passing: true }));
    }

    #[test]
    fn the_same_receipt_has_the_same_key_after_a_restart() {
        assert_eq!(IdempotencyKey::of_receipt("o", true), IdempotencyKey::of_receipt("o", true));
        assert_ne!(IdempotencyKey::of_receipt("o", true), IdempotencyKey::of_receipt("o", false));
        assert_ne!(IdempotencyKey::fresh(), IdempotencyKey::fresh());
    }
}
