//! The four figures as a picture: a table in which a low share is seen from afar. SVG that needs no font of its own,
//! follows a dark page, and says every number in text, so that a screen reader reads it.

use std::fmt::Write as _;

use super::quality::Figures;

/// Draws a heat table: a line for each unit, a field for each word. `title` says of what and when.
#[must_use]
pub fn picture(title: &str, figures: &[Figures]) -> String {
    let height = TOP + LINE * u32::try_from(figures.len()).unwrap_or(u32::MAX / LINE).max(1) + 44;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-label=\"{}\">\n<title>{}</title>\n{STYLE}<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"16\" y=\"28\">{}</text>\n",
        escaped(title),
        escaped(title),
        escaped(title)
    );
    let mut put = |text: std::fmt::Arguments<'_>| svg.write_fmt(text).expect("a text grows");
    put(format_args!("<text class=\"head end\" x=\"{}\" y=\"58\">persons</text>\n", FIRST - 16));
    for (at, word) in WORDS.iter().enumerate() {
        put(format_args!("<text class=\"head mid\" x=\"{}\" y=\"58\">{word}</text>\n", column(at) + FIELD / 2));
    }
    for (line, one) in (0..).zip(figures) {
        let y = TOP + LINE * line;
        let name = one.name.as_deref().unwrap_or("not known");
        let base = y + 20;
        put(format_args!("<text class=\"name\" x=\"16\" y=\"{base}\">{}</text>\n", escaped(name)));
        put(format_args!(
            "<text class=\"count end\" x=\"{}\" y=\"{base}\">{}</text>\n",
            FIRST - 16,
            thousands(one.persons)
        ));
        for (at, part) in one.words().into_iter().enumerate() {
            let (x, wide, tall) = (column(at), FIELD - 4, LINE - 4);
            let Some(tenths) = one.tenths(part) else { continue };
            let band = BANDS.iter().position(|from| tenths >= *from).unwrap_or(BANDS.len() - 1);
            put(format_args!(
                "<rect class=\"b{band}\" x=\"{x}\" y=\"{y}\" width=\"{wide}\" height=\"{tall}\" rx=\"3\"/>\n"
            ));
            put(format_args!(
                "<text class=\"t{band} mid\" x=\"{}\" y=\"{base}\">{}.{} %</text>\n",
                x + wide / 2,
                tenths / 10,
                tenths % 10
            ));
        }
    }
    if figures.is_empty() {
        put(format_args!("<text class=\"name\" x=\"16\" y=\"{}\">no persons</text>\n", TOP + 20));
    }
    let y = height - 18;
    for (band, from) in BANDS.iter().enumerate() {
        let x = 16 + 96 * u32::try_from(band).unwrap_or(0);
        put(format_args!("<rect class=\"b{band}\" x=\"{x}\" y=\"{}\" width=\"14\" height=\"14\" rx=\"3\"/>\n", y - 12));
        let words = if *from == 0 { "less".to_owned() } else { format!("from {} %", from / 10) };
        put(format_args!("<text class=\"head\" x=\"{}\" y=\"{y}\">{words}</text>\n", x + 20));
    }
    svg.push_str("</svg>\n");
    svg
}

/// Returns a number with spaces between thousands.
fn thousands(number: i64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn column(at: usize) -> u32 {
    FIRST + FIELD * u32::try_from(at).unwrap_or(0)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const WORDS: [&str; 4] = ["right · đúng", "enough · đủ", "clean · sạch", "living · sống"];
/// From these shares on, in tenths of a per cent, best first.
const BANDS: [i64; 5] = [990, 950, 900, 750, 0];
const WIDTH: u32 = 760;
const TOP: u32 = 70;
const LINE: u32 = 30;
const FIRST: u32 = 300;
const FIELD: u32 = 112;
/// One colour from pale to full, the worst fullest: it is told apart without seeing colours too.
const STYLE: &str = "<style>\n\
    text { font: 14px system-ui, sans-serif; fill: #1b1f24 }\n\
    .title { font-size: 18px; font-weight: 600 } .head { fill: #57606a; font-size: 13px } .count { fill: #57606a }\n\
    .end { text-anchor: end } .mid { text-anchor: middle } .page { fill: #ffffff }\n\
    .b0 { fill: #e6f4ea } .b1 { fill: #fdf3d0 } .b2 { fill: #fbd38d } .b3 { fill: #ef8a62 } .b4 { fill: #b2182b }\n\
    .t4 { fill: #ffffff }\n\
    @media (prefers-color-scheme: dark) {\n\
    text { fill: #e6edf3 } .head, .count { fill: #9da7b1 } .page { fill: #0d1117 }\n\
    .b0 { fill: #12361f } .b1 { fill: #4a3f12 } .b2 { fill: #7a4f10 } .b3 { fill: #b1502f } .b4 { fill: #c5303a }\n\
    .t3, .t4 { fill: #ffffff } }\n\
    </style>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_share_stands_in_text_and_a_low_one_has_the_strongest_field() {
        let figures = Figures {
            name: Some("Bà Rịa <x> & \"y\"".into()),
            persons: 12_345,
            right: 12_345,
            enough: 12_000,
            clean: 11_111,
            living: 5,
            ..Figures::default()
        };
        let svg = picture("Mẫu", &[figures]);
        for text in ["Bà Rịa &lt;x&gt; &amp; &quot;y&quot;", "12\u{202f}345", "100.0 %", "97.2 %", "90.0 %", "0.0 %"]
        {
            assert!(svg.contains(text), "{text}");
        }
        for (class, fields) in [("b0", 2), ("b1", 2), ("b2", 2), ("b3", 1), ("b4", 2)] {
            assert_eq!(svg.matches(&format!("<rect class=\"{class}\"")).count(), fields, "{class}");
        }
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }

    #[test]
    fn a_register_without_persons_is_a_picture_too() {
        assert!(picture("Mẫu", &[]).contains("no persons"));
        // A unit without persons has no field: the five are those of the legend.
        assert_eq!(picture("Mẫu", &[Figures::default()]).matches("<rect class=\"b").count(), 5);
    }
}
