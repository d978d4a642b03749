//! Images of fingers that were drawn, and files that are hostile.

use crypto::lds::{FingerCoding, FingerPosition, FingerView};
use proptest::prelude::*;

use super::super::fingers::Finger;
use super::*;

/// A drawn finger: rings in an oval, each seed another one.
fn drawn(width: u16, height: u16, seed: u8) -> Vec<u8> {
    let (w, h) = (f64::from(width), f64::from(height));
    let pixel = |x: u16, y: u16| {
        let (x, y) = (f64::from(x) - w / 2.0, f64::from(y) - h / 2.0);
        if (x / w).hypot(y / h) > 0.48 {
            return 255;
        }
        let ring = (x.hypot(y * 0.8 + f64::from(seed)) / 1.5).sin();
        if ring > 0.0 { 220 } else { 40 }
    };
    (0..height).flat_map(|y| (0..width).map(move |x| pixel(x, y))).collect()
}

fn grey_png(width: u16, height: u16, pixels: &[u8], metre: Option<u32>) -> Vec<u8> {
    let mut file = vec![];
    let mut encoder = png::Encoder::new(&mut file, width.into(), height.into());
    encoder.set_color(ColorType::Grayscale);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_pixel_dims(metre.map(|xppu| png::PixelDimensions { xppu, yppu: xppu, unit: Unit::Meter }));
    let mut writer = encoder.write_header().unwrap();
    writer.write_image_data(pixels).unwrap();
    writer.finish().unwrap();
    file
}

fn png_file(seed: u8) -> Vec<u8> {
    grey_png(400, 500, &drawn(400, 500, seed), Some(METRE))
}

fn record(position: FingerPosition, coding: FingerCoding, image: &[u8]) -> Vec<u8> {
    FingerView { position, impression: 1, width: 400, height: 500, coding, image }.record(500).unwrap()
}

/// What one file is.
fn one(name: &str, file: &[u8], chosen: Option<Finger>) -> Result<Finger, PrintError> {
    let Sorted { right, wrong } = sorted(&[(name, file)], chosen);
    match (right.as_slice(), wrong.as_slice()) {
        ([image], []) => Ok(image.finger),
        ([], [(0, error)]) => Err(error.clone()),
        both => panic!("{both:?}"),
    }
}

#[test]
fn a_file_says_its_finger_by_name_or_record_and_both_agree() {
    use Finger as F;
    use FingerPosition as P;
    let (raw, png) = (drawn(400, 500, 0), png_file(0));
    for (name, finger) in [
        ("01.png", Some(F::RightThumb)),
        ("finger_10.PNG", Some(F::LeftLittle)),
        ("C:\\scan\\2026\\07 left.png", Some(F::LeftIndex)),
        ("Right Index.png", Some(F::RightIndex)),
        ("plain_right_thumb.png", Some(F::PlainRightThumb)),
        ("14.png", Some(F::PlainLeftFour)),
        ("15.png", None),
        ("0.png", None),
        ("1 of 10.png", None),
        ("scan.png", None),
        ("", None),
        ("99999999999999999999.png", None),
    ] {
        assert_eq!(F::named_by(name), finger, "{name}");
    }
    assert_eq!(one("03.png", &png, None), Ok(F::RightMiddle));
    assert_eq!(one("scan.png", &png, None), Err(PrintError::Nameless));
    assert_eq!(one("scan.png", &png, Some(F::LeftRing)), Ok(F::LeftRing));
    let left_thumb = record(P::LeftThumb, FingerCoding::Raw, &raw);
    assert_eq!(one("scan.fir", &left_thumb, None), Ok(F::LeftThumb));
    assert_eq!(one("06.fir", &left_thumb, None), Ok(F::LeftThumb));
    let misnamed = PrintError::Misnamed { named: F::RightThumb, recorded: F::LeftThumb };
    assert_eq!(one("01.fir", &left_thumb, None), Err(misnamed.clone()));
    assert_eq!(one("scan.fir", &left_thumb, Some(F::RightThumb)), Err(misnamed));
    // A record that does not say it takes its name; both thumbs in one image are two images.
    let unknown = record(P::Unknown, FingerCoding::Raw, &raw);
    assert_eq!(one("02.fir", &unknown, None), Ok(F::RightIndex));
    assert_eq!(one("02.fir", &record(P::PlainThumbs, FingerCoding::Raw, &raw), None), Err(PrintError::Nameless));
    assert_eq!(one("06.fir", &record(P::LeftThumb, FingerCoding::Png, &png), None), Ok(F::LeftThumb));
}

#[test]
fn what_cannot_be_used_is_named() {
    let good = drawn(400, 500, 0);
    let said = |file: &[u8]| one("01.png", file, None).unwrap_err();
    assert_eq!(said(&grey_png(400, 500, &good, None)), PrintError::Resolution(None));
    assert_eq!(said(&grey_png(400, 500, &good, Some(11_811))), PrintError::Resolution(Some(300)));
    assert_eq!(one("01.png", &grey_png(400, 500, &good, Some(19_700)), None), Ok(Finger::RightThumb));
    assert_eq!(said(&grey_png(200, 500, &good[..100_000], Some(METRE))), PrintError::Size { width: 200, height: 500 });
    let wall = vec![255; 200_000];
    assert_eq!(said(&grey_png(400, 500, &wall, Some(METRE))), PrintError::Blank);
    // A finger put down at the edge, and one that hardly touched.
    let mut edge = wall.clone();
    for row in 0..120 {
        edge[row * 400..row * 400 + 180].copy_from_slice(&good[(row + 190) * 400 + 110..][..180]);
    }
    let few = sorted(&[("01.png", &grey_png(400, 500, &edge, Some(METRE)))], None);
    assert_eq!(few.right[0].findings, [PrintFinding::Small], "{few:?}");
    let pale: Vec<u8> = good.iter().map(|shade| 180 + shade / 4).collect();
    let pale = sorted(&[("01.png", &grey_png(400, 500, &pale, Some(METRE)))], None);
    assert_eq!(pale.right[0].findings, [PrintFinding::Faint], "{pale:?}");
    // Colours, cut files, other kinds.
    let mut colours = vec![];
    let mut encoder = png::Encoder::new(&mut colours, 400, 500);
    encoder.set_color(ColorType::Rgb);
    encoder.set_pixel_dims(Some(png::PixelDimensions { xppu: METRE, yppu: METRE, unit: Unit::Meter }));
    encoder.write_header().unwrap().write_image_data(&vec![9; 600_000]).unwrap();
    assert_eq!(said(&colours), PrintError::Depth);
    let whole = png_file(0);
    for cut in [9, 40, whole.len() / 2, whole.len() - 13] {
        assert_eq!(said(&whole[..cut]), PrintError::Damaged, "{cut}");
    }
    for (file, kind) in [
        (&b"\xff\xa0\xff\xa8"[..], "WSQ"),
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"BM6\0", "BMP"),
        (b"FMR\0 20\0", "ISO/IEC 19794-2"),
        (b"<svg onload=alert(1)>", "?"),
        (b"", "?"),
    ] {
        assert_eq!(said(file), PrintError::NotTaken(kind));
    }
    let position = FingerPosition::RightThumb;
    assert_eq!(said(&record(position, FingerCoding::Wsq, b"x")), PrintError::NotTaken("WSQ"));
    assert_eq!(said(&record(position, FingerCoding::Packed, b"x")), PrintError::Depth);
    assert_eq!(said(&record(position, FingerCoding::Png, b"x")), PrintError::Damaged);
    let four = FingerView {
        position: FingerPosition::PlainRightFour,
        impression: 0,
        width: 400,
        height: 500,
        coding: FingerCoding::Raw,
        image: &good,
    };
    assert_eq!(one("", &four.record(500).unwrap(), None), Err(PrintError::Size { width: 400, height: 500 }));
}

/// A PNG of a few bytes that tells of four thousand million pixels.
#[test]
fn a_small_file_that_tells_of_gigabytes_takes_none() {
    let mut file = png_file(0);
    file[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
    // Its check sum is that of the other size: damaged, before a pixel is decoded.
    assert_eq!(one("01.png", &file, None), Err(PrintError::Damaged));
    let mut large = vec![];
    let mut encoder = png::Encoder::new(&mut large, 60_000, 60_000);
    encoder.set_color(ColorType::Grayscale);
    let mut writer = encoder.write_header().unwrap();
    writer.write_chunk(png::chunk::IDAT, &[0x78, 0x9c]).unwrap();
    drop(writer);
    assert_eq!(one("01.png", &large, None), Err(PrintError::Size { width: 60_000, height: 60_000 }));
}

#[test]
fn fourteen_files_in_the_wrong_order_are_named_and_the_right_ones_stay() {
    // As a scanner gives them: the number in the name, the finger in the record. Two were taken in the wrong order.
    let four = |position| {
        let image = drawn(1200, 800, 3 + position as u8);
        FingerView { position, impression: 0, width: 1200, height: 800, coding: FingerCoding::Raw, image: &image }
            .record(500)
            .unwrap()
    };
    let files: Vec<(String, Vec<u8>)> = (1..=14)
        .map(|number: u8| {
            let shown = match number {
                4 => 5,
                5 => 4,
                other => other,
            };
            let position = FingerPosition::of_code(shown).unwrap();
            let file = match shown {
                13 | 14 => four(position),
                _ => record(position, FingerCoding::Raw, &drawn(400, 500, shown)),
            };
            (format!("{number:02}.fir"), file)
        })
        .collect();
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, file)| (name.as_str(), file.as_slice())).collect();
    let Sorted { right, wrong } = sorted(&files, None);
    let fault = |named, recorded| PrintError::Misnamed { named, recorded };
    let (ring, little) = (Finger::RightRing, Finger::RightLittle);
    assert_eq!(wrong, [(3, fault(ring, little)), (4, fault(little, ring))]);
    assert_eq!(right.len(), 12);
    let order: Vec<Finger> = right.iter().map(|image| image.finger).collect();
    assert!(order.is_sorted() && order[0] == Finger::PlainRightFour, "in the order of the circular: {order:?}");
    // One more than a card has is not read.
    let many: Vec<(&str, &[u8])> = files.iter().chain(&files[..1]).copied().collect();
    assert_eq!(sorted(&many, None).wrong.last(), Some(&(14, PrintError::TooMuch)));
}

#[test]
fn two_files_of_one_finger_and_one_image_of_two_fingers_are_both_refused() {
    let (one, two) = (png_file(1), png_file(2));
    let said = sorted(&[("01.png", &one), ("1.png", &two), ("02.png", &png_file(3))], None);
    let twice = PrintError::Twice(Finger::RightThumb);
    assert_eq!(said.wrong, [(0, twice.clone()), (1, twice)]);
    assert_eq!(said.right.len(), 1);
    // Coded otherwise, the image is the same.
    let raw = record(FingerPosition::RightIndex, FingerCoding::Raw, &drawn(400, 500, 1));
    let said = sorted(&[("01.png", &one), ("02.fir", &raw), ("03.png", &two)], None);
    let same = |finger| PrintError::Same(finger);
    assert_eq!(said.wrong, [(0, same(Finger::RightIndex)), (1, same(Finger::RightThumb))]);
    assert_eq!(said.right[0].finger, Finger::RightMiddle);
}

#[test]
fn what_is_kept_is_made_anew_and_shows_the_same() {
    let mut file = png_file(0);
    // A text of the scanner, with the citizen's name: it stands before the end of the file.
    let end = file.len() - 12;
    let text = [&b"tEXtComment\0Nguyen Thi Mau"[..]].concat();
    let mut chunk = u32::try_from(text.len() - 4).unwrap().to_be_bytes().to_vec();
    chunk.extend(&text);
    let crc = text.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    });
    chunk.extend((!crc).to_be_bytes());
    file.splice(end..end, chunk);
    let Sorted { right, wrong } = sorted(&[("01.png", &file)], None);
    assert_eq!(wrong, []);
    let kept = right[0].record().unwrap();
    assert!(!kept.windows(3).any(|window| window == b"Mau"));
    let again = sorted(&[("", &kept)], None);
    assert_eq!(again.right, right);
    assert!(png_of(&kept).unwrap().starts_with(PNG));
    assert_eq!(png_of(&kept[..kept.len() - 1]), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_bytes_are_read_or_refused(
        at in 0_usize..3000, bytes in prop::collection::vec(any::<u8>(), 0..60), name in ".{0,20}",
    ) {
        let whole = png_file(0);
        let inner = record(FingerPosition::RightThumb, FingerCoding::Png, &whole);
        for mut file in [whole, inner] {
            for (byte, other) in file.iter_mut().skip(at).zip(&bytes) {
                *byte = *other;
            }
            let said = sorted(&[(&name, &file), (&name, &bytes)], None);
            prop_assert!(said.right.len() <= 1 && !said.wrong.is_empty());
        }
    }
}
