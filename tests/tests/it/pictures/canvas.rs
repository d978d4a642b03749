//! A picture in SVG, 600 wide, in the colours of the reader's page.

use std::fmt::Write as _;

/// A picture under way.
pub struct Canvas {
    title: String,
    body: String,
}

impl Canvas {
    pub fn new(title: &str) -> Self {
        let mut canvas = Self { title: title.to_owned(), body: String::new() };
        canvas.text("h", 14.0, 28.0, title);
        canvas
    }

    /// Text from a point to the right; with the class `e` to the left, with `m` around it.
    pub fn text(&mut self, class: &str, x: f64, y: f64, text: &str) {
        let _ = writeln!(self.body, "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", escaped(text));
    }

    pub fn line(&mut self, class: &str, path: &str) {
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{path}\"/>");
    }

    pub fn rect(&mut self, class: &str, x: f64, y: f64, width: f64, height: f64) {
        let _ = writeln!(
            self.body,
            "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"7\"/>"
        );
    }

    pub fn dot(&mut self, class: &str, x: f64, y: f64) {
        let _ = writeln!(self.body, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"5\"/>");
    }

    /// The whole picture, with what a screen reader says of it.
    pub fn finish(self, height: f64, description: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 600 {height:.0}\" width=\"600\" height=\"{height:.0}\" role=\"img\" \
             aria-labelledby=\"title desc\">\n<title id=\"title\">{}</title>\n<desc id=\"desc\">{}</desc>\n<style>\n{STYLE}</style>\n\
             <defs><marker id=\"end\" viewBox=\"0 0 10 10\" refX=\"9\" refY=\"5\" markerWidth=\"8\" markerHeight=\"8\" \
             markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"end\" d=\"M0 0L10 5L0 10z\"/></marker></defs>\n\
             <rect class=\"bg\" width=\"600\" height=\"{height:.0}\" rx=\"6\"/>\n{}</svg>\n",
            escaped(&self.title),
            escaped(description),
            self.body
        )
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

const STYLE: &str = r#"text { font-family: -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif; }
.bg { fill: #ffffff; }
.h { font-size: 18px; font-weight: bold; fill: #1f2328; }
.t { font-size: 13px; font-weight: bold; fill: #1f2328; }
.c { font-size: 12.5px; fill: #424a53; }
.v { font-size: 12.5px; fill: #0550ae; }
.e { text-anchor: end; }
.m { text-anchor: middle; }
.box { fill: #ddf4ff; stroke: #54748f; }
.stop { fill: #eaeef2; stroke: #6e7781; stroke-width: 2; }
.w { fill: none; stroke: #6e7781; stroke-width: 1.5; marker-end: url(#end); }
.end { fill: #6e7781; }
.grid { fill: none; stroke: #d0d7de; }
.aim { fill: none; stroke: #bc4c00; stroke-width: 2; stroke-dasharray: 5 3; }
.a { font-size: 12.5px; font-weight: bold; fill: #bc4c00; }
.dot { fill: #0969da; stroke: #0969da; stroke-width: 2; }
.ring { fill: #ffffff; stroke: #0969da; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
.bg { fill: #0d1117; }
.h, .t { fill: #f0f6fc; }
.c { fill: #c2cad4; }
.v { fill: #79c0ff; }
.box { fill: #0c2d4b; stroke: #6f9fc8; }
.stop { fill: #21262d; stroke: #9198a1; }
.w { stroke: #9198a1; }
.end { fill: #9198a1; }
.grid { stroke: #30363d; }
.aim { stroke: #f0883e; }
.a { fill: #f0883e; }
.dot { fill: #58a6ff; stroke: #58a6ff; }
.ring { fill: #0d1117; stroke: #58a6ff; }
}
"#;
