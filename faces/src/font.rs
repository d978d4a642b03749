//! The fonts of a card, and how wide their letters are.

use std::sync::{Arc, LazyLock};

use resvg::usvg::{FontFamily, FontResolver, FontStyle, fontdb};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

/// A font of a card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Font {
    /// Be Vietnam Pro: labels in Vietnamese.
    Regular,
    /// Be Vietnam Pro Italic: labels in English.
    Italic,
    /// Be Vietnam Pro SemiBold: what is personal.
    Bold,
    /// OCR-B: the machine-readable zone (ISO 1073-2).
    OcrB,
}

impl Font {
    /// Returns the width of a text at size 1; none if a letter of it is not in the font.
    pub fn width(self, text: &str) -> Option<f32> {
        let font = &PARSED[self.index()];
        let (map, metrics) = (font.charmap(), font.glyph_metrics(Size::unscaled(), LocationRef::default()));
        let unit = f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
        text.chars().try_fold(0.0, |sum, letter| Some(sum + metrics.advance_width(map.map(letter)?)? / unit))
    }

    /// Family, weight and style, as the SVG has them.
    pub const fn named(self) -> (&'static str, u16, &'static str) {
        match self {
            Self::Regular => ("Be Vietnam Pro", 400, "normal"),
            Self::Italic => ("Be Vietnam Pro", 400, "italic"),
            Self::Bold => ("Be Vietnam Pro", 600, "normal"),
            Self::OcrB => (OCR_B, 400, "normal"),
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::Regular => 0,
            Self::Italic => 1,
            Self::Bold => 2,
            Self::OcrB => 3,
        }
    }
}

/// How far letters of Be Vietnam Pro reach above their line, at size 1: Ẳ.
pub const ASCENT: f32 = 1.22;
/// And below it: Ệ.
pub const DESCENT: f32 = 0.24;
/// From line to line, so that no mark of one touches a mark of the next.
pub const LEADING: f32 = ASCENT + DESCENT;

/// Returns the fonts for the renderer, and no other: what the machine has installed changes no card.
pub fn database() -> Arc<fontdb::Database> {
    DATABASE.0.clone()
}

/// Returns how the renderer finds a font: by what [`Font::named`] says. There is no fallback.
pub fn resolver() -> FontResolver<'static> {
    FontResolver {
        select_font: Box::new(|font, _| {
            let zone = matches!(font.families().first(), Some(FontFamily::Named(name)) if name == OCR_B);
            let of = match (zone, font.style(), font.weight()) {
                (true, ..) => Font::OcrB,
                (_, FontStyle::Italic, _) => Font::Italic,
                (_, _, 600) => Font::Bold,
                _ => Font::Regular,
            };
            DATABASE.1.get(of.index()).copied()
        }),
        select_fallback: Box::new(|_, _, _| None),
    }
}

const OCR_B: &str = "OCR B";

/// Where they come from and under which licences: `fonts/README.md`.
const FILES: [&[u8]; 4] = [
    include_bytes!("../fonts/BeVietnamPro-Regular.ttf"),
    include_bytes!("../fonts/BeVietnamPro-Italic.ttf"),
    include_bytes!("../fonts/BeVietnamPro-SemiBold.ttf"),
    include_bytes!("../fonts/OCRB.otf"),
];

static PARSED: LazyLock<[FontRef<'static>; 4]> =
    LazyLock::new(|| FILES.map(|file| FontRef::new(file).expect("the fonts of this crate are fonts")));

static DATABASE: LazyLock<(Arc<fontdb::Database>, Vec<fontdb::ID>)> = LazyLock::new(|| {
    let mut database = fontdb::Database::new();
    let ids = FILES.iter().flat_map(|file| database.load_font_source(fontdb::Source::Binary(Arc::new(*file))));
    let ids = ids.collect();
    (Arc::new(database), ids)
});

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    const LETTERS: &str =
        "aăâbcdđeêghiklmnoôơpqrstuưvxy0123456789.,;:()-/'fjwzằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữựỳýỷỹỵ";

    #[test]
    fn every_letter_of_vietnamese_is_in_the_fonts_of_labels_and_values() {
        for font in [Font::Regular, Font::Italic, Font::Bold] {
            for letter in LETTERS.chars().chain(LETTERS.to_uppercase().chars()) {
                assert!(font.width(&letter.to_string()).is_some_and(|width| width > 0.1), "{letter} of {font:?}");
            }
            assert_eq!(font.width("漢"), None);
        }
    }

    #[test]
    fn no_letter_reaches_further_than_lines_are_apart() {
        for font in [Font::Regular, Font::Italic, Font::Bold] {
            let parsed = &PARSED[font.index()];
            let metrics = parsed.glyph_metrics(Size::unscaled(), LocationRef::default());
            for letter in LETTERS.chars().chain(LETTERS.to_uppercase().chars()) {
                let glyph = parsed.charmap().map(letter).unwrap();
                let bounds = metrics.bounds(glyph).unwrap();
                assert!(
                    bounds.y_max / 1000.0 <= ASCENT && bounds.y_min / 1000.0 >= -DESCENT - 0.001,
                    "{letter} {font:?}"
                );
            }
        }
    }

    #[test]
    fn the_thirty_seven_characters_of_the_zone_have_one_width() {
        let all = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789<";
        let one = Font::OcrB.width("<").unwrap();
        for character in all.chars() {
            assert!((Font::OcrB.width(&character.to_string()).unwrap() - one).abs() < 1e-6, "{character}");
        }
    }

    #[test]
    fn the_fonts_are_those_whose_provenance_is_written_down() {
        let sums = include_str!("../fonts/SHA256SUMS");
        for (file, name) in FILES.iter().zip([
            "BeVietnamPro-Regular.ttf",
            "BeVietnamPro-Italic.ttf",
            "BeVietnamPro-SemiBold.ttf",
            "OCRB.otf",
        ]) {
            let line = format!("{}  {name}", hex::encode(Sha256::digest(file)));
            assert!(sums.lines().any(|known| known == line), "{name}");
        }
    }
}
