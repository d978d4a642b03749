//! The square code (ISO/IEC 18004).

use std::fmt::Write as _;

use qrcode::bits::Bits;
use qrcode::{Color, EcLevel, QrCode, Version};

use crate::FaceError;
use crate::layout::{INK, Mm};
use crate::svg::Svg;

/// Draws the code of a text in a white square, whose margin of four modules belongs to the code.
pub fn draw(svg: &mut Svg, text: &str, (x, y): (f32, f32), side: f32) -> Result<(), FaceError> {
    let code = code(text.as_bytes())?;
    let width = code.width();
    let mut path = String::new();
    for (row, colors) in code.to_colors().chunks(width).enumerate() {
        let mut at = 0;
        // One stroke for the dark modules that stand side by side.
        for run in colors.chunk_by(|one, next| one == next) {
            if run[0] == Color::Dark {
                write!(path, "M{at} {row}h{}v1h-{}z", run.len(), run.len()).expect("a text takes it");
            }
            at += run.len();
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "at most 177 modules")]
    let module = side / (width + 2 * MARGIN) as f32;
    #[expect(clippy::cast_precision_loss, reason = "four")]
    let margin = MARGIN as f32 * module;
    svg.empty("rect", &[("x", &Mm(x)), ("y", &Mm(y)), ("width", &Mm(side)), ("height", &Mm(side)), ("fill", &"#FFF")]);
    let place = format!("translate({:.4} {:.4}) scale({module:.6})", x + margin, y + margin);
    svg.empty("path", &[("id", &"qr"), ("transform", &place), ("d", &path), ("fill", &INK)]);
    Ok(())
}

/// Makes the code in one part of bytes: a reader that takes them for UTF-8 gets each letter back. Of the levels that
/// repair 15 or 7 % the first, as long as the modules are large enough.
fn code(text: &[u8]) -> Result<QrCode, FaceError> {
    let at = |level, versions: std::ops::RangeInclusive<i16>| {
        versions.into_iter().find_map(|version| {
            let mut bits = Bits::new(Version::Normal(version));
            bits.push_byte_data(text).ok()?;
            bits.push_terminator(level).ok()?;
            QrCode::with_bits(bits, level).ok()
        })
    };
    at(EcLevel::M, 1..=11).or_else(|| at(EcLevel::L, 8..=40)).ok_or(FaceError::Code)
}

/// The margin, in modules.
const MARGIN: usize = 4;
