//! Which offices end, and which ones take their places. An office that ends takes no new work; the officers of the one
//! that takes its place act for it. What moves with it is moved by those who own it (`production`).

use std::collections::{BTreeMap, BTreeSet};

use thiserror::Error;
use time::{Duration, OffsetDateTime};

use super::store::{self, dissolutions as kept};
use crate::ground::ids::{DissolutionId, OfficerId, StationId};
use crate::ground::{Decision, OfficeCode, Role, words};
use crate::store::{StoreError, Tx};

/// The end of an office.
#[derive(Clone, Debug)]
pub struct Dissolution {
    /// Identifier.
    pub id: DissolutionId,
    /// The office that ends.
    pub office: OfficeCode,
    /// The office that takes its place; none for one in which nothing waits.
    pub successor: Option<OfficeCode>,
    /// Why, in the administrator's words.
    pub reason: String,
    /// The first administrator.
    pub proposed: Decision,
    /// How far it is.
    pub state: DissolutionState,
    /// The second administrator.
    pub confirmed: Option<Decision>,
    /// So many applications moved.
    pub applications: u64,
    /// So many chips moved.
    pub chips: u64,
    /// The moment from which on nothing is left there.
    pub ended_at: Option<OffsetDateTime>,
}

/// How far the end of an office is.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DissolutionState {
    /// It waits for a second administrator.
    Proposed,
    /// The office takes no new work, and what waits there moves.
    Closing,
    /// Nothing is left there.
    Dissolved,
    /// It was taken back.
    Withdrawn,
}

words! {
    DissolutionState {
        Proposed = "proposed",
        Closing = "closing",
        Dissolved = "dissolved",
        Withdrawn = "withdrawn",
    }
}

impl Dissolution {
    /// True while it waits for a second administrator, at this moment.
    #[must_use]
    pub fn is_proposed(&self, now: OffsetDateTime) -> bool {
        self.state == DissolutionState::Proposed && now < self.proposed.at + PROPOSAL_WAITS
    }
}

/// The office takes no new work: it is dissolved, or about to be.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub struct OfficeEnded {
    /// The office.
    pub office: OfficeCode,
    /// The one that takes its place.
    pub successor: Option<OfficeCode>,
}

impl std::fmt::Display for OfficeEnded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is dissolved", self.office)?;
        match &self.successor {
            Some(successor) => write!(f, ", and {successor} takes its place"),
            None => Ok(()),
        }
    }
}

/// Returns why an office takes no new work; none for one that does.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn ended(tx: &mut Tx, office: &OfficeCode) -> Result<Option<OfficeEnded>, StoreError> {
    let found = kept::ended(tx, office).await?;
    Ok(found.map(|Dissolution { office, successor, .. }| OfficeEnded { office, successor }))
}

/// Returns the offices whose place an office took, also those whose place they had taken before.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn predecessors(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<OfficeCode>, StoreError> {
    let (mut found, mut level) = (Vec::new(), vec![office.clone()]);
    // Ends: each office is looked at once.
    while let Some(successor) = level.pop() {
        for Dissolution { office, .. } in kept::into(tx, &successor).await? {
            if !found.contains(&office) {
                found.push(office.clone());
                level.push(office);
            }
        }
    }
    Ok(found)
}

/// Returns offices that ended or are about to, each with the one that took its place at last.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn successors(tx: &mut Tx) -> Result<BTreeMap<String, String>, StoreError> {
    let pairs = kept::all_ended(tx).await?.into_iter().filter_map(|(office, successor)| Some((office, successor?)));
    let pairs: BTreeMap<String, String> = pairs.collect();
    let last = |office: &String| {
        let mut at = office;
        // Ends, whatever another hand wrote there.
        for _ in 0..pairs.len() {
            at = pairs.get(at).unwrap_or(at);
        }
        at.clone()
    };
    Ok(pairs.keys().map(|office| (office.clone(), last(office))).collect())
}

/// Returns the codes of offices that ended or are about to.
///
/// # Errors
/// [`StoreError`]
pub(crate) async fn all_ended(tx: &mut Tx) -> Result<BTreeSet<String>, StoreError> {
    Ok(kept::all_ended(tx).await?.into_iter().map(|(office, _)| office).collect())
}

/// Lets one deed at a time decide about the ends of offices.
pub(crate) async fn lock(tx: &mut Tx) -> Result<(), StoreError> {
    store::proposals::lock(tx).await
}

/// Inserts what an administrator proposes.
pub(crate) async fn insert(tx: &mut Tx, proposed: &Dissolution) -> Result<(), StoreError> {
    kept::insert(tx, proposed).await
}

/// Writes down how far it is.
pub(crate) async fn change(tx: &mut Tx, dissolution: &Dissolution) -> Result<(), StoreError> {
    kept::change(tx, dissolution).await
}

/// Returns one, kept from other writers.
pub(crate) async fn locked(tx: &mut Tx, id: DissolutionId) -> Result<Option<Dissolution>, StoreError> {
    kept::locked(tx, id).await
}

/// Returns the last one of an office that was not taken back.
pub(crate) async fn last(tx: &mut Tx, office: &OfficeCode) -> Result<Option<Dissolution>, StoreError> {
    kept::last(tx, office).await
}

/// Returns those in favour of an office that are not at their end.
pub(crate) async fn closing_into(tx: &mut Tx, office: &OfficeCode) -> Result<bool, StoreError> {
    Ok(kept::into(tx, office).await?.iter().any(|found| found.state == DissolutionState::Closing))
}

/// Returns those that are not at their end.
pub(crate) async fn closing(tx: &mut Tx) -> Result<Vec<DissolutionId>, StoreError> {
    kept::closing(tx).await
}

/// Returns a page of all, each with whether its MAC holds.
pub(crate) async fn listed(
    tx: &mut Tx,
    after: DissolutionId,
    most: i64,
) -> Result<Vec<(Dissolution, bool)>, StoreError> {
    kept::listed(tx, after, most).await
}

/// Returns the officers in service of an office with their roles.
pub(crate) async fn officers(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<(OfficerId, Vec<Role>)>, StoreError> {
    kept::officers(tx, office).await
}

/// Returns the stations of an office that are not revoked.
pub(crate) async fn stations(tx: &mut Tx, office: &OfficeCode) -> Result<Vec<StationId>, StoreError> {
    kept::stations(tx, office).await
}

/// The officers of an office work at another one from now on, and stand in for each other there. Returns them.
pub(crate) async fn move_officers(
    tx: &mut Tx,
    from: &OfficeCode,
    to: &OfficeCode,
    now: OffsetDateTime,
) -> Result<Vec<OfficerId>, StoreError> {
    let mut moved = Vec::new();
    for (id, _) in kept::officers(tx, from).await? {
        kept::move_officer(tx, id, to).await?;
        moved.push(id);
    }
    store::deputies::move_all(tx, from, to, now).await?;
    Ok(moved)
}

/// A station stands at another office from now on.
pub(crate) async fn move_station(tx: &mut Tx, id: StationId, to: &OfficeCode) -> Result<(), StoreError> {
    kept::move_station(tx, id, to).await
}

/// A proposal that is not confirmed for so long is made anew.
pub(crate) const PROPOSAL_WAITS: Duration = Duration::days(7);
