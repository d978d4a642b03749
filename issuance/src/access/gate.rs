//! The gate before every route: finds out who asks, and looks the route up in the table of rights. Deny by default.

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};

use super::model::{AccessError, Caller, Officer, Station};
use super::rights::{Right, is_known, right};
use super::store;
use crate::app::App;
use crate::audit;
use crate::http::{Problem, method_not_allowed};
use crate::store::StoreError;

/// Who is at the other end of the connection.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// SHA-256 of the client certificate (DER), if one was shown and verified against our TLS authority.
    pub certificate: Option<[u8; 32]>,
}

/// Lets a request pass only if its route has a right and the caller has that right.
///
/// # Errors
/// [`AccessError`] as a problem.
pub async fn gate(State(app): State<App>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return Ok(next.run(request).await); // the fallbacks: there is nothing behind them
    };
    let Some(right) = right(request.method(), path.as_str()) else {
        // Closed either way, whatever the router has there.
        return Err(if is_known(path.as_str()) { method_not_allowed() } else { AccessError::RightsTable.into() });
    };
    let mut caller = Caller::Anyone;
    match right {
        Right::Anyone => {}
        Right::SignedIn => {
            let officer = officer(&app, token_hash(&request)?).await?;
            request.extensions_mut().insert(officer);
        }
        Right::Officer(permission) => {
            let officer = officer(&app, token_hash(&request)?).await?;
            if !officer.may(permission) {
                let problem = AccessError::Permission(permission).into();
                remember(&app, &Caller::from(&officer), path.as_str(), &problem).await?;
                return Err(problem);
            }
            caller = Caller::from(&officer);
            request.extensions_mut().insert(officer);
        }
        Right::Station => {
            let station = station(&app, fingerprint(&request)?).await?;
            caller = Caller::from(&station);
            request.extensions_mut().insert(station);
        }
    }
    let asked = request.uri().path().to_owned();
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN
        && let Some(problem) = response.extensions().get::<Problem>().cloned()
    {
        // The object is there, or it would have been not found: so what the path names is ours, and no personal data.
        remember(&app, &caller, &asked, &problem).await?;
    }
    Ok(response)
}

/// A refusal leaves nothing in its transaction; that somebody known reached for what is not theirs is written down on its own.
async fn remember(app: &App, caller: &Caller, path: &str, problem: &Problem) -> Result<(), StoreError> {
    let mut tx = app.begin().await?;
    let object = path.strip_prefix("/api/").unwrap_or(path);
    audit::record(&mut tx, app, caller, "access-refused", object, problem.code()).await?;
    tx.commit().await
}

async fn officer(app: &App, token_hash: [u8; 32]) -> Result<Officer, AccessError> {
    let mut tx = app.begin_read().await?;
    let (officer, seen_at) = store::session(&mut tx, app, &token_hash).await?.ok_or(AccessError::Session)?;
    drop(tx);
    // Noted at most once in a while, so that reading does not become writing.
    if app.now() - seen_at > app.config().session_idle / 10 {
        let mut tx = app.begin().await?;
        store::session_seen(&mut tx, app, &officer.session_id).await?;
        tx.commit().await?;
    }
    Ok(officer)
}

async fn station(app: &App, fingerprint: [u8; 32]) -> Result<Station, AccessError> {
    let mut tx = app.begin_read().await?;
    store::station_by_certificate(&mut tx, app, &fingerprint).await
}

fn token_hash(request: &Request) -> Result<[u8; 32], AccessError> {
    let token = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(AccessError::Session)?;
    Ok(Sha256::digest(token).into())
}

fn fingerprint(request: &Request) -> Result<[u8; 32], AccessError> {
    let peer = request.extensions().get::<ConnectInfo<Peer>>();
    peer.and_then(|info| info.0.certificate).ok_or(AccessError::StationNeeded)
}
