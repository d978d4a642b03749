//! The second factor: client certificates of officers. Two administrators grant one, the officer enrols it with a
//! session and the one-time token of the grant; so neither a stolen password nor one administrator is enough.

use axum::Json;
use axum::extract::{FromRef, State};
use axum::http::StatusCode;
use crypto::perso::problem::ProblemCode;
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::routes;

use super::api::{LONGEST_CSR, Reason};
use super::store::certificates as store;
use super::store::certificates::Whose;
use super::{Access, AccessError, steps};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{CertificateId, OfficerId};
use crate::ground::{Id, OfficeCode, Officer, Permission};
use crate::keys::{IssuedCertificate, TlsAuthority, key_of};
use crate::store::{Record, StoreError};
use crate::web::{Answered, Desk, Listing, Looked, Named, Page, PageAsked, Problem, Right, Routes, Write};

/// The routes of this file.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Routes<S>
where
    Access: FromRef<S>,
    Desk: FromRef<S>,
{
    Routes::new()
        .add(Right::SignedIn, routes!(enrol_certificate))
        .add(Right::SignedIn, routes!(renew_certificate))
        .add(Right::SignedIn, routes!(my_certificates))
        .add(Right::SignedIn, routes!(revoke_my_certificate))
        .add(Right::Officer(Permission::Administer), routes!(list_certificates))
        .add(Right::Officer(Permission::Administer), routes!(revoke_certificate))
}

/// Body of an officer's enrolment.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewCertificate {
    /// The one-time token of the grant.
    token: String,
    /// PKCS#10 request in PEM. Its key is certified; name and wishes in it are not.
    csr_pem: String,
}

/// A certificate just enrolled.
#[derive(Serialize, ToSchema)]
struct EnrolledCertificate {
    /// Identifier.
    id: CertificateId,
    /// The client certificate.
    certificate_pem: String,
    /// The service's TLS authority (PEM); while it is rolled over, the old one and the new one.
    ca_pem: String,
    /// It ends then.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Enrols a client certificate of the officer who asks, with the one-time token that two administrators granted. The
/// token is used up. A session opened on a connection with the certificate has two factors.
#[utoipa::path(post, path = "/api/v1/me/certificates", tag = "access", request_body = NewCertificate,
    responses((status = 200, body = EnrolledCertificate)))]
async fn enrol_certificate(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<NewCertificate>,
) -> Answered {
    if body.csr_pem.len() > LONGEST_CSR {
        return Err(Problem::new(ProblemCode::TextTooLong).detail(format!("csr_pem: at most {LONGEST_CSR} bytes")));
    }
    desk.write(officer, stamp, async |deed| enrol(deed, &access, &body.token, &body.csr_pem).await).await
}

async fn enrol(
    deed: &mut Deed<Officer>,
    access: &Access,
    token: &str,
    request_pem: &str,
) -> Result<EnrolledCertificate, AccessError> {
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let (officer, at) = (deed.actor().id, deed.at());
    let id = store::granted(deed.tx(), officer, &hash, at).await?.ok_or(AccessError::Token)?;
    let authority = access.authority();
    let issued = certified(deed, &authority, request_pem).await?;
    store::enrol(deed.tx(), id, &issued, at).await?;
    let entry = Entry::new(Action::OfficerCertificateEnrolled, Object::Officer(officer), Purpose::Work);
    let office = deed.actor().office.clone();
    deed.enter(entry.of(&office).because(said_of(&issued.fingerprint()))).await?;
    let ca_pem = authority.all_pem().to_owned();
    Ok(EnrolledCertificate { id, certificate_pem: issued.pem, ca_pem, expires_at: issued.not_after })
}

/// Certifies the key of the request for the officer.
async fn certified(
    deed: &mut Deed<Officer>,
    authority: &TlsAuthority,
    request_pem: &str,
) -> Result<IssuedCertificate, AccessError> {
    let (officer, at) = (deed.actor().id, deed.at());
    let issued = authority.officer(&officer.to_string(), request_pem, at, &mut deed.rng())?;
    let key = key_of(&issued.der).ok_or(AccessError::KeyCertified)?;
    if store::key_was_revoked(deed.tx(), officer, &key).await? {
        return Err(AccessError::KeyCertified);
    }
    steps::claim_key(deed, &format!("officer/{officer}"), &issued).await?;
    Ok(issued)
}

/// Body of a renewal of an officer's certificate.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct CertificateRenewal {
    /// PKCS#10 request in PEM, with a new key. Its key is certified; name and wishes in it are not.
    csr_pem: String,
}

/// Renews the client certificate that the session is bound to: both factors, and no administrator. The present one goes
/// on until a session is opened with the new one, and ends then.
#[utoipa::path(post, path = "/api/v1/me/certificates/renewal", tag = "access", request_body = CertificateRenewal,
    responses((status = 200, body = EnrolledCertificate)))]
async fn renew_certificate(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Write { stamp, body }: Write<CertificateRenewal>,
) -> Answered {
    if body.csr_pem.len() > LONGEST_CSR {
        return Err(Problem::new(ProblemCode::TextTooLong).detail(format!("csr_pem: at most {LONGEST_CSR} bytes")));
    }
    desk.write(officer, stamp, async |deed| renew(deed, &access, &body.csr_pem).await).await
}

async fn renew(
    deed: &mut Deed<Officer>,
    access: &Access,
    request_pem: &str,
) -> Result<EnrolledCertificate, AccessError> {
    let (officer, session, at) = (deed.actor().id, deed.actor().session, deed.at());
    // The gate has seen that the connection shows it.
    let shown = super::store::certificate_of(deed.tx(), session).await?.ok_or(AccessError::SecondFactor)?;
    let (present, _) = store::found(deed.tx(), &shown).await?.ok_or(AccessError::SecondFactor)?;
    let authority = access.authority();
    let issued = certified(deed, &authority, request_pem).await?;
    // No token enrols it: one that is not shown stands in its place.
    let mut token = [0; 32];
    deed.rng().fill_bytes(&mut token);
    let id = deed.id();
    store::renew(deed.tx(), (id, present), officer, &token, &issued, at).await?;
    let entry = Entry::new(Action::OfficerCertificateEnrolled, Object::Officer(officer), Purpose::Work);
    let office = deed.actor().office.clone();
    let why = format!("{} renews {}", said_of(&issued.fingerprint()), said_of(&shown));
    deed.enter(entry.of(&office).because(why)).await?;
    let ca_pem = authority.all_pem().to_owned();
    Ok(EnrolledCertificate { id, certificate_pem: issued.pem, ca_pem, expires_at: issued.not_after })
}

/// Ends the certificate that this one renews, now that a session is opened with this one.
pub(super) async fn first_use(
    deed: &mut Deed<Officer>,
    officer: OfficerId,
    shown: &[u8; 32],
) -> Result<(), AccessError> {
    let Some((_, Some(renewed))) = store::found(deed.tx(), shown).await? else { return Ok(()) };
    if !store::may_be_used(deed.tx(), renewed).await? {
        return Ok(());
    }
    let at = deed.at();
    store::revoke(deed.tx(), renewed, RENEWED, at).await?;
    let entry = Entry::new(Action::OfficerCertificateRevoked, Object::Officer(officer), Purpose::Work);
    Ok(deed.enter(entry.because(RENEWED)).await?)
}

/// Why, of a certificate that was renewed.
const RENEWED: &str = "renewed: a session was opened with the next one";

/// What the trail says of a certificate.
fn said_of(fingerprint: &[u8]) -> String {
    format!("certificate {}", hex::encode(&fingerprint[..8.min(fingerprint.len())]))
}

/// A list that has no parameters but the page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct All {}

/// A client certificate of an officer, or the grant of one.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CertificateItem {
    /// Identifier.
    pub(super) id: CertificateId,
    /// The officer.
    pub(super) officer_id: OfficerId,
    /// SHA-256 of the certificate (DER), hexadecimal; none while it is granted and not enrolled.
    pub(super) fingerprint: Option<String>,
    /// Until when the token of the grant enrols it.
    #[serde(with = "time::serde::rfc3339")]
    pub(super) token_expires_at: OffsetDateTime,
    /// The moment of the enrolment.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) made_at: Option<OffsetDateTime>,
    /// It ends then.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) expires_at: Option<OffsetDateTime>,
    /// Since when it is revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(super) revoked_at: Option<OffsetDateTime>,
    /// Why it was revoked.
    pub(super) revocation_reason: Option<String>,
    /// The certificate that it renews.
    pub(super) renews: Option<CertificateId>,
    /// True for a record that was changed by another hand: nothing of it is to be believed, and it opens nothing.
    pub(super) tampered: bool,
}

pub(super) fn item((row, holds): &(Record, bool)) -> Result<(CertificateId, CertificateItem), StoreError> {
    let id = Id::of(row, "id")?;
    let item = CertificateItem {
        id,
        officer_id: Id::of(row, "officer_id")?,
        fingerprint: row.get::<Option<Vec<u8>>>("fingerprint")?.map(hex::encode),
        token_expires_at: row.get("token_until")?,
        made_at: row.get("made_at")?,
        expires_at: row.get("expires_at")?,
        revoked_at: row.get("revoked_at")?,
        revocation_reason: row.get("revocation_reason")?,
        renews: Id::of_optional(row, "renews")?,
        tampered: !holds,
    };
    Ok((id, item))
}

/// The client certificates and grants of the officer who asks, oldest first.
#[utoipa::path(get, path = "/api/v1/me/certificates", tag = "access", params(PageAsked),
    responses((status = 200, body = Page<CertificateItem>)))]
async fn my_certificates(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, CertificateId>,
) -> Looked<Page<CertificateItem>> {
    let mut tx = desk.deeds().db().begin_read().await?;
    let after = listing.after.unwrap_or(Id::nil());
    let rows = store::list(&mut tx, Whose::Officer(officer.id), after, listing.most()).await?;
    Ok(Json(Page::judged(&rows, listing.limit, item)?))
}

/// The client certificates and grants of the officers of the administrator's office, oldest first; for the national
/// office, those of all. The reading is a record of the trail.
#[utoipa::path(get, path = "/api/v1/officer-certificates", tag = "access", params(PageAsked),
    responses((status = 200, body = Page<CertificateItem>)))]
async fn list_certificates(
    State(desk): State<Desk>,
    officer: Officer,
    listing: Listing<All, CertificateId>,
) -> Looked<Page<CertificateItem>> {
    desk.look(officer, async |deed| {
        let office = deed.actor().office.clone();
        let after = listing.after.unwrap_or(Id::nil());
        let rows = store::list(deed.tx(), Whose::Office(&office), after, listing.most()).await?;
        let object = Object::Unit(office.to_string());
        deed.record(Action::OfficerCertificatesListed, object, None, Purpose::Administration).await?;
        Ok::<_, AccessError>(Page::judged(&rows, listing.limit, item)?)
    })
    .await
}

/// Revokes a client certificate or a grant of the officer who asks: where a computer was lost. The sessions that are
/// bound to it end. Where two factors are wanted it takes both, and the last certificate with which an administrator
/// signs in stays (`last-administrator`).
#[utoipa::path(delete, path = "/api/v1/me/certificates/{id}", tag = "access", params(("id" = String, Path)),
    responses((status = 204, description = "Done.")))]
async fn revoke_my_certificate(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CertificateId>,
) -> Result<StatusCode, Problem> {
    let Json(()) = desk
        .look(officer, async |deed| {
            let owner = store::owner(deed.tx(), id).await?;
            if owner != Some(deed.actor().id) {
                return Err(AccessError::OfficerCertificateUnknown);
            }
            let office = deed.actor().office.clone();
            let owned = (deed.actor().id, &office);
            revoke(deed, &access, id, owned, "by its officer", Purpose::Work).await.map(drop)
        })
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A certificate that is revoked.
#[derive(Serialize, ToSchema)]
struct CertificateRevocation {
    /// Identifier.
    id: CertificateId,
    /// The moment of its first revocation.
    #[serde(with = "time::serde::rfc3339")]
    revoked_at: OffsetDateTime,
}

/// Revokes an officer's client certificate, or a grant that was not used: the sessions that are bound to it end. Where
/// two factors are wanted the last certificate with which an administrator signs in stays (`last-administrator`).
#[utoipa::path(post, path = "/api/v1/officer-certificates/{id}/revocation", tag = "access", request_body = Reason,
    params(("id" = String, Path)), responses((status = 200, body = CertificateRevocation)))]
async fn revoke_certificate(
    State(access): State<Access>,
    State(desk): State<Desk>,
    officer: Officer,
    Named(id): Named<CertificateId>,
    Write { stamp, body }: Write<Reason>,
) -> Answered {
    desk.write(officer, stamp, async |deed| {
        let revoked_at = revoke_of_officer(deed, &access, id, body.reason.as_str()).await?;
        Ok::<_, AccessError>(CertificateRevocation { id, revoked_at })
    })
    .await
}

/// Revokes the certificate or the grant of an officer for whom the administrator acts. Returns the moment of its first
/// revocation.
///
/// # Errors
/// [`AccessError::OfficerCertificateUnknown`], [`AccessError::OtherOffice`], [`AccessError::LastCertificate`]
pub(super) async fn revoke_of_officer(
    deed: &mut Deed<Officer>,
    access: &Access,
    id: CertificateId,
    reason: &str,
) -> Result<OffsetDateTime, AccessError> {
    let owner = store::owner(deed.tx(), id).await?.ok_or(AccessError::OfficerCertificateUnknown)?;
    let office = super::store::office_of_officer(deed.tx(), owner).await?;
    let office = office.ok_or(AccessError::OfficerCertificateUnknown)?;
    deed.actor().may_act_for(&office)?;
    revoke(deed, access, id, (owner, &office), reason, Purpose::Administration).await
}

async fn revoke(
    deed: &mut Deed<Officer>,
    access: &Access,
    id: CertificateId,
    (owner, office): (OfficerId, &OfficeCode),
    reason: &str,
    purpose: Purpose,
) -> Result<OffsetDateTime, AccessError> {
    let alone = super::proposals::is_alone(deed, &access.settings, owner).await?;
    let at = deed.at();
    let revoked_at = store::revoke(deed.tx(), id, reason, at).await?.ok_or(AccessError::OfficerCertificateUnknown)?;
    // What was made with a certificate that is not to be trusted is not to be trusted either.
    store::revoke_renewals(deed.tx(), id, reason, at).await?;
    // After the deed: renewals end with it, and count no more.
    if alone && !store::has_one(deed.tx(), owner, at).await? {
        return Err(AccessError::LastCertificate);
    }
    let entry = Entry::new(Action::OfficerCertificateRevoked, Object::Officer(owner), purpose).of(office);
    deed.enter(entry.because(reason)).await?;
    Ok(revoked_at)
}
