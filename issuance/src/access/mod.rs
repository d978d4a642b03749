//! Who may come in: officers with password and session, stations with client certificate, the gate before every route.

mod api;
mod certificates;
pub mod deputies;
pub mod dissolutions;
mod first_officer;
mod gate;
mod lists;
mod model;
mod officers;
mod pages;
pub mod partners;
mod partners_api;
mod passwords;
mod problem;
pub mod proposals;
pub mod stations;
mod steps;
mod store;
mod throttle;
mod turns;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, RwLock};

pub use api::routes;
pub use first_officer::{FirstOfficer, FirstOfficerError, make_first_officer};
pub use gate::{CitizenSessions, Gate, gate, page_gate, still_in};
pub(crate) use gate::{asks_for, goes_on};
pub use model::AccessError;
pub(crate) use pages::{ending_stations, pages, waiting_proposals};
use serde::{Deserialize, Serialize};
pub use steps::note_certified_keys;
pub(crate) use steps::{
    called, knows_officer, name_of_officer, office_of_officer_in_service, office_of_station, officer_at,
    officer_of_name, officers_with, post_of_officer,
};
pub use store::certificates::{CERTIFICATE, certificates_in_use};
pub use store::deputies::DEPUTY;
pub use store::dissolutions::DISSOLUTION;
pub use store::partners::{PARTNER, PARTNER_SYSTEM, partner_systems_in_use};
pub use store::proposals::PROPOSAL;
pub use store::{MIGRATIONS, OFFICER, SESSION, STATION, close_all_sessions, posts_in_service, stations_in_use};
pub(crate) use store::{hold_officer, purge_expired, purge_some_sessions, sessions_before};
use time::Duration;
use zeroize::Zeroizing;

use self::proposals::{Alarm, Proposal};
use self::throttle::Throttle;
use self::turns::Turns;
use crate::ground::ids::ProposalId;
use crate::keys::TlsAuthority;
use crate::web::Origin;

/// Settings of this office.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// So many factors a session must have to do more than to look after its officer's own password and certificates:
    /// 1, the password alone (for development), or 2, a client certificate too.
    pub factors: u8,
    /// A session ends this long after sign-in.
    #[serde(with = "crate::ground::span")]
    pub session_lifetime: Duration,
    /// A session ends after this long without a request.
    #[serde(with = "crate::ground::span")]
    pub session_idle: Duration,
    /// So many wrong passwords in a row lock a name where they were tried …
    pub lockout_after: u32,
    /// … for this long.
    #[serde(with = "crate::ground::span")]
    pub lockout_for: Duration,
    /// A one-time token, with which an officer sets a password, works for this long.
    #[serde(with = "crate::ground::span")]
    pub token_lifetime: Duration,
    /// An officer stands in for another for at most so many days at once.
    pub deputy_days: u16,
    /// A station may renew its certificate for this long after it ended.
    #[serde(with = "crate::ground::span")]
    pub station_renewal_grace: Duration,
    /// A sign-in that is refused without work (locked, too many wait) is answered after this time: so a flood takes no
    /// core either.
    #[serde(with = "crate::ground::span::std")]
    pub refusal_delay: std::time::Duration,
    /// argon2id: memory in KiB. Production takes at least 19456 with 2 passes (OWASP); tests take less.
    pub password_memory_kib: u32,
    /// argon2id: passes over the memory.
    pub password_passes: u32,
    /// Passwords of strangers that are hashed at once; sign-ins that show an earlier session have one turn more.
    /// Hashing takes `(password_turns + 1) · password_memory_kib` of memory, however many sign in.
    pub password_turns: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            factors: 1,
            session_lifetime: Duration::hours(10),
            session_idle: Duration::minutes(30),
            lockout_after: 5,
            lockout_for: Duration::minutes(15),
            token_lifetime: Duration::hours(72),
            deputy_days: 90,
            station_renewal_grace: Duration::days(30),
            refusal_delay: std::time::Duration::from_millis(500),
            password_memory_kib: 19_456,
            password_passes: 2,
            // Half of the cores: the other half is for those who have signed in.
            password_turns: (std::thread::available_parallelism().map_or(1, usize::from) / 2).max(1),
        }
    }
}

/// What this office has: its settings, and the authority that certifies stations and officers.
#[derive(Clone, Debug)]
pub struct Access {
    settings: Arc<Settings>,
    tls_authority: Arc<RwLock<Arc<TlsAuthority>>>,
    /// What every answer says while a proposal of the owner of the key file is open.
    alarm: Arc<RwLock<Option<Alarm>>>,
    /// Since when this process shows the alarm of each proposal, by [`Clock::run`](crate::ground::Clock::run), as far
    /// as it is not counted yet.
    shown_since: Arc<Mutex<BTreeMap<ProposalId, Duration>>>,
    /// The proposals of another hand of which the log tells.
    strange: Arc<Mutex<Vec<ProposalId>>>,
    throttle: Arc<Throttle>,
    /// For sign-ins of strangers.
    turns: Arc<Turns>,
    /// For callers who are known, or show that they once were.
    known_turns: Arc<Turns>,
}

impl Access {
    /// The office with these settings.
    #[must_use]
    pub fn new(settings: Settings, tls_authority: TlsAuthority) -> Self {
        Self {
            alarm: Arc::default(),
            shown_since: Arc::default(),
            strange: Arc::default(),
            throttle: Arc::default(),
            turns: Turns::new(settings.password_turns.max(1)),
            known_turns: Turns::new(1),
            settings: Arc::new(settings),
            tls_authority: Arc::new(RwLock::new(Arc::new(tls_authority))),
        }
    }

    /// The settings.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Hashes a short secret of a citizen as passwords are hashed, in a turn of known callers.
    ///
    /// # Errors
    /// [`AccessError::Busy`]
    pub(crate) async fn hash_secret(
        &self,
        origin: Origin,
        secret: Zeroizing<String>,
        rng: &mut impl rand::CryptoRng,
    ) -> Result<String, AccessError> {
        let turn = self.known_turns.take(origin).await?;
        Ok(passwords::hash_any(&self.settings, turn, secret, rng).await)
    }

    /// True if the secret is the one that was hashed, in a turn of known callers.
    ///
    /// # Errors
    /// [`AccessError::Busy`]
    pub(crate) async fn verify_secret(
        &self,
        origin: Origin,
        secret: Zeroizing<String>,
        hash: String,
    ) -> Result<bool, AccessError> {
        let turn = self.known_turns.take(origin).await?;
        Ok(passwords::verify(&self.settings, turn, secret, Some(hash)).await)
    }

    /// The authority that certifies stations and officers now. Take it once for one answer.
    pub(crate) fn authority(&self) -> Arc<TlsAuthority> {
        Arc::clone(&self.tls_authority.read().expect("the lock is held for a copy only"))
    }

    /// Certifies by this authority from now on. Returns false if it is the one of before.
    ///
    /// # Panics
    /// Never: the lock is held for a copy only.
    #[must_use]
    pub fn reload(&self, authority: TlsAuthority) -> bool {
        let mut current = self.tls_authority.write().expect("the lock is held for a copy only");
        let another = current.all_pem() != authority.all_pem();
        *current = Arc::new(authority);
        another
    }

    /// What every answer says while a proposal of the owner of the key file is open.
    ///
    /// # Panics
    /// Never: the lock is held for a copy only.
    #[must_use]
    pub fn alarm(&self) -> Option<Alarm> {
        *self.alarm.read().expect("the lock is held for a copy only")
    }

    /// Returns since when this process shows the alarm of each of these proposals, as far as it is not counted. From
    /// now on it shows those that are new, and none that is not among them.
    fn shown_since(&self, proposals: &[Proposal], run: Duration) -> Vec<Duration> {
        let mut since = self.shown_since.lock().expect("the lock is held for a look only");
        since.retain(|id, _| proposals.iter().any(|proposal| proposal.id == *id));
        proposals.iter().map(|proposal| *since.entry(proposal.id).or_insert(run)).collect()
    }

    /// Notes that the time of an alarm is counted until then.
    fn shown_until(&self, proposal: ProposalId, run: Duration) {
        self.shown_since.lock().expect("the lock is held for a look only").insert(proposal, run);
    }

    /// Says once which proposals another hand than the service's wrote.
    fn say_strange(&self, strange: &[ProposalId]) {
        let mut said = self.strange.lock().expect("the lock is held for a look only");
        for id in strange.iter().filter(|id| !said.contains(id)) {
            tracing::error!(%id, "a proposal about an officer was written or changed by another hand, and is refused");
        }
        *said = strange.to_vec();
    }

    fn set_alarm(&self, alarm: Option<Alarm>) {
        *self.alarm.write().expect("the lock is held for a copy only") = alarm;
    }
}
