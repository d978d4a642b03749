//! What is on every card: ground, lines, an emblem of our own, and the word SPECIMEN.
//!
//! The emblem is a placeholder: a sun of bronze drums, not the emblem of a State.

use std::f32::consts::TAU;
use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::font::Font;
use crate::layout::{LACQUER, Mm, Set, Side, line};
use crate::svg::Svg;
use crate::{HEIGHT, Look, Use, WIDTH};

/// Begins a face: ground and lines, up to the edge for print, with round corners to be looked at. `tints` are the
/// colours of the ground from corner to corner.
pub fn begin(title: &str, tints: [&'static str; 3], look: Look) -> Svg {
    let mut svg = Svg::default();
    let (width, height) = (format!("{WIDTH}mm"), format!("{HEIGHT}mm"));
    let view = format!("0 0 {WIDTH} {HEIGHT}");
    let root: crate::svg::Attributes<'_> = &[
        ("xmlns", &"http://www.w3.org/2000/svg"),
        ("width", &width),
        ("height", &height),
        ("viewBox", &view),
        ("role", &"img"),
    ];
    svg.open("svg", root);
    svg.text("title", &[], title);
    svg.open("defs", &[]);
    svg.open("linearGradient", &[("id", &"ground"), ("x1", &0), ("y1", &0), ("x2", &1), ("y2", &1)]);
    for (offset, tint) in [0.0, 0.55, 1.0].into_iter().zip(tints) {
        svg.empty("stop", &[("offset", &offset), ("stop-color", &tint)]);
    }
    svg.close("linearGradient");
    if look.for_ == Use::Show {
        svg.open("clipPath", &[("id", &"corners")]);
        svg.empty("rect", &[("width", &WIDTH), ("height", &HEIGHT), ("rx", &CORNER)]);
        svg.close("clipPath");
    }
    svg.close("defs");
    match look.for_ {
        Use::Print => svg.open("g", &[]),
        Use::Show => svg.open("g", &[("clip-path", &"url(#corners)")]),
    }
    svg.empty("rect", &[("width", &WIDTH), ("height", &HEIGHT), ("fill", &"url(#ground)")]);
    for (ink, path) in [("#D9BE8A", &LINES[0]), ("#9CC3B4", &LINES[1])] {
        svg.empty("path", &[("d", path), ("fill", &"none"), ("stroke", &ink), ("stroke-width", &0.12)]);
    }
    emblem(&mut svg, 26.0, 9.0, 42.0, "#B98A2F", 0.11);
    svg
}

/// Ends a face. The marks of a specimen stand at this place, turned, in this size.
pub fn end(mut svg: Svg, look: Look, (x, y): (f32, f32), size: f32) -> String {
    if look.specimen {
        let turned = format!("translate({x} {y}) rotate(-18)");
        svg.open("g", &[("id", &"specimen"), ("transform", &turned), ("fill-opacity", &0.24)]);
        let set = |size| Set { font: Font::Bold, size, ink: LACQUER, side: Side::Middle };
        line(&mut svg, &"specimen-vi", "MẪU", 0.0, 0.0, set(11.0 * size));
        line(&mut svg, &"specimen-en", "S P E C I M E N", 0.0, 4.4 * size, set(3.3 * size));
        svg.close("g");
    }
    if look.for_ == Use::Show {
        let edge: crate::svg::Attributes<'_> = &[
            ("x", &0.1),
            ("y", &0.1),
            ("width", &Mm(WIDTH - 0.2)),
            ("height", &Mm(HEIGHT - 0.2)),
            ("rx", &Mm(CORNER - 0.1)),
            ("fill", &"none"),
            ("stroke", &"#8C8577"),
            ("stroke-width", &0.2),
        ];
        svg.empty("rect", edge);
    }
    svg.close("g");
    svg.close("svg");
    svg.finish()
}

/// Draws the emblem in a square.
pub fn emblem(svg: &mut Svg, x: f32, y: f32, size: f32, ink: &str, opacity: f32) {
    let (scale, half) = (size / 48.0, size / 2.0);
    let place = format!("translate({:.3} {:.3}) scale({scale:.5})", x + half, y + half);
    svg.open("g", &[("transform", &place), ("fill-opacity", &opacity), ("stroke-opacity", &opacity)]);
    for (radius, width, dashes) in [(22.5, 1.6, "none"), (19.4, 0.8, "none"), (17.4, 2.4, "1.1 2.8")] {
        svg.empty(
            "circle",
            &[
                ("r", &radius),
                ("fill", &"none"),
                ("stroke", &ink),
                ("stroke-width", &width),
                ("stroke-dasharray", &dashes),
            ],
        );
    }
    svg.empty("path", &[("d", &*SUN), ("fill", &ink)]);
    svg.close("g");
}

/// A disc with fourteen rays, in one path: where they meet, a faint ink is not darker.
static SUN: LazyLock<String> = LazyLock::new(|| {
    let mut path = "M6.4 0A6.4 6.4 0 1 1 -6.4 0A6.4 6.4 0 1 1 6.4 0Z".to_owned();
    for ray in 0_u8..14 {
        let (sin, cos) = (f32::from(ray) * TAU / 14.0).sin_cos();
        // Turned as the disc runs, so that nothing of both is left out.
        let mut at = |letter, x: f32, y: f32| {
            write!(path, "{letter}{:.2} {:.2}", x * cos - y * sin, x * sin + y * cos).expect("a text takes it");
        };
        at('M', 0.0, -15.0);
        at('L', 2.0, -6.0);
        at('L', -2.0, -6.0);
        path.push('Z');
    }
    path
});

/// The two kinds of lines of the ground, each as one path.
static LINES: LazyLock<[String; 2]> = LazyLock::new(|| {
    let mut paths = [String::new(), String::new()];
    for n in 0_u8..24 {
        let path = &mut paths[usize::from(n % 2)];
        let at = f32::from(n) * 2.5 - 2.0;
        for step in 0_u8..=44 {
            let x = f32::from(step) * 2.0;
            let slow = (x * 0.105 + at * 0.21).sin() * 1.3;
            let quick = (x * 0.31 - at * 0.12).sin() * 0.55;
            let letter = if step == 0 { 'M' } else { 'L' };
            write!(path, "{letter}{x:.1} {:.2}", at + slow + quick).expect("a text takes it");
        }
    }
    paths
});

/// Radius of the corners, millimetres.
const CORNER: f32 = 3.18;
