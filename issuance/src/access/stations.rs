//! What the owner of the key file does about stations without signing in.

use serde::Serialize;
use time::{Duration, OffsetDateTime};

use super::{AccessError, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::actor::Service;
use crate::ground::ids::StationId;
use crate::ground::{Id, OfficeCode};
use crate::keys::RollOver;
use crate::store::{Record, StoreError, Tx};

/// A station, as the owner of the key file sees it.
#[derive(Debug)]
pub struct Listed {
    /// Identifier.
    pub id: StationId,
    /// Name that people gave it.
    pub name: String,
    /// The office where it stands.
    pub office: String,
    /// `in-use`, `expired`, `revoked`, or [`TAMPERED`].
    pub state: &'static str,
    /// Its certificate ends then.
    pub expires_at: OffsetDateTime,
}

/// The state of a record that was changed by another hand: nothing of it is to be believed.
pub const TAMPERED: &str = "changed-by-another-hand";

/// Returns all stations, by name.
///
/// # Errors
/// [`StoreError`]
pub async fn listed(tx: &mut Tx, now: OffsetDateTime) -> Result<Vec<Listed>, StoreError> {
    let mut all =
        tx.judged_rows(&store::STATION).await?.iter().map(|row| read(row, now)).collect::<Result<Vec<_>, _>>()?;
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// Returns at most so many stations of an office, in the order of their enrolment.
///
/// # Errors
/// [`StoreError`]
pub async fn of_office(
    tx: &mut Tx,
    office: &OfficeCode,
    now: OffsetDateTime,
    most: i64,
) -> Result<Vec<Listed>, StoreError> {
    store::lists::stations_at(tx, office, most).await?.iter().map(|row| read(row, now)).collect()
}

fn read((row, holds): &(Record, bool), now: OffsetDateTime) -> Result<Listed, StoreError> {
    let (revoked, expires_at): (Option<OffsetDateTime>, _) = (row.get("revoked_at")?, row.get("expires_at")?);
    let state = match revoked {
        _ if !holds => TAMPERED,
        Some(_) => "revoked",
        None if expires_at <= now => "expired",
        None => "in-use",
    };
    let (name, office) = (row.get("name")?, row.get("office")?);
    Ok(Listed { id: Id::of(row, "id")?, name, office, state, expires_at })
}

/// Who has certificates that [end with a roll-over](RollOver::ends) of the authority.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub struct LeftBehind {
    /// Names of stations that can still renew.
    pub stations: Vec<String>,
    /// Names of officers' accounts.
    pub officers: Vec<String>,
    /// Names of partners' systems.
    pub partner_systems: Vec<String>,
}

impl LeftBehind {
    /// Each kind of holder, in the plural and in one word, with the names.
    #[must_use]
    pub fn kinds(&self) -> [(&'static str, &[String]); 3] {
        [("stations", &self.stations), ("officers", &self.officers), ("partner-systems", &self.partner_systems)]
    }

    /// True if the roll-over can end.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kinds().iter().all(|(_, names)| names.is_empty())
    }
}

/// Finds stations, officers and partners' systems with certificates that end with a roll-over. A station counts
/// until its next certificate was used, and while it may renew; a record that was changed by another hand opens
/// nothing, and does not count.
///
/// # Errors
/// [`StoreError`]
pub async fn left_behind(
    tx: &mut Tx,
    roll_over: &RollOver,
    grace: Duration,
    now: OffsetDateTime,
) -> Result<LeftBehind, StoreError> {
    let mut left = LeftBehind::default();
    for (row, holds) in tx.judged_rows(&store::STATION).await? {
        let (revoked, ends): (Option<OffsetDateTime>, OffsetDateTime) =
            (row.get("revoked_at")?, row.get("expires_at")?);
        let (present, next): (Vec<u8>, Option<Vec<u8>>) = (row.get("certificate")?, row.get("next_certificate")?);
        let old = roll_over.ends(&present) || next.is_some_and(|next| roll_over.ends(&next));
        if holds && revoked.is_none() && ends + grace > now && old {
            left.stations.push(row.get("name")?);
        }
    }
    for (row, holds) in tx.judged_rows(&store::certificates::CERTIFICATE).await? {
        let (revoked, ends): (Option<OffsetDateTime>, Option<OffsetDateTime>) =
            (row.get("revoked_at")?, row.get("expires_at")?);
        let certificate: Option<Vec<u8>> = row.get("certificate")?;
        let old = certificate.is_some_and(|certificate| roll_over.ends(&certificate));
        if holds && revoked.is_none() && ends.is_some_and(|ends| ends > now) && old {
            left.officers.extend(store::lists::username(tx, Id::of(&row, "officer_id")?).await?);
        }
    }
    for (row, holds) in tx.judged_rows(&store::partners::PARTNER_SYSTEM).await? {
        let (revoked, ends): (Option<OffsetDateTime>, Option<OffsetDateTime>) =
            (row.get("revoked_at")?, row.get("expires_at")?);
        let certificate: Option<Vec<u8>> = row.get("certificate")?;
        let old = certificate.is_some_and(|certificate| roll_over.ends(&certificate));
        if holds && revoked.is_none() && ends.is_some_and(|ends| ends > now) && old {
            left.partner_systems.push(row.get("name")?);
        }
    }
    for names in [&mut left.stations, &mut left.officers, &mut left.partner_systems] {
        names.sort();
        names.dedup();
    }
    Ok(left)
}

/// Revokes the station with this name. Returns the moment of its (first) revocation.
///
/// # Errors
/// [`AccessError::StationUnnamed`]; [`StoreError::Tampered`] for a record that was changed by another hand.
pub async fn revoke_offline(deed: &mut Deed<Service>, name: &str) -> Result<(StationId, OffsetDateTime), AccessError> {
    let at = deed.at();
    let named = listed(deed.tx(), at).await?.into_iter().find(|one| one.name == name);
    let id = named.ok_or_else(|| AccessError::StationUnnamed(name.to_owned()))?.id;
    let office = store::office_of_any_station(deed.tx(), id).await?.ok_or(AccessError::StationUnknown)?;
    let revoked_at = store::revoke_station(deed.tx(), id, OFFLINE, at).await?;
    let entry = Entry::new(Action::StationRevoked, Object::Station(id), Purpose::Administration).because(OFFLINE);
    deed.enter(entry.of(&office)).await?;
    Ok((id, revoked_at))
}

/// Why, in the trail.
const OFFLINE: &str = "offline, by the owner of the key file";
