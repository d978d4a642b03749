//! The gate before every route: finds out who asks and whether the route's right admits the caller. Deny by default.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;

use axum::extract::{ConnectInfo, MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use crypto::log_in::protocol::SESSION_HEADER;
use crypto::perso::problem::ProblemCode;
use crypto::perso::protocol::version::{self, Apart};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;

use super::{Access, AccessError, store};
use crate::deed::{Action, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Anyone, Carrier, Citizen, Partner, Standing};
use crate::ground::carried::Brought;
use crate::ground::ids::RequestId;
use crate::ground::together::Together;
use crate::ground::{Officer, Permission, Station};
use crate::store::{StoreError, Tx};
use crate::web::html::{Visitor, asked_here, cookie_token_hash, has_session};
use crate::web::{Claim, Meter, Peer, Problem, Right};

/// What the gate needs: the right of each route, as the routes carry it.
#[derive(Clone, Debug)]
pub struct Gate {
    access: Access,
    deeds: Deeds,
    citizens: Arc<dyn CitizenSessions>,
    rights: Arc<BTreeMap<(String, String), Right>>,
    /// Certificates of partners that are looked up, by fingerprint. A look that began before a question came does not
    /// answer it.
    partners: Together<[u8; 32], (), Option<Partner>>,
}

/// Knows the citizens who are logged in: an office above this one, which has the cards.
pub trait CitizenSessions: std::fmt::Debug + Send + Sync {
    /// Returns the citizen whose session has a token of this SHA-256; none if it ended.
    fn citizen(&self, token_hash: &[u8; 32], now: OffsetDateTime) -> Option<Citizen>;
}

impl Gate {
    /// A gate before routes with these rights, by method and path pattern.
    #[must_use]
    pub fn new(
        access: Access,
        deeds: Deeds,
        citizens: Arc<dyn CitizenSessions>,
        rights: BTreeMap<(String, String), Right>,
    ) -> Self {
        Self { access, deeds, citizens, rights: Arc::new(rights), partners: Together::default() }
    }

    fn right(&self, method: &Method, path: &str) -> Option<Right> {
        // HEAD is answered by the handler of GET.
        let method = if *method == Method::HEAD { Method::GET.as_str() } else { method.as_str() };
        self.rights.get(&(method.to_owned(), path.to_owned())).copied()
    }
}

/// Lets a request pass only if its route has a right and the caller has that right.
///
/// # Errors
/// [`AccessError`] as a problem.
pub async fn gate(State(gate): State<Gate>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        return Ok(next.run(request).await); // the fallbacks: there is nothing behind them
    };
    let Some(right) = gate.right(request.method(), path.as_str()) else {
        return Err(Problem::new(ProblemCode::MethodNotAllowed));
    };
    // What a browser sends along by itself opens nothing here: another site could make it ask.
    if path.as_str().starts_with("/api/") && has_session(request.headers()) {
        return Err(Problem::new(ProblemCode::CookieOnApi));
    }
    // What stands in a path of the API names our own objects; in one of another interface it may be a person's number.
    let asked = if path.as_str().starts_with("/api/") { request.uri().path() } else { path.as_str() }.to_owned();
    match right {
        Right::Anyone => pass(&gate, Anyone, request, next, &asked).await,
        Right::Citizen => {
            let citizen = citizen(&gate, request.headers())?;
            known(&mut request, citizen.clone());
            pass(&gate, citizen, request, next, &asked).await
        }
        Right::SignedIn => {
            let officer = officer(&gate, Shown::of(&request)?, path.as_str()).await?.0;
            known(&mut request, officer.clone());
            pass(&gate, officer, request, next, &asked).await
        }
        Right::Officer(permission) => {
            let officer = officer(&gate, Shown::of(&request)?, path.as_str()).await?.0;
            known(&mut request, officer.clone());
            if !officer.may(permission) {
                let problem = AccessError::Permission(permission).into();
                record_refusal(&gate, officer, path.as_str(), &problem).await?;
                return Err(problem);
            }
            let officer = under(&mut request, officer, permission);
            pass(&gate, officer, request, next, &asked).await
        }
        Right::Carrier => {
            let carrier = carrier(&gate, certificate(&request)).await?;
            known(&mut request, carrier.clone());
            pass(&gate, carrier, request, next, &asked).await
        }
        Right::Partner => {
            let partner = match request.extensions_mut().remove::<Claim>() {
                // What comes through a carrier is a member's; whose certificate that is says the carrier alone.
                Some(Claim(claim)) => {
                    let carrier = carrier(&gate, certificate(&request)).await?;
                    known(&mut request, carrier.clone());
                    carried(&gate, carrier, claim, path.as_str()).await?
                }
                None => partner(&gate, certificate(&request).ok_or(AccessError::PartnerNeeded)?).await?,
            };
            known(&mut request, partner.clone());
            pass(&gate, partner, request, next, &asked).await
        }
        Right::Station => {
            speaks_with_us(request.headers())?;
            let certificate = certificate(&request).ok_or(AccessError::StationNeeded)?;
            let renews = path.as_str() == super::api::RENEWAL;
            let station = station(&gate, certificate, renews).await?;
            known(&mut request, station.clone());
            pass(&gate, station, request, next, &asked).await
        }
    }
}

/// As [`gate`], before the pages: the officer is known by the cookie of a session, which no bearer token replaces, and
/// an act comes from one of our own pages.
///
/// # Errors
/// As [`gate`]; `bearer-on-page`, `form-foreign`
pub async fn page_gate(State(gate): State<Gate>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else { return Ok(next.run(request).await) };
    let Some(right) = gate.right(request.method(), path.as_str()) else {
        return Err(Problem::new(ProblemCode::MethodNotAllowed));
    };
    if request.headers().contains_key(header::AUTHORIZATION) {
        return Err(Problem::new(ProblemCode::BearerOnPage));
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD) && !asked_here(request.uri(), request.headers()) {
        return Err(Problem::new(ProblemCode::FormForeign));
    }
    let asked = request.uri().path().to_owned();
    let permission = match right {
        Right::Anyone => return pass(&gate, Anyone, request, next, &asked).await,
        Right::Officer(permission) => Some(permission),
        Right::SignedIn => None,
        // A citizen has no page of the service, and a machine reads none.
        Right::Citizen => return Err(Problem::new(ProblemCode::CitizenSessionNeeded)),
        Right::Carrier | Right::Partner => return Err(AccessError::PartnerNeeded.into()),
        Right::Station => return Err(AccessError::StationNeeded.into()),
    };
    let token_hash = cookie_token_hash(request.headers()).ok_or(AccessError::Session)?;
    let shown = Shown { token_hash, certificate: certificate(&request) };
    let (officer, name) = officer(&gate, shown, path.as_str()).await?;
    known(&mut request, officer.clone());
    if let Some(permission) = permission.filter(|permission| !officer.may(*permission)) {
        let problem = AccessError::Permission(permission).into();
        record_refusal(&gate, officer, path.as_str(), &problem).await?;
        return Err(problem);
    }
    let officer = match permission {
        Some(permission) => under(&mut request, officer, permission),
        None => officer,
    };
    let source = gate.deeds.source();
    let token = hex::encode(gate.deeds.secrets().fingerprint("form", officer.session.uuid().as_bytes()));
    let key = source.id::<RequestId>().to_string();
    request.extensions_mut().insert(Visitor { officer: officer.clone(), name, token, key });
    pass(&gate, officer, request, next, &asked).await
}

/// Hands the officer to the handler as the one who asks for what takes this permission: what a deputy may by a role
/// that is lent is done for the absent officer, by the API and by a page alike.
fn under(request: &mut Request, officer: Officer, permission: Permission) -> Officer {
    let officer = officer.under(permission);
    request.extensions_mut().insert(officer.clone());
    officer
}

/// Hands the caller to the handler; request and connection have the limits of known callers from now on.
fn known<A: Actor>(request: &mut Request, actor: A) {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<Peer>>() {
        peer.standing.prove();
    }
    if let Some(meter) = request.extensions().get::<Meter>() {
        meter.admit();
    }
    request.extensions_mut().insert(actor);
}

/// Runs the handler, and audits its refusal.
async fn pass<A: Actor>(gate: &Gate, actor: A, request: Request, next: Next, asked: &str) -> Result<Response, Problem> {
    let response = next.run(request).await;
    if response.status() == StatusCode::FORBIDDEN
        && let Some(problem) = response.extensions().get::<Problem>().cloned()
    {
        // The object is there, or it would have been not found: so what the path names is ours, and no personal data.
        record_refusal(gate, actor, asked, &problem).await?;
    }
    Ok(response)
}

/// Audits a refusal in a deed of its own, since the refused one is rolled back.
async fn record_refusal<A: Actor>(gate: &Gate, actor: A, path: &str, problem: &Problem) -> Result<(), DeedError> {
    let mut deed = gate.deeds.open(actor).await?;
    let object = Object::Path(path.strip_prefix("/api/v1/").unwrap_or(path.trim_start_matches('/')).to_owned());
    let entry = Entry::new(Action::AccessRefused, object, Purpose::Work).refused(problem.code());
    deed.enter(entry).await?;
    deed.commit().await
}

/// What an officer shows with a request.
struct Shown {
    /// SHA-256 of the bearer token.
    token_hash: [u8; 32],
    /// SHA-256 of the client certificate of the connection.
    certificate: Option<[u8; 32]>,
}

impl Shown {
    fn of(request: &Request) -> Result<Self, AccessError> {
        Ok(Self { token_hash: token_of(request.headers())?, certificate: certificate(request) })
    }
}

/// Returns the officer of the session whose token is shown, and the name of the account. A session that is bound to a
/// certificate is none on a connection without it.
async fn officer(gate: &Gate, shown: Shown, path: &str) -> Result<(Officer, String), Problem> {
    let (settings, now) = (&gate.access.settings, gate.deeds.source().now());
    let db = gate.deeds.db();
    let found = match store::session(&mut db.begin_look().await?, settings, &shown.token_hash, now).await {
        // A connection that was lost since its last use: a transaction passes over it.
        Err(StoreError::Unreachable(_)) => {
            store::session(&mut db.begin_read().await?, settings, &shown.token_hash, now).await
        }
        found => found,
    };
    let store::LiveSession { officer, username, seen_at, password_due, certificate } =
        found?.ok_or(AccessError::Session)?;
    if certificate.is_some() && certificate != shown.certificate {
        tracing::warn!(officer = %officer.id, "a session was asked for on a connection without its certificate");
        return Err(AccessError::Session.into());
    }
    // Each line of the log that the request leaves from now on names the account.
    tracing::Span::current().record("officer", tracing::field::display(officer.id));
    if password_due && !WITH_AN_OLD_PASSWORD.contains(&path) {
        return Err(AccessError::PasswordDue.into());
    }
    if settings.factors > 1 && certificate.is_none() && !OWN_MATTERS.contains(&path) {
        let problem = AccessError::SecondFactor.into();
        record_refusal(gate, officer, path, &problem).await?;
        return Err(problem);
    }
    // Noted at most once in a while, so that reading does not become writing.
    if now - seen_at > settings.session_idle / 10 && !BY_ITSELF.contains(&path) {
        let mut tx = gate.deeds.db().begin_upkeep().await?;
        store::session_seen(&mut tx, officer.session, now).await?;
        tx.commit().await?;
    }
    Ok((officer, username))
}

/// True while the session whose cookie this is goes on: not ended, not left alone for too long, its officer at work
/// with the same roles at the same office. Asked for an answer that lasts, it is no sign of life.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn goes_on(
    access: &Access,
    deeds: &Deeds,
    token_hash: &[u8; 32],
    officer: &Officer,
) -> Result<bool, StoreError> {
    let (now, mut tx) = (deeds.source().now(), deeds.db().begin_read().await?);
    let session = store::session(&mut tx, &access.settings, token_hash, now).await?;
    Ok(session.is_some_and(|session| {
        let now = &session.officer;
        now.id == officer.id && now.office == officer.office && now.roles == officer.roles
    }))
}

/// True if a caller whom the gate let in may still come in: the session was not ended, the officer not disabled or
/// given other roles or another office, the station not revoked. A deed asks it when it begins.
pub fn still_in<'a>(
    tx: &'a mut Tx,
    standing: Standing<'a>,
    now: OffsetDateTime,
) -> Pin<Box<dyn Future<Output = Result<bool, StoreError>> + Send + 'a>> {
    Box::pin(async move {
        match standing {
            Standing::Citizen(citizen) => Ok(citizen.lasts.holds(now)),
            Standing::Free => Ok(true),
            Standing::Officer(officer) => store::is_still_in(tx, officer, now).await,
            Standing::Partner(partner) => store::partners::is_still_joined(tx, partner, now).await,
            Standing::Station(station) => store::is_still_enrolled(tx, station).await,
        }
    })
}

/// Returns the citizen whose session's token is shown.
fn citizen(gate: &Gate, headers: &HeaderMap) -> Result<Citizen, Problem> {
    let token = headers.get(SESSION_HEADER).and_then(|value| value.to_str().ok());
    let hash = token.map(|token| Sha256::digest(token).into());
    let found = hash.and_then(|hash| gate.citizens.citizen(&hash, gate.deeds.source().now()));
    found.ok_or_else(|| Problem::new(ProblemCode::CitizenSessionNeeded))
}

/// Returns the partner whose system has this certificate.
async fn partner(gate: &Gate, fingerprint: [u8; 32]) -> Result<Partner, Problem> {
    let work = {
        let deeds = gate.deeds.clone();
        move |asked: Vec<()>| {
            let deeds = deeds.clone();
            async move {
                let found = joined(&deeds, &fingerprint).await.ok();
                asked.into_iter().map(|()| found.clone()).collect()
            }
        }
    };
    let partner = match gate.partners.answer(fingerprint, (), work).await.flatten() {
        Some(partner) => partner,
        // Each caller hears for itself what is the matter.
        None => joined(&gate.deeds, &fingerprint).await?,
    };
    tracing::Span::current().record("partner", tracing::field::display(partner.id));
    Ok(partner)
}

async fn joined(deeds: &Deeds, fingerprint: &[u8; 32]) -> Result<Partner, AccessError> {
    let (db, now) = (deeds.db(), deeds.source().now());
    match store::partners::by_certificate(&mut db.begin_look().await?, fingerprint, now).await {
        // As of a session.
        Err(AccessError::Store(StoreError::Unreachable(_))) => {
            store::partners::by_certificate(&mut db.begin_read().await?, fingerprint, now).await
        }
        found => found,
    }
}

/// Returns the carrier that has this certificate.
async fn carrier(gate: &Gate, fingerprint: Option<[u8; 32]>) -> Result<Carrier, Problem> {
    let fingerprint = fingerprint.ok_or(AccessError::PartnerNeeded)?;
    let now = gate.deeds.source().now();
    let mut tx = gate.deeds.db().begin_read().await?;
    let carrier = store::partners::carrier(&mut tx, &fingerprint, now).await?;
    tracing::Span::current().record("partner", tracing::field::display(carrier.system.id));
    Ok(carrier)
}

/// Returns the partner whose member the carrier names; that it names none that may ask is recorded.
async fn carried(
    gate: &Gate,
    carrier: Carrier,
    claim: Result<Brought, Problem>,
    path: &str,
) -> Result<Partner, Problem> {
    let found = match claim {
        Ok(brought) => asks_for(&gate.deeds, &carrier, brought).await,
        Err(problem) => Err(problem),
    };
    if let Err(problem) = &found
        && problem.status() == StatusCode::FORBIDDEN
    {
        record_refusal(gate, carrier, path, problem).await?;
    }
    found
}

/// Returns the partner for whose member a carrier asks. Each line of the log that the request leaves from now on names
/// it, and the message.
///
/// # Errors
/// [`AccessError::PartnerMember`] as a problem
pub(crate) async fn asks_for(deeds: &Deeds, carrier: &Carrier, brought: Brought) -> Result<Partner, Problem> {
    let span = tracing::Span::current();
    span.record("message.id", &*brought.message);
    if let Some(query) = &brought.query {
        span.record("query.id", &**query);
    }
    let mut tx = deeds.db().begin_read().await?;
    let partner = super::partners::carried(&mut tx, carrier, brought).await?;
    span.record("partner", tracing::field::display(partner.id));
    Ok(partner)
}

/// Returns the station that has this certificate. One that has ended is good for its own renewal only, for a while.
async fn station(gate: &Gate, fingerprint: [u8; 32], renews: bool) -> Result<Station, Problem> {
    let now = gate.deeds.source().now();
    let db = gate.deeds.db();
    let shown = match store::station_by_certificate(&mut db.begin_look().await?, &fingerprint).await {
        // As of a session.
        Err(AccessError::Store(StoreError::Unreachable(_))) => {
            store::station_by_certificate(&mut db.begin_read().await?, &fingerprint).await
        }
        shown => shown,
    };
    let store::Shown { station, expires_at, is_next } = shown?;
    tracing::Span::current().record("station", tracing::field::display(station.id));
    let grace = if renews { gate.access.settings.station_renewal_grace } else { time::Duration::ZERO };
    if expires_at + grace <= now {
        return Err(AccessError::StationExpired.into());
    }
    if is_next {
        first_use(gate, &station, &fingerprint).await?;
    }
    Ok(station)
}

/// Ends the certificate before, now that the next one is used.
async fn first_use(gate: &Gate, station: &Station, fingerprint: &[u8; 32]) -> Result<(), Problem> {
    let mut deed = gate.deeds.open(station.clone()).await?;
    if store::take_next(deed.tx(), station.id, fingerprint).await? {
        let entry = Entry::new(Action::StationRenewed, Object::Station(station.id), Purpose::Work);
        deed.enter(entry.because("first use of the new certificate, which ends the one before")).await?;
        deed.commit().await?;
    }
    Ok(())
}

/// Refuses a station that speaks no version of the protocol that this service speaks, before anything is done.
fn speaks_with_us(headers: &HeaderMap) -> Result<(), Problem> {
    let said = headers.get(version::HEADER);
    let ours = version::said();
    let refused = |code, theirs: String| {
        Problem::new(code).detail(format!("the station speaks version {theirs} of the protocol, the service {ours}"))
    };
    let Ok(theirs) = version::heard(said.map(HeaderValue::as_bytes)) else {
        // What this version cannot read is of a newer one.
        return Err(refused(ProblemCode::ProtocolTooNew, "(unreadable)".to_owned()));
    };
    match version::agreed(&theirs) {
        Ok(_) => Ok(()),
        Err(Apart::TooNew) => Err(refused(ProblemCode::ProtocolTooNew, version::shown(&theirs))),
        Err(Apart::TooOld) => Err(refused(ProblemCode::ProtocolTooOld, version::shown(&theirs))),
    }
}

/// Returns the SHA-256 of the bearer token.
pub(super) fn token_of(headers: &HeaderMap) -> Result<[u8; 32], AccessError> {
    let token = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or(AccessError::Session)?;
    Ok(Sha256::digest(token).into())
}

/// Returns the SHA-256 of the client certificate of the connection.
fn certificate(request: &Request) -> Option<[u8; 32]> {
    request.extensions().get::<ConnectInfo<Peer>>().and_then(|info| info.0.certificate)
}

/// What a session may do with a password alone where the policy wants a second factor: what concerns its officer's own
/// sessions and password, and the enrolment of a certificate. To revoke one takes what to use it takes: else a stolen
/// password shuts its officer out.
const OWN_MATTERS: [&str; 8] = [
    "/api/v1/me",
    "/api/v1/me/certificates",
    "/api/v1/me/password",
    "/api/v1/me/sessions",
    "/api/v1/me/sessions/{id}",
    "/api/v1/sessions/current",
    "/pages/password",
    "/pages/sign-out",
];
/// What an officer may do before a password that another hand chose is changed.
const WITH_AN_OLD_PASSWORD: [&str; 4] =
    ["/api/v1/me/password", "/api/v1/sessions/current", "/pages/password", "/pages/sign-out"];
/// A page that is open asks for these by itself, so that they are no sign of an officer at the desk: the
/// session of an empty chair ends.
const BY_ITSELF: [&str; 2] = ["/pages/approvals/queue", "/pages/factory/events"];
