//! Whom the roll-over of the TLS authority waits for.

use thiserror::Error;

use super::Settings;
use super::compose::{StartError, deeds, founded, look};
use crate::access::stations::{LeftBehind, left_behind};
use crate::deed::{Action, DeedError, Entry, Object, Purpose};
use crate::ground::actor::Service;
use crate::keys::{Installation, RollOver};

/// Returns who has certificates that end with the roll-over that is under way: all names are empty if none is, or if
/// nothing was ever served. The service may run meanwhile, and need not.
///
/// # Errors
/// [`StartError`], which says what to do.
pub async fn left_behind_by_roll_over(settings: &Settings) -> Result<LeftBehind, StartError> {
    let (store, _) = founded(settings)?;
    let Some(roll_over) = RollOver::under_way(&store)? else { return Ok(LeftBehind::default()) };
    let look = match look(settings).await {
        Err(StartError::NoTables) => return Ok(LeftBehind::default()),
        opened => opened?,
    };
    let mut tx = look.begin_read().await?;
    let left = left_behind(&mut tx, &roll_over, settings.access.station_renewal_grace, look.clock().now()).await;
    drop(tx);
    look.close().await;
    Ok(left?)
}

/// Says in the trail who is about to be shut out, each by name.
///
/// # Errors
/// [`ShutOutError`], which says what to do.
pub async fn record_shut_out(settings: &Settings, left: &LeftBehind) -> Result<(), ShutOutError> {
    let (store, _) = founded(settings)?;
    let id = Installation::open(&store).map_err(StartError::from)?.id();
    let deeds = deeds(settings).await?;
    let entered = async {
        let mut deed = deeds.open(Service).await?;
        let kinds = left.kinds().into_iter();
        for (what, name) in kinds.flat_map(|(what, names)| names.iter().map(move |name| (what, name))) {
            let object = Object::Installation(id.uuid());
            let entry = Entry::new(Action::TlsAuthorityEnded, object, Purpose::Administration);
            deed.enter(entry.because(format!("shut out: {} {name}", what.trim_end_matches('s')))).await?;
        }
        deed.commit().await
    };
    let entered = entered.await;
    deeds.db().close().await;
    Ok(entered?)
}

/// Why the trail does not say it.
#[derive(Debug, Error)]
pub enum ShutOutError {
    /// The record.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// The folder and its database.
    #[error(transparent)]
    Start(#[from] StartError),
}
