//! A portrait on a terminal: by the kitty graphics protocol, or in half blocks of two colours each.
//!
//! What goes to the terminal is pixels of ours ([`card_agent::portrait`]): no byte of the file reaches it.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use card_agent::portrait;
use image::imageops::FilterType;
use image::{DynamicImage, RgbImage};

/// What a terminal can show.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Terminal {
    /// Whether it speaks the kitty graphics protocol.
    pub kitty: bool,
    /// Whether it may be coloured (<https://no-color.org>).
    pub colours: bool,
}

impl Terminal {
    /// Returns what the environment says of the terminal.
    pub fn of_environment() -> Self {
        Self::of(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Self {
        let term = variable("TERM").unwrap_or_default();
        // A multiplexer keeps the variables of the terminal that it was begun in, and does not pass pictures on.
        let is_multiplexed = variable("TMUX").is_some() || term.starts_with("screen") || term.starts_with("tmux");
        let program = variable("TERM_PROGRAM").unwrap_or_default();
        let speaks = variable("KITTY_WINDOW_ID").is_some()
            || ["xterm-kitty", "xterm-ghostty"].contains(&term.as_str())
            || ["ghostty", "WezTerm"].contains(&program.as_str());
        Self { kitty: speaks && !is_multiplexed, colours: variable("NO_COLOR").is_none() && term != "dumb" }
    }
}

/// Returns the picture of a JPEG as this terminal shows it.
///
/// # Errors
/// The reason in words: another format, a damaged file, a terminal without colours.
pub fn drawn(file: &[u8], terminal: Terminal) -> Result<String, String> {
    if !terminal.kitty && !terminal.colours {
        return Err("the terminal has no colours".to_owned());
    }
    let picture = portrait::decoded(file).map_err(|why| match file.starts_with(&[0xff, 0xd8, 0xff]) {
        true => why,
        false => format!("{why}; --portrait writes it into a file"),
    })?;
    let picture = DynamicImage::ImageRgb8(picture);
    let (width, height) = if terminal.kitty { (KITTY, KITTY) } else { (COLUMNS, 2 * LINES) };
    let picture = picture.resize(width, height, FilterType::Triangle).into_rgb8();
    Ok(if terminal.kitty { kitty(&picture) } else { half_blocks(&picture) })
}

/// The longest side of the picture that a terminal with graphics is given, in pixels.
const KITTY: u32 = 400;

/// The room of a picture in half blocks.
const COLUMNS: u32 = 48;
const LINES: u32 = 30;

/// The kitty graphics protocol: pixels of three bytes in base64, in pieces of at most 4096 characters.
fn kitty(picture: &RgbImage) -> String {
    let pixels = STANDARD.encode(picture.as_raw());
    let mut pieces = pixels.as_bytes().chunks(4096).peekable();
    let mut head = format!("a=T,q=2,f=24,s={},v={},", picture.width(), picture.height());
    let mut text = String::new();
    while let Some(piece) = pieces.next() {
        let more = u8::from(pieces.peek().is_some());
        let piece = std::str::from_utf8(piece).unwrap_or_default(); // base64 is ASCII
        write!(text, "\x1b_G{head}m={more};{piece}\x1b\\").expect("a String takes all");
        head.clear();
    }
    text
}

/// Two pixels a character: the upper half in the colour of the text, the lower one in that of the ground.
fn half_blocks(picture: &RgbImage) -> String {
    let mut lines = Vec::new();
    for y in (0..picture.height()).step_by(2) {
        let mut line = String::new();
        for x in 0..picture.width() {
            let [r, g, b] = picture.get_pixel(x, y).0;
            write!(line, "\x1b[38;2;{r};{g};{b}m").expect("a String takes all");
            if let Some([r, g, b]) = picture.get_pixel_checked(x, y + 1).map(|pixel| pixel.0) {
                write!(line, "\x1b[48;2;{r};{g};{b}m").expect("a String takes all");
            }
            line.push('▀');
        }
        line.push_str("\x1b[0m");
        lines.push(line);
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Cursor;

    use image::ImageFormat;

    use super::*;

    const PLAIN: Terminal = Terminal { kitty: false, colours: true };

    /// A portrait: red above, blue below.
    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        let picture =
            RgbImage::from_fn(width, height, |_, y| image::Rgb(if y < height / 2 { [255, 0, 0] } else { [0, 0, 255] }));
        let mut file = Cursor::new(Vec::new());
        picture.write_to(&mut file, ImageFormat::Jpeg).unwrap();
        file.into_inner()
    }

    #[test]
    fn half_blocks_show_two_pixels_a_character_and_end_their_colours() {
        let text = drawn(&jpeg(300, 400), PLAIN).unwrap();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 30);
        assert!(lines.iter().all(|line| line.matches('▀').count() == 45 && line.ends_with("\x1b[0m")), "{text}");
        let colours = |line: &str| line.split('m').next().unwrap().to_owned();
        let [first, last] = [lines[0], lines[29]].map(colours);
        assert!(first.starts_with("\x1b[38;2;25") && last.starts_with("\x1b[38;2;0;0;25"), "{first} {last}");
    }

    #[test]
    fn a_terminal_with_graphics_is_given_the_pixels_in_pieces() {
        let text = drawn(&jpeg(300, 400), Terminal { kitty: true, colours: false }).unwrap();
        let pieces: Vec<_> = text.split("\x1b\\").filter(|piece| !piece.is_empty()).collect();
        assert!(pieces[0].starts_with("\x1b_Ga=T,q=2,f=24,s=300,v=400,m=1;"), "{}", pieces[0]);
        let (last, others) = pieces.split_last().unwrap();
        assert!(last.starts_with("\x1b_Gm=0;") && others[1..].iter().all(|piece| piece.starts_with("\x1b_Gm=1;")));
        let content: String = pieces.iter().map(|piece| piece.split_once(';').unwrap().1).collect();
        assert_eq!(STANDARD.decode(content).unwrap().len(), 300 * 400 * 3);
    }

    #[test]
    fn what_is_no_whole_jpeg_is_not_shown_and_said() {
        let whole = jpeg(30, 40);
        for (file, words) in [
            (b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(), "no JPEG"),
            (b"\x1b]0;title\x07".to_vec(), "no JPEG"),
            (whole[..20].to_vec(), "cannot be decoded"),
        ] {
            let why = drawn(&file, PLAIN).unwrap_err();
            assert!(why.contains(words) && !why.contains('\x1b'), "{why}");
        }
        // A header that claims more pixels than a portrait has is refused before they are made.
        let mut huge = whole;
        let at = huge.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
        huge[at + 5..at + 9].copy_from_slice(&[0xff; 4]);
        assert!(drawn(&huge, PLAIN).unwrap_err().contains("cannot be decoded"));
        assert!(drawn(&jpeg(30, 40), Terminal { kitty: false, colours: false }).unwrap_err().contains("no colours"));
    }

    #[test]
    fn the_terminal_is_known_by_its_variables() {
        let of = |set: &[(&str, &str)]| {
            let set: BTreeMap<_, _> = set.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
            Terminal::of(|name| set.get(name).cloned())
        };
        assert_eq!(of(&[("TERM", "xterm-256color")]), PLAIN);
        assert_eq!(of(&[("TERM", "xterm-kitty")]), Terminal { kitty: true, colours: true });
        assert_eq!(of(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")]), Terminal { kitty: true, ..PLAIN });
        assert_eq!(of(&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")]), PLAIN);
        assert_eq!(of(&[("TERM", "dumb")]), Terminal { kitty: false, colours: false });
        assert_eq!(of(&[("TERM", "xterm"), ("NO_COLOR", "1")]), Terminal { kitty: false, colours: false });
    }
}
