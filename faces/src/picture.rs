//! A face as a picture.

use png::{BitDepth, ColorType, Compression, Encoder, PixelDimensions, Unit};
use resvg::tiny_skia::{Color, Pixmap, Transform};
use resvg::usvg::Tree;

use crate::{FaceError, Resolution};

impl Resolution {
    /// Pixels of a card: 85.60 × 53.98 mm at this resolution.
    const fn pixels(self) -> (u32, u32) {
        match self {
            Self::Dpi300 => (1011, 638),
            Self::Dpi600 => (2022, 1275),
        }
    }

    /// Dots a metre, as PNG has them.
    const fn dots_a_metre(self) -> u32 {
        match self {
            Self::Dpi300 => 11_811,
            Self::Dpi600 => 23_622,
        }
    }
}

/// Draws a face; what is outside its corners is clear if they are `round`, and there is nothing clear otherwise.
pub fn png(tree: &Tree, resolution: Resolution, round: bool) -> Result<Vec<u8>, FaceError> {
    let fault = |error: &dyn std::fmt::Display| FaceError::Drawing(error.to_string());
    let (width, height) = resolution.pixels();
    let mut pixels = Pixmap::new(width, height).ok_or_else(|| fault(&"no room for the picture"))?;
    if !round {
        pixels.fill(Color::WHITE);
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousand pixels")]
    let scale = Transform::from_scale(width as f32 / tree.size().width(), height as f32 / tree.size().height());
    resvg::render(tree, scale, &mut pixels.as_mut());
    let (color, bytes) = if round {
        (ColorType::Rgba, pixels.take_demultiplied())
    } else {
        (ColorType::Rgb, pixels.data().chunks_exact(4).flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect())
    };
    let mut out = Vec::new();
    let mut encoder = Encoder::new(&mut out, width, height);
    encoder.set_color(color);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::Fast);
    let dots = resolution.dots_a_metre();
    encoder.set_pixel_dims(Some(PixelDimensions { xppu: dots, yppu: dots, unit: Unit::Meter }));
    let mut writer = encoder.write_header().map_err(|error| fault(&error))?;
    writer.write_image_data(&bytes).map_err(|error| fault(&error))?;
    writer.finish().map_err(|error| fault(&error))?;
    Ok(out)
}
