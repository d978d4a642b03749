//! The requests of a citizen whose card is in the reader. Each is sent once: a chip answers a command once, and what is
//! told in a session is not asked for twice.

use crypto::log_in::protocol::{Answer, Begin, SESSION_HEADER, Wanted};
use reqwest::Method;
use reqwest::blocking::RequestBuilder;
use reqwest::header::HeaderMap;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use zeroize::Zeroizing;

use super::{Attempt, HttpService, IDEMPOTENCY_KEY, IdempotencyKey, ServiceError};

impl HttpService {
    /// Begins a log-in with what was read of the card.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn begin_log_in(&self, read: &Begin) -> Result<Wanted, ServiceError> {
        self.once(self.http.post(self.address.at("api/v1/citizen/log-ins")).json(read))
    }

    /// Brings the chip's answer, and returns what the service wants next; within a session under its token.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn go_on(&self, log_in: &str, answer: &Answer, session: Option<&str>) -> Result<Wanted, ServiceError> {
        let mut request = self.http.post(self.address.at(&format!("api/v1/citizen/log-ins/{log_in}/steps")));
        if let Some(token) = session {
            request = request.header(SESSION_HEADER, token);
        }
        self.once(request.json(answer))
    }

    /// Asks for the signed copy. Returns its bytes, and the detached signature over them.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn copy(&self, session: &str) -> Result<(Vec<u8>, String), ServiceError> {
        let (body, headers) = self.answered(self.of_citizen(Method::GET, "copy", session))?;
        let signature = headers.get(SIGNATURE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        Ok((body, signature.to_owned()))
    }

    /// Asks for something of the citizen's own: `card`, `looks/count`, `looks`, `record`, `applications`, `objections`.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn own(&self, what: &str, session: &str) -> Result<Value, ServiceError> {
        self.once(self.of_citizen(Method::GET, what, session))
    }

    /// Does something in the citizen's name: `card/lock`, `objections`, or `code` with the code as its body.
    ///
    /// # Errors
    /// [`ServiceError`], for every way in which the request fails.
    pub fn act(&self, what: &str, session: &str, body: &impl Serialize) -> Result<Value, ServiceError> {
        let body = Zeroizing::new(serde_json::to_vec(body).expect("our own types are JSON"));
        let request = self.of_citizen(Method::POST, what, session);
        let request = request.header(reqwest::header::CONTENT_TYPE, "application/json");
        self.once(request.header(IDEMPOTENCY_KEY, IdempotencyKey::fresh().as_str()).body(body.to_vec()))
    }

    /// Ends the session.
    ///
    /// # Errors
    /// [`ServiceError`]; the session ends by itself where the service is not reached.
    pub fn end_session(&self, session: &str) -> Result<(), ServiceError> {
        self.once::<Option<Value>>(self.of_citizen(Method::DELETE, "session", session)).map(drop)
    }

    fn of_citizen(&self, method: Method, what: &str, session: &str) -> RequestBuilder {
        let address = self.address.at(&format!("api/v1/citizen/{what}"));
        self.http.request(method, address).header(SESSION_HEADER, session)
    }

    fn once<A: DeserializeOwned>(&self, request: RequestBuilder) -> Result<A, ServiceError> {
        let (body, _) = self.answered(request)?;
        let body: &[u8] = if body.is_empty() { b"null" } else { &body };
        serde_json::from_slice(body).map_err(|e| ServiceError::Answer(e.to_string()))
    }

    fn answered(&self, request: RequestBuilder) -> Result<(Vec<u8>, HeaderMap), ServiceError> {
        self.may_go_on("an answer", std::time::Duration::ZERO)?;
        let answered = || {
            let answer =
                request.timeout(self.left("an answer").unwrap_or(super::ATTEMPT).min(super::ATTEMPT)).send()?;
            let (status, headers) = (answer.status(), answer.headers().clone());
            Ok((status, headers, answer.bytes()?))
        };
        let (status, headers, body) = answered().map_err(|e: reqwest::Error| Attempt::broken(&e).error)?;
        self.compare_clocks(headers.get(reqwest::header::DATE));
        if !status.is_success() {
            return Err(Attempt::refused(status, &body).error);
        }
        Ok((body.to_vec(), headers))
    }
}

/// The header of the detached signature.
const SIGNATURE: &str = "x-jws-signature";
