//! CPU time of one portrait and how like the photograph it is, beside the plain way: halving the range of qualities
//! with the encoder of the crate `image`, which takes seven encodings.
//!
//! ```text
//! cargo bench -p issuance --bench portrait         # FILES="a.jpg b.jpg" for photographs of your own
//! ```

use std::io::Cursor;
use std::time::Instant;

use image::codecs::jpeg::JpegEncoder;
use image::imageops::FilterType;
use image::{GrayImage, RgbImage};
use issuance::applications::portrait::{HEIGHT, MAX_PORTRAIT, WIDTH, passport_portrait};

/// Rounds of each way; the median counts.
const ROUNDS: usize = 31;

fn main() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/portrait");
    let given = std::env::var("FILES").unwrap_or_default();
    let mut photographs: Vec<(String, Vec<u8>)> =
        given.split_whitespace().map(|path| (path.to_owned(), std::fs::read(path).expect("a photograph"))).collect();
    let picture = image::open(format!("{folder}/astronaut.png")).expect("the picture of the repository").to_rgb8();
    photographs.push(("photograph.jpg".to_owned(), std::fs::read(format!("{folder}/photograph.jpg")).expect("a file")));
    for (width, height) in [(480, 640), (1_200, 1_600), (3_000, 4_000)] {
        let scaled = image::imageops::resize(&picture, width, height, FilterType::Lanczos3);
        let mut jpeg = vec![];
        JpegEncoder::new_with_quality(&mut jpeg, 88).encode_image(&scaled).expect("room");
        photographs.push((format!("astronaut, {width} × {height}"), jpeg));
    }
    println!("| photograph | way | ms | bytes | SSIM |");
    println!("| --- | --- | ---: | ---: | ---: |");
    for (name, photograph) in &photographs {
        let exact = image::load_from_memory(photograph).expect("a JPEG").to_rgb8();
        let exact = plainly_scaled(&exact);
        let ways: [(&str, &dyn Fn() -> Vec<u8>); 2] = [
            ("anchor: seven encodings", &|| seven_encodings(photograph)),
            ("as issuance does it", &|| passport_portrait(photograph, None).expect("a portrait")),
        ];
        for (way, make) in ways {
            let mut times: Vec<f64> = (0..ROUNDS).map(|_| time_of(make)).collect();
            times.sort_by(f64::total_cmp);
            let jpeg = make();
            let like = ssim(&grey(&exact), &grey(&image::load_from_memory(&jpeg).expect("a JPEG").to_rgb8()));
            println!("| {name} | {way} | {:.1} | {} | {like:.4} |", times[ROUNDS / 2], jpeg.len());
        }
    }
}

fn time_of(make: &dyn Fn() -> Vec<u8>) -> f64 {
    let began = Instant::now();
    std::hint::black_box(make());
    began.elapsed().as_secs_f64() * 1_000.0
}

/// The centre at 3:4, in the size of a portrait.
fn plainly_scaled(picture: &RgbImage) -> RgbImage {
    let width = picture.width().min(picture.height() / 4 * 3);
    let height = picture.height().min(width / 3 * 4);
    let (x, y) = ((picture.width() - width) / 2, (picture.height() - height) / 2);
    let frame = image::imageops::crop_imm(picture, x, y, width, height).to_image();
    image::imageops::resize(&frame, WIDTH, HEIGHT, FilterType::Lanczos3)
}

/// The plain way: the best quality that fits by halving.
fn seven_encodings(photograph: &[u8]) -> Vec<u8> {
    let picture = image::ImageReader::new(Cursor::new(photograph)).with_guessed_format().expect("a file");
    let scaled = plainly_scaled(&picture.decode().expect("a JPEG").to_rgb8());
    let (mut low, mut high, mut best) = (20, 100, vec![]);
    while low <= high {
        let quality = u8::midpoint(low, high);
        let mut jpeg = vec![];
        JpegEncoder::new_with_quality(&mut jpeg, quality).encode_image(&scaled).expect("room");
        if jpeg.len() > MAX_PORTRAIT {
            high = quality - 1;
        } else {
            low = quality + 1;
            best = jpeg;
        }
    }
    best
}

fn grey(picture: &RgbImage) -> GrayImage {
    image::imageops::grayscale(picture)
}

/// The mean structural similarity of two pictures of one size (Wang, Bovik, Sheikh and Simoncelli, 2004), over windows
/// of 8 × 8 pixels.
fn ssim(one: &GrayImage, other: &GrayImage) -> f64 {
    let (c1, c2) = ((0.01_f64 * 255.0).powi(2), (0.03_f64 * 255.0).powi(2));
    let (mut sum, mut windows) = (0.0, 0.0);
    for top in (0..one.height() - 7).step_by(4) {
        for left in (0..one.width() - 7).step_by(4) {
            let of = |picture: &GrayImage| -> Vec<f64> {
                let at = |n: u32| f64::from(picture.get_pixel(left + n % 8, top + n / 8).0[0]);
                (0..64).map(at).collect()
            };
            let (a, b) = (of(one), of(other));
            let mean = |values: &[f64]| values.iter().sum::<f64>() / 64.0;
            let (ma, mb) = (mean(&a), mean(&b));
            let with = |x: &[f64], mx: f64, y: &[f64], my: f64| {
                x.iter().zip(y).map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / 63.0
            };
            let (va, vb, both) = (with(&a, ma, &a, ma), with(&b, mb, &b, mb), with(&a, ma, &b, mb));
            sum += (2.0 * ma * mb + c1) * (2.0 * both + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            windows += 1.0;
        }
    }
    sum / windows
}
