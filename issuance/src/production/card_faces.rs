//! The two faces of a card, drawn from its document: what is printed and shown is what the chip holds.

use ::faces::{Back, Face, FaceError, Front, Look, Resolution, Use};

use super::documents::{self, Faces};
use super::error::ProductionError;
use super::{Production, Settings, store};
use crate::cards::{self, qr};
use crate::deed::{Deed, Occasion};
use crate::ground::ids::CardId;
use crate::ground::{Officer, blocking};

/// Which face of a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// With the portrait.
    Front,
    /// With the machine-readable zone.
    Back,
}

/// What stands on the faces of a card, to be drawn.
pub struct CardFaces {
    front: Front,
    back: Back,
    specimen: bool,
}

/// Shows nothing: faces are personal.
impl std::fmt::Debug for CardFaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CardFaces(…)")
    }
}

impl CardFaces {
    pub(super) fn new(settings: &Settings, faces: &Faces) -> Self {
        let of = &faces.dg13;
        let signer = if settings.specimen { Some("Họ tên mẫu".to_owned()) } else { settings.signer_name.clone() };
        Self {
            front: Front {
                number: of.number.clone(),
                name: of.name.clone(),
                birth: of.birth.clone(),
                sex: of.sex.clone(),
                nationality: of.nationality.clone(),
                origin: of.origin.clone(),
                residence: of.residence.clone(),
                expiry: of.expiry.clone(),
                qr: qr::text(of),
                portrait: faces.portrait.clone(),
            },
            back: Back { features: of.features.clone(), issued: of.issued.clone(), mrz: faces.mrz.clone(), signer },
            specimen: settings.specimen,
        }
    }

    fn face(&self, which: Which, for_: Use) -> Result<Face, FaceError> {
        let look = Look { for_, specimen: self.specimen };
        match which {
            Which::Front => Face::front(&self.front, look),
            Which::Back => Face::back(&self.back, look),
        }
    }

    /// Returns both faces as they are printed: a PDF of two pages of the card's size.
    pub(super) fn print(&self) -> Result<Vec<u8>, FaceError> {
        ::faces::pdf(&[self.face(Which::Front, Use::Print)?, self.face(Which::Back, Use::Print)?])
    }

    /// Draws a face to be looked at, as PNG of 300 dots an inch.
    ///
    /// # Errors
    /// [`ProductionError::Face`]
    pub async fn picture(self, which: Which) -> Result<Vec<u8>, ProductionError> {
        let drawn = blocking::run(move || self.face(which, Use::Show)?.png(Resolution::Dpi300)).await;
        Ok(drawn?)
    }
}

/// Returns what stands on the faces of a card of the officer's office. The reading is recorded as one of the card.
///
/// # Errors
/// [`ProductionError::Card`]; [`ProductionError::ApplicationGone`] for a card whose document is no longer kept
pub async fn read(
    deed: &mut Deed<Officer>,
    production: &Production,
    id: CardId,
    occasion: Occasion,
) -> Result<CardFaces, ProductionError> {
    let card = cards::steps::read(deed, id, occasion).await?;
    let document = store::document(deed.tx(), card.application, &card.serial).await?;
    let document = document.ok_or(ProductionError::ApplicationGone)?;
    Ok(CardFaces::new(&production.settings, &documents::faces(production, &document)?))
}
