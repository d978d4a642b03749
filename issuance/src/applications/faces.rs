//! Faces in a picture: where they are, found by the cascade of SeetaFace (crate `rustface`). It says where a face is,
//! and never whose. Pure; takes some hundred milliseconds, so it runs where blocking work runs.

use std::sync::LazyLock;

use rustface::{ImageData, Model};

/// A face in a picture: a square from the brows to the chin, in pixels of the picture.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Face {
    /// Left edge.
    pub x: u32,
    /// Upper edge.
    pub y: u32,
    /// Width and height.
    pub side: u32,
}

/// Returns the faces of a picture in grey, one byte a pixel, row by row.
pub(super) fn faces(grey: &[u8], width: u32, height: u32) -> Vec<Face> {
    // Smaller than the window of the cascade: there is nothing to look at.
    if width < SMALLEST || height < SMALLEST {
        return vec![];
    }
    let mut detector = rustface::create_detector_with_model(MODEL.clone());
    detector.set_min_face_size(SMALLEST);
    detector.set_score_thresh(SURE);
    detector.set_pyramid_scale_factor(0.8);
    detector.set_slide_window_step(4, 4);
    let found = detector.detect(&ImageData::new(grey, width, height));
    let within = |at: i32, most: u32| u32::try_from(at).unwrap_or(0).min(most);
    found
        .iter()
        .map(|face| {
            let (x, y) = (within(face.bbox().x(), width - 1), within(face.bbox().y(), height - 1));
            let side = face.bbox().width().max(face.bbox().height()).min(width - x).min(height - y);
            Face { x, y, side }
        })
        .collect()
}

/// The window of the cascade, pixels: smaller faces are not found.
const SMALLEST: u32 = 40;
/// What the cascade is surer of than this is a face.
const SURE: f64 = 3.5;

/// The model of SeetaFace, under the BSD 2-Clause licence (issuance/data/faces/LICENSE).
static MODEL: LazyLock<Model> = LazyLock::new(|| {
    let bytes: &[u8] = include_bytes!("../../data/faces/seeta_fd_frontal_v1.0.bin");
    rustface::read_model(bytes).expect("the model of the program is one")
});
