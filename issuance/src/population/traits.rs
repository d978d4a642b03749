//! What of each person is counted in statistics: nothing by which a person is found.

use crypto::identity::{Date, Sex};

use super::model::MaritalStatus;
use super::store::traits as store;
use crate::ground::ids::PersonId;
use crate::store::{Db, StoreError};

/// What of a person is counted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Traits {
    /// Province of the permanent residence, three digits; empty where the tables do not have it.
    pub province: String,
    /// District of the permanent residence, three digits; empty where the tables do not have it.
    pub district: String,
    /// Date of birth, perhaps without the day, or only the year.
    pub birth: Date,
    /// Sex.
    pub sex: Sex,
    /// Ethnic group, two digits.
    pub ethnic_group: String,
    /// Nationality, three letters.
    pub nationality: String,
    /// Marital status.
    pub marital_status: Option<MaritalStatus>,
    /// Whether the person lives.
    pub life: Life,
}

/// Whether a person lives, as the register knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Life {
    /// Recorded as dead.
    Dead,
    /// Nothing else is recorded.
    Living,
    /// Declared missing by a court.
    Missing,
}

/// Returns what is counted of the persons after this one, in the order of identifiers, and the last of them; `None`
/// once there are no more. Of records that were merged only the one in force is counted, and one that cannot be read is
/// counted nowhere. A page is a transaction of its own, so that no writer waits.
///
/// # Errors
/// [`StoreError`]
pub async fn page(db: &Db, after: PersonId) -> Result<Option<(Vec<Traits>, PersonId)>, StoreError> {
    let mut tx = db.begin_read().await?;
    store::page(&mut tx, after).await
}
