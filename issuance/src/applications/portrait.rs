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
use serde::Deserialize;
use thiserror::Error;
use utoipa::ToSchema;

use crate::cards::compose::Portrait;

/// Largest photograph taken, bytes.
pub const MAX_UPLOAD: usize = 2_900_000;
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
    let scaled = scaled(&picture.into_rgb8(), frame)?;
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

/// Scales `frame` of the picture to the size of a portrait: three bytes a pixel, red, green, blue, row by row.
fn scaled(picture: &RgbImage, frame: Crop) -> Result<Vec<u8>, PortraitError> {
    // The frame lies within the picture, and both have three bytes a pixel: nothing is left to fail.
    let from = ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)
        .map_err(|_| PortraitError::Damaged)?;
    let mut to = Image::new(WIDTH, HEIGHT, PixelType::U8x3);
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

    #[test]
    fn a_picture_that_announces_gigabytes_is_not_decoded() {
        let mut bomb = photograph(512, 512, 20);
        let frame = bomb.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
        bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert_eq!(passport_portrait(&bomb, None).unwrap_err(), PortraitError::Oversize);
    }
}
