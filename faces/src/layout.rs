//! Texts on a face: each in the largest size at which it fits in its place, on as many lines as it needs.

use std::fmt::{self, Display};

use unicode_normalization::UnicodeNormalization as _;

use crate::font::{ASCENT, DESCENT, Font, LEADING};
use crate::svg::Svg;
use crate::{FaceError, Field};

/// Ink of what is personal.
pub const INK: &str = "#1D1B18";
/// Ink of labels.
pub const SOFT: &str = "#3A362F";
/// Ink of what is the State's.
pub const LACQUER: &str = "#961A11";

/// A length in millimetres, as an SVG has it.
#[derive(Clone, Copy)]
pub struct Mm(pub f32);

impl Display for Mm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

/// On which side of its point a text stands.
#[derive(Clone, Copy, Eq, PartialEq)]
pub enum Side {
    /// The text begins there.
    Start,
    /// The text has its middle there.
    Middle,
    /// The text ends there.
    End,
}

/// How a text is set.
#[derive(Clone, Copy)]
pub struct Set {
    pub font: Font,
    pub size: f32,
    pub ink: &'static str,
    pub side: Side,
}

/// Where the first line of a text stands.
#[derive(Clone, Copy)]
pub enum Begins {
    /// Its letters reach up to here at most.
    Top(f32),
    /// It stands on this line, beside its label, from this place on.
    Beside { line: f32, x: f32 },
}

/// The place of a value.
#[derive(Clone, Copy)]
pub struct Place {
    pub left: f32,
    pub right: f32,
    pub begins: Begins,
    /// No letter reaches below it.
    pub bottom: f32,
    /// The size of a text that has room enough.
    pub most: f32,
    pub ink: &'static str,
    pub side: Side,
}

impl Place {
    /// Returns how far below the first line this one is.
    fn down(&self, n: usize, size: f32) -> f32 {
        #[expect(clippy::cast_precision_loss, reason = "a few lines")]
        let lines = n as f32 * LEADING * size;
        match self.begins {
            // The label beside the first line reaches further down than small letters do.
            Begins::Beside { .. } if n > 0 => lines + (LABEL_DESCENT - DESCENT * size).max(0.0),
            _ => lines,
        }
    }
}

/// Writes one line. Nothing is measured.
pub fn line(svg: &mut Svg, id: &dyn Display, text: &str, x: f32, y: f32, set: Set) {
    let (family, weight, style) = set.font.named();
    let anchor = match set.side {
        Side::Start => "start",
        Side::Middle => "middle",
        Side::End => "end",
    };
    svg.text(
        "text",
        &[
            ("id", id),
            ("x", &Mm(x)),
            ("y", &Mm(y)),
            ("font-family", &family),
            ("font-weight", &weight),
            ("font-style", &style),
            ("font-size", &Mm(set.size)),
            ("text-anchor", &anchor),
            ("fill", &set.ink),
            // So that a text is as wide as it was measured.
            ("style", &"font-kerning:none"),
        ],
        text,
    );
}

/// Writes a label in both languages. Returns where it ends.
pub fn label(svg: &mut Svg, field: Field, [vietnamese, english]: [&str; 2], x: f32, y: f32, size: f32) -> f32 {
    let width = |font: Font, text: &str, size: f32| font.width(text).unwrap_or_default() * size;
    let english = format!(" / {english}:");
    let (small, middle) = (size * 0.92, x + width(Font::Regular, vietnamese, size));
    let set = |font, size| Set { font, size, ink: SOFT, side: Side::Start };
    line(svg, &format_args!("label-{field}"), vietnamese, x, y, set(Font::Regular, size));
    // A space at the beginning of a text is dropped by the renderer.
    let space = width(Font::Italic, " ", small);
    line(svg, &format_args!("label-{field}-en"), english.trim_start(), middle + space, y, set(Font::Italic, small));
    middle + width(Font::Italic, &english, small)
}

/// Writes a value in the largest size at which all of it fits; a word is broken only if nothing else helps.
///
/// # Errors
/// [`FaceError::Letter`], [`FaceError::TooLong`]
pub fn value(svg: &mut Svg, field: Field, text: &str, place: Place) -> Result<(), FaceError> {
    let letters = measured(field, text)?;
    for broken in [false, true] {
        let mut size = place.most;
        while size >= LEAST {
            if let Some(lines) = lines(&letters, place, size, broken) {
                write(svg, field, &lines, place, size);
                return Ok(());
            }
            size -= STEP;
        }
    }
    Err(FaceError::TooLong(field))
}

/// Returns a text as it is printed: composed letters, one space between words.
pub fn printed(text: &str) -> String {
    let composed: String = text.nfc().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    composed.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A letter with its width at size 1.
type Letter = (char, f32);

fn measured(field: Field, text: &str) -> Result<Vec<Letter>, FaceError> {
    let mut utf8 = [0; 4];
    let of = |letter: char| Font::Bold.width(letter.encode_utf8(&mut utf8)).map(|width| (letter, width));
    printed(text).chars().map(of).collect::<Option<_>>().ok_or(FaceError::Letter(field))
}

/// Returns the lines of a text at this size, or none if they are more than there is room for.
fn lines(letters: &[Letter], place: Place, size: f32, broken: bool) -> Option<Vec<String>> {
    let first = match place.begins {
        Begins::Top(top) => top + ASCENT * size,
        Begins::Beside { line, .. } => line,
    };
    let room = |n: usize| match (n, place.begins) {
        (0, Begins::Beside { x, .. }) => (place.right - x) / size,
        _ => (place.right - place.left) / size,
    };
    let mut lines = vec![String::new()];
    let mut filled = 0.0;
    for word in letters.split(|(letter, _)| *letter == ' ') {
        let long: f32 = word.iter().map(|(_, width)| width).sum();
        let space = if filled > 0.0 { SPACE } else { 0.0 };
        if filled + space + long > room(lines.len() - 1) {
            // An empty first line beside the label is left for the second one, which is longer.
            if filled > 0.0 || lines.len() == 1 && long > room(0) && long <= room(1) {
                lines.push(String::new());
                filled = 0.0;
            }
            if long > room(lines.len() - 1) && !broken {
                return None;
            }
        } else if filled > 0.0 {
            lines.last_mut()?.push(' ');
            filled += SPACE;
        }
        for (letter, width) in word {
            if filled + width > room(lines.len() - 1) + ROUNDING {
                lines.push(String::new());
                filled = 0.0;
            }
            lines.last_mut()?.push(*letter);
            filled += width;
        }
    }
    let last = first + place.down(lines.len() - 1, size) + DESCENT * size;
    (last <= place.bottom).then_some(lines)
}

fn write(svg: &mut Svg, field: Field, lines: &[String], place: Place, size: f32) {
    let set = Set { font: Font::Bold, size, ink: place.ink, side: place.side };
    for (n, text) in lines.iter().enumerate().filter(|(_, text)| !text.is_empty()) {
        let (y, left) = match place.begins {
            Begins::Top(top) => (top + ASCENT * size, place.left),
            Begins::Beside { line, x } => (line, if n == 0 { x } else { place.left }),
        };
        let x = match place.side {
            Side::Start => left,
            Side::Middle => f32::midpoint(left, place.right),
            Side::End => place.right,
        };
        let y = y + place.down(n, size);
        line(svg, &format_args!("{field}-{n}"), text, x, y, set);
    }
}

/// A space of the bold font at size 1; a test compares.
const SPACE: f32 = 0.23;
/// How far labels reach below their line, millimetres.
const LABEL_DESCENT: f32 = 0.45;
/// No text is set smaller than this, millimetres: two points.
const LEAST: f32 = 0.7;
const STEP: f32 = 0.05;
/// What sums of widths differ by, added in another order.
const ROUNDING: f32 = 0.001;

#[cfg(test)]
mod tests {
    use super::*;

    const PLACE: Place = Place {
        left: 0.0,
        right: 40.0,
        begins: Begins::Beside { line: 2.0, x: 30.0 },
        bottom: 9.0,
        most: 2.0,
        ink: INK,
        side: Side::Start,
    };

    fn set(text: &str, size: f32, broken: bool) -> Option<Vec<String>> {
        lines(&measured(Field::Name, text).unwrap(), PLACE, size, broken)
    }

    #[test]
    fn a_space_is_as_wide_as_it_is_taken_for() {
        assert!((Font::Bold.width(" ").unwrap() - SPACE).abs() < 0.001, "{:?}", Font::Bold.width(" "));
    }

    #[test]
    fn a_text_is_broken_between_words_and_loses_none() {
        let text = "Số 1 Phố Mẫu, Phường Phúc Xá, Quận Ba Đình, Thành phố Hà Nội";
        let lines = set(text, 2.0, false).unwrap();
        assert_eq!(lines.join(" "), text);
        for (n, line) in lines.iter().enumerate() {
            assert!(Font::Bold.width(line).unwrap() * 2.0 <= if n == 0 { 10.0 } else { 40.0 }, "{lines:?}");
        }
    }

    #[test]
    fn a_word_that_is_longer_than_what_is_left_beside_the_label_begins_below_it() {
        assert_eq!(set("Nguyễnnnnnnnn Văn", 2.0, false).unwrap(), ["", "Nguyễnnnnnnnn Văn"]);
    }

    #[test]
    fn a_word_that_is_longer_than_a_line_is_broken_only_if_it_must_be() {
        let word = "m".repeat(40);
        assert_eq!(set(&word, 2.0, false), None);
        let lines = set(&word, 2.0, true).unwrap();
        assert_eq!(lines.concat(), word);
        assert!(lines.iter().all(|line| Font::Bold.width(line).unwrap() * 2.0 <= 40.0), "{lines:?}");
    }

    #[test]
    fn letters_are_composed_and_what_has_no_glyph_is_refused() {
        assert_eq!(printed("Nguye\u{302}\u{303}n\t Thi\u{323}\u{a0}Mẫu "), "Nguyễn Thị Mẫu");
        for bad in ["漢", "a\u{202e}b", "\u{200b}"] {
            assert_eq!(measured(Field::Origin, bad).unwrap_err(), FaceError::Letter(Field::Origin), "{bad:?}");
        }
    }
}
