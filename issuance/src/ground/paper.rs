//! Paper: pages in PDF (ISO 32000-1) with text in an embedded font, so that they look the same on every printer, and
//! with the letters behind the glyphs (ToUnicode), so that they can be searched and read aloud; bars, frames and
//! pictures beside the text. Pure.

use std::collections::BTreeMap;

use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, Str, TextStr};
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider as _};

/// Be Vietnam Pro, under the SIL Open Font License (issuance/data/fonts/OFL.txt).
const FONT: &[u8] = include_bytes!("../../data/fonts/BeVietnamPro-Regular.ttf");
const FONT_NAME: Name<'static> = Name(b"BeVietnamPro-Regular");

/// What stands on a page. Places are in points (72 to the inch) from the lower left corner.
#[derive(Default)]
pub(crate) struct Sheet(Vec<Mark>);

/// Something on a page.
enum Mark {
    /// A black rectangle: left, lower edge, width, height.
    Bar([f32; 4]),
    /// The outline of a rectangle, likewise.
    Frame([f32; 4]),
    /// A JPEG in colour of so many pixels, at such a rectangle.
    Picture(Vec<u8>, (u32, u32), [f32; 4]),
    /// Text, its size, and where it begins.
    Text(String, f32, [f32; 2]),
}

impl Sheet {
    /// Puts text on the page, whose first letter stands at this place.
    pub(crate) fn put(&mut self, text: &str, size: f32, x: f32, y: f32) {
        if !text.is_empty() {
            self.0.push(Mark::Text(text.to_owned(), size, [x, y]));
        }
    }

    /// Puts a black rectangle on the page: left, lower edge, width, height.
    pub(crate) fn bar(&mut self, place: [f32; 4]) {
        self.0.push(Mark::Bar(place));
    }

    /// Puts the outline of a rectangle on the page: left, lower edge, width, height.
    pub(crate) fn frame(&mut self, place: [f32; 4]) {
        self.0.push(Mark::Frame(place));
    }

    /// Puts a JPEG in colour of so many pixels on the page.
    pub(crate) fn picture(&mut self, jpeg: Vec<u8>, pixels: (u32, u32), place: [f32; 4]) {
        self.0.push(Mark::Picture(jpeg, pixels, place));
    }
}

/// The font, measured in its own units.
pub(crate) struct Font {
    font: FontRef<'static>,
    unit: f32,
}

impl Font {
    pub(crate) fn new() -> Self {
        let font = FontRef::new(FONT).expect("the font of the program is one");
        let unit = f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
        Self { font, unit }
    }

    /// Returns glyph, what it shows, and its width in thousandths of the size; a letter that the font has not is a
    /// question mark.
    pub(crate) fn glyph(&self, letter: char) -> (u16, char, f32) {
        let (map, metrics) = (self.font.charmap(), self.font.glyph_metrics(Size::unscaled(), LocationRef::default()));
        let known = map.map(letter).map(|glyph| (glyph, letter));
        let (glyph, shown) = known.unwrap_or_else(|| (map.map('?').unwrap_or_default(), '?'));
        let width = metrics.advance_width(glyph).unwrap_or(0.0) * 1000.0 / self.unit;
        (u16::try_from(glyph.to_u32()).unwrap_or(0), shown, width)
    }

    /// Returns how wide a text of this size is.
    pub(crate) fn width(&self, text: &str, size: f32) -> f32 {
        text.chars().map(|letter| self.glyph(letter).2).sum::<f32>() * size / 1000.0
    }

    /// Returns the lines into which a text is broken; a word that is longer than a line is broken too.
    pub(crate) fn wrapped(&self, text: &str, size: f32, width: f32) -> Vec<String> {
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

/// Returns pages of this size as a file. The same pages are the same file.
pub(crate) fn written(font: &Font, size: (f32, f32), sheets: &[Sheet], title: &str, language: &str) -> Vec<u8> {
    let mut next = 0;
    let mut id = || {
        next += 1;
        Ref::new(next)
    };
    let [catalog, tree, info, type0, cid, descriptor, file, unicode] = std::array::from_fn(|_| id());
    let ids: Vec<(Ref, Ref)> = sheets.iter().map(|_| (id(), id())).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree).lang(TextStr(language));
    pdf.document_info(info).title(TextStr(title));
    let count = i32::try_from(sheets.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    let mut used: BTreeMap<u16, (char, f32)> = BTreeMap::new();
    for (sheet, (page_id, content_id)) in sheets.iter().zip(&ids) {
        let mut pictures = Vec::new();
        let mut content = Content::new();
        for mark in &sheet.0 {
            match mark {
                Mark::Bar([x, y, width, height]) => _ = content.rect(*x, *y, *width, *height).fill_nonzero(),
                Mark::Frame([x, y, width, height]) => {
                    content.set_line_width(0.6).rect(*x, *y, *width, *height).stroke();
                }
                Mark::Picture(jpeg, pixels, [x, y, width, height]) => {
                    let name = format!("P{}", pictures.len());
                    content.save_state().transform([*width, 0.0, 0.0, *height, *x, *y]);
                    content.x_object(Name(name.as_bytes())).restore_state();
                    pictures.push((name, id(), jpeg, pixels));
                }
                Mark::Text(text, size, [x, y]) => {
                    let mut glyphs = Vec::with_capacity(2 * text.len());
                    for letter in text.chars() {
                        let (glyph, shown, width) = font.glyph(letter);
                        used.entry(glyph).or_insert((shown, width));
                        glyphs.extend(glyph.to_be_bytes());
                    }
                    content.begin_text().set_font(Name(b"F"), *size).next_line(*x, *y).show(Str(&glyphs)).end_text();
                }
            }
        }
        let mut page = pdf.page(*page_id);
        page.media_box(Rect::new(0.0, 0.0, size.0, size.1)).parent(tree).contents(*content_id);
        let mut resources = page.resources();
        resources.fonts().pair(Name(b"F"), type0);
        if !pictures.is_empty() {
            let mut named = resources.x_objects();
            for (name, id, ..) in &pictures {
                named.pair(Name(name.as_bytes()), *id);
            }
        }
        resources.finish();
        page.finish();
        pdf.stream(*content_id, &content.finish());
        for (_, id, jpeg, (width, height)) in pictures {
            let side = |pixels: u32| i32::try_from(pixels).unwrap_or(i32::MAX);
            let mut picture = pdf.image_xobject(id, jpeg);
            picture.filter(Filter::DctDecode);
            picture.width(side(*width)).height(side(*height)).bits_per_component(8);
            picture.color_space().device_rgb();
            picture.finish();
        }
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
