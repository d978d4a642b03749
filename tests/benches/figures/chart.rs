//! Bar charts as SVG.

use std::fmt::Write as _;

/// One bar, and the anchor that it is compared with.
pub struct Bar {
    pub label: String,
    pub value: f64,
    pub anchor: f64,
}

/// Draws horizontal bars, each with its anchor as a dashed outline and the share of the anchor as text.
pub fn bars(title: &str, bars: &[Bar], show: impl Fn(f64) -> String) -> String {
    let longest = bars.iter().flat_map(|bar| [bar.value, bar.anchor]).fold(1.0, f64::max);
    let height = TOP + STEP * bars.len() + 30;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"12\" y=\"24\" font-size=\"15\" fill=\"#222\">{}</text>\n",
        escaped(title)
    );
    for (at, bar) in bars.iter().enumerate() {
        let y = TOP + STEP * at;
        let width = |value: f64| value / longest * SPAN as f64;
        let share = 100.0 * bar.value / bar.anchor;
        let _ = write!(
            out,
            "<text x=\"12\" y=\"{}\" fill=\"#222\">{}</text>\n\
             <rect x=\"12\" y=\"{}\" width=\"{:.1}\" height=\"14\" fill=\"#2f6f9f\"/>\n\
             <rect x=\"12\" y=\"{}\" width=\"{:.1}\" height=\"18\" fill=\"none\" stroke=\"#c0392b\" stroke-dasharray=\"4 2\"/>\n\
             <text x=\"{:.1}\" y=\"{}\" fill=\"#222\">{} of {} ({share:.1} %)</text>\n",
            y,
            escaped(&bar.label),
            y + 6,
            width(bar.value),
            y + 4,
            width(bar.anchor),
            20.0 + width(bar.value.max(bar.anchor)),
            y + 18,
            show(bar.value),
            show(bar.anchor),
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"12\" y=\"{}\" fill=\"#666\">filled: measured; dashed outline: anchor</text>\n</svg>",
        height - 10
    );
    out
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const WIDTH: usize = 860;
/// Pixels of the longest bar; the rest is for its numbers.
const SPAN: usize = 620;
const TOP: usize = 52;
const STEP: usize = 44;
