//! Sessions, officers, stations over HTTP.

use axum::Json;
use axum::extract::{ConnectInfo, FromRef, State};
use axum::http::{HeaderMap, StatusCode};
use crypto::perso::problem::ProblemCode;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;
use zeroize::Zeroizing;

use super::proposals::{self, Change, Proposed};
use super::steps::SignInError;
use super::{Access, AccessError, certificates, gate, lists, steps};
use crate::ground::ids::{OfficerId, ProposalId, StationId};
use crate::ground::text::{Login, MOST_OF_REASON, SomeWords, Words};
use crate::ground::{OfficeCode, Officer, Permission, Role, Station};
use crate::web::{Answer, Answered, Body, Desk, Looked, Named, Nothing, Page, Peer, Problem, Right, Routes, Write};

/// The routes of this office.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    let administers = Right::Officer(Permission::Administer);
    Routes::new()
        .add(Right::Anyone, routes!(sign_in))
        .add(Right::SignedIn, routes!(sign_out))
        .add(Right::Anyone, routes!(set_first_password))
        .add(Right::SignedIn, routes!(change_password))
        .add(administers, routes!(make_officer))
        .add(administers, routes!(disable_officer))
        .add(administers, routes!(enable_officer))
        .add(administers, routes!(change_roles))
        .add(administers, routes!(change_office))
        .add(administers, routes!(grant_certificate))
        .add(administers, routes!(reset_password))
        .add(administers, routes!(open_proposals))
        .add(administers, routes!(confirm))
        .add(administers, routes!(withdraw))
        .add(administers, routes!(enrol_station))
        .add(administers, routes!(revoke_station))
        .merge(certificates::routes())
        .add(Right::Station, routes!(renew_station))
        .merge(lists::routes())
        .merge(super::partners_api::routes())
}

/// Body of a sign-in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "lan.nguyễn", "password": "correct horse battery"}))]
struct Credentials {
    /// Name of the account.
    #[schema(value_type = String)]
    username: Login,
    /// Its password.
    password: String,
}

/// An open session.
#[derive(Serialize, ToSchema)]
struct SessionView {
    /// For `Authorization: Bearer …`. Shown once.
    token: String,
    /// The session ends then, or earlier when idle.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// What the officer is employed for.
    roles: Vec<Role>,
    /// By what the officer is known in it: `certificate` if the connection showed one of the officer's own, to which
    /// the session is then bound.
    factors: Vec<steps::Factor>,
}

/// Opens a session. The token of an earlier session of the officer, if one is sent along (`Authorization: Bearer …`),
/// keeps the officer apart from strangers behind the same address.
///
/// No idempotency key: two sign-ins are two sessions, and a stored answer would be a stored token.
#[utoipa::path(post, path = "/api/v1/sessions", tag = "access", request_body = Credentials,
    responses((status = 200, body = SessionView)))]
async fn sign_in(
    State(access): State<Access>,
    State(desk): State<Desk>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    headers: HeaderMap,
    Body(body): Body<Credentials>,
) -> Looked<SessionView> {
    let attempt = steps::Attempt {
        door: steps::Door::Api,
        username: body.username.as_str().to_owned(),
        password: Zeroizing::new(body.password),
        origin: peer.origin,
        earlier_token: gate::token_of(&headers).ok(),
        certificate: peer.certificate,
    };
    let session = unhurried(&access, Box::pin(steps::sign_in(&access, desk.deeds(), attempt))).await?;
    Ok(Json(SessionView {
        token: (*session.token).clone(),
        expires_at: session.expires_at,
        roles: session.roles,
        factors: session.factors,
    }))
}

/// Waits for a verb that takes a password. One that is refused before a password was hashed is answered after a while:
/// so a flood takes no core, and the next attempt of a caller who is told to come again comes no sooner.
pub(super) async fn unhurried<T>(
    access: &Access,
    verb: impl Future<Output = Result<T, SignInError>>,
) -> Result<T, SignInError> {
    let done = verb.await;
    if let Err(SignInError::Access(AccessError::Busy | AccessError::Locked { .. })) = &done {
        tokio::time::sleep(access.settings.refusal_delay).await;
    }
    done
}

/// Ends the session under way. Idempotent by itself.
#[utoipa::path(delete, path = "/api/v1/sessions/current", tag = "access", responses((status = 204, description = "Done.")))]
async fn sign_out(State(desk): State<Desk>, officer: Officer) -> Result<StatusCode, Problem> {
    let Json(()) = desk.look(officer, async |deed| steps::sign_out(deed).await).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Body of a new officer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "lan.nguyễn", "roles": ["capture"], "office": "003-001"}))]
struct NewOfficer {
    /// 1 to 64 characters, unique in its canonical spelling.
    #[schema(value_type = String)]
    username: Login,
    /// What the officer is employed for. An administrator has no other role, an officer who captures neither decides
    /// nor keeps blank chips.
    roles: Vec<Role>,
    /// The office where the officer works.
    office: OfficeCode,
}

/// What became of an act on an officer.
#[derive(Debug, Serialize, ToSchema)]
struct OfficerView {
    /// Identifier of the officer.
    id: OfficerId,
    /// The proposal that a second administrator confirms.
    proposal_id: Option<ProposalId>,
    /// True if it took effect; false while a second administrator must confirm it.
    effective: bool,
    /// One-time token with which the officer sets a password (`POST /api/v1/password`) or enrols a client certificate
    /// (`POST /api/v1/me/certificates`). Shown once: a repeated request is answered without it.
    token: Option<String>,
    /// The token works until then.
    #[serde(with = "time::serde::rfc3339::option")]
    token_expires_at: Option<OffsetDateTime>,
}

impl OfficerView {
    /// The view that is kept, and the one that shows the token this once.
    fn of(proposed: Proposed) -> (Self, Self) {
        let Proposed { officer, proposal, effective, token } = proposed;
        let (token, expires_at) = match token {
            Some(token) => (Some((*token.text).clone()), Some(token.expires_at)),
            None => (None, None),
        };
        let view =
            |token| Self { id: officer, proposal_id: Some(proposal), effective, token, token_expires_at: expires_at };
        (view(None), view(token))
    }
}

/// Proposes a new officer, who has no password: another administrator confirms, and is shown a one-time token for the
/// officer. The appointment of a second administrator by the only one takes effect at once.
#[utoipa::path(post, path = "/api/v1/officers", tag = "access", request_body = NewOfficer,
    responses((status = 200, body = OfficerView)))]
async fn make_officer(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<NewOfficer>,
) -> Answered {
    desk.write_and_show_once(officer, stamp, async |deed| {
        let username = body.username.as_str();
        proposals::appoint(deed, &access.settings, username, &body.roles, &body.office).await.map(OfficerView::of)
    })
    .await
}

/// The reason of an administrator's act.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reason {
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    pub(super) reason: SomeWords<MOST_OF_REASON>,
}

/// Ends an officer's access at once, sessions included; that of an administrator once another one confirms.
#[utoipa::path(post, path = "/api/v1/officers/{id}/disablement", tag = "access", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = OfficerView)))]
async fn disable_officer(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<OfficerId>,
    Write { stamp, body }: Write<Reason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let proposal_id = proposals::disable(deed, &access.settings, id, body.reason.as_str()).await?;
        let effective = proposal_id.is_none();
        Ok::<_, AccessError>(OfficerView { id, proposal_id, effective, token: None, token_expires_at: None })
    })
    .await
}

/// Body of a change of roles.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewRoles {
    /// What the officer is employed for from now on.
    roles: Vec<Role>,
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// Body of a change of office.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOffice {
    /// Where the officer works from now on.
    office: OfficeCode,
    /// For the audit trail, at most 400 characters; no personal data.
    #[schema(value_type = String)]
    reason: SomeWords<MOST_OF_REASON>,
}

/// A handler that proposes something about the officer in its path: the body has a reason, and says what the change is.
macro_rules! proposing {
    ($($(#[$doc:meta])* $name:ident $path:literal $body:ident => |$said:ident| $change:expr;)*) => { $(
        $(#[$doc])*
        #[utoipa::path(post, path = $path, tag = "access", request_body = $body,
            params(("id" = String, Path)), responses((status = 200, body = OfficerView)))]
        async fn $name(
            State(access): State<Access>,
            State(desk): State<Desk>,
            officer: Officer,
            Named(id): Named<OfficerId>,
            Write { stamp, body: $said }: Write<$body>,
        ) -> Answered {
            desk.write(officer, stamp, async |deed| {
                let proposed = proposals::propose(deed, &access.settings, id, $change, $said.reason.as_str()).await;
                proposed.map(|proposed| OfficerView::of(proposed).0)
            })
            .await
        }
    )* };
}

proposing! {
    /// Proposes that a disabled officer comes back, with a new password.
    enable_officer "/api/v1/officers/{id}/enablement" Reason => |body| Change::Enable;
    /// Proposes other roles for an officer.
    change_roles "/api/v1/officers/{id}/roles" NewRoles => |body| Change::Roles { roles: body.roles.clone() };
    /// Proposes another office for an officer.
    change_office "/api/v1/officers/{id}/office" NewOffice => |body| Change::Office { office: body.office.clone() };
    /// Proposes that an officer enrols a client certificate, the second factor.
    grant_certificate "/api/v1/officers/{id}/certificates" Reason => |body| Change::Certificate;
    /// Proposes that an officer sets a new password; once confirmed, the old one and all sessions end.
    reset_password "/api/v1/officers/{id}/password-reset" Reason => |body| Change::Reset;
}

/// A proposal about an officer.
#[derive(Debug, Serialize, ToSchema)]
struct ProposalView {
    /// Identifier.
    id: ProposalId,
    /// The officer.
    officer_id: OfficerId,
    /// Where the officer works.
    office: OfficeCode,
    /// What is proposed: `appoint`, `certificate`, `disable`, `enable`, `office …`, `reset` or `roles …`.
    change: String,
    /// The proposer's own words.
    reason: String,
    /// The administrator who proposed it; none: the owner of the key file, offline.
    proposed_by: Option<OfficerId>,
    /// The moment of the proposal.
    #[serde(with = "time::serde::rfc3339")]
    proposed_at: OffsetDateTime,
    /// It can be confirmed until then.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Proposed offline: it takes effect then, unless an administrator who may decide signs in before or the service
    /// stands still; none while it waits.
    #[serde(with = "time::serde::rfc3339::option")]
    effective_at: Option<OffsetDateTime>,
    /// Proposed offline: it waits since then for an administrator who may decide and was seen at work.
    #[serde(with = "time::serde::rfc3339::option")]
    waits_since: Option<OffsetDateTime>,
}

/// The open proposals about officers for whom the administrator acts, and all of the owner of the key file; oldest
/// first, all on one page.
#[utoipa::path(get, path = "/api/v1/officer-proposals", tag = "access",
    responses((status = 200, body = Page<ProposalView>)))]
async fn open_proposals(State(desk): State<Desk>, officer: Officer) -> Looked<Page<ProposalView>> {
    desk.look(officer, async |deed| {
        let at = deed.at();
        let proposals = proposals::list(deed).await?.into_iter().map(|proposal| {
            let waits_since = proposal.administrator_seen_at;
            let effective_at = proposal.effective_at.filter(|_| waits_since.is_none());
            let effective_at = effective_at.map(|_| at + proposal.remaining());
            ProposalView {
                id: proposal.id,
                officer_id: proposal.officer,
                office: proposal.office,
                change: proposal.change.to_string(),
                reason: proposal.reason,
                proposed_by: proposal.by,
                proposed_at: proposal.at,
                expires_at: proposal.expires_at,
                effective_at,
                waits_since,
            }
        });
        Ok::<_, AccessError>(Page::whole(proposals.collect()))
    })
    .await
}

/// Confirms what another administrator, or the owner of the key file, proposed. It takes effect at once.
#[utoipa::path(post, path = "/api/v1/officer-proposals/{id}/confirmation", tag = "access", request_body = Nothing,
    params(("id" = String, Path)), responses((status = 200, body = OfficerView)))]
async fn confirm(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ProposalId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write_and_show_once(officer, stamp, async |deed| {
        proposals::confirm(deed, &access.settings, id).await.map(OfficerView::of)
    })
    .await
}

/// Takes a proposal back, or turns down another's.
#[utoipa::path(post, path = "/api/v1/officer-proposals/{id}/withdrawal", tag = "access", request_body = Nothing,
    params(("id" = String, Path)), responses((status = 200, body = OfficerView)))]
async fn withdraw(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<ProposalId>,
    Write { stamp, body: Nothing {} }: Write<Nothing>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        proposals::withdraw(deed, id).await.map(|proposed| OfficerView::of(proposed).0)
    })
    .await
}

/// Body of an officer's first password, or of the one after a reset.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FirstPassword {
    /// The one-time token that an administrator was shown.
    token: String,
    /// 12 to 256 characters, chosen by the officer.
    password: String,
}

/// Sets the password of the officer to whom a one-time token was given. The token is used up. No idempotency key: a
/// second request with the token is refused.
#[utoipa::path(post, path = "/api/v1/password", tag = "access", request_body = FirstPassword,
    responses((status = 204, description = "Done.")))]
async fn set_first_password(
    State(access): State<Access>,
    State(desk): State<Desk>,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Body(body): Body<FirstPassword>,
) -> Result<StatusCode, Problem> {
    let password = Zeroizing::new(body.password);
    let set = steps::set_first_password(&access, desk.deeds(), &body.token, password, peer.origin);
    unhurried(&access, Box::pin(set)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Body of a change of password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewPassword {
    /// The password until now.
    old: String,
    /// 12 to 256 characters.
    new: String,
}

/// Changes the password of the officer who asks. Other sessions of the officer end; a wrong old password ends this one.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "access", request_body = NewPassword,
    responses((status = 204, description = "Done.")))]
async fn change_password(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    ConnectInfo(peer): ConnectInfo<Peer>,
    Write { stamp, body }: Write<NewPassword>,
) -> Answered {
    // A repeated request would find its own new password, and take the old one for wrong.
    if let Some(answer) = desk.answered(&officer, &stamp).await? {
        return Ok(answer.without_body());
    }
    let (old, new) = (Zeroizing::new(body.old), Zeroizing::new(body.new));
    let hashed = steps::new_password(&access, desk.deeds(), &officer, old, new, peer.origin);
    let hash = unhurried(&access, Box::pin(hashed)).await?;
    let done = desk.write(officer, stamp, async |deed| steps::change_password(deed, &hash).await).await;
    done.map(Answer::without_body)
}

/// Body of a station's enrolment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewStation {
    /// Unique; for people.
    #[schema(value_type = String)]
    name: Words<64>,
    /// The office where it stands.
    office: OfficeCode,
    /// PKCS#10 request in PEM. Its key is certified; name and wishes in it are not.
    csr_pem: String,
}

/// An enrolled station.
#[derive(Serialize, ToSchema)]
struct StationView {
    /// Identifier.
    id: StationId,
    /// Client certificate.
    certificate_pem: String,
    /// The service's TLS authority (PEM); while it is rolled over, the old one and the new one.
    ca_pem: String,
}

/// Enrols a station and issues its client certificate.
#[utoipa::path(post, path = "/api/v1/stations", tag = "access", request_body = NewStation,
    responses((status = 200, body = StationView)))]
async fn enrol_station(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<NewStation>,
) -> Answered {
    if body.csr_pem.len() > LONGEST_CSR {
        return Err(Problem::new(ProblemCode::TextTooLong).detail(format!("csr_pem: at most {LONGEST_CSR} bytes")));
    }
    desk.write(officer, stamp, async |deed| {
        let authority = access.authority();
        let (id, certificate_pem) =
            steps::enrol_station(deed, &authority, body.name.as_str(), &body.office, &body.csr_pem).await?;
        let ca_pem = authority.all_pem().to_owned();
        Ok::<_, AccessError>(StationView { id, certificate_pem, ca_pem })
    })
    .await
}

/// Body of a renewal.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StationRenewal {
    /// PKCS#10 request in PEM, with a new key. Its key is certified; name and wishes in it are not.
    csr_pem: String,
}

/// Where a station renews its certificate: open, for a while, to one that has ended.
pub(super) const RENEWAL: &str = crypto::perso::protocol::path::RENEWAL;

/// Issues the next certificate of the station that asks: before its certificate ends, and for a while after. The
/// present one goes on until the next is first used.
#[utoipa::path(post, path = "/api/v1/station/certificate", tag = "access", request_body = StationRenewal,
    responses((status = 200, body = StationView)))]
async fn renew_station(
    State(access): State<Access>,
    State(desk): State<Desk>,
    station: Station,
    Write { stamp, body }: Write<StationRenewal>,
) -> Answered {
    if body.csr_pem.len() > LONGEST_CSR {
        return Err(Problem::new(ProblemCode::TextTooLong).detail(format!("csr_pem: at most {LONGEST_CSR} bytes")));
    }
    desk.write(station, stamp, async |deed| {
        let authority = access.authority();
        let (id, certificate_pem) = steps::renew_station(deed, &authority, &body.csr_pem).await?;
        let ca_pem = authority.all_pem().to_owned();
        Ok::<_, AccessError>(StationView { id, certificate_pem, ca_pem })
    })
    .await
}

/// A station whose certificate is revoked.
#[derive(Serialize, ToSchema)]
struct StationRevocation {
    /// Identifier.
    id: StationId,
    /// The moment of its first revocation.
    #[serde(with = "time::serde::rfc3339")]
    revoked_at: OffsetDateTime,
}

/// Revokes a station's certificate: its next request is refused, also on a connection that is open.
#[utoipa::path(post, path = "/api/v1/stations/{id}/revocation", tag = "access", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = StationRevocation)))]
async fn revoke_station(
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<StationId>,
    Write { stamp, body }: Write<Reason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        steps::revoke_station(deed, id, body.reason.as_str())
            .await
            .map(|revoked_at| StationRevocation { id, revoked_at })
    })
    .await
}

/// Longest certification request in PEM, bytes: one with an RSA key of 8192 bits has a third of it.
pub(super) const LONGEST_CSR: usize = 16_384;
