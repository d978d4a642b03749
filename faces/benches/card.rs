//! What a card costs: laid out, as PDF of both faces, and as pictures. `cargo bench --package faces`.
//!
//! The least of many runs is printed: what other programs do meanwhile only adds.

use std::path::Path;
use std::time::{Duration, Instant};

use faces::{Back, Face, Front, Look, Resolution, Use, pdf};

fn main() {
    let portrait = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/portrait/drawn.jpg");
    let portrait = std::fs::read(portrait).expect("the drawing is in the repository");
    let some = |text: &str| Some(text.to_owned());
    let front = Front {
        number: some("003300000017"),
        name: some("Nguyễn Thị Mẫu"),
        birth: some("05/01/2000"),
        sex: some("Nữ"),
        nationality: some("Việt Nam"),
        origin: some("Phúc Xá, Ba Đình, Hà Nội"),
        residence: some("Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội"),
        expiry: some("05/01/2025"),
        qr: "003300000017|000000001|Nguyễn Thị Mẫu|05012000|Nữ|Số 1 Phố Mẫu, Phúc Xá, Ba Đình, Hà Nội|15032021".into(),
        portrait,
    };
    let back = Back {
        features: some("Nốt ruồi cách 1 cm dưới sau mắt trái"),
        issued: some("15/03/2021"),
        mrz: ["IDVNM3000000171003300000017<<4", "0001052F2501051VNM<<<<<<<<<<<4", "NGUYEN<<THI<MAU<<<<<<<<<<<<<<<"]
            .map(str::to_owned),
        signer: some("Họ tên mẫu"),
    };
    let look = Look { for_: Use::Print, specimen: true };
    let laid_out = || [Face::front(&front, look), Face::back(&back, look)].map(|face| face.expect("it fits"));
    let faces = laid_out();
    let written = pdf(&faces).expect("it is written");
    println!("PDF of both faces: {} bytes", written.len());
    for (said, time) in [
        ("both faces laid out", least(|| drop(laid_out()))),
        ("both faces laid out and written as PDF", least(|| drop(pdf(&laid_out())))),
        ("a face as PNG, 300 dots an inch", least(|| drop(faces[0].png(Resolution::Dpi300)))),
        ("a face as PNG, 600 dots an inch", least(|| drop(faces[0].png(Resolution::Dpi600)))),
    ] {
        println!("{said}: {:.1} ms", time.as_secs_f64() * 1000.0);
    }
}

fn least(work: impl Fn()) -> Duration {
    let runs = (0..20).map(|_| {
        let begun = Instant::now();
        work();
        begun.elapsed()
    });
    runs.min().unwrap_or_default()
}
