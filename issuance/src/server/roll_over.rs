//! Whom the roll-over of the TLS authority waits for.

use super::Settings;
use super::compose::{StartError, database, founded};
use crate::access::stations::{LeftBehind, left_behind};
use crate::ground::{Clock, Randomness};
use crate::keys::RollOver;

/// Returns who has certificates that end with the roll-over that is under way: all names are empty if none is, or if
/// nothing was ever served. The service may run meanwhile, and need not.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn left_behind_by_roll_over(settings: &Settings) -> Result<LeftBehind, StartError> {
    let (store, authority) = founded(settings)?;
    let Some(roll_over) = RollOver::under_way(&store)? else { return Ok(LeftBehind::default()) };
    let now = Clock::system(authority.utc_offset()?).now();
    let (db, _) = database(settings, &store, &Randomness::System).await?;
    let left = async {
        if !db.has_table("station").await? {
            return Ok(LeftBehind::default());
        }
        let mut tx = db.begin_read().await?;
        left_behind(&mut tx, &roll_over, settings.access.station_renewal_grace, now).await
    };
    let left = left.await;
    db.close().await;
    Ok(left?)
}
