//! The back: features, day of issue, the office that issues, the prints of two fingers, and the machine-readable zone,
//! in the order of Circular 06/2021/TT-BCA.

use crate::font::Font;
use crate::layout::{Begins, INK, Place, SOFT, Set, Side, label, line, value};
use crate::svg::Svg;
use crate::{Back, FaceError, Field, HEIGHT, Look, Use, WIDTH, ornament};

/// Lays out the back.
pub fn laid_out(back: &Back, look: Look) -> Result<String, FaceError> {
    let mut svg = ornament::begin("Mặt sau thẻ căn cước công dân", ["#F3E9E2", "#F8F3E4", "#E8F0EC"], look);
    // The lines of the ground are fainter where a machine reads.
    let zone: crate::svg::Attributes<'_> =
        &[("y", &35.4), ("width", &WIDTH), ("height", &(HEIGHT - 35.4)), ("fill", &"#FFF"), ("fill-opacity", &0.7)];
    svg.empty("rect", zone);
    label(&mut svg, Field::Features, ["Đặc điểm nhân dạng", "Personal identification"], LEFT, 5.2, 1.75);
    if let Some(text) = &back.features {
        value(&mut svg, Field::Features, text, place(Begins::Top(5.75), 9.95, 2.05))?;
    }
    let issued = label(&mut svg, Field::Issued, ["Ngày, tháng, năm", "Date, month, year"], LEFT, 11.9, 1.75);
    if let Some(text) = &back.issued {
        let begins = Begins::Beside { line: 11.95, x: issued + 1.0 };
        value(&mut svg, Field::Issued, text, place(begins, 12.6, 2.2))?;
    }
    if look.for_ == Use::Show {
        chip(&mut svg);
    }
    office(&mut svg);
    if look.specimen {
        seal_and_signature(&mut svg);
    }
    if let Some(text) = &back.signer {
        let of = Place { left: 36.4, right: 58.6, side: Side::Middle, ..place(Begins::Top(29.2), 33.9, 1.85) };
        value(&mut svg, Field::Signer, text, of)?;
    }
    for (n, (x, labels)) in FINGERS.into_iter().enumerate() {
        finger(&mut svg, n, x, labels, look.specimen);
    }
    zone_lines(&mut svg, &back.mrz)?;
    Ok(ornament::end(svg, look, (69.5, 30.6), 0.52))
}

const LEFT: f32 = 4.0;
const RIGHT: f32 = 58.6;

fn place(begins: Begins, bottom: f32, most: f32) -> Place {
    Place { left: LEFT, right: RIGHT, begins, bottom, most, ink: INK, side: Side::Start }
}

/// Who issues, as the circular has it.
fn office(svg: &mut Svg) {
    let lines = [
        ("CỤC TRƯỞNG CỤC CẢNH SÁT", 15.4, 1.42, Font::Bold, INK),
        ("QUẢN LÝ HÀNH CHÍNH VỀ TRẬT TỰ XÃ HỘI", 17.5, 1.42, Font::Bold, INK),
        ("DIRECTOR GENERAL OF THE POLICE DEPARTMENT FOR", 19.4, 1.12, Font::Italic, SOFT),
        ("ADMINISTRATIVE MANAGEMENT OF SOCIAL ORDER", 20.9, 1.12, Font::Italic, SOFT),
    ];
    for (n, (text, y, size, font, ink)) in lines.into_iter().enumerate() {
        line(svg, &format_args!("office-{n}"), text, 41.0, y, Set { font, size, ink, side: Side::Middle });
    }
}

/// The contacts, which the body of a real card has.
fn chip(svg: &mut Svg) {
    svg.open("g", &[("transform", &"translate(8.6 16.2)")]);
    let body: crate::svg::Attributes<'_> = &[
        ("width", &13.2),
        ("height", &12),
        ("rx", &1.6),
        ("fill", &"#DDB65A"),
        ("stroke", &"#8A6416"),
        ("stroke-width", &0.2),
    ];
    svg.empty("rect", body);
    let lines =
        "M0 3h4.2v6H0M0 6h4.2M13.2 3H9v6h4.2M13.2 6H9M4.2 3l1.4-3M9 3 7.6 0M4.2 9l1.4 3M9 9l-1.4 3M4.2 3H9M4.2 9H9";
    svg.empty("path", &[("d", &lines), ("fill", &"none"), ("stroke", &"#8A6416"), ("stroke-width", &0.22)]);
    svg.close("g");
}

/// A seal and a signature that are drawn, for specimens.
fn seal_and_signature(svg: &mut Svg) {
    for (radius, width) in [(4.4, 0.5), (3.75, 0.18)] {
        svg.empty(
            "circle",
            &[
                ("cx", &31.4),
                ("cy", &27.0),
                ("r", &radius),
                ("fill", &"none"),
                ("stroke", &"#961A11"),
                ("stroke-width", &width),
                ("stroke-opacity", &0.75),
            ],
        );
    }
    ornament::emblem(svg, 28.1, 23.7, 6.6, "#961A11", 0.75);
    let pen = "M37 27.4c2-3.8 3-4.4 3-2s-2.4 4-.6 2.6 2.6-3.6 3.2-2.2-1 2.6.8 1.6 2-2.4 2.8-1 .2 1.6 3.4.2";
    svg.empty(
        "path",
        &[("d", &pen), ("fill", &"none"), ("stroke", &"#1F3A8A"), ("stroke-width", &0.3), ("stroke-linecap", &"round")],
    );
}

/// The two fingers, each with the place of its box.
const FINGERS: [(f32, [&str; 2]); 2] =
    [(60.2, ["Ngón trỏ trái", "Left index finger"]), (72.0, ["Ngón trỏ phải", "Right index finger"])];

/// The box of a finger; on a specimen with lines that are no print.
fn finger(svg: &mut Svg, n: usize, x: f32, [vietnamese, english]: [&str; 2], specimen: bool) {
    svg.empty(
        "rect",
        &[
            ("id", &format_args!("finger-{n}")),
            ("x", &x),
            ("y", &4.4),
            ("width", &10.4),
            ("height", &14.2),
            ("fill", &"#FFF"),
            ("fill-opacity", &0.7),
            ("stroke", &"#8C8577"),
            ("stroke-width", &0.15),
        ],
    );
    if specimen {
        for ring in 0_u8..7 {
            let (r, h) = (0.6 + 0.58 * f32::from(ring), 1.0 + 0.72 * f32::from(ring));
            let arch =
                format!("M{:.2} {:.2}a{r:.2} {h:.2} 0 0 1 {:.2} 0", x + 5.2 - r, 13.4 + 0.3 * f32::from(ring), 2.0 * r);
            svg.empty("path", &[("d", &arch), ("fill", &"none"), ("stroke", &"#B9B1A2"), ("stroke-width", &0.22)]);
        }
    }
    let set = |font, size, ink| Set { font, size, ink, side: Side::Middle };
    line(svg, &format_args!("finger-{n}-vi"), vietnamese, x + 5.2, 20.9, set(Font::Regular, 1.5, INK));
    line(svg, &format_args!("finger-{n}-en"), english, x + 5.2, 22.8, set(Font::Italic, 1.28, SOFT));
}

/// OCR-B of size 1, ten characters an inch (Doc 9303-3, 8th ed.).
fn zone_lines(svg: &mut Svg, lines: &[String; 3]) -> Result<(), FaceError> {
    let character = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'<';
    if !lines.iter().all(|line| line.len() == 30 && line.bytes().all(character)) {
        return Err(FaceError::Zone);
    }
    let size = 2.54 / Font::OcrB.width("<").ok_or(FaceError::Letter(Field::Mrz))?;
    let set = Set { font: Font::OcrB, size, ink: INK, side: Side::Start };
    for (n, (text, y)) in lines.iter().zip([40.6, 45.2, 49.8]).enumerate() {
        line(svg, &format_args!("mrz-{n}"), text, 4.7, y, set);
    }
    Ok(())
}
