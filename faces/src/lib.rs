//! The two faces of a card (Circular 06/2021/TT-BCA): data in, SVG, PNG and PDF out; pure.
//!
//! ID-1, 85.60 × 53.98 mm. A face is laid out as SVG in millimetres, with fonts that are part of this crate; the SVG is
//! then drawn as a picture of 300 or 600 dots an inch, or written as PDF with its outlines, which has no dots but those
//! of the portrait. Nothing here reads a file, a clock or the network.
//!
//! A text never becomes markup: the one writer of SVG (`svg`) escapes all that it is given. A text is never clipped:
//! it is set smaller, on more lines, or refused ([`FaceError::TooLong`]). A letter that the font has not is refused too
//! ([`FaceError::Letter`]): a name without it is another name.

mod back;
mod code;
mod font;
mod front;
mod layout;
mod ornament;
mod pdf;
mod picture;
mod portrait;
mod svg;

use std::fmt;

use font::Font;
pub use portrait::MAX_PORTRAIT;
use resvg::usvg::{Options, Tree};
use thiserror::Error;

/// Width of a card, millimetres (ISO/IEC 7810, ID-1).
pub const WIDTH: f32 = 85.6;
/// Height of a card, millimetres.
pub const HEIGHT: f32 = 53.98;

/// What stands on the front. A text that is none leaves its label alone.
#[derive(Clone, Eq, PartialEq)]
pub struct Front {
    /// The number for life.
    pub number: Option<String>,
    /// Full name; printed in capitals.
    pub name: Option<String>,
    /// Date of birth, as it is written: `dd/MM/yyyy`, or less of it.
    pub birth: Option<String>,
    /// Sex.
    pub sex: Option<String>,
    /// Nationality.
    pub nationality: Option<String>,
    /// Place of origin.
    pub origin: Option<String>,
    /// Place of residence.
    pub residence: Option<String>,
    /// Until when the card is valid.
    pub expiry: Option<String>,
    /// The text of the square code.
    pub qr: String,
    /// The portrait: a JPEG of at most [`MAX_PORTRAIT`] bytes.
    pub portrait: Vec<u8>,
}

/// What stands on the back.
#[derive(Clone, Eq, PartialEq)]
pub struct Back {
    /// Features by which the holder is known.
    pub features: Option<String>,
    /// Day of issue.
    pub issued: Option<String>,
    /// The three lines of the machine-readable zone, thirty characters each.
    pub mrz: [String; 3],
    /// The name under the title of the office that issues.
    pub signer: Option<String>,
}

/// Shows nothing: a face is personal.
impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Front(…)")
    }
}

/// Shows nothing: a face is personal.
impl fmt::Debug for Back {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Back(…)")
    }
}

/// For what a face is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// To be printed on a body: up to the edge, corners and contacts of the chip left out, since the body has them.
    Print,
    /// To be looked at: with round corners and the chip.
    Show,
}

/// How a face is drawn.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Look {
    /// For what.
    pub for_: Use,
    /// Marked MẪU / SPECIMEN across the texts, with a seal, a signature and prints that are drawn.
    pub specimen: bool,
}

/// Dots an inch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// 300: 1011 × 638 pixels.
    Dpi300,
    /// 600: 2022 × 1275 pixels.
    Dpi600,
}

/// A field of a face.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Field {
    /// Until when the card is valid.
    Expiry,
    /// Date of birth.
    Birth,
    /// Features.
    Features,
    /// Day of issue.
    Issued,
    /// The machine-readable zone.
    Mrz,
    /// Full name.
    Name,
    /// Nationality.
    Nationality,
    /// The number for life.
    Number,
    /// Place of origin.
    Origin,
    /// Place of residence.
    Residence,
    /// Sex.
    Sex,
    /// Who signs.
    Signer,
}

impl Field {
    /// Its word, by which an element of the SVG is found: `name-0` is the first line of the name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Birth => "birth",
            Self::Expiry => "expiry",
            Self::Features => "features",
            Self::Issued => "issued",
            Self::Mrz => "mrz",
            Self::Name => "name",
            Self::Nationality => "nationality",
            Self::Number => "number",
            Self::Origin => "origin",
            Self::Residence => "residence",
            Self::Sex => "sex",
            Self::Signer => "signer",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Why a face cannot be drawn. Holds no text of the card.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum FaceError {
    /// The text of the square code is longer than a code of this size can hold.
    #[error("the text of the square code is too long")]
    Code,
    /// What this crate laid out is no SVG to the renderer: a fault of this crate.
    #[error("the face cannot be drawn: {0}")]
    Drawing(String),
    /// A letter that the font has not.
    #[error("{0} has a letter that cannot be printed")]
    Letter(Field),
    /// The machine-readable zone is not three lines of thirty characters.
    #[error("the machine-readable zone is not three lines of thirty characters")]
    Zone,
    /// The portrait is no JPEG, is damaged, or is too large.
    #[error("the portrait cannot be drawn: {0}")]
    Portrait(&'static str),
    /// A text that does not fit even at the least size.
    #[error("{0} is too long to be printed")]
    TooLong(Field),
}

/// A face that is laid out.
pub struct Face {
    svg: String,
    look: Look,
}

/// Shows nothing: a face is personal.
impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Face(…)")
    }
}

impl Face {
    /// Lays out the front.
    ///
    /// # Errors
    /// [`FaceError`]
    pub fn front(front: &Front, look: Look) -> Result<Self, FaceError> {
        Ok(Self { svg: front::laid_out(front, look)?, look })
    }

    /// Lays out the back.
    ///
    /// # Errors
    /// [`FaceError`]
    pub fn back(back: &Back, look: Look) -> Result<Self, FaceError> {
        Ok(Self { svg: back::laid_out(back, look)?, look })
    }

    /// Returns the face as SVG, whose texts are texts: it needs the fonts of this crate to look as the others do.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// Returns the face as PNG, with its resolution in it.
    ///
    /// # Errors
    /// [`FaceError::Drawing`]
    pub fn png(&self, resolution: Resolution) -> Result<Vec<u8>, FaceError> {
        picture::png(&self.tree()?, resolution, self.look.for_ == Use::Show)
    }

    /// Returns the face as the renderer has it: every text with its outlines, its place and its size.
    ///
    /// # Errors
    /// [`FaceError::Drawing`]
    pub fn tree(&self) -> Result<Tree, FaceError> {
        let options = Options { fontdb: font::database(), font_resolver: font::resolver(), ..Options::default() };
        Tree::from_str(&self.svg, &options).map_err(|error| FaceError::Drawing(error.to_string()))
    }
}

/// Returns the first letter of a text that no face can show, if there is one: so that a text is refused where it is
/// typed, and not once its card is printed.
#[must_use]
pub fn unprintable(text: &str) -> Option<char> {
    layout::printed(text).chars().find(|letter| Font::Bold.width(letter.encode_utf8(&mut [0; 4])).is_none())
}

/// Returns faces as one PDF, a page of the card's size for each. Texts are outlines: it looks the same on every
/// printer, at every resolution, and needs no font.
///
/// # Errors
/// [`FaceError::Drawing`]
pub fn pdf(faces: &[Face]) -> Result<Vec<u8>, FaceError> {
    let trees = faces.iter().map(Face::tree).collect::<Result<Vec<_>, _>>()?;
    pdf::written(&trees)
}
