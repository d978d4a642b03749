//! A notice as a letter: A4 in PDF (ISO 32000-1), drawn with a font that is embedded, so that it looks the same on
//! every printer, and with the letters behind the glyphs (ToUnicode), so that it can be searched and read aloud. Pure.

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};
use time::Date;

use super::model::Language;

/// What stands on a letter.
#[derive(Clone, Eq, PartialEq)]
pub struct Letter {
    /// What the citizen quotes.
    pub reference: String,
    /// The citizen's name.
    pub name: String,
    /// Where the citizen lives, in words.
    pub address: String,
    /// The day on which the notice was written.
    pub written_on: Date,
    /// What it says; the first line is the heading, the second one what it is about.
    pub body: String,
    /// Its language.
    pub language: Language,
}

/// Shows nothing: a letter is personal.
impl std::fmt::Debug for Letter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Letter(…)")
    }
}

/// Be Vietnam Pro, under the SIL Open Font License (issuance/data/fonts/OFL.txt).
const FONT: &[u8] = include_bytes!("../../data/fonts/BeVietnamPro-Regular.ttf");
const FONT_NAME: Name<'static> = Name(b"BeVietnamPro-Regular");

// In points: 72 to the inch.
const WIDTH: f32 = 595.28;
const HEIGHT: f32 = 841.89;
const LEFT: f32 = 70.9;
const RIGHT: f32 = WIDTH - 56.7;
const BOTTOM: f32 = 70.9;
/// Where the name stands, so that it shows in the window of an envelope.
const ADDRESS_TOP: f32 = HEIGHT - 150.0;
const ADDRESS_WIDTH: f32 = 240.0;
/// Where the text begins on the first page, and on others.
const TEXT_TOP: f32 = HEIGHT - 290.0;
const NEXT_TOP: f32 = HEIGHT - 85.0;

/// Draws a letter. The same letter is the same file.
#[must_use]
pub fn draw(letter: &Letter) -> Vec<u8> {
    let font = Font::new();
    let mut pages = vec![Page::default()];
    let (day, written_on) = (letter.written_on, |said: &str, day: Date| {
        format!("{said} {:02}/{:02}/{:04}", day.day(), u8::from(day.month()), day.year())
    });
    let head = match letter.language {
        Language::Vi => [format!("Số: {}", letter.reference), written_on("Ngày", day)],
        Language::En => [format!("Reference: {}", letter.reference), written_on("Date:", day)],
    };
    for (n, line) in head.iter().enumerate() {
        let x = RIGHT - font.width(line, SMALL);
        pages[0].put(line, SMALL, x, HEIGHT - 85.0 - 14.0 * small_number(n));
    }
    let mut y = ADDRESS_TOP;
    let to = match letter.language {
        Language::Vi => "Kính gửi Ông/Bà:",
        Language::En => "To:",
    };
    let mut block = vec![to.to_owned()];
    block.extend(font.wrapped(&letter.name, USUAL, ADDRESS_WIDTH));
    block.extend(font.wrapped(&letter.address, USUAL, ADDRESS_WIDTH));
    for line in &block {
        pages[0].put(line, USUAL, LEFT, y);
        y -= LEADING;
    }
    y = TEXT_TOP.min(y - 2.0 * LEADING);
    for (n, paragraph) in letter.body.lines().enumerate() {
        let (size, centred) = match n {
            0 => (HEADING, true),
            1 => (USUAL + 1.0, true),
            _ => (USUAL, false),
        };
        for line in font.wrapped(paragraph, size, RIGHT - LEFT) {
            if y < BOTTOM + LEADING {
                pages.push(Page::default());
                y = NEXT_TOP;
            }
            let x = if centred { (LEFT + RIGHT - font.width(&line, size)) / 2.0 } else { LEFT };
            let page = pages.last_mut().expect("there is a first page");
            page.put(&line, size, x, y);
            y -= if n == 0 { LEADING * 1.4 } else { LEADING };
        }
    }
    let count = pages.len();
    if count > 1 {
        for (n, page) in pages.iter_mut().enumerate() {
            page.put(&format!("{} / {count}", n + 1), SMALL, LEFT, BOTTOM - 20.0);
        }
    }
    written(&font, &pages, letter)
}

/// Sizes of letters, and from line to line.
const USUAL: f32 = 11.0;
const SMALL: f32 = 9.5;
const HEADING: f32 = 15.0;
const LEADING: f32 = 16.5;

/// What stands on a page: text, size, place of its beginning.
#[derive(Default)]
struct Page(Vec<(String, f32, f32, f32)>);

impl Page {
    fn put(&mut self, text: &str, size: f32, x: f32, y: f32) {
        if !text.is_empty() {
            self.0.push((text.to_owned(), size, x, y));
        }
    }
}

/// The font, measured in its own units.
struct Font {
    font: FontRef<'static>,
    unit: f32,
}

impl Font {
    fn new() -> Self {
        let font = FontRef::new(FONT).expect("the font of the program is one");
        let unit = f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
        Self { font, unit }
    }

    /// Returns glyph, what it shows, and its width in thousandths of the size; a letter that the font has not is a
    /// question mark.
    fn glyph(&self, letter: char) -> (u16, char, f32) {
        let (map, metrics) = (self.font.charmap(), self.font.glyph_metrics(Size::unscaled(), LocationRef::default()));
        let known = map.map(letter).map(|glyph| (glyph, letter));
        let (glyph, shown) = known.unwrap_or_else(|| (map.map('?').unwrap_or_default(), '?'));
        let width = metrics.advance_width(glyph).unwrap_or(0.0) * 1000.0 / self.unit;
        (u16::try_from(glyph.to_u32()).unwrap_or(0), shown, width)
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.glyph(letter).2).sum::<f32>() * size / 1000.0
    }

    /// Returns the lines into which a text is broken; a word that is longer than a line is broken too.
    fn wrapped(&self, text: &str, size: f32, width: f32) -> Vec<String> {
        let (mut lines, mut line) = (Vec::new(), String::new());
        for word in text.split(' ') {
            let with = if line.is_empty() { word.to_owned() } else { format!("{line} {word}") };
            if self.width(&with, size) <= width {
                line = with;
                continue;
            }
            if !line.is_empty() {
                lines.push(std::mem::take(&mut line));
            }
            for letter in word.chars() {
                line.push(letter);
                if self.width(&line, size) > width && line.chars().count() > 1 {
                    line.pop();
                    lines.push(std::mem::replace(&mut line, letter.to_string()));
                }
            }
        }
        lines.push(line);
        lines
    }
}

fn written(font: &Font, pages: &[Page], letter: &Letter) -> Vec<u8> {
    let mut next = 0;
    let mut id = || {
        next += 1;
        Ref::new(next)
    };
    let [catalog, tree, info, type0, cid, descriptor, file, unicode] = std::array::from_fn(|_| id());
    let ids: Vec<(Ref, Ref)> = pages.iter().map(|_| (id(), id())).collect();
    let mut pdf = Pdf::new();
    let language = letter.language.word();
    pdf.catalog(catalog).pages(tree).lang(TextStr(language));
    pdf.document_info(info).title(TextStr(&letter.reference));
    let count = i32::try_from(pages.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    let mut used: BTreeMap<u16, (char, f32)> = BTreeMap::new();
    for (page, (page_id, content_id)) in pages.iter().zip(&ids) {
        let mut sheet = pdf.page(*page_id);
        sheet.media_box(Rect::new(0.0, 0.0, WIDTH, HEIGHT)).parent(tree).contents(*content_id);
        sheet.resources().fonts().pair(Name(b"F"), type0);
        sheet.finish();
        let mut content = Content::new();
        for (text, size, x, y) in &page.0 {
            let mut glyphs = Vec::with_capacity(2 * text.len());
            for letter in text.chars() {
                let (glyph, shown, width) = font.glyph(letter);
                used.entry(glyph).or_insert((shown, width));
                glyphs.extend(glyph.to_be_bytes());
            }
            content.begin_text().set_font(Name(b"F"), *size).next_line(*x, *y).show(Str(&glyphs)).end_text();
        }
        pdf.stream(*content_id, &content.finish());
    }
    pdf.type0_font(type0)
        .base_font(FONT_NAME)
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(cid)
        .to_unicode(unicode);
    let mut cid_font = pdf.cid_font(cid);
    cid_font
        .subtype(CidFontType::Type2)
        .base_font(FONT_NAME)
        .system_info(SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 })
        .font_descriptor(descriptor)
        .default_width(0.0)
        .cid_to_gid_map_predefined(Name(b"Identity"));
    let mut widths = cid_font.widths();
    for (glyph, (_, width)) in &used {
        widths.consecutive(*glyph, [*width]);
    }
    widths.finish();
    cid_font.finish();
    let metrics = font.font.metrics(Size::unscaled(), LocationRef::default());
    let scaled = |value: f32| value * 1000.0 / font.unit;
    let bounds = metrics.bounds.map_or(Rect::new(0.0, -300.0, 1000.0, 1000.0), |box_| {
        Rect::new(scaled(box_.x_min), scaled(box_.y_min), scaled(box_.x_max), scaled(box_.y_max))
    });
    pdf.font_descriptor(descriptor)
        .name(FONT_NAME)
        .flags(FontFlags::SYMBOLIC)
        .bbox(bounds)
        .italic_angle(0.0)
        .ascent(scaled(metrics.ascent))
        .descent(scaled(metrics.descent))
        .cap_height(scaled(metrics.cap_height.unwrap_or(metrics.ascent)))
        .stem_v(80.0)
        .font_file2(file);
    let mut stream = pdf.stream(file, FONT);
    stream.pair(Name(b"Length1"), i32::try_from(FONT.len()).unwrap_or(i32::MAX));
    stream.finish();
    let system = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"UCS"), supplement: 0 };
    let mut cmap = UnicodeCmap::new(Name(b"Letters"), system);
    for (glyph, (shown, _)) in &used {
        cmap.pair(*glyph, *shown);
    }
    pdf.stream(unicode, &cmap.finish());
    pdf.finish()
}

#[expect(clippy::cast_precision_loss, reason = "a line of a head")]
fn small_number(n: usize) -> f32 {
    n as f32
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use time::macros::date;

    use super::*;

    fn letter(body: &str) -> Letter {
        Letter {
            reference: "TB-0123-4567-89AB-CDEF".into(),
            name: "Nguyễn Thị Mẫu".into(),
            address: "Số 1 Phố Mẫu, Phường Phúc Xá, Quận Ba Đình, Thành phố Hà Nội".into(),
            written_on: date!(2027 - 02 - 03),
            body: body.into(),
            language: Language::Vi,
        }
    }

    /// What another program reads in a letter, without its line ends; none where that program is not installed.
    fn read(pdf: &[u8]) -> Option<String> {
        let mut command = Command::new("pdftotext");
        command.args(["-layout", "-", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut program) = command.spawn() else {
            println!("SKIPPED notices::letter: pdftotext is not installed (poppler-utils)");
            return None;
        };
        program.stdin.take().unwrap().write_all(pdf).unwrap();
        let out = program.wait_with_output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Some(String::from_utf8(out.stdout).unwrap().split_whitespace().collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn every_letter_of_the_alphabet_has_a_glyph() {
        let font = Font::new();
        let none = font.glyph('?').0;
        let all = "aăâbcdđeêghiklmnoôơpqrstuưvxy0123456789.,;:()-/@+fjwzỳýỷỹỵằắẳẵặầấẩẫậèéẻẽẹềếểễệìíỉĩịòóỏõọồốổỗộờớởỡợùúủũụừứửữự";
        for letter in all.chars().chain(all.to_uppercase().chars()) {
            assert!(font.glyph(letter).0 != none && font.glyph(letter).2 > 0.0, "{letter}");
        }
    }

    #[test]
    fn another_program_reads_what_was_written() {
        let body = "THÔNG BÁO\nvề việc không cấp thẻ Căn cước công dân\n\nLý do: ẮẰẲẴẶ ấầẩẫậ ĐđƠơƯư ỗ ệ ỹ\n\
                    Ông/Bà có quyền khiếu nại đến hết ngày 01/03/2027.";
        let Some(text) = read(&draw(&letter(body))) else { return };
        for said in body.lines().filter(|line| !line.is_empty()).chain([
            "TB-0123-4567-89AB-CDEF",
            "Ngày 03/02/2027",
            "Nguyễn Thị Mẫu",
            "Quận Ba Đình",
        ]) {
            assert!(text.contains(said), "{said}: {text}");
        }
    }

    #[test]
    fn a_long_text_takes_another_page_and_loses_nothing() {
        let body: String = "THÔNG BÁO\nvề việc\n".to_owned()
            + &(0..120).map(|n| format!("Dòng {n} của thông báo này")).collect::<Vec<_>>().join("\n");
        let Some(text) = read(&draw(&letter(&body))) else { return };
        assert!((0..120).all(|n| text.contains(&format!("Dòng {n} của thông báo này"))), "{text}");
        assert!(text.contains("1/4") && text.contains("4/4"), "{text}");
    }

    #[test]
    fn a_line_is_broken_between_words_and_a_long_word_within() {
        let font = Font::new();
        let text = "một hai ba bốn năm sáu bảy tám chín mười ".repeat(10) + &"x".repeat(300);
        let lines = font.wrapped(&text, USUAL, 200.0);
        assert!(lines.iter().all(|line| font.width(line, USUAL) <= 200.0), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), text.replace(' ', ""));
        assert_eq!(font.wrapped("", USUAL, 200.0), [""]);
    }

    #[test]
    fn a_letter_that_the_font_has_not_is_a_question_mark() {
        let font = Font::new();
        assert_eq!(font.glyph('漢').0, font.glyph('?').0);
        assert_eq!(draw(&letter("a\nb\n漢")), draw(&letter("a\nb\n漢")), "the same letter is the same file");
    }
}
