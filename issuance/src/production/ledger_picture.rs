//! The accounts of the stock as a picture: a bar for each kind of account. SVG that needs no font of its own, follows a
//! dark page, and says every number in text, so that a screen reader reads it.

use std::fmt::Write as _;

use super::ledger::Place;

/// Draws a bar for each kind of account; the supplier's is what all others add up to. `title` says of what and when.
#[must_use]
pub fn picture(title: &str, balances: &[(Place, i64)]) -> String {
    let most = balances.iter().map(|(_, n)| n.unsigned_abs()).max().unwrap_or(0).max(1);
    let height = TOP + LINE * u32::try_from(balances.len()).unwrap_or(0) + 16;
    let title = title.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;");
    let said: Vec<String> = balances.iter().map(|(place, chips)| format!("{}: {chips}", place.word())).collect();
    let said = said.join("; ");
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
         aria-labelledby=\"title desc\">\n<title id=\"title\">{title}</title>\n<desc id=\"desc\">{said}</desc>\n{STYLE}<rect class=\"page\" width=\"{WIDTH}\" height=\"{height}\"/>\n\
         <text class=\"title\" x=\"16\" y=\"28\">{title}</text>\n"
    );
    let mut put = |text: std::fmt::Arguments<'_>| svg.write_fmt(text).expect("a text grows");
    for (line, (place, chips)) in (0..).zip(balances) {
        let (y, word) = (TOP + LINE * line, place.word());
        let (base, tall) = (y + 19, LINE - 6);
        // A whole number of pixels; what is there at all is seen.
        let wide = u64::from(FIELD) * chips.unsigned_abs() / most;
        let wide = if *chips == 0 { 0 } else { wide.max(2) };
        let class = if *chips < 0 { "from" } else { word };
        put(format_args!("<text x=\"16\" y=\"{base}\">{word}</text>\n"));
        put(format_args!(
            "<rect class=\"{class}\" x=\"{FIRST}\" y=\"{y}\" width=\"{wide}\" height=\"{tall}\" rx=\"3\"/>\n"
        ));
        put(format_args!("<text class=\"count\" x=\"{}\" y=\"{base}\">{chips}</text>\n", u64::from(FIRST) + wide + 8));
    }
    svg.push_str("</svg>\n");
    svg
}

const WIDTH: u32 = 600;
const TOP: u32 = 52;
const LINE: u32 = 30;
const FIRST: u32 = 110;
const FIELD: u32 = 400;
/// Cards full, what is under way paler, what is no card in another tone.
const STYLE: &str = "<style>\n\
    text { font: 14px system-ui, sans-serif; fill: #1b1f24 }\n\
    .title { font-size: 18px; font-weight: 600 } .count { fill: #57606a } .page { fill: #ffffff }\n\
    rect { fill: #7aa6d8 } .card { fill: #1f6f43 } .spoiled, .destroyed { fill: #c98a2b } .lost { fill: #b2182b } .from { fill: #8c959f }\n\
    @media (prefers-color-scheme: dark) {\n\
    text { fill: #e6edf3 } .count { fill: #9da7b1 } .page { fill: #0d1117 } }\n\
    </style>\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_account_has_its_bar_and_its_number_in_text() {
        let balances = [(Place::Supplier, -1_000), (Place::Card, 999), (Place::Lost, 1), (Place::Spoiled, 0)];
        let svg = picture("Stock <of> \"x\" & y", &balances);
        for text in ["Stock &lt;of&gt; &quot;x&quot; &amp; y", ">-1000<", ">999<", ">1<", ">0<", ">supplier<", ">lost<"]
        {
            assert!(svg.contains(text), "{text}");
        }
        for (class, wide) in [("from", 400), ("card", 399), ("lost", 2), ("spoiled", 0)] {
            let bar = format!("<rect class=\"{class}\" x=\"110\"");
            let bar = svg.lines().find(|line| line.starts_with(&bar)).unwrap();
            assert!(bar.contains(&format!("width=\"{wide}\"")), "{bar}");
        }
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
    }
}
