//! Bars, drawn by the service: a share of a whole, with a mark for what was planned. Each stands beside its number in
//! words, so that a reader who sees no picture misses nothing. Pure.

use ::pages::Language;

/// Draws a share in tenths of a per cent, perhaps with a mark at another share.
#[must_use]
pub(super) fn bar(tenths: i64, mark: Option<i64>) -> String {
    let wide = tenths.clamp(0, 1000);
    let class = match wide {
        950.. => "bar-good",
        750.. => "bar-wait",
        _ => "bar-bad",
    };
    // Far enough inside to be seen at both ends.
    let mark = mark.map(|at| at.clamp(0, 1000) * 990 / 1000);
    let mark =
        mark.map_or_else(String::new, |at| format!("<rect class=\"bar-mark\" x=\"{at}\" width=\"10\" height=\"80\"/>"));
    format!(
        "<svg class=\"share\" viewBox=\"0 0 1000 80\" preserveAspectRatio=\"none\" aria-hidden=\"true\" focusable=\"false\">\
         <rect class=\"bar-all\" width=\"1000\" height=\"80\"/><rect class=\"{class}\" width=\"{wide}\" height=\"80\"/>{mark}</svg>"
    )
}

/// Writes a share in tenths of a per cent, as readers of the language expect it.
#[must_use]
pub(super) fn share(tenths: i64, language: Language) -> String {
    let point = match language {
        Language::En => '.',
        Language::Vi => ',',
    };
    format!("{}{point}{} %", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share_and_never_longer_than_the_whole() {
        for (tenths, wide, class) in
            [(0, 0, "bar-bad"), (749, 749, "bar-bad"), (750, 750, "bar-wait"), (1200, 1000, "bar-good")]
        {
            let svg = bar(tenths, None);
            assert!(svg.contains(&format!("<rect class=\"{class}\" width=\"{wide}\"")), "{svg}");
        }
        assert!(bar(500, Some(1000)).contains("bar-mark\" x=\"990\""));
        assert_eq!((share(972, Language::Vi), share(5, Language::En)), ("97,2 %".to_owned(), "0.5 %".to_owned()));
    }
}
