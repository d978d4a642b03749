//! From the file of a scanner to the image of a finger: which finger it shows, and whether it can be used; pure.
//!
//! Two kinds of file are taken: the finger image record of ISO/IEC 19794-4:2005 with its images raw or as PNG, and a
//! PNG in shades of grey. Both tell the resolution, and it is 500 pixels per inch. Nothing is mended: an image of
//! another resolution is scanned again. How good the ridges are is not judged: there is no NFIQ here.

use std::fmt;
use std::io::Cursor;

use crypto::lds::{FingerCoding, FingerImages, FingerImagesError, FingerPosition, FingerView};
use png::{BitDepth, ColorType, Limits, Transformations, Unit};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;
use utoipa::ToSchema;

use super::fingers::Finger;
use crate::ground::words;

/// What is to be said of an image that is used all the same.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PrintFinding {
    /// Dark and light lie near each other.
    Faint,
    /// Little of the image shows ridges.
    Small,
}

words! {
    PrintFinding {
        Faint = "faint",
        Small = "small",
    }
}

/// Why an image is not used.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum PrintError {
    /// One shade, or nearly: no ridges.
    #[error("the image shows no ridges")]
    Blank,
    /// It begins well and cannot be read to its end.
    #[error("the file is damaged")]
    Damaged,
    /// Colours, or another depth than 8 bits.
    #[error("the image is not in 256 shades of grey")]
    Depth,
    /// The file names one finger, and the record in it another one.
    #[error("the file is named for {named}, and its record says {recorded}")]
    Misnamed {
        /// What the officer or the name of the file says.
        named: Finger,
        /// What the record says.
        recorded: Finger,
    },
    /// Neither the name of the file nor a record in it says which finger it is.
    #[error("neither the name of the file nor a record in it says which finger it shows")]
    Nameless,
    /// A file of this kind is not taken.
    #[error(
        "a file of the kind {0} is not taken: a finger image record (ISO/IEC 19794-4:2005, raw or PNG) or a PNG is"
    )]
    NotTaken(&'static str),
    /// Another resolution than 500 pixels per inch, or none.
    #[error("the image has {} pixels per inch, and 500 are needed", .0.map_or_else(|| "no word of its".to_owned(), |n| n.to_string()))]
    Resolution(Option<u32>),
    /// The same image was given for another finger.
    #[error("the same image was given for {0}")]
    Same(Finger),
    /// Too few or too many pixels.
    #[error("the image has {width} × {height} pixels")]
    Size {
        /// Width.
        width: u32,
        /// Height.
        height: u32,
    },
    /// More files than a ten-print card has images, or too many bytes.
    #[error("more files or bytes than a ten-print card has")]
    TooMuch,
    /// Two files for one finger.
    #[error("two files are for {0}")]
    Twice(Finger),
}

impl From<FingerImagesError> for PrintError {
    fn from(error: FingerImagesError) -> Self {
        match error {
            FingerImagesError::Depth(_) => Self::Depth,
            FingerImagesError::Edition => Self::NotTaken("ISO/IEC 19794-4:2011"),
            FingerImagesError::TooLarge => Self::TooMuch,
            _ => Self::Damaged,
        }
    }
}

/// The image of a finger that can be used: 256 shades of grey at 500 pixels per inch.
#[derive(Clone, Eq, PartialEq)]
pub struct PrintImage {
    /// Which finger.
    pub finger: Finger,
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// One byte a pixel, row by row.
    pixels: Vec<u8>,
    /// What is to be said of it.
    pub findings: Vec<PrintFinding>,
}

/// Shows no pixel: a print is biometric data.
impl fmt::Debug for PrintImage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrintImage({})", self.finger.word())
    }
}

/// The files of a scanner, each as far as it can be used.
#[derive(Debug, Default)]
pub struct Sorted {
    /// What can be used, in the order of the circular.
    pub right: Vec<PrintImage>,
    /// What cannot, with the number of its file, counted from 0, and why.
    pub wrong: Vec<(usize, PrintError)>,
}

/// Finds out which finger each file shows, and judges each. One that is wrong takes no other with it. Where `chosen`
/// says which finger it is, a record that says another one is wrong.
#[must_use]
pub fn sorted(files: &[(&str, &[u8])], chosen: Option<Finger>) -> Sorted {
    let mut sorted = Sorted::default();
    let mut found: Vec<(usize, PrintImage)> = vec![];
    for (at, (name, file)) in files.iter().enumerate() {
        if at >= MOST_FILES {
            sorted.wrong.push((at, PrintError::TooMuch));
            continue;
        }
        match images(file, chosen.or_else(|| Finger::named_by(name))) {
            Ok(images) => found.extend(images.into_iter().map(|image| (at, image))),
            Err(error) => sorted.wrong.push((at, error)),
        }
    }
    // Which of two is right cannot be said, so neither is used.
    for (n, (at, image)) in found.iter().enumerate() {
        let others = || found.iter().enumerate().filter(|(m, _)| *m != n).map(|(_, (_, other))| other);
        if others().any(|other| other.finger == image.finger) {
            sorted.wrong.push((*at, PrintError::Twice(image.finger)));
        } else if let Some(other) = others().find(|other| other.digest() == image.digest()) {
            sorted.wrong.push((*at, PrintError::Same(other.finger)));
        }
    }
    sorted.wrong.sort_by_key(|(at, _)| *at);
    let wrong = |at: usize| sorted.wrong.iter().any(|(wrong, _)| *wrong == at);
    sorted.right = found.into_iter().filter(|(at, _)| !wrong(*at)).map(|(_, image)| image).collect();
    sorted.right.sort_by_key(|image| image.finger);
    sorted
}

/// Returns the images of a file: one, or those of a record with several.
fn images(file: &[u8], named: Option<Finger>) -> Result<Vec<PrintImage>, PrintError> {
    if file.starts_with(PNG) {
        let finger = named.ok_or(PrintError::Nameless)?;
        let (picture, resolution) = decoded(file)?;
        at_500(resolution)?;
        return Ok(vec![picture.of(finger)?]);
    }
    if !FingerImages::is_one(file) {
        return Err(PrintError::NotTaken(kind_of(file)));
    }
    let record = FingerImages::parse(file)?;
    at_500([record.resolution.0, record.resolution.1].map(|inch| Some(u32::from(inch))))?;
    // The name of a file with several fingers names none of them.
    let named = named.filter(|_| record.views.len() == 1);
    record.views.iter().map(|view| image(view, named)).collect()
}

fn image(view: &FingerView<'_>, named: Option<Finger>) -> Result<PrintImage, PrintError> {
    let recorded = match view.position {
        FingerPosition::Unknown => None,
        position => Some(Finger::at(position).ok_or(PrintError::Nameless)?),
    };
    let finger = match (named, recorded) {
        (Some(named), Some(recorded)) if named != recorded => {
            return Err(PrintError::Misnamed { named, recorded });
        }
        (named, recorded) => recorded.or(named).ok_or(PrintError::Nameless)?,
    };
    let picture = match view.coding {
        FingerCoding::Raw => {
            let (width, height) = (u32::from(view.width), u32::from(view.height));
            Picture { width, height, pixels: view.image.to_vec() }
        }
        FingerCoding::Png => decoded(view.image)?.0,
        FingerCoding::Packed => return Err(PrintError::Depth),
        FingerCoding::Wsq => return Err(PrintError::NotTaken("WSQ")),
        FingerCoding::Jpeg => return Err(PrintError::NotTaken("JPEG")),
        FingerCoding::Jpeg2000 => return Err(PrintError::NotTaken("JPEG 2000")),
    };
    picture.of(finger)
}

/// Returns the kind of a file that is not taken, by its first bytes.
fn kind_of(file: &[u8]) -> &'static str {
    let begins: [(&[u8], &str); 9] = [
        (b"\xff\xa0", "WSQ"),
        (b"\xff\xd8\xff", "JPEG"),
        (b"\0\0\0\x0cjP  ", "JPEG 2000"),
        (b"\xff\x4f\xff\x51", "JPEG 2000"),
        (b"BM", "BMP"),
        (b"II*\0", "TIFF"),
        (b"MM\0*", "TIFF"),
        (b"FMR\0", "ISO/IEC 19794-2"),
        (b"%PDF", "PDF"),
    ];
    begins.iter().find(|(begin, _)| file.starts_with(begin)).map_or("?", |(_, kind)| kind)
}

/// Pixels in shades of grey.
struct Picture {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

/// Decodes a PNG in 256 shades of grey. Returns it with the pixels per inch across and down that it tells.
fn decoded(file: &[u8]) -> Result<(Picture, [Option<u32>; 2]), PrintError> {
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(file), Limits { bytes: MOST_MEMORY });
    decoder.set_transformations(Transformations::IDENTITY);
    let mut reader = decoder.read_info().map_err(|_| PrintError::Damaged)?;
    let info = reader.info();
    let (width, height) = (info.width, info.height);
    // Before a pixel is decoded: a small file can tell of gigabytes.
    if width > LONGEST || height > LONGEST {
        return Err(PrintError::Size { width, height });
    }
    if info.color_type != ColorType::Grayscale || info.bit_depth != BitDepth::Eight {
        return Err(PrintError::Depth);
    }
    // A metre has 39.37 inches.
    let inch = |metre: u32| u32::try_from((u64::from(metre) * 254 + 5000) / 10_000).unwrap_or(u32::MAX);
    let dims = info.pixel_dims.filter(|dims| dims.unit == Unit::Meter);
    let resolution = dims.map_or([None; 2], |dims| [Some(inch(dims.xppu)), Some(inch(dims.yppu))]);
    let mut pixels = vec![0; reader.output_buffer_size().ok_or(PrintError::Damaged)?];
    reader.next_frame(&mut pixels).map_err(|_| PrintError::Damaged)?;
    reader.finish().map_err(|_| PrintError::Damaged)?;
    Ok((Picture { width, height, pixels }, resolution))
}

/// Refuses another resolution than 500 pixels per inch, or none.
fn at_500(resolution: [Option<u32>; 2]) -> Result<(), PrintError> {
    match resolution.into_iter().find(|inch| inch.is_none_or(|inch| !(495..=505).contains(&inch))) {
        Some(wrong) => Err(PrintError::Resolution(wrong)),
        None => Ok(()),
    }
}

impl Picture {
    /// The image of this finger.
    fn of(self, finger: Finger) -> Result<PrintImage, PrintError> {
        let Self { width, height, pixels } = self;
        let (least, most) = if finger.is_four() { ((1000, 600), LONGEST) } else { ((260, 300), 1200) };
        let (Ok(w), Ok(h)) = (u16::try_from(width), u16::try_from(height)) else {
            return Err(PrintError::Size { width, height });
        };
        if width < least.0 || height < least.1 || width > most || height > most {
            return Err(PrintError::Size { width, height });
        }
        let mut print = PrintImage { finger, width: w, height: h, pixels, findings: vec![] };
        print.look()?;
        Ok(print)
    }
}

impl PrintImage {
    /// Returns the SHA-256 of what the image shows, however it is coded.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let sides = [self.width.to_be_bytes(), self.height.to_be_bytes()].concat();
        Sha256::new_with_prefix(sides).chain_update(&self.pixels).finalize().into()
    }

    /// Looks for ridges: where neighbours of 16 × 16 pixels differ. Says nothing of how good they are.
    fn look(&mut self) -> Result<(), PrintError> {
        let (width, height) = (usize::from(self.width), usize::from(self.height));
        let mut shades = [0_u32; 256];
        for shade in &self.pixels {
            shades[usize::from(*shade)] += 1;
        }
        let at = |share: usize| {
            let (mut left, mut shade) = (self.pixels.len() * share / 100, 0);
            for (n, count) in shades.iter().enumerate() {
                shade = n;
                let count = usize::try_from(*count).unwrap_or(usize::MAX);
                if count > left {
                    break;
                }
                left -= count;
            }
            shade
        };
        let contrast = at(95) - at(5);
        let (mut blocks, mut ridged) = (0_usize, 0_usize);
        for y in (0..height.saturating_sub(BLOCK - 1)).step_by(BLOCK) {
            for x in (0..width.saturating_sub(BLOCK - 1)).step_by(BLOCK) {
                let rows = (y..y + BLOCK).flat_map(|row| &self.pixels[row * width + x..][..BLOCK]);
                let (darkest, lightest) =
                    rows.fold((255, 0), |(dark, light), shade| (dark.min(*shade), light.max(*shade)));
                blocks += 1;
                ridged += usize::from(lightest.saturating_sub(darkest) >= RIDGED);
            }
        }
        let share = ridged * 100 / blocks.max(1);
        if share < LEAST_RIDGED {
            return Err(PrintError::Blank);
        }
        if contrast < FAINT {
            self.findings.push(PrintFinding::Faint);
        }
        if share < SMALL {
            self.findings.push(PrintFinding::Small);
        }
        Ok(())
    }

    /// Returns the record in which the image is kept: ISO/IEC 19794-4:2005 with a PNG in it, made anew, so that nothing
    /// else of the file comes along.
    ///
    /// # Errors
    /// [`PrintError::Damaged`], [`PrintError::TooMuch`]
    pub fn record(&self) -> Result<Vec<u8>, PrintError> {
        let png = self.png().map_err(|_| PrintError::Damaged)?;
        let view = FingerView {
            position: self.finger.position(),
            impression: u8::from(self.finger.is_rolled()),
            width: self.width,
            height: self.height,
            coding: FingerCoding::Png,
            image: &png,
        };
        Ok(view.record(500)?)
    }

    fn png(&self) -> Result<Vec<u8>, png::EncodingError> {
        let mut png = vec![];
        let mut encoder = png::Encoder::new(&mut png, u32::from(self.width), u32::from(self.height));
        encoder.set_color(ColorType::Grayscale);
        encoder.set_depth(BitDepth::Eight);
        encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: METRE, yppu: METRE, unit: Unit::Meter }));
        let mut writer = encoder.write_header()?;
        writer.write_image_data(&self.pixels)?;
        writer.finish()?;
        Ok(png)
    }
}

/// Returns the picture of a record that [`PrintImage::record`] made, as PNG.
#[must_use]
pub fn png_of(record: &[u8]) -> Option<Vec<u8>> {
    let record = FingerImages::parse(record).ok()?;
    record.views.first().filter(|view| view.coding == FingerCoding::Png).map(|view| view.image.to_vec())
}

/// The fourteen images of a ten-print card.
pub const MOST_FILES: usize = 14;
/// The longest side of an image, pixels: four fingers are 3.2 inches wide.
const LONGEST: u32 = 2000;
/// What a decoder may hold.
const MOST_MEMORY: usize = 16 * 1024 * 1024;
/// 500 pixels per inch, per metre.
const METRE: u32 = 19_685;
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";
/// Side of a block in which ridges are looked for, pixels: two ridges at least.
const BLOCK: usize = 16;
/// Shades by which ridge and valley differ at least.
const RIDGED: u8 = 40;
/// Less of an image in percent with ridges, and it shows none.
const LEAST_RIDGED: usize = 5;
/// Less of an image in percent with ridges, and it shows few.
const SMALL: usize = 20;
/// Nearer to each other, dark and light are faint.
const FAINT: usize = 80;

#[cfg(test)]
#[path = "fingerprint_image_tests.rs"]
mod tests;
