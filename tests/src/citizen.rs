//! Invented people. Their personal numbers begin with 003, a province code that is not assigned.

use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use image::imageops::FilterType;
use serde_json::{Value, json};

/// Form DC01 of an invented woman, born on 5 January 2000.
pub fn declaration() -> Value {
    let place = json!({ "province": "003", "detail": "Số 1 Phố Mẫu, Phường Thử, Tỉnh Mẫu" });
    json!({
        "full_name": "Nguyễn Thị Mẫu",
        "birth_date": "05/01/2000",
        "sex": "Nữ",
        "birth_registration": { "province": "003" },
        "place_of_origin": place,
        "ethnic_group": "01",
        "religion": "",
        "nationality": "VNM",
        "marital_status": "single",
        "permanent_residence": place,
        "father": { "full_name": "Nguyễn Văn Mẫu" },
        "mother": { "full_name": "Trần Thị Thử" },
        "head_of_household": { "full_name": "Nguyễn Văn Mẫu" },
        "relation_to_head": "con",
    })
}

/// The same form for another invented person.
pub fn declaration_of(full_name: &str, birth_date: &str, sex: &str) -> Value {
    let mut declaration = declaration();
    declaration["full_name"] = json!(full_name);
    declaration["birth_date"] = json!(birth_date);
    declaration["sex"] = json!(sex);
    declaration
}

/// What an officer writes under personal identification.
pub const FEATURES: &str = "Nốt ruồi cách 2 cm dưới đuôi mắt trái";

/// The picture a counter's camera takes: the head and shoulders of the public-domain portrait in `tests/data/portrait`, 720 x 960, JPEG.
///
/// # Panics
/// If the file in the repository is not the picture it was.
pub fn photograph() -> Vec<u8> {
    static JPEG: LazyLock<Vec<u8>> = LazyLock::new(take_photograph);
    JPEG.clone()
}

fn take_photograph() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/portrait/astronaut.png");
    let picture = image::open(path).expect("the portrait is in the repository").to_rgb8();
    let head = image::imageops::crop_imm(&picture, 105, 0, 225, 300).to_image();
    let photograph = image::imageops::resize(&head, 720, 960, FilterType::Lanczos3);
    let mut jpeg = Cursor::new(Vec::new());
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 92)
        .encode_image(&photograph)
        .expect("an RGB picture can be written as JPEG");
    jpeg.into_inner()
}
