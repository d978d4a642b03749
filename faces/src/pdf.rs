//! Faces as PDF (ISO 32000-1): a page of the card's size for each, with all outlines as they are laid out.
//!
//! Knows what faces are made of: filled and stroked paths in one colour or along a straight line of colours, and JPEG.
//! Anything else is an error, so that no printer leaves out what a picture shows.

use std::collections::BTreeSet;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use pdf_writer::types::{FunctionShadingType, LineCapStyle, LineJoinStyle};
use pdf_writer::{Content, Filter, Finish as _, Name, Pdf, Rect, Ref, TextStr};
use resvg::tiny_skia::{Path as Outline, PathSegment, Point, Transform};
use resvg::usvg::{
    BlendMode, FillRule, Group, ImageKind, LineCap, LineJoin, LinearGradient, Node, Opacity, Paint, Path, Tree,
};

use crate::{FaceError, HEIGHT, WIDTH};

/// Writes faces.
pub fn written(faces: &[Tree]) -> Result<Vec<u8>, FaceError> {
    let mut next = 0;
    let mut id = move || {
        next += 1;
        Ref::new(next)
    };
    let (catalog, pages, info) = (id(), id(), id());
    let ids: Vec<Ref> = faces.iter().map(|_| id()).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages).lang(TextStr("vi"));
    pdf.document_info(info).title(TextStr("Thẻ căn cước công dân"));
    pdf.pages(pages).kids(ids.iter().copied()).count(i32::try_from(ids.len()).unwrap_or(i32::MAX));
    for (face, page) in faces.iter().zip(ids) {
        let mut sheet = Sheet::new();
        sheet.group(face.root(), Transform::identity())?;
        let (content, states) = (id(), sheet.alphas.iter().map(|alpha| (*alpha, id())).collect::<Vec<_>>());
        let shades: Vec<Ref> = sheet.shades.iter().map(|_| id()).collect();
        let images: Vec<Ref> = sheet.images.iter().map(|_| id()).collect();
        let mut written = pdf.page(page);
        let size = Rect::new(0.0, 0.0, points(WIDTH), points(HEIGHT));
        written.media_box(size).trim_box(size).parent(pages).contents(content);
        let mut resources = written.resources();
        let mut named = resources.ext_g_states();
        for (alpha, state) in &states {
            named.pair(Name(alpha.name().as_bytes()), *state);
        }
        named.finish();
        let mut named = resources.shadings();
        for (n, shade) in shades.iter().enumerate() {
            named.pair(Name(format!("S{n}").as_bytes()), *shade);
        }
        named.finish();
        let mut named = resources.x_objects();
        for (n, image) in images.iter().enumerate() {
            named.pair(Name(format!("I{n}").as_bytes()), *image);
        }
        named.finish();
        resources.finish();
        written.finish();
        for (alpha, state) in states {
            pdf.ext_graphics(state).non_stroking_alpha(alpha.value()).stroking_alpha(alpha.value());
        }
        for (shade, of) in sheet.shades.iter().zip(shades) {
            shade.write(&mut pdf, of, &mut id);
        }
        for (image, of) in sheet.images.iter().zip(images) {
            let mut written = pdf.image_xobject(of, &image.jpeg);
            written.width(image.width).height(image.height).bits_per_component(8);
            written.color_space().device_rgb();
            written.filter(Filter::DctDecode);
        }
        // From the card's millimetres, downwards, to points, upwards.
        let (across, up) = (points(WIDTH) / face.size().width(), points(HEIGHT) / face.size().height());
        let mut whole = Content::new();
        whole.transform([across, 0.0, 0.0, -up, 0.0, points(HEIGHT)]);
        let mut bytes = whole.finish().to_vec();
        bytes.push(b'\n');
        bytes.extend_from_slice(&sheet.content.finish());
        let packed = packed(&bytes)?;
        pdf.stream(content, &packed).filter(Filter::FlateDecode);
    }
    Ok(pdf.finish())
}

/// The content of a page under way, and what it names.
struct Sheet {
    content: Content,
    alphas: BTreeSet<Alpha>,
    shades: Vec<Shade>,
    images: Vec<Picture>,
}

/// How much covers what is below, in thousandths.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
struct Alpha(u16);

impl Alpha {
    fn of(opacity: Opacity) -> Self {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to 1000")]
        let thousandths = (opacity.get() * 1000.0).round() as u16;
        Self(thousandths)
    }

    fn value(self) -> f32 {
        f32::from(self.0) / 1000.0
    }

    fn name(self) -> String {
        format!("A{}", self.0)
    }
}

/// Colours along a straight line.
struct Shade {
    from_to: [f32; 4],
    stops: Vec<(f32, [f32; 3])>,
}

struct Picture {
    jpeg: Vec<u8>,
    width: i32,
    height: i32,
}

impl Sheet {
    fn new() -> Self {
        Self { content: Content::new(), alphas: BTreeSet::new(), shades: Vec::new(), images: Vec::new() }
    }

    fn group(&mut self, group: &Group, around: Transform) -> Result<(), FaceError> {
        let plain = group.mask().is_none() && group.filters().is_empty() && group.blend_mode() == BlendMode::Normal;
        if !plain || group.opacity() != Opacity::ONE {
            return Err(unknown("a group with an effect"));
        }
        let within = around.pre_concat(group.transform());
        for node in group.children() {
            match node {
                Node::Group(group) => self.group(group, within)?,
                Node::Path(path) => self.path(path, within)?,
                Node::Text(text) => self.group(text.flattened(), within)?,
                Node::Image(image) => {
                    let ImageKind::JPEG(jpeg) = image.kind() else { return Err(unknown("a picture that is no JPEG")) };
                    self.image(jpeg, image.size().width(), image.size().height(), within);
                }
            }
        }
        Ok(())
    }

    fn path(&mut self, path: &Path, within: Transform) -> Result<(), FaceError> {
        if !path.is_visible() {
            return Ok(());
        }
        if let Some(fill) = path.fill() {
            self.begin(within, fill.opacity());
            match fill.paint() {
                Paint::Color(color) => {
                    let [red, green, blue] = shares(*color);
                    self.content.set_fill_rgb(red, green, blue);
                    self.outline(path.data());
                    match fill.rule() {
                        FillRule::EvenOdd => self.content.fill_even_odd(),
                        FillRule::NonZero => self.content.fill_nonzero(),
                    };
                }
                Paint::LinearGradient(line) => {
                    self.outline(path.data());
                    self.content.clip_nonzero().end_path().transform(matrix(line.transform()));
                    self.content.shading(Name(format!("S{}", self.shades.len()).as_bytes()));
                    self.shades.push(Shade::of(line));
                }
                _ => return Err(unknown("a fill")),
            }
            self.content.restore_state();
        }
        if let Some(stroke) = path.stroke() {
            let Paint::Color(color) = stroke.paint() else { return Err(unknown("a stroke")) };
            self.begin(within, stroke.opacity());
            let [red, green, blue] = shares(*color);
            self.content.set_stroke_rgb(red, green, blue).set_line_width(stroke.width().get());
            self.content.set_miter_limit(stroke.miterlimit().get());
            self.content.set_line_cap(match stroke.linecap() {
                LineCap::Butt => LineCapStyle::ButtCap,
                LineCap::Round => LineCapStyle::RoundCap,
                LineCap::Square => LineCapStyle::ProjectingSquareCap,
            });
            self.content.set_line_join(match stroke.linejoin() {
                LineJoin::Miter | LineJoin::MiterClip => LineJoinStyle::MiterJoin,
                LineJoin::Round => LineJoinStyle::RoundJoin,
                LineJoin::Bevel => LineJoinStyle::BevelJoin,
            });
            if let Some(dashes) = stroke.dasharray() {
                self.content.set_dash_pattern(dashes.iter().copied(), stroke.dashoffset());
            }
            self.outline(path.data());
            self.content.stroke().restore_state();
        }
        Ok(())
    }

    fn begin(&mut self, within: Transform, opacity: Opacity) {
        self.content.save_state().transform(matrix(within));
        let alpha = Alpha::of(opacity);
        if alpha.0 < 1000 {
            self.content.set_parameters(Name(alpha.name().as_bytes()));
            self.alphas.insert(alpha);
        }
    }

    fn outline(&mut self, outline: &Outline) {
        let content = &mut self.content;
        let mut at = Point::zero();
        for segment in outline.segments() {
            match segment {
                PathSegment::MoveTo(to) => {
                    content.move_to(to.x, to.y);
                    at = to;
                }
                PathSegment::LineTo(to) => {
                    content.line_to(to.x, to.y);
                    at = to;
                }
                PathSegment::QuadTo(by, to) => {
                    // PDF has cubic curves only.
                    let toward = |end: Point| (end.x + (by.x - end.x) * 2.0 / 3.0, end.y + (by.y - end.y) * 2.0 / 3.0);
                    let (one, two) = (toward(at), toward(to));
                    content.cubic_to(one.0, one.1, two.0, two.1, to.x, to.y);
                    at = to;
                }
                PathSegment::CubicTo(one, two, to) => {
                    content.cubic_to(one.x, one.y, two.x, two.y, to.x, to.y);
                    at = to;
                }
                PathSegment::Close => {
                    content.close_path();
                }
            }
        }
    }

    fn image(&mut self, jpeg: &[u8], width: f32, height: f32, within: Transform) {
        self.content.save_state().transform(matrix(within)).transform([width, 0.0, 0.0, -height, 0.0, height]);
        self.content.x_object(Name(format!("I{}", self.images.len()).as_bytes())).restore_state();
        #[expect(clippy::cast_possible_truncation, reason = "pixels of a portrait")]
        let (width, height) = (width as i32, height as i32);
        self.images.push(Picture { jpeg: jpeg.to_vec(), width, height });
    }
}

impl Shade {
    fn of(line: &LinearGradient) -> Self {
        let stops = line.stops().iter().map(|stop| (stop.offset().get(), shares(stop.color())));
        Self { from_to: [line.x1(), line.y1(), line.x2(), line.y2()], stops: stops.collect() }
    }

    fn write(&self, pdf: &mut Pdf, of: Ref, id: &mut impl FnMut() -> Ref) {
        let all = id();
        let parts: Vec<Ref> = self.stops.windows(2).map(|_| id()).collect();
        let mut shading = pdf.function_shading(of);
        shading.shading_type(FunctionShadingType::Axial).function(all).coords(self.from_to).extend([true, true]);
        shading.color_space().device_rgb();
        shading.finish();
        for (pair, part) in self.stops.windows(2).zip(&parts) {
            pdf.exponential_function(*part).domain([0.0, 1.0]).c0(pair[0].1).c1(pair[1].1).n(1.0);
        }
        let inner = self.stops.iter().skip(1).take(parts.len().saturating_sub(1)).map(|(offset, _)| *offset);
        let mut stitched = pdf.stitching_function(all);
        stitched.domain([0.0, 1.0]).functions(parts.iter().copied()).bounds(inner);
        stitched.encode(parts.iter().flat_map(|_| [0.0, 1.0]));
    }
}

fn unknown(what: &str) -> FaceError {
    FaceError::Drawing(format!("{what} cannot be written as PDF"))
}

fn matrix(of: Transform) -> [f32; 6] {
    [of.sx, of.ky, of.kx, of.sy, of.tx, of.ty]
}

fn shares(color: resvg::usvg::Color) -> [f32; 3] {
    [color.red, color.green, color.blue].map(|share| f32::from(share) / 255.0)
}

/// 72 to the inch.
fn points(millimetres: f32) -> f32 {
    millimetres * 72.0 / 25.4
}

fn packed(bytes: &[u8]) -> Result<Vec<u8>, FaceError> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    let done = encoder.write_all(bytes).and_then(|()| encoder.finish());
    done.map_err(|error| FaceError::Drawing(error.to_string()))
}
