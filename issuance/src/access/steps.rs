//! Verbs of the access office.

use rand::Rng as _;
use serde::Serialize;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use super::throttle::Guess;
use super::{Access, AccessError, certificates, passwords, store};
use crate::deed::{Action, Deed, DeedError, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Anyone};
use crate::ground::clock::CLOCKS_DIFFER;
use crate::ground::ids::{OfficerId, SessionId, StationId};
use crate::ground::{OfficeCode, Officer, Permission, Role, Station};
use crate::keys::{IssuedCertificate, TlsAuthority};
use crate::store::{StoreError, Tx};
use crate::web::Origin;
use crate::web::html::page_token_hash;

/// An open session, as its officer learns of it.
pub(super) struct Session {
    /// Bearer token: 32 random bytes in hex. Only its SHA-256 is stored.
    pub token: Zeroizing<String>,
    /// When it ends, at the latest.
    pub expires_at: OffsetDateTime,
    /// What the officer may do.
    pub roles: Vec<Role>,
    /// What the officer proved to be.
    pub factors: Vec<Factor>,
}

/// Something by which an officer is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Factor {
    /// A client certificate of the officer's own.
    Certificate,
    /// The password.
    Password,
}

impl Factor {
    /// The factors of a session, bound to a certificate or not.
    pub(super) fn of_session(certificate: bool) -> Vec<Self> {
        if certificate { vec![Self::Password, Self::Certificate] } else { vec![Self::Password] }
    }
}

/// Why a sign-in does not end in a session.
pub(super) enum SignInError {
    Access(AccessError),
    Deed(DeedError),
}

impl<E: Into<AccessError>> From<E> for SignInError {
    fn from(error: E) -> Self {
        Self::Access(error.into())
    }
}

/// By which door a session is opened, and goes in and out from then on: its token opens no other.
#[derive(Clone, Copy, Debug)]
pub(super) enum Door {
    /// The API, whose callers show a bearer token.
    Api,
    /// The pages, whose readers bring a cookie.
    Pages,
}

impl Door {
    /// Returns the name by which the session of a token is stored.
    fn name_of(self, token: &str) -> [u8; 32] {
        match self {
            Self::Api => Sha256::digest(token.as_bytes()).into(),
            Self::Pages => page_token_hash(token),
        }
    }
}

/// An attempt to sign in.
pub(super) struct Attempt {
    pub door: Door,
    pub username: String,
    pub password: Zeroizing<String>,
    pub origin: Origin,
    /// SHA-256 of the bearer token of an earlier session, if one was sent along.
    pub earlier_token: Option<[u8; 32]>,
    /// SHA-256 of the client certificate of the connection, a station's or an officer's, if one was shown.
    pub certificate: Option<[u8; 32]>,
}

/// Opens a session. Name unknown, password wrong and account closed are one refusal, after the same work.
///
/// A certificate of the officer's own on the connection is a second factor, and binds the session: its token opens
/// nothing without it. Another one (a station's, another officer's, one that ran out) is none.
///
/// Wrong passwords lock the name for the origin that they came from, and for no other. An officer who shows the token
/// of an earlier session is counted by that session: strangers behind the same address neither lock the officer out
/// nor stand before the officer in the queue.
///
/// # Errors
/// [`AccessError::Credentials`], [`AccessError::Locked`], [`AccessError::Busy`]
pub(super) async fn sign_in(access: &Access, deeds: &Deeds, attempt: Attempt) -> Result<Session, SignInError> {
    let (settings, now) = (&access.settings, deeds.source().now());
    let Attempt { door, username, password, origin, earlier_token, certificate } = attempt;
    let earlier = match earlier_token {
        Some(token) => store::session_once(&mut deeds.db().begin_read().await?, &token, &username).await?,
        None => None,
    };
    // By hash of the name, whether or not an officer has it: the lock says nothing about who exists.
    let name: [u8; 32] = Sha256::digest(&username).into();
    let place = earlier.map_or_else(|| origin.to_string(), |session| format!("session/{session}"));
    let bucket: [u8; 32] = Sha256::new_with_prefix(name).chain_update(&place).finalize().into();
    let tried =
        Tried { typed: Object::SignIn(name[..8].try_into().expect("a hash is longer than eight bytes")), origin };
    if let Some(guess) = access.throttle.guess(&bucket, now, settings.lockout_for) {
        return Err(tried.locked(deeds, guess).await?.into());
    }
    // The turn comes before the database: what waits for it costs nothing else.
    let turns = if earlier.is_some() { &access.known_turns } else { &access.turns };
    let turn = turns.take(origin).await?;
    let mut tx = deeds.db().begin_upkeep().await?;
    // Counted before the password is looked at: guesses made at the same moment must not share one count.
    let (failures, counted_at) = store::count_sign_in(&mut tx, settings, &bucket, now).await?;
    let account = store::account(&mut tx, &username).await?;
    tx.commit().await?;
    if let Some(guesses @ 1..) = failures.checked_sub(settings.lockout_after) {
        let guess = access.throttle.lock(bucket, counted_at + settings.lockout_for, guesses, now);
        return Err(tried.locked(deeds, guess).await?.into());
    }
    let stored = account.as_ref().map(|account| account.password.clone());
    let right = passwords::verify(settings, turn, password, stored).await;
    let Some(account) = account.filter(|_| right) else {
        tried.refused(deeds, format!("credentials-wrong from {origin}")).await?;
        return Err(AccessError::Credentials.into());
    };
    let session = deeds.source().id();
    let officer = Officer::new(account.id, account.office, account.roles.clone(), session);
    let mut deed = deeds.open_with_session(officer).await?;
    // Hashing took long: the password may be another one by now, or the account closed.
    let now = store::account(deed.tx(), &username).await?.map(|account| (account.id, account.password));
    if now != Some((account.id, account.password)) {
        drop(deed);
        tried.refused(deeds, format!("credentials-wrong from {origin}")).await?;
        return Err(AccessError::Credentials.into());
    }
    store::clear_failures(deed.tx(), &bucket).await?;
    let mut token = Zeroizing::new([0; 32]);
    deed.rng().fill_bytes(&mut *token);
    let token = Zeroizing::new(hex::encode(*token));
    let (at, expires_at) = (deed.at(), deed.at() + settings.session_lifetime);
    let hash = door.name_of(&token);
    let certificate = match certificate {
        Some(shown) if store::certificates::is_in_use(deed.tx(), &shown, account.id, at).await? => Some(shown),
        _ => None,
    };
    store::open_session(deed.tx(), session, &hash, account.id, certificate.as_ref(), (at, expires_at)).await?;
    if let Some(shown) = &certificate {
        certificates::first_use(&mut deed, account.id, shown).await?;
    }
    let entry = Entry::new(Action::SignedIn, tried.typed, Purpose::Work);
    let second = certificate.map(|shown| format!("certificate {}", hex::encode(&shown[..8])));
    deed.enter(Entry { reason: second, ..entry }).await?;
    deed.commit().await.map_err(SignInError::Deed)?;
    let factors = Factor::of_session(certificate.is_some());
    Ok(Session { token, expires_at, roles: account.roles, factors })
}

/// What the trail tells of an attempt that failed: the name's hash, and the origin, without which a trail of guesses
/// leads nowhere.
struct Tried {
    typed: Object,
    origin: Origin,
}

impl Tried {
    /// Records a guess while the name is locked, if its number is to be recorded. Returns the refusal.
    async fn locked(&self, deeds: &Deeds, guess: Guess) -> Result<AccessError, SignInError> {
        if let Some(number) = guess.recorded {
            self.refused(deeds, format!("sign-in-locked from {}: {number} guesses while locked", self.origin)).await?;
        }
        Ok(AccessError::Locked { wait: guess.wait })
    }

    async fn refused(&self, deeds: &Deeds, why: String) -> Result<(), SignInError> {
        let mut deed = deeds.open(Anyone).await.map_err(SignInError::Deed)?;
        deed.enter(Entry::new(Action::SignInRefused, self.typed.clone(), Purpose::Work).because(why)).await?;
        deed.commit().await.map_err(SignInError::Deed)
    }
}

/// Ends the session under way.
///
/// # Errors
/// [`AccessError::Store`]
pub(super) async fn sign_out(deed: &mut Deed<Officer>) -> Result<(), AccessError> {
    let (officer, session, at) = (deed.actor().id, deed.actor().session, deed.at());
    store::close_session(deed.tx(), session, at).await?;
    deed.record(Action::SignedOut, Object::Officer(officer), None, Purpose::Work).await?;
    Ok(())
}

/// Ends an open session of the officer.
///
/// # Errors
/// [`AccessError::SessionUnknown`]
pub(super) async fn end_session(deed: &mut Deed<Officer>, access: &Access, id: SessionId) -> Result<(), AccessError> {
    let (officer, at) = (deed.actor().id, deed.at());
    let open = store::lists::open_session_of(deed.tx(), &access.settings, officer, id, at).await?;
    open.ok_or(AccessError::SessionUnknown)?;
    store::close_session(deed.tx(), id, at).await?;
    deed.record(Action::SignedOut, Object::Officer(officer), None, Purpose::Work).await?;
    Ok(())
}

/// Returns the name of an officer's account, in service or not.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn name_of_officer(tx: &mut Tx, id: OfficerId) -> Result<Option<String>, StoreError> {
    store::lists::username(tx, id).await
}

/// Returns the name of an officer's account; of one whose row another hand changed, the identifier.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn called(tx: &mut Tx, id: OfficerId) -> Result<String, StoreError> {
    match store::lists::username(tx, id).await {
        Ok(Some(name)) => Ok(name),
        Ok(None) | Err(StoreError::Tampered { .. }) => Ok(id.to_string()),
        Err(error) => Err(error),
    }
}

/// Refuses a name that is empty or longer than 64 characters.
///
/// # Errors
/// [`AccessError::Name`]
pub(super) fn fit_name(name: &str) -> Result<(), AccessError> {
    if (1..=64).contains(&name.chars().count()) { Ok(()) } else { Err(AccessError::Name) }
}

/// Sets the password of the officer to whom this one-time token was given. The token is used up.
///
/// # Errors
/// [`AccessError::Token`], [`AccessError::PasswordLength`]
pub(super) async fn set_first_password(
    access: &Access,
    deeds: &Deeds,
    token: &str,
    password: Zeroizing<String>,
    origin: Origin,
) -> Result<(), SignInError> {
    let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let mut tx = deeds.db().begin_read().await?;
    // Before the password is hashed, which takes long: a caller without a token costs nothing.
    store::officer_of_token(&mut tx, &hash, deeds.source().now()).await?.ok_or(AccessError::Token)?;
    drop(tx);
    let turn = access.known_turns.take(origin).await?;
    let password = passwords::hash(&access.settings, turn, password, &mut deeds.source().rng()).await?;
    let mut deed = deeds.open(Anyone).await.map_err(SignInError::Deed)?;
    let at = deed.at();
    let id = store::officer_of_token(deed.tx(), &hash, at).await?.ok_or(AccessError::Token)?;
    store::set_password(deed.tx(), id, &password).await?;
    deed.record(Action::PasswordSet, Object::Officer(id), None, Purpose::Work).await?;
    deed.commit().await.map_err(SignInError::Deed)
}

/// Returns the hash of an officer's new password, if the old one is right. A wrong one ends the session: who
/// found it open on another's desk gets one guess.
///
/// # Errors
/// [`AccessError::Credentials`], [`AccessError::PasswordLength`], [`AccessError::PasswordSame`]
pub(super) async fn new_password(
    access: &Access,
    deeds: &Deeds,
    officer: &Officer,
    old: Zeroizing<String>,
    new: Zeroizing<String>,
    origin: Origin,
) -> Result<String, SignInError> {
    let mut tx = deeds.db().begin_read().await?;
    let stored = store::password_of(&mut tx, officer.id).await?;
    drop(tx);
    let turn = access.known_turns.take(origin).await?;
    let same = *old == *new;
    if !passwords::verify(&access.settings, turn, old, stored).await {
        let mut deed = deeds.open(officer.clone()).await.map_err(SignInError::Deed)?;
        let at = deed.at();
        store::close_session(deed.tx(), officer.session, at).await?;
        deed.record(Action::SignInRefused, Object::Officer(officer.id), None, Purpose::Work).await?;
        deed.commit().await.map_err(SignInError::Deed)?;
        return Err(AccessError::Credentials.into());
    }
    let turn = access.known_turns.take(origin).await?;
    if same {
        // One that stands on paper would go on opening the account.
        return Err(AccessError::PasswordSame.into());
    }
    Ok(passwords::hash(&access.settings, turn, new, &mut deeds.source().rng()).await?)
}

/// Changes an officer's password. Other sessions of the officer end.
///
/// # Errors
/// [`AccessError::Store`]
pub(super) async fn change_password(deed: &mut Deed<Officer>, hash: &str) -> Result<(), AccessError> {
    let (id, session, at) = (deed.actor().id, deed.actor().session, deed.at());
    store::set_password(deed.tx(), id, hash).await?;
    store::close_other_sessions(deed.tx(), id, session, at).await?;
    deed.record(Action::PasswordSet, Object::Officer(id), None, Purpose::Work).await?;
    Ok(())
}

/// Makes a new officer. The password was hashed before the deed began: hashing takes long, and other
/// writers would wait for it.
///
/// # Errors
/// [`AccessError::NameTaken`]
pub(super) async fn make_officer<A: Actor>(
    deed: &mut Deed<A>,
    username: &str,
    password_hash: &str,
    roles: &[Role],
    office: &OfficeCode,
) -> Result<OfficerId, AccessError> {
    let (id, at) = (deed.id(), deed.at());
    store::insert_officer(deed.tx(), id, username, password_hash, roles, office, at).await?;
    deed.record(Action::OfficerMade, Object::Officer(id), None, Purpose::Administration).await?;
    Ok(id)
}

/// Closes an officer's account at once, sessions included.
///
/// # Errors
/// [`AccessError::OfficerUnknown`], [`AccessError::OtherOffice`]
pub(super) async fn disable_officer(deed: &mut Deed<Officer>, id: OfficerId, reason: &str) -> Result<(), AccessError> {
    let office = store::office_of_officer(deed.tx(), id).await?.ok_or(AccessError::OfficerUnknown)?;
    deed.actor().may_act_for(&office)?;
    let at = deed.at();
    store::disable_officer(deed.tx(), id, at).await?;
    let entry = Entry::new(Action::OfficerDisabled, Object::Officer(id), Purpose::Administration).because(reason);
    deed.enter(entry.of(&office)).await?;
    Ok(())
}

/// Refuses to certify a key that was certified for another holder.
///
/// # Errors
/// [`AccessError::KeyCertified`]
pub(super) async fn claim_key(
    deed: &mut Deed<impl Actor>,
    holder: &str,
    certificate: &IssuedCertificate,
) -> Result<(), AccessError> {
    let at = deed.at();
    if store::keys::claim(deed.tx(), holder, certificate, at).await? { Ok(()) } else { Err(AccessError::KeyCertified) }
}

/// Notes the keys of stations and officers that a version certified which did not note them.
///
/// # Errors
/// [`StoreError`]
pub async fn note_certified_keys(deeds: &Deeds) -> Result<(), StoreError> {
    let mut tx = deeds.db().begin_upkeep().await?;
    store::keys::note_earlier(&mut tx, deeds.source().now()).await?;
    tx.commit().await
}

/// Enrols a station: signs its certification request with the service's TLS authority. Returns
/// id and certificate (PEM).
///
/// # Errors
/// [`AccessError::CertificationRequest`], [`AccessError::KeyCertified`], [`AccessError::NameTaken`]
pub(super) async fn enrol_station(
    deed: &mut Deed<Officer>,
    authority: &TlsAuthority,
    name: &str,
    office: &OfficeCode,
    request_pem: &str,
) -> Result<(StationId, String), AccessError> {
    deed.actor().may_act_for(office)?;
    fit_name(name)?;
    if let Some(ended) = super::dissolutions::ended(deed.tx(), office).await? {
        return Err(ended.into());
    }
    let (id, at): (StationId, _) = (deed.id(), deed.at());
    let certificate = authority.station(&id.to_string(), request_pem, at, &mut deed.rng())?;
    claim_key(deed, &format!("station/{id}"), &certificate).await?;
    store::insert_station(deed.tx(), id, name, office, &certificate, at).await?;
    deed.enter(Entry::new(Action::StationEnrolled, Object::Station(id), Purpose::Administration).of(office)).await?;
    Ok((id, certificate.pem))
}

/// Issues the next certificate of the station that asks, for the key of this request. The present one goes on until the
/// next is first used.
///
/// # Errors
/// [`AccessError::CertificationRequest`], [`AccessError::KeyCertified`]; [`AccessError::StationRenewalOpen`] if another
/// one was issued a moment ago.
pub(super) async fn renew_station(
    deed: &mut Deed<Station>,
    authority: &TlsAuthority,
    request_pem: &str,
) -> Result<(StationId, String), AccessError> {
    let (id, at) = (deed.actor().id, deed.at());
    let open = store::renewal_of(deed.tx(), id).await?;
    if open.is_some_and(|since| since + RENEWAL_OPEN > at && since <= at + CLOCKS_DIFFER) {
        return Err(AccessError::StationRenewalOpen);
    }
    let certificate = authority.station(&id.to_string(), request_pem, at, &mut deed.rng())?;
    claim_key(deed, &format!("station/{id}"), &certificate).await?;
    store::keep_next(deed.tx(), id, &certificate, at).await?;
    let office = deed.actor().office.clone();
    let entry = Entry::new(Action::StationRenewed, Object::Station(id), Purpose::Work).of(&office);
    deed.enter(entry.because("a new certificate was issued")).await?;
    Ok((id, certificate.pem))
}

/// So long a certificate that was not used yet keeps another one from being issued: two renewals at once are one.
const RENEWAL_OPEN: time::Duration = time::Duration::minutes(15);

/// Revokes a station: its next request is refused. Returns the moment of its (first) revocation.
///
/// # Errors
/// [`AccessError::StationUnknown`], [`AccessError::OtherOffice`]
pub(super) async fn revoke_station(
    deed: &mut Deed<Officer>,
    id: StationId,
    reason: &str,
) -> Result<OffsetDateTime, AccessError> {
    let office = store::office_of_any_station(deed.tx(), id).await?.ok_or(AccessError::StationUnknown)?;
    deed.actor().may_act_for(&office)?;
    let at = deed.at();
    let revoked_at = store::revoke_station(deed.tx(), id, reason, at).await?;
    let entry = Entry::new(Action::StationRevoked, Object::Station(id), Purpose::Administration).because(reason);
    deed.enter(entry.of(&office)).await?;
    Ok(revoked_at)
}

/// Returns the office where a station stands; `None` if it is unknown or revoked.
///
/// # Errors
/// [`crate::store::StoreError`]
pub(crate) async fn office_of_station(
    tx: &mut Tx,
    id: StationId,
) -> Result<Option<OfficeCode>, crate::store::StoreError> {
    store::office_of_station_in_use(tx, id).await
}

/// True if the account of an officer is there, in service or not.
///
/// # Errors
/// [`crate::store::StoreError`]
pub(crate) async fn knows_officer(tx: &mut Tx, id: OfficerId) -> Result<bool, crate::store::StoreError> {
    Ok(store::post_of_any_officer(tx, id).await?.is_some())
}

/// Returns office and roles of an officer; `None` if the officer is unknown or disabled.
///
/// # Errors
/// [`crate::store::StoreError`]
pub(crate) async fn post_of_officer(
    tx: &mut Tx,
    id: OfficerId,
) -> Result<Option<(OfficeCode, Vec<Role>)>, crate::store::StoreError> {
    store::post_of_officer(tx, id).await
}

/// Returns an officer in service as a session of this moment would have it: with the roles that are lent, and the
/// offices whose place the officer's took. `None` if the officer is unknown or disabled.
///
/// # Errors
/// [`crate::store::StoreError`]
pub(crate) async fn officer_at(
    tx: &mut Tx,
    id: OfficerId,
    now: OffsetDateTime,
) -> Result<Option<Officer>, crate::store::StoreError> {
    let Some((office, roles)) = store::post_of_officer(tx, id).await? else { return Ok(None) };
    let mut officer = Officer::new(id, office, roles, crate::ground::Id::nil());
    super::deputies::lend(tx, &mut officer, now).await?;
    officer.successor_of = super::dissolutions::predecessors(tx, &officer.office).await?;
    Ok(Some(officer))
}

/// Returns the officers in service of an office who have a permission now, of their own or lent, each as
/// [`officer_at`]; `None` if they are more than `most`. One whose row another hand changed is left out: no
/// session of it is let in.
///
/// # Errors
/// [`crate::store::StoreError`]
pub(crate) async fn officers_with(
    tx: &mut Tx,
    (office, permission): (&str, Permission),
    now: OffsetDateTime,
    most: usize,
) -> Result<Option<Vec<Officer>>, StoreError> {
    let mut ids = store::officers_of(tx, office, now).await?;
    ids.retain(|(_, roles, lent)| *lent || roles.iter().any(|role| permission.roles().contains(role)));
    if ids.len() > most {
        return Ok(None);
    }
    let mut officers = Vec::new();
    for (id, ..) in ids {
        match officer_at(tx, id, now).await {
            Err(StoreError::Tampered { .. } | StoreError::Inconsistent { .. }) => {}
            found => officers.extend(found?.filter(|one| one.office.as_str() == office && one.may(permission))),
        }
    }
    Ok(Some(officers))
}

/// Returns the office where an officer works; `None` if the officer is unknown or no longer in service.
///
/// # Errors
/// [`crate::store::StoreError`]
pub(crate) async fn office_of_officer_in_service(
    tx: &mut Tx,
    id: OfficerId,
) -> Result<Option<OfficeCode>, crate::store::StoreError> {
    Ok(store::post_of_officer(tx, id).await?.map(|(office, _)| office))
}

/// Returns the officer in service of this name, with office and roles.
///
/// # Errors
/// [`crate::store::StoreError`]
pub(crate) async fn officer_of_name(
    tx: &mut Tx,
    username: &str,
) -> Result<Option<(OfficerId, OfficeCode, Vec<Role>)>, crate::store::StoreError> {
    store::officer_of_name(tx, username).await
}
