//! The portrait of a card as pixels. The file comes from a chip, so it is decoded within limits, and what goes on is
//! pixels of ours: no byte of the file leaves this module.

use std::io::Cursor;
use std::thread;

use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};
use jpeg_decoder::{Decoder, PixelFormat};

/// Decodes a JPEG, also one whose components stand in scans of their own or that is progressive.
///
/// # Errors
/// The reason in words: another format, a damaged file, more pixels or scans than a portrait has.
pub fn decoded(file: &[u8]) -> Result<RgbImage, String> {
    if !file.starts_with(&[0xff, 0xd8, 0xff]) {
        return Err("it is no JPEG".to_owned());
    }
    // Each scan goes over all pixels: a small file of very many would keep the decoder busy for minutes.
    if file.windows(2).filter(|two| *two == [0xff, 0xda]).count() > MOST_SCANS {
        return Err("it has more scans than a portrait".to_owned());
    }
    let file = file.to_vec();
    // On a thread of its own: whatever a hostile file does to the decoder ends there.
    let decoding = thread::Builder::new().name("portrait".to_owned()).spawn(move || pixels(&file));
    let decoding = decoding.map_err(|error| format!("there is no thread for it ({error})"))?;
    decoding.join().unwrap_or_else(|_| Err("it cannot be decoded".to_owned()))
}

/// Returns the portrait as a PNG of at most `SHOWN` pixels a side.
///
/// # Errors
/// Those of [`decoded`].
pub fn png(file: &[u8]) -> Result<Vec<u8>, String> {
    let mut picture = DynamicImage::ImageRgb8(decoded(file)?);
    if picture.width().max(picture.height()) > SHOWN {
        picture = picture.resize(SHOWN, SHOWN, FilterType::Triangle);
    }
    let mut png = Cursor::new(Vec::new());
    picture.write_to(&mut png, ImageFormat::Png).map_err(|error| format!("it cannot be shown ({error})"))?;
    Ok(png.into_inner())
}

fn pixels(file: &[u8]) -> Result<RgbImage, String> {
    let damaged = |error: jpeg_decoder::Error| format!("it cannot be decoded ({error})");
    let mut decoder = Decoder::new(file);
    decoder.set_max_decoding_buffer_size(MOST_BYTES);
    decoder.read_info().map_err(damaged)?;
    let info = decoder.info().ok_or("it cannot be decoded (no size)")?;
    let (width, height) = (u32::from(info.width), u32::from(info.height));
    if width == 0 || height == 0 || width > MOST_PIXELS || height > MOST_PIXELS {
        return Err(format!("it cannot be decoded ({width} by {height} pixels)"));
    }
    let raw = decoder.decode().map_err(damaged)?;
    let picture = match info.pixel_format {
        PixelFormat::L8 => GrayImage::from_raw(width, height, raw).map(DynamicImage::ImageLuma8),
        PixelFormat::RGB24 => RgbImage::from_raw(width, height, raw).map(DynamicImage::ImageRgb8),
        PixelFormat::CMYK32 | PixelFormat::L16 => None,
    };
    let picture = picture.ok_or("it cannot be decoded (colours that no portrait has)")?;
    Ok(picture.into_rgb8())
}

/// A side of a portrait that is believed, in pixels.
const MOST_PIXELS: u32 = 4096;
/// The decoded picture and what the decoder needs for it, in bytes.
const MOST_BYTES: usize = 64 << 20;
/// The scans of one file. A progressive portrait has about ten.
const MOST_SCANS: usize = 32;
/// The longest side that is shown, in pixels.
const SHOWN: u32 = 900;

#[cfg(test)]
mod tests {
    use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

    use super::*;

    const SIZE: (u16, u16) = (96, 128);

    /// A picture with colours everywhere: red grows to the right, green downwards, blue on the diagonal.
    fn scene() -> RgbImage {
        RgbImage::from_fn(SIZE.0.into(), SIZE.1.into(), |x, y| {
            let [x, y] = [x * 2, y].map(|n| u8::try_from(n.min(255)).unwrap());
            image::Rgb([x, y, x / 2 + y / 2])
        })
    }

    fn encoded(set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
        let mut file = Vec::new();
        let mut encoder = Encoder::new(&mut file, 92);
        set(&mut encoder);
        encoder.encode(scene().as_raw(), SIZE.0, SIZE.1, ColorType::Rgb).unwrap();
        file
    }

    /// Returns how far the decoded picture is from the scene at its worst pixel.
    fn worst(file: &[u8]) -> u8 {
        let picture = decoded(file).unwrap();
        assert_eq!(picture.dimensions(), (SIZE.0.into(), SIZE.1.into()));
        let pairs = picture.as_raw().iter().zip(scene().into_raw());
        pairs.map(|(got, meant)| got.abs_diff(meant)).max().unwrap()
    }

    fn scans(file: &[u8]) -> usize {
        file.windows(2).filter(|two| *two == [0xff, 0xda]).count()
    }

    #[test]
    fn a_picture_is_the_same_in_one_scan_in_three_and_progressively() {
        let one = encoded(|encoder| encoder.set_sampling_factor(SamplingFactor::F_1_1));
        // With Huffman tables of its own, this encoder writes each component as a scan.
        let three = encoded(|encoder| {
            encoder.set_sampling_factor(SamplingFactor::F_2_2);
            encoder.set_optimized_huffman_tables(true);
        });
        let progressive = encoded(|encoder| encoder.set_progressive(true));
        assert_eq!((scans(&one), scans(&three)), (1, 3));
        assert!(scans(&progressive) > 3);
        for (name, file) in [("one", one), ("three", three), ("progressive", progressive)] {
            assert!(worst(&file) < 40, "{name}: {}", worst(&file));
            assert!(png(&file).unwrap().starts_with(b"\x89PNG"), "{name}");
        }
    }

    #[test]
    fn a_hostile_file_is_an_error_in_words_and_never_a_crash() {
        let whole = encoded(|_| {});
        let frame = whole.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
        let mut huge = whole.clone();
        huge[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
        let mut empty = whole.clone();
        empty[frame + 5..frame + 9].copy_from_slice(&[0; 4]);
        let many = [&whole[..2], &[0xff, 0xda].repeat(MOST_SCANS + 1), &whole[2..]].concat();
        for (file, words) in [
            (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "no JPEG"),
            (b"<svg onload=alert(1)>".to_vec(), "no JPEG"),
            (Vec::new(), "no JPEG"),
            (huge, "cannot be decoded"),
            (empty, "cannot be decoded"),
            (whole[..20].to_vec(), "cannot be decoded"),
            (many, "more scans"),
        ] {
            let why = png(&file).unwrap_err();
            assert!(why.contains(words), "{words}: {why}");
        }
    }

    #[test]
    fn a_file_with_any_byte_wrong_or_missing_is_decoded_or_refused() {
        let whole = encoded(|encoder| encoder.set_progressive(true));
        for at in (2..whole.len()).step_by(31) {
            let mut wrong = whole.clone();
            wrong[at] ^= 0x55;
            let _ = png(&wrong);
            let _ = png(&whole[..at]);
        }
    }
}
