//! A message is posted to an address: over TLS with a server that follows from the certificates which two officers
//! named, straight there, within a bounded time, and without reading more of the answer than its status.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Certificate, Client, StatusCode, header};

use super::super::api::SIGNATURE;

/// A message on its way.
pub(super) struct Letter {
    /// `Notification` or `SubscriptionConfirmation`.
    pub kind: &'static str,
    /// Identifier of the subscription.
    pub subscription: String,
    /// Identifier of the message: the same each time that it is sent.
    pub message: String,
    /// Identifier of the topic.
    pub topic: &'static str,
    /// JSON.
    pub body: Vec<u8>,
    /// Detached JWS over it.
    pub signature: String,
}

/// Why there is no client with these certificates.
pub(super) struct RootsUnfit;

/// Returns a client that believes these certificates (PEM) alone, and goes nowhere else than it is told.
pub(super) fn client(roots: &str) -> Result<Client, RootsUnfit> {
    let all = Certificate::from_pem_bundle(roots.as_bytes()).map_err(|_| RootsUnfit)?;
    if all.is_empty() {
        return Err(RootsUnfit);
    }
    let client = Client::builder()
        .https_only(true)
        .no_proxy()
        .redirect(Policy::none())
        .connect_timeout(PATIENCE)
        .timeout(PATIENCE)
        .tls_certs_only(all);
    client.build().map_err(|_| RootsUnfit)
}

/// Posts a message. Returns once the address took it.
///
/// # Errors
/// What was wrong, in words of the register alone.
pub(super) async fn post(client: &Client, address: &str, letter: &Letter) -> Result<(), String> {
    let request = client
        .post(address)
        .header(header::CONTENT_TYPE, "application/json")
        .header("message-type", letter.kind)
        .header("subscription-id", &letter.subscription)
        .header("message-id", &letter.message)
        .header("topic-id", letter.topic)
        .header(SIGNATURE, &letter.signature)
        .body(letter.body.clone());
    match request.send().await {
        // What the answer holds is not read: the connection ends with it.
        Ok(response) if response.status() == StatusCode::OK => Ok(()),
        Ok(response) => Err(format!("answered with {}", response.status().as_u16())),
        Err(error) if error.is_timeout() => Err("no answer in time".to_owned()),
        Err(error) if error.is_connect() => Err("no connection, or another certificate".to_owned()),
        Err(_) => Err("the connection ended, or what was answered is no HTTP".to_owned()),
    }
}

/// A message that is not answered within this time was not taken.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
