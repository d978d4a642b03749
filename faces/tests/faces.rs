//! The faces as they are drawn: no text is cut or covered, what machines read is read back by programs that did not
//! write it, and the pictures of the documentation are what is drawn.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use faces::{Back, Face, FaceError, Field, Front, HEIGHT, Look, Resolution, Use, WIDTH, pdf};
use image::codecs::png::CompressionType::Best;
use image::codecs::png::FilterType::Adaptive;
use image::codecs::png::PngEncoder;
use image::{GrayImage, RgbImage, RgbaImage};
use resvg::usvg::{Group, Node, Tree};

const SHOWN: Look = Look { for_: Use::Show, specimen: true };
const PRINTED: Look = Look { for_: Use::Print, specimen: false };

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn drawn_portrait() -> Vec<u8> {
    fs::read(file("tests/data/portrait/drawn.jpg")).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "fields of a face may be empty")]
fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

/// The invented holder of the facts' own example.
fn front() -> Front {
    Front {
        number: some("003300000017"),
        name: some("Nguyễn Thị Mẫu"),
        birth: some("05/01/2000"),
        sex: some("Nữ"),
        nationality: some("Việt Nam"),
        origin: some("Phúc Xá, Ba Đình, Hà Nội"),
        residence: some("Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội"),
        expiry: some("05/01/2025"),
        qr: "003300000017|000000001|Nguyễn Thị Mẫu|05012000|Nữ|Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội|15032021".into(),
        portrait: drawn_portrait(),
    }
}

fn back() -> Back {
    Back {
        features: some("Nốt ruồi cách 1 cm dưới sau mắt trái"),
        issued: some("15/03/2021"),
        mrz: [
            "IDVNM3000000171003300000017<<4".into(),
            "0001052F2501051VNM<<<<<<<<<<<4".into(),
            "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<".into(),
        ],
        signer: some("Họ tên mẫu"),
    }
}

/// Faces that are hard to set: each with its name.
fn hard() -> Vec<(&'static str, Front, Back)> {
    let words = |text: &str, bytes: usize| {
        let mut long = String::new();
        for word in text.split(' ').cycle() {
            if long.len() + 1 + word.len() > bytes {
                return long;
            }
            long = if long.is_empty() { word.to_owned() } else { format!("{long} {word}") };
        }
        long
    };
    let hundred: String = "Nguyễn Phước Hoàng Thượng Trường Nghiêng ".chars().cycle().take(99).chain(['A']).collect();
    let place = words("Thôn Nghĩa Trũng, Xã Thượng Trường Nghiệp, Huyện Krông Pắc, Tỉnh Thừa Thiên Huế,", 400);
    let all = |name: &str, place: &str| {
        let qr = format!("003300000017|000000001|{name}|05012000|Nữ|{place}|15032021");
        (
            Front { name: some(name), origin: some(place), residence: some(place), qr, ..front() },
            Back { features: some(place), signer: some(name), ..back() },
        )
    };
    let named = |said, (front, back)| (said, front, back);
    let empty = Front {
        number: None,
        name: None,
        birth: None,
        sex: None,
        nationality: None,
        origin: None,
        residence: None,
        expiry: None,
        ..front()
    };
    let no_expiry = Front { expiry: some("Không thời hạn"), birth: some("2000"), sex: some("Nam"), ..front() };
    vec![
        ("usual", front(), back()),
        (
            "a name of a hundred letters, and places of four hundred bytes",
            all(&hundred, &place).0,
            all(&hundred, &place).1,
        ),
        named("the widest letters", all(&"W".repeat(100), &words("WWWWWWWW MMMMMMMMMM", 200))),
        named("one long word each", all(&"m".repeat(60), &"w".repeat(200))),
        named("capitals with two marks", all(&"ẲẴẪỆỘỖỮỰ ".repeat(11), &"ẲẴẪỆỘỖỮỰ ".repeat(16))),
        ("nothing but the zone", empty, Back { features: None, issued: None, signer: None, ..back() }),
        ("no expiry, a year of birth alone", no_expiry, back()),
        (
            "a nationality of several words",
            Front { nationality: some("Cộng hòa Dân chủ Nhân dân Lào"), ..front() },
            back(),
        ),
    ]
}

/// A box in millimetres: left, upper, right, lower.
type Ink = [f32; 4];

/// Returns the ink of each text, and of what no text may touch.
fn inks(tree: &Tree) -> Vec<(String, Ink)> {
    fn walk(group: &Group, scale: f32, found: &mut Vec<(String, Ink)>) {
        for node in group.children() {
            let (id, of) = match node {
                Node::Group(group) if group.id() == "specimen" => continue,
                Node::Group(group) => {
                    if group.id() == "portrait" {
                        (group.id(), group.abs_bounding_box())
                    } else {
                        walk(group, scale, found);
                        continue;
                    }
                }
                Node::Text(text) => (text.id(), text.flattened().abs_bounding_box()),
                Node::Image(image) => ("portrait", image.abs_bounding_box()),
                Node::Path(path) if path.id() == "qr" || path.id().starts_with("finger-") => {
                    (path.id(), path.abs_bounding_box())
                }
                Node::Path(_) => continue,
            };
            found.push((id.to_owned(), [of.left(), of.top(), of.right(), of.bottom()].map(|at| at * scale)));
        }
    }
    let mut found = Vec::new();
    walk(tree.root(), WIDTH / tree.size().width(), &mut found);
    found
}

#[test]
fn no_text_leaves_the_card_or_touches_another_one() {
    for (said, front, back) in hard() {
        for face in [Face::front(&front, SHOWN).unwrap(), Face::back(&back, PRINTED).unwrap()] {
            let inks = inks(&face.tree().unwrap());
            assert!(inks.len() > 15, "{said}: {} texts", inks.len());
            for (id, [left, upper, right, lower]) in &inks {
                let within = *left > 1.0 && *upper > 0.8 && *right < WIDTH - 1.0 && *lower < HEIGHT - 0.5;
                assert!(within, "{said}: {id} leaves the card: {left} {upper} {right} {lower}");
            }
            for (n, (one, a)) in inks.iter().enumerate() {
                for (other, b) in &inks[n + 1..] {
                    let apart = a[2] <= b[0] || b[2] <= a[0] || a[3] <= b[1] || b[3] <= a[1];
                    assert!(apart, "{said}: {one} {a:?} touches {other} {b:?}");
                }
            }
        }
    }
}

/// The letters of a field, put together again out of its lines.
fn letters(tree: &Tree, field: Field) -> String {
    fn walk(group: &Group, prefix: &str, found: &mut String) {
        for node in group.children() {
            match node {
                Node::Group(group) => walk(group, prefix, found),
                Node::Text(text) if text.id().starts_with(prefix) => {
                    found.extend(text.chunks().iter().map(resvg::usvg::TextChunk::text));
                }
                _ => {}
            }
        }
    }
    let mut found = String::new();
    walk(tree.root(), &format!("{field}-"), &mut found);
    found.chars().filter(|letter| *letter != ' ').collect()
}

#[test]
fn no_letter_of_a_long_text_is_lost() {
    for (said, front, back) in hard() {
        let solid = |text: &Option<String>| -> String { text.iter().flat_map(|text| text.split(' ')).collect() };
        let tree = Face::front(&front, SHOWN).unwrap().tree().unwrap();
        assert_eq!(letters(&tree, Field::Name), solid(&front.name).to_uppercase(), "{said}");
        assert_eq!(letters(&tree, Field::Origin), solid(&front.origin), "{said}");
        assert_eq!(letters(&tree, Field::Residence), solid(&front.residence), "{said}");
        assert_eq!(letters(&tree, Field::Expiry), solid(&front.expiry), "{said}");
        let tree = Face::back(&back, SHOWN).unwrap().tree().unwrap();
        assert_eq!(letters(&tree, Field::Features), solid(&back.features), "{said}");
    }
}

#[test]
fn what_does_not_fit_or_has_no_letter_is_refused_and_names_its_field_alone() {
    let long = Front { name: some(&"W".repeat(1000)), ..front() };
    assert_eq!(Face::front(&long, SHOWN).unwrap_err(), FaceError::TooLong(Field::Name));
    let foreign = Front { origin: some("Phố 漢"), ..front() };
    let said = Face::front(&foreign, SHOWN).unwrap_err();
    assert_eq!(said, FaceError::Letter(Field::Origin));
    assert_eq!(said.to_string(), "origin has a letter that cannot be printed");
    let code = Front { qr: "x".repeat(3000), ..front() };
    assert_eq!(Face::front(&code, SHOWN).unwrap_err(), FaceError::Code);
    for zone in ["IDVNM", "IDVNM3000000171003300000017<<é", "idvnm3000000171003300000017<<4"] {
        let mut broken = back();
        broken.mrz[0] = zone.into();
        assert_eq!(Face::back(&broken, SHOWN).unwrap_err(), FaceError::Zone, "{zone}");
    }
    let portrait = Front { portrait: b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(), ..front() };
    assert_eq!(Face::front(&portrait, SHOWN).unwrap_err(), FaceError::Portrait("not a JPEG"));
}

#[test]
fn a_text_never_becomes_markup() {
    let evil = "</text><image href='/etc/passwd'/>&#x41;\"'";
    let of = |text: &str| Front { origin: some(text), residence: some(text), sex: some("\"/><g>"), ..front() };
    let (plain, hostile) = (of("a b c"), of(evil));
    let count = |svg: &str| (svg.matches("<text").count(), svg.matches("<image").count(), svg.matches("<g").count());
    let (one, other) = (Face::front(&plain, SHOWN).unwrap(), Face::front(&hostile, SHOWN).unwrap());
    assert_eq!(count(one.svg()).1, count(other.svg()).1);
    assert_eq!(count(one.svg()).2, count(other.svg()).2);
    let solid: String = evil.split(' ').collect();
    assert_eq!(letters(&other.tree().unwrap(), Field::Origin), solid);
}

#[test]
fn a_name_of_loose_marks_is_drawn_as_the_same_name() {
    let composed = Face::front(&front(), SHOWN).unwrap();
    let loose = Front { name: some("Nguye\u{302}\u{303}n Thi\u{323} Ma\u{302}\u{303}u"), ..front() };
    assert_eq!(Face::front(&loose, SHOWN).unwrap().svg(), composed.svg());
}

fn grey(png: &[u8]) -> GrayImage {
    image::load_from_memory(png).unwrap().into_luma8()
}

/// The texts of the square codes in a picture, read by a program that did not write them.
fn codes(picture: &GrayImage) -> Vec<String> {
    let (width, height) = (picture.width() as usize, picture.height() as usize);
    let mut prepared =
        rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| picture.as_raw()[y * width + x]);
    prepared
        .detect_grids()
        .iter()
        .map(|grid| grid.decode().map_or_else(|error| format!("{error:?}"), |(_, text)| text))
        .collect()
}

#[test]
fn another_program_reads_the_text_of_the_code_back() {
    for (said, front, _) in hard() {
        let long = front.qr.len() > 250;
        for (look, resolution) in [
            (SHOWN, Resolution::Dpi300),
            (SHOWN, Resolution::Dpi600),
            (PRINTED, Resolution::Dpi300),
            (PRINTED, Resolution::Dpi600),
        ] {
            // What is longer than any of an ordinary card has modules that 300 dots do not show.
            if long && resolution == Resolution::Dpi300 {
                continue;
            }
            let png = Face::front(&front, look).unwrap().png(resolution).unwrap();
            let mut picture = grey(&png);
            if long {
                // The reader misses modules of three dots; a scanner sees more of them.
                let code = image::imageops::crop_imm(&picture, 1590, 60, 380, 370).to_image();
                picture = image::imageops::resize(&code, 1140, 1110, image::imageops::FilterType::Triangle);
            }
            assert_eq!(codes(&picture), std::slice::from_ref(&front.qr), "{said} {look:?} {resolution:?}");
        }
    }
}

/// The lines of the zone as an ordinary reader of letters sees them, or none where it is not installed.
fn read_by_tesseract(picture: &GrayImage, folder: &Path) -> Option<Vec<String>> {
    let path = folder.join("zone.png");
    picture.save(&path).unwrap();
    let mut command = Command::new("tesseract");
    command.arg(&path).args(["stdout", "--dpi", "600", "--psm", "6"]);
    command.args(["-c", "tessedit_char_whitelist=ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<", "-c", "load_system_dawg=0"]);
    let Ok(said) = command.output() else {
        println!("SKIPPED faces: tesseract is not installed (tesseract-ocr)");
        return None;
    };
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let text = String::from_utf8(said.stdout).unwrap();
    Some(text.lines().map(|line| line.replace(' ', "")).filter(|line| !line.is_empty()).collect())
}

/// The part of the back that has the zone, in pixels of 600 dots an inch.
fn zone(png: &[u8]) -> GrayImage {
    let picture = grey(png);
    let upper = picture.height() * 66 / 100;
    image::imageops::crop_imm(&picture, 0, upper, picture.width(), picture.height() - upper).to_image()
}

#[test]
fn the_zone_is_read_back_letter_by_letter() {
    let all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<";
    let card = |lines: [String; 3]| Face::back(&Back { mrz: lines, ..back() }, PRINTED).unwrap();
    // What each character looks like, from cards that have nothing else in a line.
    let cell = |picture: &GrayImage, row: u32, column: u32| {
        let dots = |millimetres: f64| (millimetres * 600.0 / 25.4).round();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "pixels of a card")]
        let at = (dots(4.7 + 2.54 * f64::from(column)) as u32, dots(40.6 + 4.6 * f64::from(row) - 3.4) as u32);
        image::imageops::crop_imm(picture, at.0, at.1, 60, 100).to_image()
    };
    let apart = |one: &GrayImage, other: &GrayImage| -> u64 {
        one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum()
    };
    let looks: Vec<(char, GrayImage)> = all
        .chars()
        .map(|letter| {
            let line = letter.to_string().repeat(30);
            let png = card([line.clone(), line.clone(), line]).png(Resolution::Dpi600).unwrap();
            (letter, cell(&grey(&png), 1, 11))
        })
        .collect();
    let lines = back().mrz;
    let picture = grey(&card(lines.clone()).png(Resolution::Dpi600).unwrap());
    for (row, line) in (0..).zip(&lines) {
        let read: String = (0..30)
            .map(|column| {
                let seen = cell(&picture, row, column);
                looks.iter().min_by_key(|(_, look)| apart(look, &seen)).unwrap().0
            })
            .collect();
        assert_eq!(&read, line);
    }
    // No two characters look alike, or the comparison would say nothing.
    for (n, (one, look)) in looks.iter().enumerate() {
        for (other, next) in &looks[n + 1..] {
            assert!(apart(look, next) > 30_000, "{one} and {other}");
        }
    }
}

#[test]
fn another_program_reads_the_zone() {
    let folder = tempfile::tempdir().unwrap();
    for look in [SHOWN, PRINTED] {
        let png = Face::back(&back(), look).unwrap().png(Resolution::Dpi600).unwrap();
        let Some(read) = read_by_tesseract(&zone(&png), folder.path()) else { return };
        let [first, second, third] = back().mrz;
        // A reader of prose, not of this alphabet: it takes a letter for a digit now and then, and loses count of
        // fifteen fillers in a row. That each character is itself is tried glyph by glyph, above.
        assert!(read.len() >= 3, "{look:?}: {read:?}");
        for (line, wanted) in read.iter().zip([&first[..], &second, third[..16].trim_end_matches('<')]) {
            let same = line.chars().zip(wanted.chars()).filter(|(one, other)| one == other).count();
            assert!(same + 3 >= wanted.len(), "{look:?}: {line} for {wanted}");
        }
    }
}

#[test]
fn a_picture_has_the_size_of_a_card_and_says_so() {
    for (resolution, (width, height), dots) in
        [(Resolution::Dpi300, (1011, 638), 11_811_u32), (Resolution::Dpi600, (2022, 1275), 23_622)]
    {
        let png = Face::front(&front(), PRINTED).unwrap().png(resolution).unwrap();
        let picture = image::load_from_memory(&png).unwrap();
        assert_eq!((picture.width(), picture.height()), (width, height));
        assert!(!picture.color().has_alpha(), "a printer gets every dot");
        let chunk = png.windows(4).position(|name| name == b"pHYs").unwrap() + 4;
        assert_eq!(png[chunk..chunk + 9], [&dots.to_be_bytes()[..], &dots.to_be_bytes(), &[1]].concat());
        let shown = Face::front(&front(), SHOWN).unwrap().png(resolution).unwrap();
        assert_eq!(image::load_from_memory(&shown).unwrap().into_rgba8().get_pixel(0, 0).0[3], 0, "round corners");
    }
}

#[test]
fn a_specimen_says_so_and_has_a_seal_and_a_card_for_use_has_neither() {
    for (look, marks) in [(SHOWN, true), (PRINTED, false)] {
        let (front, back) = (Face::front(&front(), look).unwrap(), Face::back(&back(), look).unwrap());
        for svg in [front.svg(), back.svg()] {
            assert_eq!(svg.contains(">MẪU<") && svg.contains("S P E C I M E N"), marks);
        }
        // The ink of the signature.
        assert_eq!(back.svg().contains("#1F3A8A"), marks);
    }
}

/// The mean difference of two pictures of one size, in values of a pixel, and how many pixels
/// of a thousand differ much.
fn difference(one: &RgbImage, other: &RgbImage) -> (f64, f64) {
    assert_eq!(one.dimensions(), other.dimensions());
    let sum: u64 = one.iter().zip(other.iter()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    let far = one.pixels().zip(other.pixels()).filter(|(a, b)| a.0.iter().zip(b.0).any(|(a, b)| a.abs_diff(b) > 64));
    let pixels = f64::from(one.width()) * f64::from(one.height());
    #[expect(clippy::cast_precision_loss, reason = "some million pixels")]
    let (sum, far) = (sum as f64, far.count() as f64);
    (sum / pixels / 3.0, far * 1000.0 / pixels)
}

/// A picture on white paper.
fn on_white(picture: &RgbaImage) -> RgbImage {
    RgbImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue, alpha] = picture.get_pixel(x, y).0;
        image::Rgb([red, green, blue].map(|value| {
            let mixed = (u32::from(value) * u32::from(alpha) + 255 * (255 - u32::from(alpha))) / 255;
            u8::try_from(mixed).unwrap()
        }))
    })
}

#[test]
fn the_pictures_of_the_documentation_are_what_is_drawn() {
    let faces = [Face::front(&front(), SHOWN).unwrap(), Face::back(&back(), SHOWN).unwrap()];
    for (face, name) in faces.iter().zip(["docs/card-front.png", "docs/card-back.png"]) {
        let drawn = face.png(Resolution::Dpi300).unwrap();
        if std::env::var_os("UPDATE_PICTURES").is_some() {
            let best = PngEncoder::new_with_quality(fs::File::create(file(name)).unwrap(), Best, Adaptive);
            image::load_from_memory(&drawn).unwrap().write_with_encoder(best).unwrap();
        }
        let kept = image::open(file(name)).unwrap().into_rgba8();
        let drawn = image::load_from_memory(&drawn).unwrap().into_rgba8();
        let (mean, far) = difference(&on_white(&kept), &on_white(&drawn));
        assert!(mean < 0.5 && far < 1.0, "{name}: {mean} in the mean, {far} of a thousand pixels: UPDATE_PICTURES=1");
    }
}

#[test]
fn the_pdf_is_two_pages_of_the_size_of_a_card_that_look_like_the_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let look = Look { for_: Use::Print, specimen: true };
    let faces = [Face::front(&front(), look).unwrap(), Face::back(&back(), look).unwrap()];
    let written = pdf(&faces).unwrap();
    let path = folder.path().join("card.pdf");
    fs::File::create(&path).unwrap().write_all(&written).unwrap();
    // 85.60 x 53.98 mm in points.
    let size = b"/MediaBox [0 0 242.64";
    assert_eq!(written.windows(size.len()).filter(|part| part == size).count(), 2);
    let mut command = Command::new("pdftoppm");
    command.args(["-png", "-scale-to-x", "1011", "-scale-to-y", "638"]).arg(&path).arg(folder.path().join("page"));
    let Ok(said) = command.output() else {
        println!("SKIPPED faces: pdftoppm is not installed (poppler-utils)");
        return;
    };
    assert!(said.status.success() && said.stderr.is_empty(), "{}", String::from_utf8_lossy(&said.stderr));
    for (n, face) in faces.iter().enumerate() {
        let page = image::open(folder.path().join(format!("page-{}.png", n + 1))).unwrap().into_rgb8();
        let picture = image::load_from_memory(&face.png(Resolution::Dpi300).unwrap()).unwrap().into_rgb8();
        let (mean, far) = difference(&page, &picture);
        assert!(mean < 3.0 && far < 25.0, "page {n}: {mean} in the mean, {far} of a thousand pixels");
        if n == 0 {
            assert_eq!(codes(&image::imageops::grayscale(&page)), [front().qr]);
        }
    }
}
