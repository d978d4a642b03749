//! The fingers of a ten-print card in the order of the circular, and why there is no image of one.

use std::fmt;

use crypto::lds::FingerPosition;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ground::words;

/// What an image shows, in the order of Circular 59/2021/TT-BCA, Art. 5(3): the flat images first, then the ten
/// fingers, rolled, from the right thumb to the left little finger.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Finger {
    /// Four fingers of the right hand, flat.
    PlainRightFour,
    /// Four fingers of the left hand, flat.
    PlainLeftFour,
    /// Right thumb, flat.
    PlainRightThumb,
    /// Left thumb, flat.
    PlainLeftThumb,
    /// Right thumb.
    RightThumb,
    /// Right index finger.
    RightIndex,
    /// Right middle finger.
    RightMiddle,
    /// Right ring finger.
    RightRing,
    /// Right little finger.
    RightLittle,
    /// Left thumb.
    LeftThumb,
    /// Left index finger.
    LeftIndex,
    /// Left middle finger.
    LeftMiddle,
    /// Left ring finger.
    LeftRing,
    /// Left little finger.
    LeftLittle,
}

words! {
    Finger {
        PlainRightFour = "plain-right-four",
        PlainLeftFour = "plain-left-four",
        PlainRightThumb = "plain-right-thumb",
        PlainLeftThumb = "plain-left-thumb",
        RightThumb = "right-thumb",
        RightIndex = "right-index",
        RightMiddle = "right-middle",
        RightRing = "right-ring",
        RightLittle = "right-little",
        LeftThumb = "left-thumb",
        LeftIndex = "left-index",
        LeftMiddle = "left-middle",
        LeftRing = "left-ring",
        LeftLittle = "left-little",
    }
}

/// The word, in a sentence.
impl fmt::Display for Finger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Finger {
    /// The ten fingers, each of which has an image or a reason why there is none.
    #[must_use]
    pub fn ten() -> &'static [Self] {
        &Self::ALL[4..]
    }

    /// True for one of the ten.
    #[must_use]
    pub fn is_rolled(self) -> bool {
        Self::ten().contains(&self)
    }

    /// True for an image of four fingers.
    #[must_use]
    pub const fn is_four(self) -> bool {
        matches!(self, Self::PlainRightFour | Self::PlainLeftFour)
    }

    /// Returns the position of the standard.
    #[must_use]
    pub const fn position(self) -> FingerPosition {
        use FingerPosition as P;
        match self {
            Self::PlainRightFour => P::PlainRightFour,
            Self::PlainLeftFour => P::PlainLeftFour,
            Self::PlainRightThumb => P::PlainRightThumb,
            Self::PlainLeftThumb => P::PlainLeftThumb,
            Self::RightThumb => P::RightThumb,
            Self::RightIndex => P::RightIndex,
            Self::RightMiddle => P::RightMiddle,
            Self::RightRing => P::RightRing,
            Self::RightLittle => P::RightLittle,
            Self::LeftThumb => P::LeftThumb,
            Self::LeftIndex => P::LeftIndex,
            Self::LeftMiddle => P::LeftMiddle,
            Self::LeftRing => P::LeftRing,
            Self::LeftLittle => P::LeftLittle,
        }
    }

    /// Returns the number of a finger on a ten-print card and in the standard: 1 for the right thumb to 10 for the left
    /// little finger, 11 to 14 for the flat images.
    #[must_use]
    pub fn number(self) -> u8 {
        self.position().code()
    }

    /// Returns the finger of a position of the standard; none where it is no image of a ten-print card.
    #[must_use]
    pub fn at(position: FingerPosition) -> Option<Self> {
        Self::ALL.iter().copied().find(|finger| finger.position() == position)
    }

    /// Returns the finger that the name of a file names: by its word (`right-thumb`), or else by the one number from 1
    /// to 14 that stands in it (`01.png`, `finger_10.fir`).
    #[must_use]
    pub fn named_by(file: &str) -> Option<Self> {
        let name = file.rsplit(['/', '\\']).next().unwrap_or_default();
        let name = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let name = name.to_ascii_lowercase().replace(['_', ' '], "-");
        // The longer words first: `plain-right-thumb` holds `right-thumb`.
        if let Some(finger) = Self::ALL.iter().copied().find(|finger| name.contains(finger.word())) {
            return Some(finger);
        }
        let mut numbers = name.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
        let (Some(digits), None) = (numbers.next(), numbers.next()) else { return None };
        let number: u8 = digits.parse().ok()?;
        Self::ALL.iter().copied().find(|finger| finger.number() == number)
    }
}

/// Why there is no image of a finger (Circular 59/2021/TT-BCA, Art. 5(3): its state is described and recorded). The
/// circular has no list; this one is ours.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NoPrint {
    /// The finger is not there, from birth or since it was lost.
    Amputated,
    /// It cannot be put flat or rolled: stiff, bent, grown together.
    Deformed,
    /// It is injured or ill for now: bandaged, burnt, open.
    Bandaged,
    /// Its ridges are worn: no image shows them.
    Worn,
}

words! {
    NoPrint {
        Amputated = "amputated",
        Deformed = "deformed",
        Bandaged = "bandaged",
        Worn = "worn",
    }
}
