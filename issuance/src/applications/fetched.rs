//! A portrait that was read before the deed that judges it: no other writer waits for a file, or for a turn at the pool
//! for work that blocks.

use zeroize::Zeroizing;

use super::model::{Capture, TransitionError};
use super::{CounterError, store};
use crate::deed::Deeds;
use crate::ground::ids::ApplicationId;
use crate::ground::objects::{ObjectError, Objects};
use crate::store::StoreError;

/// What became of reading one portrait. Judged only when the deed needs it.
#[derive(Debug)]
pub struct FetchedPortrait {
    name: String,
    jpeg: Result<Zeroizing<Vec<u8>>, ObjectError>,
}

impl FetchedPortrait {
    /// Reads the portrait with this name.
    pub async fn of(objects: &Objects, name: String) -> Self {
        let jpeg = objects.fetch(&name).await;
        Self { name, jpeg }
    }

    /// Reads the portrait that an application has now; `None` if it has none, or its record cannot be believed, which
    /// the deed will find too.
    ///
    /// # Errors
    /// [`StoreError`]
    pub(super) async fn of_application(
        deeds: &Deeds,
        objects: &Objects,
        id: ApplicationId,
    ) -> Result<Option<Self>, StoreError> {
        let mut tx = deeds.db().begin_read().await?;
        let name = store::portrait_name(&mut tx, id).await?;
        drop(tx);
        Ok(match name {
            Some(name) => Some(Self::of(objects, name).await),
            None => None,
        })
    }

    /// Returns the JPEG, if it is the portrait of this capture.
    ///
    /// # Errors
    /// [`TransitionError::Changed`] if another one was taken meanwhile; [`CounterError::Object`].
    pub(super) fn of_capture(&self, capture: &Capture) -> Result<&[u8], CounterError> {
        if self.name == capture.portrait { Ok(self.jpeg()?) } else { Err(TransitionError::Changed.into()) }
    }

    /// Returns the JPEG.
    ///
    /// # Errors
    /// [`ObjectError`]
    pub fn jpeg(&self) -> Result<&[u8], ObjectError> {
        self.jpeg.as_ref().map(|jpeg| jpeg.as_slice()).map_err(Clone::clone)
    }
}
