//! The portrait: decoded with limits, cut to 2:3, and encoded anew, so that what the renderer and the printer decode
//! was made here.

use std::io::Cursor;

use image::codecs::jpeg::JpegDecoder;
use image::{DynamicImage, ImageDecoder as _, Limits};
use jpeg_encoder::{ColorType, Encoder};

use crate::FaceError;

/// Largest portrait taken, bytes.
pub const MAX_PORTRAIT: usize = 2_900_000;
/// Longest side, pixels: more than 1700 dots an inch.
const MOST_PIXELS: u32 = 2048;
/// No coarser than the portrait that came.
const QUALITY: u8 = 95;

/// Returns the portrait as JPEG of 2:3.
pub fn jpeg(portrait: &[u8]) -> Result<Vec<u8>, FaceError> {
    let refused = |why| move |_| FaceError::Portrait(why);
    if portrait.len() > MAX_PORTRAIT {
        return Err(FaceError::Portrait("too large"));
    }
    let mut decoder = JpegDecoder::new(Cursor::new(portrait)).map_err(refused("not a JPEG"))?;
    let (width, height) = decoder.dimensions();
    // Checked before a pixel is decoded: a small file can announce gigabytes.
    if width > MOST_PIXELS || height > MOST_PIXELS {
        return Err(FaceError::Portrait("too many pixels"));
    }
    let mut limits = Limits::default();
    limits.max_alloc = Some(64 * 1024 * 1024);
    decoder.set_limits(limits).map_err(refused("too large"))?;
    let picture = DynamicImage::from_decoder(decoder).map_err(refused("damaged"))?.into_rgb8();
    let part = (picture.width() / 2).min(picture.height() / 3);
    if part == 0 {
        return Err(FaceError::Portrait("too small"));
    }
    let (width, height) = (2 * part, 3 * part);
    let (x, y) = ((picture.width() - width) / 2, (picture.height() - height) / 2);
    let cut = image::imageops::crop_imm(&picture, x, y, width, height).to_image();
    let side = |pixels: u32| u16::try_from(pixels).expect("at most 2048");
    let mut jpeg = Vec::new();
    let encoded = Encoder::new(&mut jpeg, QUALITY).encode(&cut, side(width), side(height), ColorType::Rgb);
    encoded.map_err(|_| FaceError::Portrait("damaged"))?;
    Ok(jpeg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(width: u16, height: u16) -> Vec<u8> {
        let mut jpeg = Vec::new();
        let pixels = vec![128; usize::from(width) * usize::from(height)];
        Encoder::new(&mut jpeg, 80).encode(&pixels, width, height, ColorType::Luma).unwrap();
        jpeg
    }

    #[test]
    fn the_middle_of_a_portrait_is_cut_to_two_by_three() {
        for (width, height, cut) in [(420, 560, (372, 558)), (300, 300, (200, 300)), (100, 900, (100, 150))] {
            let made = jpeg(&grey(width, height)).unwrap();
            assert_eq!(JpegDecoder::new(Cursor::new(made)).unwrap().dimensions(), cut);
        }
    }

    #[test]
    fn what_is_no_portrait_is_refused() {
        let why = |bytes: &[u8]| match jpeg(bytes) {
            Err(FaceError::Portrait(why)) => why,
            other => panic!("{:?}", other.map(|made| made.len())),
        };
        assert_eq!(why(b"<svg onload='x'/>"), "not a JPEG");
        assert_eq!(why(b""), "not a JPEG");
        assert_eq!(why(&vec![0; MAX_PORTRAIT + 1]), "too large");
        assert_eq!(why(&grey(1, 1)), "too small");
        let mut bomb = grey(400, 600);
        let frame = bomb.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
        bomb[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xff, 0xff, 0xff]);
        assert_eq!(why(&bomb), "too many pixels");
    }
}
