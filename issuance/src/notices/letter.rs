//! A notice as a letter: A4 in PDF (ISO 32000-1), drawn with a font that is embedded, so that it looks the same on
//! every printer, and with the letters behind the glyphs (ToUnicode), so that it can be searched and read aloud. Pure.

use time::Date;

use super::model::Language;
use crate::ground::paper::{Font, Sheet, written};

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
    let mut pages = vec![Sheet::default()];
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
                pages.push(Sheet::default());
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
    written(&font, (WIDTH, HEIGHT), &pages, &letter.reference, letter.language.word())
}

/// Sizes of letters, and from line to line.
const USUAL: f32 = 11.0;
const SMALL: f32 = 9.5;
const HEADING: f32 = 15.0;
const LEADING: f32 = 16.5;

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
