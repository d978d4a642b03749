//! What the owner of the key file does about stations without signing in.

use time::OffsetDateTime;

use super::{AccessError, store};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Id;
use crate::ground::actor::Service;
use crate::ground::ids::StationId;
use crate::store::{StoreError, Tx};

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
    let mut all = Vec::new();
    for (row, holds) in tx.judged_rows(&store::STATION).await? {
        let (revoked, expires_at): (Option<OffsetDateTime>, _) = (row.get("revoked_at")?, row.get("expires_at")?);
        let state = match revoked {
            _ if !holds => TAMPERED,
            Some(_) => "revoked",
            None if expires_at <= now => "expired",
            None => "in-use",
        };
        let (name, office) = (row.get("name")?, row.get("office")?);
        all.push(Listed { id: Id::of(&row, "id")?, name, office, state, expires_at });
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(all)
}

/// Revokes the station with this name. Returns the moment of its (first) revocation.
///
/// # Errors
/// [`AccessError::StationUnknown`]; [`StoreError::Tampered`] for a record that was changed by another hand.
pub async fn revoke_offline(deed: &mut Deed<Service>, name: &str) -> Result<(StationId, OffsetDateTime), AccessError> {
    let at = deed.at();
    let named = listed(deed.tx(), at).await?.into_iter().find(|one| one.name == name);
    let id = named.ok_or(AccessError::StationUnknown)?.id;
    let office = store::office_of_any_station(deed.tx(), id).await?.ok_or(AccessError::StationUnknown)?;
    let revoked_at = store::revoke_station(deed.tx(), id, OFFLINE, at).await?;
    let entry = Entry::new(Action::StationRevoked, Object::Station(id), Purpose::Administration).because(OFFLINE);
    deed.enter(entry.of(&office)).await?;
    Ok((id, revoked_at))
}

/// Why, in the trail.
const OFFLINE: &str = "offline, by the owner of the key file";
