//! From a photograph to the portrait on the chip: a JPEG of 420 × 560 pixels and 15 to 20 KB; pure.
//!
//! 3:4 is the ratio of the 2021 capture stations, and 420 pixels are the least width at which ISO/IEC 19794-5:2005
//! §8.3.5 gets its 90 pixels between the eyes. The file is always encoded anew, so that neither metadata nor a second
//! payload of the photograph comes along.

use std::io::Cursor;

use crypto::lds::{Jpeg, JpegError};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::codecs::jpeg::JpegDecoder;
use image::{DynamicImage, ImageDecoder, Limits, RgbImage};
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use utoipa::ToSchema;

use super::faces::{Face, faces};
use crate::cards::compose::Portrait;

/// Largest photograph taken, bytes. By the API fewer come through, in base64 within `web.body_limit`.
pub const MAX_UPLOAD: usize = 10_000_000;
/// Largest portrait written, bytes: what the chip has room for.
pub const MAX_PORTRAIT: usize = 20_000;
/// Least size that the quality search aims at, bytes. A plain picture may stay below at the best quality.
pub const MIN_PORTRAIT: usize = 15_000;
/// Width of the portrait, pixels.
pub const WIDTH: u32 = 420;
/// Height of the portrait, pixels.
pub const HEIGHT: u32 = 560;

/// The part of a photograph that shows head and shoulders, in pixels of the upright picture.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width.
    pub width: u32,
    /// Height.
    pub height: u32,
}

/// Why a photograph is no portrait.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum PortraitError {
    /// The crop rectangle does not lie within the picture.
    #[error("the crop rectangle leaves the picture of {width} × {height} pixels")]
    Crop {
        /// Width of the upright picture.
        width: u32,
        /// Height of the upright picture.
        height: u32,
    },
    /// It begins like a JPEG and is not whole: cut, rows missing, or not to be decoded.
    #[error("the JPEG is damaged")]
    Damaged,
    /// More than [`MAX_UPLOAD`] bytes, or too many pixels.
    #[error("the photograph is too large")]
    Oversize,
    /// Even at the lowest acceptable quality it does not fit on the chip.
    #[error("the picture has too much detail to fit in {MAX_PORTRAIT} bytes")]
    Restless,
    /// Fewer than [`LEAST_WIDTH`] × 4/3 pixels are left after cropping.
    #[error(
        "only {width} × {height} pixels are left after cropping, at least {LEAST_WIDTH} × {LEAST_HEIGHT} are needed"
    )]
    TooSmall {
        /// Width after cropping.
        width: u32,
        /// Height after cropping.
        height: u32,
    },
    /// Something else than a JPEG.
    #[error("not a JPEG")]
    NotJpeg,
    /// More than one face: whose portrait it is cannot be said.
    #[error("the picture shows {0} faces, and a portrait shows one")]
    Faces(usize),
    /// No portrait was taken yet.
    #[error("no portrait was taken yet")]
    Missing,
}

/// What is found in a photograph beside what makes it no portrait at all: nothing of it refuses the photograph, since
/// an officer who sees the citizen knows better; but the officer says so.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// One face.
    OneFace,
    /// No face was found.
    NoFace,
    /// The face takes as much of the picture as it should.
    FaceFits,
    /// The face is small: the citizen stood too far away, or the picture is small.
    FaceSmall,
    /// The face is larger than the frame of a portrait leaves room for.
    FaceLarge,
    /// The face is sharp.
    Sharp,
    /// The face is blurred.
    Blurred,
    /// The light on the face is right.
    WellLit,
    /// The face is too dark.
    Dark,
    /// The face is too bright.
    Bright,
}

impl Finding {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::OneFace,
        Self::NoFace,
        Self::FaceFits,
        Self::FaceSmall,
        Self::FaceLarge,
        Self::Sharp,
        Self::Blurred,
        Self::WellLit,
        Self::Dark,
        Self::Bright,
    ];

    /// The word, as it is stored and by which its text is found.
    #[must_use]
    pub fn word(self) -> String {
        serde_json::to_value(self).unwrap_or_default().as_str().unwrap_or_default().to_owned()
    }

    /// True if the picture may be used without a word of the officer.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::OneFace | Self::FaceFits | Self::Sharp | Self::WellLit)
    }
}

/// A portrait that was made of a photograph, and what is to be said of it.
#[derive(Clone, Debug)]
pub struct Examined {
    /// As it goes on the chip.
    pub jpeg: Vec<u8>,
    /// What was found.
    pub findings: Vec<Finding>,
}

/// Makes the portrait as [`passport_portrait`] does, with head and shoulders of the one face that the photograph shows
/// in the frame, and says what an officer should look at before it is used.
///
/// # Errors
/// [`PortraitError`]; [`PortraitError::Faces`] for a photograph of several people.
pub fn examined(photograph: &[u8]) -> Result<Examined, PortraitError> {
    let picture = upright(photograph)?.into_rgb8();
    let whole = Crop { x: 0, y: 0, width: picture.width(), height: picture.height() };
    let largest = three_by_four(whole);
    if largest.width < LEAST_WIDTH || largest.height < LEAST_HEIGHT {
        return Err(PortraitError::TooSmall { width: largest.width, height: largest.height });
    }
    let seen = seen(&picture)?;
    let face = match seen.as_slice() {
        [] => None,
        [face] => Some(*face),
        several => return Err(PortraitError::Faces(several.len())),
    };
    let frame = face.map_or(largest, |face| around(face, whole));
    let pixels = scaled(&picture, frame, (WIDTH, HEIGHT))?;
    let findings = findings(&grey(&pixels), face, frame);
    Ok(Examined { jpeg: fit(&pixels)?, findings })
}

/// Returns the faces of a photograph, looked for in a smaller copy of it.
fn seen(picture: &RgbImage) -> Result<Vec<Face>, PortraitError> {
    let (width, height) = picture.dimensions();
    let longer = width.max(height).max(LOOKED_AT);
    let small = |side: u32| (u64::from(side) * u64::from(LOOKED_AT) / u64::from(longer)).max(1);
    let (narrow, low) = (small(width), small(height));
    let (narrow, low) = (u32::try_from(narrow).unwrap_or(1), u32::try_from(low).unwrap_or(1));
    let copy = scaled(picture, Crop { x: 0, y: 0, width, height }, (narrow, low))?;
    let back = |side: u32| u32::try_from(u64::from(side) * u64::from(longer) / u64::from(LOOKED_AT)).unwrap_or(width);
    let found = faces(&grey(&copy), narrow, low);
    Ok(found.into_iter().map(|face| Face { x: back(face.x), y: back(face.y), side: back(face.side) }).collect())
}

/// Returns the frame of a portrait around a face: the head takes two thirds of its height, with room above it.
fn around(face: Face, whole: Crop) -> Crop {
    let largest = three_by_four(whole);
    let height = (face.side * 11 / 5).clamp(LEAST_HEIGHT, largest.height) / 4 * 4;
    let width = height / 4 * 3;
    let (middle, line) = (face.x + face.side / 2, face.y + face.side / 2);
    let x = middle.saturating_sub(width / 2).min(whole.width - width);
    let y = line.saturating_sub(height * 12 / 25).min(whole.height - height);
    Crop { x, y, width, height }
}

/// Returns red, green and blue as one shade of grey each.
fn grey(pixels: &[u8]) -> Vec<u8> {
    let shade = |pixel: &[u8]| {
        let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u32::from);
        u8::try_from((299 * red + 587 * green + 114 * blue) / 1000).unwrap_or(u8::MAX)
    };
    pixels.chunks_exact(3).map(shade).collect()
}

/// Returns what is to be said of a portrait in grey, of which the face lies so in the frame that was cut out.
fn findings(grey: &[u8], face: Option<Face>, frame: Crop) -> Vec<Finding> {
    let mut findings = vec![];
    let part = match face {
        None => {
            findings.push(Finding::NoFace);
            // Where a face should be.
            Crop { x: WIDTH / 4, y: HEIGHT / 4, width: WIDTH / 2, height: HEIGHT / 2 }
        }
        Some(face) => {
            let share = face.side * 100 / frame.height;
            findings.push(Finding::OneFace);
            findings.push(match share {
                0..SMALL => Finding::FaceSmall,
                LARGE.. => Finding::FaceLarge,
                _ => Finding::FaceFits,
            });
            let scaled = |at: u32| at * HEIGHT / frame.height;
            let (x, y) = (scaled(face.x.saturating_sub(frame.x)), scaled(face.y.saturating_sub(frame.y)));
            let side = scaled(face.side);
            Crop { x: x.min(WIDTH - 2), y: y.min(HEIGHT - 2), width: side, height: side }
        }
    };
    let (right, lower) = ((part.x + part.width).min(WIDTH - 1), (part.y + part.height).min(HEIGHT - 1));
    let at = |x: u32, y: u32| f64::from(grey[(y * WIDTH + x) as usize]);
    let (mut n, mut sum, mut squares, mut edges) = (0.0_f64, 0.0, 0.0, 0.0);
    for y in part.y.max(1)..lower {
        for x in part.x.max(1)..right {
            let here = at(x, y);
            // What a pixel differs from its four neighbours by: of a blurred picture, nearly nothing.
            let edge = 4.0 * here - at(x - 1, y) - at(x + 1, y) - at(x, y - 1) - at(x, y + 1);
            n += 1.0;
            sum += here;
            squares += here * here;
            edges += edge * edge;
        }
    }
    let n = n.max(1.0);
    let mean = sum / n;
    let variance = (squares / n - mean * mean).max(1.0);
    findings.push(if edges / n / variance < BLURRED { Finding::Blurred } else { Finding::Sharp });
    findings.push(match mean {
        mean if mean < DARK => Finding::Dark,
        mean if mean > BRIGHT => Finding::Bright,
        _ => Finding::WellLit,
    });
    findings
}

/// Makes the portrait: turns the photograph upright, cuts `crop` out of it (the centre without one) at 3:4, scales it
/// and looks for the best quality that fits.
///
/// # Errors
/// [`PortraitError`]
pub fn passport_portrait(photograph: &[u8], crop: Option<Crop>) -> Result<Vec<u8>, PortraitError> {
    let picture = upright(photograph)?;
    let whole = Crop { x: 0, y: 0, width: picture.width(), height: picture.height() };
    let frame = three_by_four(crop.unwrap_or(whole).within(whole)?);
    if frame.width < LEAST_WIDTH || frame.height < LEAST_HEIGHT {
        return Err(PortraitError::TooSmall { width: frame.width, height: frame.height });
    }
    let scaled = scaled(&picture.into_rgb8(), frame, (WIDTH, HEIGHT))?;
    fit(&scaled)
}

/// A portrait that [`passport_portrait`] made, as it goes on the chip.
pub fn on_chip(jpeg: &[u8]) -> Portrait<'_> {
    let pixels = |n: u32| u16::try_from(n).expect("a portrait has fewer than 65536 pixels a side");
    Portrait { jpeg, width: pixels(WIDTH), height: pixels(HEIGHT) }
}

impl Crop {
    fn within(self, whole: Self) -> Result<Self, PortraitError> {
        let ends = (self.x.checked_add(self.width), self.y.checked_add(self.height));
        match ends {
            (Some(right), Some(lower)) if right <= whole.width && lower <= whole.height => Ok(self),
            _ => Err(PortraitError::Crop { width: whole.width, height: whole.height }),
        }
    }
}

/// Decodes and applies the orientation that the camera noted. Nothing is mended: a photograph of which a row or the end
/// marker is missing is damaged, although decoders would make a picture of it. What a camera writes behind the end
/// marker (previews, gain maps) is passed over and gets nowhere.
fn upright(photograph: &[u8]) -> Result<DynamicImage, PortraitError> {
    if photograph.len() > MAX_UPLOAD {
        return Err(PortraitError::Oversize);
    }
    if !photograph.starts_with(&[0xff, 0xd8, 0xff]) {
        return Err(PortraitError::NotJpeg);
    }
    Jpeg::parse(photograph).map_err(|error| match error {
        JpegError::TooLarge => PortraitError::Oversize,
        _ => PortraitError::Damaged,
    })?;
    let mut decoder = JpegDecoder::new(Cursor::new(photograph)).map_err(|_| PortraitError::Damaged)?;
    let (width, height) = decoder.dimensions();
    // Checked before a pixel is decoded: a small file can announce gigabytes.
    if width > MOST_PIXELS || height > MOST_PIXELS || u64::from(width) * u64::from(height) > 64_000_000 {
        return Err(PortraitError::Oversize);
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(512 * 1024 * 1024);
    decoder.set_limits(limits).map_err(|_| PortraitError::Oversize)?;
    let orientation = decoder.orientation().map_err(|_| PortraitError::Damaged)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| PortraitError::Damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// The largest rectangle of 3:4 in the middle of `frame`.
fn three_by_four(frame: Crop) -> Crop {
    let width = frame.width.min(frame.height / 4 * 3);
    let height = frame.height.min(width / 3 * 4);
    let (x, y) = (frame.x + (frame.width - width) / 2, frame.y + (frame.height - height) / 2);
    Crop { x, y, width, height }
}

/// Scales `frame` of the picture to this size: three bytes a pixel, red, green, blue, row by row.
fn scaled(picture: &RgbImage, frame: Crop, size: (u32, u32)) -> Result<Vec<u8>, PortraitError> {
    // The frame lies within the picture, and both have three bytes a pixel: nothing is left to fail.
    let from = ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)
        .map_err(|_| PortraitError::Damaged)?;
    let mut to = Image::new(size.0, size.1, PixelType::U8x3);
    let options = ResizeOptions::new()
        .crop(frame.x.into(), frame.y.into(), frame.width.into(), frame.height.into())
        .resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&from, &mut to, &options).map_err(|_| PortraitError::Damaged)?;
    Ok(to.into_vec())
}

/// Returns the picture in the best JPEG quality at which it fits.
///
/// The size of a file follows the quantisation closely: each file that was made says where the best quality lies, and
/// three are enough for most pictures where halving takes seven.
fn fit(pixels: &[u8]) -> Result<Vec<u8>, PortraitError> {
    let (mut low, mut high) = (LOWEST_QUALITY, 100);
    let (mut best, mut quality) = (None, LIKELY_QUALITY);
    while low <= high {
        let jpeg = encode(pixels, quality)?;
        let length = jpeg.len();
        if length > MAX_PORTRAIT {
            high = quality - 1;
        } else {
            low = quality + 1;
            best = Some(jpeg);
        }
        quality = next_quality(quality, length).clamp(low, high.max(low));
    }
    best.ok_or(PortraitError::Restless)
}

/// Returns the quality at which a picture should just fit that has `length` bytes at `quality`.
fn next_quality(quality: u8, length: usize) -> u8 {
    #[expect(clippy::cast_precision_loss, reason = "lengths of some ten thousand bytes")]
    let ratio = length as f64 / MAX_PORTRAIT as f64;
    // The coarseness of the quantisation by quality, as the encoder has it (IJG), in percent.
    let coarseness = if quality < 50 { 5_000.0 / f64::from(quality) } else { 200.0 - 2.0 * f64::from(quality) };
    let wanted = coarseness.max(1.0) * ratio.powf(COARSENESS_BY_LENGTH);
    let quality = if wanted > 100.0 { 5_000.0 / wanted } else { 100.0 - wanted / 2.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 100")]
    let quality = quality.clamp(0.0, 100.0).floor() as u8;
    quality
}

fn encode(pixels: &[u8], quality: u8) -> Result<Vec<u8>, PortraitError> {
    let side = |n: u32| u16::try_from(n).expect("a portrait has fewer than 65536 pixels a side");
    let mut jpeg = Vec::with_capacity(64 * 1024);
    let mut encoder = Encoder::new(&mut jpeg, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_2);
    // With tables of its own a file is 2 % smaller, and has a scan for each colour, which not
    // every reader puts together.
    encoder.set_optimized_huffman_tables(false);
    encoder.encode(pixels, side(WIDTH), side(HEIGHT), ColorType::Rgb).map_err(|_| PortraitError::Damaged)?;
    Ok(jpeg)
}

/// Where the search begins: at this quality the portrait of a face has about as many bytes as fit.
const LIKELY_QUALITY: u8 = 80;
/// A file is smaller by a power of the coarseness; this is one over that power.
const COARSENESS_BY_LENGTH: f64 = 1.3;
/// Below this quality a face is no longer a likeness.
const LOWEST_QUALITY: u8 = 20;
const MOST_PIXELS: u32 = 12_000;
/// Faces are looked for in a copy whose longer side has so many pixels: larger ones take longer and show no more.
const LOOKED_AT: u32 = 480;
/// Of a face that takes less of the height of the frame, in percent, the citizen stood too far away …
const SMALL: u32 = 30;
/// … and of one that takes more, too near.
const LARGE: u32 = 62;
/// Where the differences between neighbours have less than this part of the variance, a face is blurred.
const BLURRED: f64 = 0.01;
/// A face is darker than this mean shade, or …
const DARK: f64 = 55.0;
/// … brighter than this one, only in bad light.
const BRIGHT: f64 = 215.0;
/// Least width after cropping, pixels.
pub const LEAST_WIDTH: u32 = 240;
/// Least height after cropping, pixels.
pub const LEAST_HEIGHT: u32 = 320;

#[cfg(test)]
mod tests {
    use image::codecs::jpeg::JpegEncoder;

    use super::*;

    /// A face of sorts: smooth shades with some grain, so that quality matters.
    fn photograph(width: u32, height: u32, grain: u32) -> Vec<u8> {
        let mut state = 1_u32;
        let picture = RgbImage::from_fn(width, height, |x, y| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let noise = (state >> 24) * grain / 100;
            let shade = |n: u32| u8::try_from((n + noise).min(255)).unwrap();
            let round = (x.abs_diff(width / 2).pow(2) + y.abs_diff(height / 2).pow(2)).isqrt() % 200;
            image::Rgb([shade(round), shade(x * 200 / width), shade(y * 200 / height)])
        });
        let mut jpeg = vec![];
        JpegEncoder::new_with_quality(&mut jpeg, 92).encode_image(&picture).unwrap();
        jpeg
    }

    fn size(jpeg: &[u8]) -> (u32, u32) {
        JpegDecoder::new(Cursor::new(jpeg)).unwrap().dimensions()
    }

    #[test]
    fn a_square_photograph_becomes_a_passport_portrait() {
        let portrait = passport_portrait(&photograph(512, 512, 20), None).unwrap();
        assert_eq!(size(&portrait), (420, 560));
        assert!((MIN_PORTRAIT..=MAX_PORTRAIT).contains(&portrait.len()), "{} bytes", portrait.len());
    }

    #[test]
    fn the_portrait_shows_what_the_photograph_shows() {
        let picture = image::load_from_memory(&photograph(600, 800, 10)).unwrap();
        let exact = picture.resize_exact(WIDTH, HEIGHT, image::imageops::FilterType::Lanczos3).to_rgb8();
        let portrait = passport_portrait(&photograph(600, 800, 10), None).unwrap();
        let shown = image::load_from_memory(&portrait).unwrap().to_rgb8();
        let apart: u64 = exact.iter().zip(shown.iter()).map(|(one, other)| u64::from(one.abs_diff(*other))).sum();
        let mean = apart / u64::from(WIDTH * HEIGHT * 3);
        assert!(mean < 8, "values of pixels are {mean} apart");
    }

    #[test]
    fn the_best_quality_that_fits_is_found() {
        for grain in [0, 5, 20] {
            let picture = image::load_from_memory(&photograph(600, 800, grain)).unwrap();
            let pixels = picture.resize_exact(WIDTH, HEIGHT, image::imageops::FilterType::Lanczos3).to_rgb8();
            let found = fit(pixels.as_raw()).unwrap();
            let best = (LOWEST_QUALITY..=100).rev().map(|quality| encode(pixels.as_raw(), quality).unwrap());
            let best = best.into_iter().find(|jpeg| jpeg.len() <= MAX_PORTRAIT).unwrap();
            assert_eq!(found.len(), best.len(), "grain {grain}");
        }
    }

    #[test]
    fn a_crop_is_brought_to_three_by_four() {
        let crop = Crop { x: 100, y: 50, width: 400, height: 400 };
        assert_eq!(three_by_four(crop), Crop { x: 150, y: 50, width: 300, height: 400 });
        let tall = Crop { x: 0, y: 0, width: 300, height: 800 };
        assert_eq!(three_by_four(tall), Crop { x: 0, y: 200, width: 300, height: 400 });
        let portrait = passport_portrait(&photograph(800, 600, 5), Some(crop)).unwrap();
        assert_eq!(size(&portrait), (420, 560));
    }

    #[test]
    fn what_is_no_portrait_is_refused_with_its_reason() {
        let good = photograph(512, 512, 20);
        let refused = |bytes: &[u8], crop| passport_portrait(bytes, crop).unwrap_err();
        assert_eq!(refused(b"\x89PNG\r\n\x1a\n and so on", None), PortraitError::NotJpeg);
        assert_eq!(refused(&[], None), PortraitError::NotJpeg);
        assert_eq!(refused(&good[..200], None), PortraitError::Damaged);
        assert_eq!(refused(&vec![0xff; MAX_UPLOAD + 1], None), PortraitError::Oversize);
        let outside = Crop { x: 400, y: 0, width: 300, height: 400 };
        assert_eq!(refused(&good, Some(outside)), PortraitError::Crop { width: 512, height: 512 });
        let overflow = Crop { x: u32::MAX, y: 0, width: 300, height: 400 };
        assert_eq!(refused(&good, Some(overflow)), PortraitError::Crop { width: 512, height: 512 });
        let tiny = Crop { x: 0, y: 0, width: 30, height: 40 };
        assert_eq!(refused(&good, Some(tiny)), PortraitError::TooSmall { width: 30, height: 40 });
        assert_eq!(refused(&photograph(600, 800, 100), None), PortraitError::Restless);
    }

    /// A photograph of a person, in the size of a counter's camera.
    const PERSON: &[u8] = include_bytes!("../../../tests/data/portrait/photograph.jpg");

    fn person() -> RgbImage {
        image::load_from_memory(PERSON).unwrap().to_rgb8()
    }

    fn jpeg(picture: &RgbImage) -> Vec<u8> {
        let mut jpeg = vec![];
        JpegEncoder::new_with_quality(&mut jpeg, 92).encode_image(picture).unwrap();
        jpeg
    }

    fn found(picture: &RgbImage) -> Vec<Finding> {
        examined(&jpeg(picture)).unwrap().findings
    }

    #[test]
    fn of_a_good_photograph_nothing_is_said_but_that_it_is_good() {
        use Finding as F;
        let examined = examined(PERSON).unwrap();
        assert_eq!(examined.findings, [F::OneFace, F::FaceFits, F::Sharp, F::WellLit]);
        assert_eq!(size(&examined.jpeg), (WIDTH, HEIGHT));
        assert!(examined.jpeg.len() <= MAX_PORTRAIT);
    }

    #[test]
    fn a_photograph_that_is_blurred_dark_or_bright_or_of_no_person_is_used_only_by_the_word_of_an_officer() {
        let shaded = |by: fn(u8) -> u8| {
            let mut picture = person();
            picture.iter_mut().for_each(|value| *value = by(*value));
            picture
        };
        let blurred = image::imageops::blur(&person(), 6.0);
        assert!(found(&blurred).contains(&Finding::Blurred), "{:?}", found(&blurred));
        assert!(found(&shaded(|value| value / 5)).contains(&Finding::Dark));
        assert!(found(&shaded(|value| 215 + value / 7)).contains(&Finding::Bright));
        let wall = RgbImage::from_fn(600, 800, |x, y| image::Rgb([u8::try_from((x + y) % 200).unwrap(), 120, 90]));
        assert!(found(&wall).contains(&Finding::NoFace), "{:?}", found(&wall));
        let mut far = RgbImage::from_pixel(1200, 1600, image::Rgb([120, 130, 140]));
        let small = image::imageops::resize(&person(), 180, 240, image::imageops::FilterType::Lanczos3);
        image::imageops::replace(&mut far, &small, 500, 300);
        let found = found(&far);
        assert!(found.contains(&Finding::FaceSmall) || found.contains(&Finding::NoFace), "{found:?}");
    }

    #[test]
    fn the_frame_goes_around_the_face_wherever_it_is_in_the_photograph() {
        let mut wide = RgbImage::from_pixel(1400, 900, image::Rgb([120, 130, 140]));
        image::imageops::replace(&mut wide, &person(), 850, 200);
        let examined = examined(&jpeg(&wide)).unwrap();
        assert!(examined.findings.contains(&Finding::FaceFits), "{:?}", examined.findings);
        let portrait = image::load_from_memory(&examined.jpeg).unwrap().to_rgb8();
        let again = seen(&portrait).unwrap();
        let [face] = again.as_slice() else { panic!("{again:?}") };
        let middle = face.x + face.side / 2;
        assert!(middle.abs_diff(WIDTH / 2) < WIDTH / 8, "{face:?}");
    }

    #[test]
    fn a_photograph_of_two_people_is_no_portrait() {
        let one = person();
        let mut two = RgbImage::from_pixel(one.width() * 2, one.height(), image::Rgb([120, 130, 140]));
        image::imageops::replace(&mut two, &one, 0, 0);
        image::imageops::replace(&mut two, &one, i64::from(one.width()), 0);
        assert_eq!(examined(&jpeg(&two)).unwrap_err(), PortraitError::Faces(2));
    }

    /// APP1 with a place, as telephones write it: "Exif", a TIFF head, and one entry that leads to the position.
    #[test]
    fn what_a_telephone_notes_of_place_and_time_stays_behind() {
        let mut exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x25\x88\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0".to_vec();
        exif.extend(b"\x01\0\x01\0\x02\0\x02\0\0\0N\0\0\0\0\0\0\0 21.0285 105.8542");
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let photograph = [&PERSON[..2], &[0xff, 0xe1], &length, &exif, &PERSON[2..]].concat();
        for portrait in [examined(&photograph).unwrap().jpeg, passport_portrait(&photograph, None).unwrap()] {
            let holds = |text: &[u8]| portrait.windows(text.len()).any(|window| window == text);
            assert!(!holds(b"Exif") && !holds(b"21.0285"));
        }
    }

    #[test]
    fn a_frame_stays_within_the_photograph() {
        let whole = Crop { x: 0, y: 0, width: 480, height: 640 };
        for face in [
            Face { x: 0, y: 0, side: 100 },
            Face { x: 400, y: 560, side: 80 },
            Face { x: 100, y: 100, side: 380 },
            Face { x: 479, y: 639, side: 1 },
        ] {
            let frame = around(face, whole);
            assert!(frame.within(whole).is_ok() && frame.width * 4 == frame.height * 3, "{face:?} {frame:?}");
        }
    }

    /// A small file whose every scan has a decoder go through all blocks.
    #[test]
    fn a_picture_of_thousands_of_empty_scans_is_not_decoded() {
        let mut bomb = Jpeg::plain(640, 800);
        let at = |file: &[u8], marker| file.windows(2).position(|pair| pair == [0xff, marker]).unwrap();
        let frame = at(&bomb, 0xc0);
        bomb[frame + 1] = 0xc2;
        let first = at(&bomb, 0xda);
        bomb.truncate(first);
        bomb.extend([0xff, 0xda, 0, 8, 1, 1, 0, 0, 0, 0]);
        bomb.extend([0; 1_000]);
        // Each ends the band of a thousand blocks, one bit a block.
        bomb.extend([&[0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0][..], &[0; 1_000]].concat().repeat(200));
        bomb.extend([0xff, 0xd9]);
        assert_eq!(examined(&bomb).unwrap_err(), PortraitError::Damaged);
        assert_eq!(passport_portrait(&bomb, None).unwrap_err(), PortraitError::Damaged);
    }

    #[test]
    fn a_picture_that_announces_gigabytes_is_not_decoded() {
        let mut bomb = photograph(512, 512, 20);
        let frame = bomb.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert_eq!(passport_portrait(&bomb, None).unwrap_err(), PortraitError::Oversize);
    }
}
