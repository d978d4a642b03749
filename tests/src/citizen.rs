//! Invented people, all made by [`Citizen::invented`]. Their personal numbers begin with 003, a province
//! code that is not assigned.

use std::error::Error;
use std::io::Cursor;
use std::path::Path;
use std::sync::LazyLock;

use crypto::identity::{Date, PersonalNumber, Sex};
use crypto::lds::dg13::Particulars;
use crypto::lds::{Dg1, Dg13};
use faces::{Back, Front};
use image::imageops::FilterType;
use issuance::cards::qr;
use serde_json::{Value, json};
use time::Duration;
use time::macros::date;

use crate::world::PROVINCE;

/// An invented person. The same number gives the same person each time, another number another one.
#[derive(Clone, Debug)]
pub struct Citizen {
    /// Full name.
    pub name: String,
    /// Day of birth, from 1968 to 2000.
    pub birth: time::Date,
    /// Women have even numbers, men odd ones.
    pub sex: Sex,
    number: u32,
}

impl Citizen {
    /// Invents the person with this number. Number 0 is Nguyễn Thị Mẫu, born on 5 January 2000, whom
    /// the demonstration serves.
    pub fn invented(number: u32) -> Self {
        let at = number as usize;
        let family = FAMILY_NAMES[at % FAMILY_NAMES.len()];
        let given = GIVEN_NAMES[at / FAMILY_NAMES.len() % GIVEN_NAMES.len()];
        let (sex, middle) = if at.is_multiple_of(2) { (Sex::Female, "Thị") } else { (Sex::Male, "Văn") };
        // Old enough for a card of their own, and no two of 300 born on one day.
        let birth = date!(2000 - 01 - 05) - Duration::days(i64::from(number % 300) * 39);
        Self { name: format!("{family} {middle} {given}"), birth, sex, number }
    }

    /// Form DC01 of this person, as the registrar enters it.
    pub fn declaration(&self) -> Value {
        let place = json!({ "province": PROVINCE, "detail": "Số 1 Phố Mẫu, Phường Thử, Tỉnh Mẫu" });
        let (day, month, year) = (self.birth.day(), u8::from(self.birth.month()), self.birth.year());
        json!({
            "full_name": self.name,
            "birth_date": format!("{day:02}/{month:02}/{year}"),
            "sex": self.sex.vietnamese(),
            "birth_registration": { "province": PROVINCE },
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

    /// A personal number for tests without a register, which alone gives numbers otherwise.
    ///
    /// # Panics
    /// Never: the parts are valid by construction.
    pub fn personal_number(&self) -> PersonalNumber {
        let province = PROVINCE.parse().expect("three digits");
        let year = u16::try_from(self.birth.year()).expect("a year of our time");
        PersonalNumber::compose(province, self.sex, year, 17 + self.number).expect("a year and a serial in range")
    }

    /// The fields of DG13 for tests without a register, for a card issued on this day that never expires.
    ///
    /// # Panics
    /// Never: the names are valid by construction.
    pub fn particulars(&self, issued: time::Date) -> Particulars {
        Particulars {
            number: self.personal_number(),
            name: self.name.parse().expect("a name that a card can carry"),
            birth: Date::Full(self.birth),
            sex: self.sex,
            nationality: "Việt Nam".to_owned(),
            ethnicity: "Kinh".to_owned(),
            religion: "Không".to_owned(),
            origin: "Xã Thử, Tỉnh Thử".to_owned(),
            residence: "Số 1, Xã Thử, Tỉnh Thử".to_owned(),
            features: FEATURES.to_owned(),
            issued,
            expiry: None,
            father: None,
            mother: None,
            spouse: None,
            old_number: None,
            mark: None,
        }
    }
}

const FAMILY_NAMES: [&str; 7] = ["Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Vũ", "Đặng"];
const GIVEN_NAMES: [&str; 9] = ["Mẫu", "Thử", "Một", "Hai", "Ba", "Tư", "Năm", "Sáu", "Bảy"];

/// Personal identification features, as the capture officer describes them.
pub const FEATURES: &str = "Nốt ruồi cách 2 cm dưới đuôi mắt trái";

/// Returns the picture that a counter's camera takes: the head and shoulders of the public-domain portrait in
/// `tests/data/portrait`, 720 x 960, JPEG.
///
/// # Panics
/// If the file in the repository is not the picture it was.
pub fn photograph() -> Vec<u8> {
    static JPEG: LazyLock<Vec<u8>> = LazyLock::new(take_photograph);
    JPEG.clone()
}

/// A drawn portrait of a person who does not live, 420 x 560, JPEG: for pictures that are shown.
///
/// # Panics
/// If the file is not in the repository.
pub fn drawing() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/portrait/drawn.jpg");
    std::fs::read(path).expect("the drawing is in the repository")
}

/// Returns what stands on the front of a card, out of the files that were read from its chip.
///
/// # Errors
/// If a file is missing, or is not what it should be.
pub fn front(read: &Path) -> Result<Front, Box<dyn Error>> {
    let of = Dg13::parse(&std::fs::read(read.join("dg13.bin"))?)?;
    let qr = qr::text(&of);
    let portrait = std::fs::read(read.join("portrait.jpg"))?;
    let Dg13 { number, name, birth, sex, nationality, origin, residence, expiry, .. } = of;
    Ok(Front { number, name, birth, sex, nationality, origin, residence, expiry, qr, portrait })
}

/// As [`front`], for the back.
///
/// # Errors
/// As [`front`].
pub fn back(read: &Path) -> Result<Back, Box<dyn Error>> {
    let dg13 = Dg13::parse(&std::fs::read(read.join("dg13.bin"))?)?;
    let dg1 = std::fs::read(read.join("dg1.bin"))?;
    let zone = Dg1::characters(&dg1)?;
    let mut lines = zone.chunks(30).map(|line| String::from_utf8_lossy(line).into_owned());
    let mrz = std::array::from_fn(|_| lines.next().unwrap_or_default());
    Ok(Back { features: dg13.features, issued: dg13.issued, mrz, signer: Some("Họ tên mẫu".to_owned()) })
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
