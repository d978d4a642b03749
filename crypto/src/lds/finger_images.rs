//! Finger image record, ISO/IEC 19794-4:2005: what a fingerprint scanner hands over. It is the record that DG3 of a
//! chip would hold (Doc 9303-10 §4.7.3); no DG3 is written here.
//!
//! ```text
//! record  = "FIR" 00 · "010" 00 · length 6 · capture device 2 · acquisition level 2 · fingers 1 · scale units 1
//!           · scan resolution 2+2 · image resolution 2+2 · pixel depth 1 · compression 1 · reserved 2 · view *
//! view    = length 4 · position 1 · count of views 1 · view number 1 · quality 1 · impression 1 · width 2 · height 2
//!           · reserved 1 · image
//! ```
//!
//! Written strictly, read leniently: what stands behind the length that a record tells is not looked at.

use thiserror::Error;

/// What an image shows (ISO/IEC 19794-4:2005, table 6). The numbers from 1 to 10 are those of a ten-print card.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum FingerPosition {
    /// The scanner does not say.
    Unknown,
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
    /// Right thumb, flat.
    PlainRightThumb,
    /// Left thumb, flat.
    PlainLeftThumb,
    /// Four fingers of the right hand, flat.
    PlainRightFour,
    /// Four fingers of the left hand, flat.
    PlainLeftFour,
    /// Both thumbs in one image, flat.
    PlainThumbs,
}

impl FingerPosition {
    /// All of them, by their codes.
    pub const ALL: [Self; 16] = [
        Self::Unknown,
        Self::RightThumb,
        Self::RightIndex,
        Self::RightMiddle,
        Self::RightRing,
        Self::RightLittle,
        Self::LeftThumb,
        Self::LeftIndex,
        Self::LeftMiddle,
        Self::LeftRing,
        Self::LeftLittle,
        Self::PlainRightThumb,
        Self::PlainLeftThumb,
        Self::PlainRightFour,
        Self::PlainLeftFour,
        Self::PlainThumbs,
    ];

    /// Returns the code of the standard, 0 to 15.
    #[must_use]
    pub fn code(self) -> u8 {
        let at = Self::ALL.iter().position(|known| *known == self);
        at.and_then(|at| u8::try_from(at).ok()).unwrap_or(0)
    }

    /// Returns what a code of the standard means.
    #[must_use]
    pub fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// How the image of a view is coded (ISO/IEC 19794-4:2005, table 4).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FingerCoding {
    /// One byte a pixel, row by row.
    Raw,
    /// Bits without a gap between them.
    Packed,
    /// Wavelet scalar quantization of the FBI.
    Wsq,
    /// ISO/IEC 10918-1.
    Jpeg,
    /// ISO/IEC 15444-1.
    Jpeg2000,
    /// ISO/IEC 15948.
    Png,
}

impl FingerCoding {
    const ALL: [Self; 6] = [Self::Raw, Self::Packed, Self::Wsq, Self::Jpeg, Self::Jpeg2000, Self::Png];

    fn of_code(code: u8) -> Option<Self> {
        Self::ALL.get(usize::from(code)).copied()
    }
}

/// A record as it was read: it borrows the images from the file.
#[derive(Clone, Eq, PartialEq)]
pub struct FingerImages<'a> {
    /// Pixels per inch, across and down, rounded.
    pub resolution: (u16, u16),
    /// The views in their order; one or more.
    pub views: Vec<FingerView<'a>>,
}

/// Shows no image: a print is biometric data.
impl std::fmt::Debug for FingerImages<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FingerImages({} views)", self.views.len())
    }
}

/// One image of a record.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct FingerView<'a> {
    /// What it shows.
    pub position: FingerPosition,
    /// How it was taken: 0 flat and live, 1 rolled and live, others as the standard has them.
    pub impression: u8,
    /// Width in pixels; never 0.
    pub width: u16,
    /// Height in pixels; never 0.
    pub height: u16,
    /// How the image is coded.
    pub coding: FingerCoding,
    /// The image.
    pub image: &'a [u8],
}

/// Shows no image: a print is biometric data.
impl std::fmt::Debug for FingerView<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FingerView({}×{})", self.width, self.height)
    }
}

/// Why a file is no record that is read here.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum FingerImagesError {
    /// The file ends before the record does.
    #[error("the finger image record ends before its length")]
    Cut,
    /// More than 8 bits a pixel, or fewer.
    #[error("the finger image record has {0} bits a pixel, and 8 are read here")]
    Depth(u8),
    /// The record of another edition of the standard.
    #[error("the finger image record is not of ISO/IEC 19794-4:2005")]
    Edition,
    /// The record breaks the standard's grammar.
    #[error("the finger image record has {0}")]
    Malformed(&'static str),
    /// Something else.
    #[error("not a finger image record")]
    NotARecord,
    /// More views or bytes than a record here may have.
    #[error("the finger image record is too large")]
    TooLarge,
}

impl<'a> FingerImages<'a> {
    /// Most bytes that are read.
    pub const MOST_BYTES: usize = 32 * 1024 * 1024;
    /// Most views that are read: twice the fourteen of a ten-print card.
    pub const MOST_VIEWS: usize = 28;

    /// True for what begins as a record does, of whichever edition.
    #[must_use]
    pub fn is_one(file: &[u8]) -> bool {
        file.starts_with(MAGIC)
    }

    /// Reads a record.
    ///
    /// # Errors
    /// [`FingerImagesError`]
    pub fn parse(file: &'a [u8]) -> Result<Self, FingerImagesError> {
        if !Self::is_one(file) {
            return Err(FingerImagesError::NotARecord);
        }
        let head = file.first_chunk::<HEAD>().ok_or(FingerImagesError::Cut)?;
        if head[4..8] != *EDITION {
            return Err(FingerImagesError::Edition);
        }
        let length = head[8..14].iter().fold(0_u64, |length, byte| length << 8 | u64::from(*byte));
        let length = usize::try_from(length).map_err(|_| FingerImagesError::TooLarge)?;
        if length > Self::MOST_BYTES {
            return Err(FingerImagesError::TooLarge);
        }
        let mut rest = file.get(..length).ok_or(FingerImagesError::Cut)?;
        rest = rest.get(HEAD..).ok_or(FingerImagesError::Malformed("a length shorter than its head"))?;
        let number = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        let inch = |pixels: u16| match head[19] {
            1 => Ok(pixels),
            // Pixels per centimetre.
            2 => u16::try_from((u32::from(pixels) * 254 + 50) / 100).map_err(|_| FingerImagesError::TooLarge),
            _ => Err(FingerImagesError::Malformed("scale units that cannot be")),
        };
        let resolution = (inch(number(24))?, inch(number(26))?);
        if head[28] != 8 {
            return Err(FingerImagesError::Depth(head[28]));
        }
        let coding =
            FingerCoding::of_code(head[29]).ok_or(FingerImagesError::Malformed("a compression that cannot be"))?;
        let mut views = Vec::new();
        while !rest.is_empty() {
            if views.len() == Self::MOST_VIEWS {
                return Err(FingerImagesError::TooLarge);
            }
            let (view, after) = FingerView::parse(rest, coding)?;
            views.push(view);
            rest = after;
        }
        // The head counts fingers; a finger has one view or more.
        if views.is_empty() || usize::from(head[18]) > views.len() {
            return Err(FingerImagesError::Malformed("fewer images than fingers"));
        }
        Ok(Self { resolution, views })
    }
}

impl<'a> FingerView<'a> {
    /// Reads the first view of what is left of a record. Returns it, and what is left behind it.
    fn parse(record: &'a [u8], coding: FingerCoding) -> Result<(Self, &'a [u8]), FingerImagesError> {
        let head = record.first_chunk::<VIEW_HEAD>().ok_or(FingerImagesError::Malformed("bytes behind its images"))?;
        let length = u32::from_be_bytes([head[0], head[1], head[2], head[3]]);
        let length = usize::try_from(length).map_err(|_| FingerImagesError::TooLarge)?;
        let image = record.get(VIEW_HEAD..length).ok_or(FingerImagesError::Malformed("an image that is cut"))?;
        let position =
            FingerPosition::of_code(head[4]).ok_or(FingerImagesError::Malformed("a position that cannot be"))?;
        let (width, height) = (u16::from_be_bytes([head[9], head[10]]), u16::from_be_bytes([head[11], head[12]]));
        if width == 0 || height == 0 {
            return Err(FingerImagesError::Malformed("an image without pixels"));
        }
        if coding == FingerCoding::Raw && image.len() != usize::from(width) * usize::from(height) {
            return Err(FingerImagesError::Malformed("an image of another size than it tells"));
        }
        Ok((Self { position, impression: head[8], width, height, coding, image }, &record[length..]))
    }

    /// Writes a record of this one view: 8 bits a pixel, live, its quality not judged.
    ///
    /// # Errors
    /// [`FingerImagesError::TooLarge`]; [`FingerImagesError::Malformed`] for a raw image of another size than it tells.
    pub fn record(&self, resolution: u16) -> Result<Vec<u8>, FingerImagesError> {
        let Self { position, impression, width, height, coding, image } = *self;
        let raw = coding == FingerCoding::Raw;
        if width == 0 || height == 0 || (raw && image.len() != usize::from(width) * usize::from(height)) {
            return Err(FingerImagesError::Malformed("an image of another size than it tells"));
        }
        let length = HEAD + VIEW_HEAD + image.len();
        if length > FingerImages::MOST_BYTES {
            return Err(FingerImagesError::TooLarge);
        }
        let too_large = |_| FingerImagesError::TooLarge;
        let (whole, view) =
            (u64::try_from(length).map_err(too_large)?, u32::try_from(length - HEAD).map_err(too_large)?);
        let code = FingerCoding::ALL.iter().position(|known| *known == coding);
        let code = code.and_then(|at| u8::try_from(at).ok()).unwrap_or(0);
        let mut record = Vec::with_capacity(length);
        record.extend(MAGIC);
        record.extend(EDITION);
        record.extend(&whole.to_be_bytes()[2..]);
        record.extend([0, 0]); // the capture device is not said
        record.extend(LEVEL.to_be_bytes());
        record.extend([1, 1]); // one finger; pixels per inch
        for side in [resolution; 4] {
            record.extend(side.to_be_bytes());
        }
        record.extend([8, code, 0, 0]);
        record.extend(view.to_be_bytes());
        record.extend([position.code(), 1, 1, NOT_JUDGED, impression]);
        record.extend(width.to_be_bytes());
        record.extend(height.to_be_bytes());
        record.push(0);
        record.extend(image);
        Ok(record)
    }
}

const MAGIC: &[u8; 4] = b"FIR\0";
const EDITION: &[u8; 4] = b"010\0";
/// Bytes of a record before its first view.
const HEAD: usize = 32;
/// Bytes of a view before its image.
const VIEW_HEAD: usize = 14;
/// Image acquisition level: 500 pixels per inch, 8 bits.
const LEVEL: u16 = 31;
/// Quality: not judged.
const NOT_JUDGED: u8 = 254;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Two by two pixels of a right index finger, by hand.
    fn by_hand() -> Vec<u8> {
        let head = [
            &b"FIR\x00010\0"[..],
            &[0, 0, 0, 0, 0, 50],
            &[0, 0, 0, 31, 1, 1],
            &[1, 244, 1, 244, 1, 244, 1, 244],
            &[8, 0, 0, 0],
        ];
        [&head.concat()[..], &[0, 0, 0, 18, 2, 1, 1, 254, 1, 0, 2, 0, 2, 0], &[10, 20, 30, 40]].concat()
    }

    #[test]
    fn a_record_is_laid_out_as_iso_19794_4_says() {
        let file = by_hand();
        let record = FingerImages::parse(&file).unwrap();
        assert_eq!(record.resolution, (500, 500));
        let [view] = *record.views.as_slice() else { panic!("{record:?}") };
        assert_eq!((view.position, view.impression), (FingerPosition::RightIndex, 1));
        assert_eq!((view.width, view.height, view.image), (2, 2, &[10, 20, 30, 40][..]));
        assert_eq!(view.record(500).unwrap(), file);
        // What stands behind the length that it tells is not looked at.
        assert_eq!(FingerImages::parse(&[&file[..], b"more"].concat()).unwrap(), record);
        // 197 pixels per centimetre are 500 per inch.
        let mut metric = file.clone();
        metric[19] = 2;
        metric[24..28].copy_from_slice(&[0, 197, 0, 197]);
        assert_eq!(FingerImages::parse(&metric).unwrap().resolution, (500, 500));
        assert!(!format!("{record:?} {view:?}").contains("10"), "no pixel is shown");
    }

    #[test]
    fn what_is_wrong_with_a_record_is_named() {
        use FingerImagesError as E;
        let file = by_hand();
        assert_eq!(FingerImages::parse(b"FMR\0"), Err(E::NotARecord));
        for cut in 4..file.len() {
            assert_eq!(FingerImages::parse(&file[..cut]), Err(E::Cut), "{cut}");
        }
        let wrong = |at: usize, byte: u8| {
            let mut file = by_hand();
            file[at] = byte;
            FingerImages::parse(&file).map(drop)
        };
        assert_eq!(wrong(5, b'2'), Err(E::Edition));
        assert_eq!(wrong(8, 1), Err(E::TooLarge));
        assert_eq!(wrong(13, 31), Err(E::Malformed("a length shorter than its head")));
        assert_eq!(wrong(13, 32), Err(E::Malformed("fewer images than fingers")));
        assert_eq!(wrong(18, 2), Err(E::Malformed("fewer images than fingers")));
        assert_eq!(wrong(19, 0), Err(E::Malformed("scale units that cannot be")));
        assert_eq!(wrong(28, 1), Err(E::Depth(1)));
        assert_eq!(wrong(29, 6), Err(E::Malformed("a compression that cannot be")));
        assert_eq!(wrong(35, 13), Err(E::Malformed("an image that is cut")));
        assert_eq!(wrong(35, 19), Err(E::Malformed("an image that is cut")));
        assert_eq!(wrong(35, 17), Err(E::Malformed("an image of another size than it tells")));
        assert_eq!(wrong(36, 16), Err(E::Malformed("a position that cannot be")));
        assert_eq!(wrong(42, 0), Err(E::Malformed("an image without pixels")));
        assert_eq!(wrong(42, 3), Err(E::Malformed("an image of another size than it tells")));
    }

    #[test]
    fn a_record_of_more_views_than_a_ten_print_card_has_is_refused() {
        let one = by_hand();
        let (head, view) = one.split_at(HEAD);
        let many = |n: usize| {
            let mut file = [head, &view.repeat(n)].concat();
            let length = u32::try_from(file.len()).unwrap();
            file[10..14].copy_from_slice(&length.to_be_bytes());
            file
        };
        assert_eq!(FingerImages::parse(&many(28)).unwrap().views.len(), 28);
        assert_eq!(FingerImages::parse(&many(29)), Err(FingerImagesError::TooLarge));
    }

    #[test]
    fn every_position_has_its_code() {
        for (code, position) in (0..).zip(FingerPosition::ALL) {
            assert_eq!((position.code(), FingerPosition::of_code(code)), (code, Some(position)));
        }
        assert_eq!(FingerPosition::of_code(16), None);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..60) {
            let _ = FingerImages::parse(&bytes);
            // As a record that begins well, with anything in each of its fields.
            let mut file = by_hand();
            for (byte, other) in file.iter_mut().skip(cut).zip(&bytes) {
                *byte = *other;
            }
            let _ = FingerImages::parse(&file);
        }

        #[test]
        fn what_is_written_is_read_back(code in 0_u8..16, width in 1_u16..40, height in 1_u16..40, seed in any::<u8>()) {
            let image: Vec<u8> = (0..usize::from(width) * usize::from(height))
                .map(|n| seed.wrapping_add(u8::try_from(n % 256).unwrap()))
                .collect();
            let position = FingerPosition::of_code(code).unwrap();
            let view = FingerView { position, impression: 1, width, height, coding: FingerCoding::Raw, image: &image };
            let file = view.record(500).unwrap();
            let read = FingerImages::parse(&file).unwrap();
            prop_assert_eq!(read.resolution, (500, 500));
            prop_assert_eq!(read.views, vec![view]);
        }
    }
}
