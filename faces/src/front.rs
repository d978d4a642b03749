//! The front: emblem, portrait, expiry on the left; heading, chip's symbol, code, number and what is personal on the
//! right, in the order of Circular 06/2021/TT-BCA.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::font::Font;
use crate::layout::{Begins, INK, LACQUER, Mm, Place, SOFT, Set, Side, label, line, value};
use crate::svg::Svg;
use crate::{FaceError, Field, Front, Look, code, ornament, portrait};

/// Lays out the front.
pub fn laid_out(front: &Front, look: Look) -> Result<String, FaceError> {
    let mut svg = ornament::begin("Mặt trước thẻ căn cước công dân", ["#EAF1EE", "#F8F3E4", "#F3E6E0"], look);
    ornament::emblem(&mut svg, 7.4, 3.2, 12.0, "#7E1519", 1.0);
    heading(&mut svg);
    code::draw(&mut svg, &front.qr, (67.8, 3.0), 14.8)?;
    chip_symbol(&mut svg);
    picture(&mut svg, &portrait::jpeg(&front.portrait)?);
    expiry(&mut svg, front.expiry.as_deref())?;

    let number = label(&mut svg, Field::Number, ["Số", "No."], 33.0, 24.9, 2.0);
    beside(&mut svg, Field::Number, front.number.as_deref(), (number + 0.8, RIGHT, 25.2), 3.9, LACQUER)?;
    label(&mut svg, Field::Name, ["Họ và tên", "Full name"], LEFT, 28.2, 1.85);
    let name = front.name.as_deref().map(str::to_uppercase);
    below(&mut svg, Field::Name, name.as_deref(), (28.65, 32.9), 2.75)?;
    let birth = label(&mut svg, Field::Birth, ["Ngày sinh", "Date of birth"], LEFT, 34.9, 1.85);
    beside(&mut svg, Field::Birth, front.birth.as_deref(), (birth + 1.0, RIGHT, 34.95), 2.4, INK)?;
    let sex = label(&mut svg, Field::Sex, ["Giới tính", "Sex"], LEFT, 37.65, 1.85);
    beside(&mut svg, Field::Sex, front.sex.as_deref(), (sex + 1.0, 46.8, 37.65), 2.3, INK)?;
    let nationality = label(&mut svg, Field::Nationality, ["Quốc tịch", "Nationality"], 47.4, 37.65, 1.85);
    beside(&mut svg, Field::Nationality, front.nationality.as_deref(), (nationality + 1.0, RIGHT, 37.65), 2.3, INK)?;
    label(&mut svg, Field::Origin, ["Quê quán", "Place of origin"], LEFT, 40.5, 1.85);
    below(&mut svg, Field::Origin, front.origin.as_deref(), (40.95, 44.15), 2.15)?;
    let residence = label(&mut svg, Field::Residence, ["Nơi thường trú", "Place of residence"], LEFT, 46.8, 1.85);
    if let Some(text) = &front.residence {
        let begins = Begins::Beside { line: 46.8, x: residence + 1.0 };
        value(&mut svg, Field::Residence, text, place(begins, RIGHT, 53.2, 2.15, INK))?;
    }
    Ok(ornament::end(svg, look, (57.0, 41.0), 1.0))
}

/// The column of what is personal, from here to there.
const LEFT: f32 = 25.4;
const RIGHT: f32 = 82.6;

fn place(begins: Begins, right: f32, bottom: f32, most: f32, ink: &'static str) -> Place {
    Place { left: LEFT, right, begins, bottom, most, ink, side: Side::Start }
}

/// Writes a value on the line of its label.
fn beside(
    svg: &mut Svg,
    field: Field,
    text: Option<&str>,
    (x, right, line): (f32, f32, f32),
    most: f32,
    ink: &'static str,
) -> Result<(), FaceError> {
    let Some(text) = text else { return Ok(()) };
    // One line: the next one would be below the bottom.
    let begins = Begins::Beside { line, x };
    value(svg, field, text, Place { left: x, ..place(begins, right, line + 0.25 * most, most, ink) })
}

/// Writes a value under its label.
fn below(
    svg: &mut Svg,
    field: Field,
    text: Option<&str>,
    (top, bottom): (f32, f32),
    most: f32,
) -> Result<(), FaceError> {
    let Some(text) = text else { return Ok(()) };
    value(svg, field, text, place(Begins::Top(top), RIGHT, bottom, most, INK))
}

fn heading(svg: &mut Svg) {
    let lines = [
        ("CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM", 5.5, 2.12, Font::Bold, INK),
        ("Độc lập - Tự do - Hạnh phúc", 8.3, 1.95, Font::Bold, INK),
        ("SOCIALIST REPUBLIC OF VIET NAM", 10.7, 1.65, Font::Regular, SOFT),
        ("Independence - Freedom - Happiness", 12.8, 1.65, Font::Regular, SOFT),
        ("CĂN CƯỚC CÔNG DÂN", 17.4, 3.75, Font::Bold, LACQUER),
        ("Citizen Identity Card", 20.3, 2.0, Font::Italic, LACQUER),
    ];
    for (n, (text, y, size, font, ink)) in lines.into_iter().enumerate() {
        let set = Set { font, size, ink, side: Side::Middle };
        line(svg, &format_args!("heading-{n}"), text, 45.2, y, set);
    }
}

/// The sign that there is a chip, after that of Doc 9303-9 (8th ed.).
fn chip_symbol(svg: &mut Svg) {
    svg.open(
        "g",
        &[("transform", &"translate(25.4 21.9)"), ("fill", &"none"), ("stroke", &INK), ("stroke-width", &0.45)],
    );
    svg.empty("rect", &[("width", &6), ("height", &3.7), ("rx", &0.4)]);
    svg.empty("path", &[("d", &"M0 1.85h1.75M4.25 1.85h1.75")]);
    svg.empty("circle", &[("cx", &3), ("cy", &1.85), ("r", &1.2)]);
    svg.close("g");
}

/// The portrait, 20 × 30 mm.
fn picture(svg: &mut Svg, jpeg: &[u8]) {
    let (x, y, width, height) = (3.4, 17.0, 20, 30);
    svg.empty(
        "image",
        &[
            ("id", &"portrait"),
            ("x", &x),
            ("y", &y),
            ("width", &width),
            ("height", &height),
            ("preserveAspectRatio", &"none"),
            ("href", &format_args!("data:image/jpeg;base64,{}", STANDARD.encode(jpeg))),
        ],
    );
    svg.empty(
        "rect",
        &[
            ("x", &x),
            ("y", &y),
            ("width", &width),
            ("height", &height),
            ("stroke", &"#8C8577"),
            ("fill", &"none"),
            ("stroke-width", &Mm(0.15)),
        ],
    );
}

fn expiry(svg: &mut Svg, text: Option<&str>) -> Result<(), FaceError> {
    let set = |font, size| Set { font, size, ink: SOFT, side: Side::Start };
    line(svg, &"label-expiry", "Có giá trị đến:", 3.4, 49.4, set(Font::Regular, 1.4));
    line(svg, &"label-expiry-en", "Date of expiry:", 3.4, 51.4, set(Font::Italic, 1.3));
    let Some(text) = text else { return Ok(()) };
    let place = Place {
        left: 13.9,
        right: 23.8,
        begins: Begins::Top(47.9),
        bottom: 52.2,
        most: 1.65,
        ink: INK,
        side: Side::End,
    };
    value(svg, Field::Expiry, text, place)
}
