//! The one writer of SVG: all that is written as a value or as a text is escaped, so that no data becomes markup.

use std::fmt::{Display, Write as _};

/// A picture under way.
#[derive(Default)]
pub struct Svg(String);

/// Attributes of an element.
pub type Attributes<'a> = &'a [(&'static str, &'a dyn Display)];

impl Svg {
    /// Begins an element, which [`close`](Self::close) ends.
    pub fn open(&mut self, element: &'static str, attributes: Attributes<'_>) {
        self.begin(element, attributes);
        self.0.push('>');
    }

    /// Ends an element.
    pub fn close(&mut self, element: &'static str) {
        self.0.push_str("</");
        self.0.push_str(element);
        self.0.push('>');
    }

    /// Writes an element without content.
    pub fn empty(&mut self, element: &'static str, attributes: Attributes<'_>) {
        self.begin(element, attributes);
        self.0.push_str("/>");
    }

    /// Writes an element with a text in it.
    pub fn text(&mut self, element: &'static str, attributes: Attributes<'_>, text: &str) {
        self.open(element, attributes);
        self.escaped(text);
        self.close(element);
    }

    /// Returns what was written.
    pub fn finish(self) -> String {
        self.0
    }

    fn begin(&mut self, element: &'static str, attributes: Attributes<'_>) {
        self.0.push('<');
        self.0.push_str(element);
        let mut value = String::new();
        for (name, shown) in attributes {
            value.clear();
            write!(value, "{shown}").expect("a text takes what is written");
            self.0.push(' ');
            self.0.push_str(name);
            self.0.push_str("=\"");
            self.escaped(&value);
            self.0.push('"');
        }
    }

    fn escaped(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // No XML has them, not even escaped.
                '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => self.0.push(' '),
                letter => self.0.push(letter),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_looks_like_markup_stays_a_text() {
        let mut svg = Svg::default();
        svg.text("text", &[("id", &"\"/><script>'")], "</text><image href='x'/>&amp;\u{0}\u{1b}");
        assert_eq!(
            svg.finish(),
            "<text id=\"&quot;/&gt;&lt;script&gt;&#39;\">&lt;/text&gt;&lt;image href=&#39;x&#39;/&gt;&amp;amp;  </text>"
        );
    }
}
