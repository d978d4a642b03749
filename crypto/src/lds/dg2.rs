//! Data group 2, the face: Doc 9303-10 (8th ed.) §4.7.2, ISO/IEC 19794-5:2005 inside ISO/IEC 7816-11 templates (CBEFF).

use std::fmt;

use thiserror::Error;

use super::{Jpeg, JpegError};
use crate::tlv::{self, Reader, Tlv, TlvError};

/// One portrait, full frontal.
///
/// ```text
/// 75 { 7F61 { 02 number of faces,
///             7F60 { A1 { 80 0101, 81 02, 87 0101, 88 0008 }, 5F2E facial record } } }
/// ```
#[derive(Clone, Eq, PartialEq)]
pub struct Dg2 {
    /// The image file as it is.
    pub image: Vec<u8>,
    /// Format of the image file.
    pub format: ImageFormat,
    /// Width in pixels, 0 if a foreign record does not say.
    pub width: u16,
    /// Height in pixels, 0 if a foreign record does not say.
    pub height: u16,
}

/// Kinds of image that a facial record can hold.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum ImageFormat {
    /// JPEG (ISO/IEC 10918-1).
    Jpeg,
    /// JPEG 2000, as a file or as a bare code stream (ISO/IEC 15444-1).
    Jpeg2000,
}

impl ImageFormat {
    /// Returns the format by the first bytes of the file.
    pub fn of(image: &[u8]) -> Option<Self> {
        const JP2: [u8; 12] = *b"\0\0\0\x0cjP  \r\n\x87\n";
        match image {
            [0xff, 0xd8, 0xff, ..] => Some(Self::Jpeg),
            [0xff, 0x4f, 0xff, 0x51, ..] => Some(Self::Jpeg2000),
            _ if image.starts_with(&JP2) => Some(Self::Jpeg2000),
            _ => None,
        }
    }
}

impl Dg2 {
    /// Creates a portrait to be written. `width` and `height` are taken from the caller, who has
    /// decoded the image to check it.
    ///
    /// # Errors
    /// [`Dg2Error::NotAnImage`] unless the bytes begin as JPEG or JPEG 2000, [`Dg2Error::Empty`] for a side of 0
    /// pixels, [`Dg2Error::TooLarge`] beyond what the file's 16-bit offsets can address, [`Dg2Error::Damaged`] for a
    /// JPEG that is not whole or has bytes behind its end marker.
    pub fn new(image: Vec<u8>, width: u16, height: u16) -> Result<Self, Dg2Error> {
        let format = ImageFormat::of(&image).ok_or(Dg2Error::NotAnImage)?;
        if width == 0 || height == 0 {
            return Err(Dg2Error::Empty);
        }
        if image.len() > Self::MAX_IMAGE {
            return Err(Dg2Error::TooLarge(image.len()));
        }
        if format == ImageFormat::Jpeg && Jpeg::parse(&image)?.length != image.len() {
            return Err(Dg2Error::Damaged(JpegError::Malformed("bytes behind its end marker")));
        }
        Ok(Self { image, format, width, height })
    }

    /// Largest image in bytes, so that every byte of the file can be read with READ BINARY's 15-bit offset.
    pub const MAX_IMAGE: usize = 0x7f00;

    /// Returns the file.
    pub fn encode(&self) -> Vec<u8> {
        let header = tlv::encode_all(
            0xa1,
            &[
                &tlv::encode(0x80, &[0x01, 0x01]),
                &tlv::encode(0x81, &[BIOMETRIC_TYPE_FACE]),
                &tlv::encode(0x87, &FORMAT_OWNER_SC37),
                &tlv::encode(0x88, &FORMAT_TYPE_FACE),
            ],
        );
        let template = tlv::encode_all(0x7f60, &[&header, &tlv::encode(0x5f2e, &self.facial_record())]);
        let group = tlv::encode_all(0x7f61, &[&tlv::encode_integer(&[1]), &template]);
        tlv::encode(0x75, &group)
    }

    /// Reads the first face of the file, by ISO/IEC 19794-5 or, in a `7F2E`, by ISO/IEC 39794-5 as far as the image.
    ///
    /// # Errors
    /// [`Dg2Error`].
    pub fn parse(file: &[u8]) -> Result<Self, Dg2Error> {
        let template = Tlv::expect(0x75, file)?.child(0x7f61)?.child(0x7f60)?;
        if let Some(block) = tlv::find(template.value, 0x5f2e)? {
            return Self::of_facial_record(block.value);
        }
        let image = image_within(template.child(0x7f2e)?.value, 0).ok_or(Dg2Error::NotAnImage)?;
        let format = ImageFormat::of(image).ok_or(Dg2Error::NotAnImage)?;
        Ok(Self { image: image.to_vec(), format, width: 0, height: 0 })
    }

    /// Facial record with one image block (ISO/IEC 19794-5:2005 §5.4 to §5.7): header of 14 bytes, facial information
    /// of 20, no feature points, image information of 12, image.
    fn facial_record(&self) -> Vec<u8> {
        let block = u32::try_from(20 + 12 + self.image.len()).expect("checked when made");
        let mut record = Vec::with_capacity(14 + 32 + self.image.len());
        record.extend_from_slice(b"FAC\x00010\x00");
        record.extend_from_slice(&(14 + block).to_be_bytes());
        record.extend_from_slice(&1u16.to_be_bytes());

        record.extend_from_slice(&block.to_be_bytes());
        // Feature points, gender, eye and hair colour, feature mask, expression, pose and its
        // uncertainty: not specified.
        record.extend_from_slice(&[0; 16]);

        record.push(IMAGE_TYPE_FULL_FRONTAL);
        record.push(match self.format {
            ImageFormat::Jpeg => 0,
            ImageFormat::Jpeg2000 => 1,
        });
        record.extend_from_slice(&self.width.to_be_bytes());
        record.extend_from_slice(&self.height.to_be_bytes());
        record.push(COLOUR_SPACE_RGB24);
        // Source, device type and quality: not specified.
        record.extend_from_slice(&[0; 5]);
        record.extend_from_slice(&self.image);
        record
    }

    fn of_facial_record(record: &[u8]) -> Result<Self, Dg2Error> {
        let cut = Dg2Error::Record;
        if !record.starts_with(b"FAC\0") {
            return Err(cut);
        }
        let block = record.get(14..).ok_or(cut)?;
        let announced = block.get(..4).and_then(|b| b.try_into().ok()).map(u32::from_be_bytes).ok_or(cut)?;
        let points = block.get(4..6).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes).ok_or(cut)?;
        let information = 20 + 8 * usize::from(points);
        // Some issuers count the block's length wrong; with a single image the record ends with it.
        let end = usize::try_from(announced).unwrap_or(usize::MAX).min(block.len());
        let end = if record[12..14] == [0, 1] { block.len() } else { end };
        let image_information = block.get(information..information + 12).ok_or(cut)?;
        let image = block.get(information + 12..end).ok_or(cut)?;
        let format = ImageFormat::of(image).ok_or(Dg2Error::NotAnImage)?;
        let side = |at: usize| u16::from_be_bytes([image_information[at], image_information[at + 1]]);
        Ok(Self { image: image.to_vec(), format, width: side(2), height: side(4) })
    }
}

/// Returns the first primitive object at any depth that is an image file.
fn image_within(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    let mut reader = Reader::new(bytes);
    while let Ok(object) = reader.read() {
        let found = match object.tag.is_constructed() {
            true if depth < 16 => image_within(object.value, depth + 1),
            true => None,
            false => ImageFormat::of(object.value).map(|_| object.value),
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// Shows format, size and length only.
impl fmt::Debug for Dg2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dg2({:?}, {} x {}, {} bytes)", self.format, self.width, self.height, self.image.len())
    }
}

/// Error when reading or composing DG2.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[non_exhaustive]
pub enum Dg2Error {
    /// A JPEG of which a part is missing.
    #[error("the portrait is damaged: {0}")]
    Damaged(#[from] JpegError),
    /// An image without pixels.
    #[error("a portrait has at least one pixel each way")]
    Empty,
    /// Neither JPEG nor JPEG 2000.
    #[error("the portrait is neither JPEG nor JPEG 2000")]
    NotAnImage,
    /// The facial record is cut short or is not one.
    #[error("DG2: the facial record does not have the form of ISO/IEC 19794-5")]
    Record,
    /// The templates around the record are malformed.
    #[error("DG2: {0}")]
    Tlv(#[from] TlvError),
    /// More bytes than the file can hold; holds their number.
    #[error("a portrait of {0} bytes does not fit in DG2: {max} at most", max = Dg2::MAX_IMAGE)]
    TooLarge(usize),
}

/// CBEFF biometric type: facial features.
const BIOMETRIC_TYPE_FACE: u8 = 0x02;
const COLOUR_SPACE_RGB24: u8 = 0x01;
/// ISO/IEC JTC 1/SC 37.
const FORMAT_OWNER_SC37: [u8; 2] = [0x01, 0x01];
/// Face image data by ISO/IEC 19794-5.
const FORMAT_TYPE_FACE: [u8; 2] = [0x00, 0x08];
const IMAGE_TYPE_FULL_FRONTAL: u8 = 0x01;
