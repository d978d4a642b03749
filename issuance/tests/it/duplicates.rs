//! People who were declared twice: which pairs are found and shown, which are not, and what officers see of it
//! (docs/duplicates.md).

use std::process::Command;

use issuance::ground::Role;
use issuance::population::duplicates::keys;
use issuance::population::duplicates::memory::Memory;
use issuance::population::duplicates::score::{SHOWN_FROM, judge};
use issuance::population::duplicates::traits::{Traits, Written};
use issuance::population::model::{Declaration, DeclaredPlace, DeclaredRelative};
use issuance::{args, population, sql};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::house::{Caller, House, on_both};
use crate::nation::{Kind, Nation};
use crate::offices::{Offices, declaration, within};
use crate::tables::fresh_database;

/// One and the same person, with two declarations: name, date, sex, province, father, mother, old number.
const DOUBLES: &[(&str, &str, &str)] = &[
    (
        "Nguyễn Thị Hòa;05/03/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyen Thi Hoa;05/03/1980;F;001;Nguyen Van Binh;Tran Thi Lan;",
        "name-without-tones",
    ),
    (
        "Nguyễn Thị Hòa;05/03/1980;F;001;Nguyễn Văn Bình;;",
        "Nguyễn Thị Hoà;05/03/1980;F;001;Nguyễn Văn Bình;;",
        "same-name",
    ),
    (
        "Nguyễn Thị Hòa;05/03/1980;F;001;Nguyễn Văn Bình;;",
        "Nguyễn Thị Hóa;05/03/1980;F;001;Nguyễn Văn Bình;;",
        "other-tones",
    ),
    (
        "Đỗ Văn Đức;12/07/1975;M;019;Đỗ Văn Đạt;Lê Thị Đào;",
        "\u{d0}ỗ Văn \u{d0}ức;12/07/1975;M;019;\u{d0}ỗ Văn \u{d0}ạt;Lê Thị \u{d0}ào;",
        "same-parents",
    ),
    (
        "Đỗ Văn Đức;12/07/1975;M;019;Đỗ Văn Đạt;Lê Thị Đào;",
        "Do Van Duc;12/07/1975;M;019;Do Van Dat;Le Thi Dao;",
        "name-without-tones",
    ),
    (
        "Trần Quốc Tuấn;30/04/1990;M;048;;;",
        "TRA\u{302}\u{300}N QUO\u{302}\u{301}C TUA\u{302}\u{301}N;30/04/1990;M;048;;;",
        "same-name",
    ),
    (
        "Nguyễn Văn Nam;20/11/1968;M;038;Nguyễn Văn Tư;Lê Thị Hai;",
        "Nam Nguyễn Văn;20/11/1968;M;038;Nguyễn Văn Tư;Lê Thị Hai;",
        "other-order",
    ),
    (
        "Nguyễn Văn Nam;20/11/1968;M;038;Nguyễn Văn Tư;Lê Thị Hai;",
        "Văn Nam Nguyễn;20/11/1968;M;038;Nguyễn Văn Tư;Lê Thị Hai;",
        "other-order",
    ),
    (
        "Nguyễn Thị Thu Hà;02/09/1985;F;001;Nguyễn Văn Sơn;;",
        "Nguyễn Thị Hà;02/09/1985;F;001;Nguyễn Văn Sơn;;",
        "middle-name-missing",
    ),
    (
        "Nguyễn Thị Thu Hà;02/09/1985;F;001;Nguyễn Văn Sơn;;",
        "Nguyễn Thị Thị Thu Hà;02/09/1985;F;001;Nguyễn Văn Sơn;;",
        "middle-name-missing",
    ),
    (
        "Phạm Thị Hạnh;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "Phạm Thị Hạmh;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "one-letter",
    ),
    (
        "Phạm Thị Hạnh;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "Phạm Thị Hahn;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "one-letter",
    ),
    (
        "Phạm Thị Hạnh;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "Phạm Thị Hnh;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "one-letter",
    ),
    (
        "Phạm Thị Hạnh;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "Phạmm Thị Hạnh;14/02/1992;F;031;Phạm Văn Hùng;Vũ Thị Mai;",
        "one-letter",
    ),
    (
        "Nguyễn Văn Dũng;09/10/1971;M;040;Nguyễn Văn Ba;;",
        "Nguyeexn Vawn Dungx;09/10/1971;M;040;Nguyễn Văn Ba;;",
        "same-birth-date",
    ),
    (
        "Nguyễn Văn Dũng;09/10/1971;M;040;Nguyễn Văn Ba;;",
        "Nguye6n Va8n Du4ng;09/10/1971;M;040;Nguyễn Văn Ba;;",
        "same-birth-date",
    ),
    ("Huỳnh Thị Mỹ;17/05/1966;F;079;Huỳnh Văn Lợi;;", "Huình Thị Mĩ;17/05/1966;F;079;Huỳnh Văn Lợi;;", "sounds-alike"),
    ("Trương Văn Sang;21/12/1959;M;079;;Võ Thị Sáu;", "Chương Văn Xang;21/12/1959;M;079;;Võ Thị Sáu;", "sounds-alike"),
    ("Lê Thị Giang;11/08/1988;F;038;Lê Văn Giáp;;", "Lê Thị Dang;11/08/1988;F;038;Lê Văn Giáp;;", "sounds-alike"),
    ("Nông Văn Nam;06/06/1983;M;004;Nông Văn Na;;", "Lông Văn Lam;06/06/1983;M;004;Nông Văn Na;;", "sounds-alike"),
    (
        "Trần Văn Cường;03/11/1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;11/03/1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "day-and-month-swapped",
    ),
    (
        "Trần Văn Cường;03/11/1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "day-missing",
    ),
    (
        "Trần Văn Cường;1950;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;1950;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "same-parents",
    ),
    (
        "Trần Văn Cường;03/11/1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;03/11/1979;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "year-off-by-one",
    ),
    (
        "Trần Văn Cường;03/11/1969;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;03/11/1996;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "year-misread",
    ),
    (
        "Trần Văn Cường;03/11/1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;03/11/1930;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "year-misread",
    ),
    (
        "Trần Văn Cường;15/11/1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;16/11/1980;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "one-digit-of-the-day",
    ),
    (
        "Trần Văn Cường;25/02/1970;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;20/01/1970;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "lunar-date",
    ),
    (
        "Trần Văn Cường;20/01/1970;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Cường;13/12/1969;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "lunar-date",
    ),
    (
        "Lý Thị Xuân;08/03/1977;F;010;Lý A Páo;Vàng Thị Mỷ;",
        "Lý Thị Xuân;08/03/1977;M;010;Lý A Páo;Vàng Thị Mỷ;",
        "same-name",
    ),
    (
        "Lý Thị Xuân;08/03/1977;F;010;Lý A Páo;Vàng Thị Mỷ;",
        "Lý Thị Xuân;08/03/1977;F;079;Lý A Páo;Vàng Thị Mỷ;",
        "same-parents",
    ),
    ("Đặng Thị Nhung;19/05/1994;F;034;Đặng Văn Khoa;Bùi Thị Thơm;", "Đặng Thị Nhung;19/05/1994;F;034;;;", "same-name"),
    (
        "Đặng Thị Nhung;19/05/1994;F;034;Đặng Văn Khoa;Bùi Thị Thơm;",
        "Đặng Thị Nhung;19/05/1994;F;034;Dang Van Khao;Bùi Thơm;",
        "parent-alike",
    ),
    (
        "Bùi Văn Tám;01/01/1940;M;017;Bùi Văn Bảy;Đinh Thị Chín;110234567",
        "Bùi Văn Tám;01/01/1940;M;017;Bùi Văn Bảy;Đinh Thị Chín;110234576",
        "old-number-mistyped",
    ),
    (
        "Bùi Văn Tám;01/01/1940;M;017;Bùi Văn Bảy;Đinh Thị Chín;110234567",
        "Bùi Tám;1941;M;017;;;110234567",
        "same-old-number",
    ),
    (
        "Ngô Thị Ánh;22/12/1999;F;027;Ngô Văn Quý;Ngô Thị Hợi;",
        "Ngô Ánh Thị;22/12/1999;F;027;Ngô Văn Quý;Ngô Thị Hợi;",
        "other-order",
    ),
    // Two faults at once.
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyen Thi Hanh;11/03/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "day-and-month-swapped",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Thị Hạmh;11/03/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "day-and-month-swapped",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Thị Hạmh;1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "day-missing",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Hạnh;03/11/1981;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "year-off-by-one",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Hanh Nguyen Thi;03/11/1908;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "year-misread",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Thị Hạnh;11/03/1981;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "day-and-month-swapped",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Thị Hạnh;1980;F;079;Nguyễn Văn Bình;Trần Thị Lan;",
        "day-missing",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyn Thị Hạnh;03/11/1980;F;079;Nguyễn Văn Bình;Trần Thị Lan;",
        "one-letter",
    ),
    (
        "Nguyễn Thị Hạnh;03/11/1980;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Thị Hạnh;03/11/1979;M;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "year-off-by-one",
    ),
    (
        "Vương Đình Khuê;16/09/1963;M;049;Vương Đình Thoại;;",
        "Vuong Dinh Khue;16/09/1963;M;048;;;",
        "name-without-tones",
    ),
    (
        "Lâm Thị Bích Trâm;07/07/2003;F;092;Lâm Chí Dũng;Hồ Thị Cúc;",
        "Lâm Bích Châm;07/07/2003;F;092;Lâm Chí Dũng;Hồ Thị Cúc;",
        "sounds-alike",
    ),
    ("Nguyễn Thị Thu Hà;02/09/1985;F;001;;;", "Nguyễn Thị ThuHà;02/09/1985;F;001;;;", "same-name"),
    ("Nguyễn Thị Thu Hà;02/09/1985;F;001;Nguyễn Văn Sơn;;", "NGUYENTHITHUHA;02/09/1985;F;001;;;", "name-without-tones"),
];

/// Two people.
const TWO_PEOPLE: &[(&str, &str, &str)] = &[
    (
        "Nguyễn Văn Hùng;01/06/2001;M;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Văn Hưng;01/06/2001;M;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "",
    ),
    (
        "Lê Thị Lan;01/06/2001;F;001;Lê Văn Bình;Trần Thị Hoa;",
        "Lê Thị Loan;01/06/2001;F;001;Lê Văn Bình;Trần Thị Hoa;",
        "",
    ),
    (
        "Lê Thị Lan;01/06/2001;F;001;Lê Văn Bình;Trần Thị Hoa;",
        "Lê Thị Huệ;01/06/2001;F;001;Lê Văn Bình;Trần Thị Hoa;",
        "twin",
    ),
    (
        "Lê Văn Long;01/06/2001;M;001;Lê Văn Bình;Trần Thị Hoa;",
        "Lê Thị Phượng;01/06/2001;F;001;Lê Văn Bình;Trần Thị Hoa;",
        "twin",
    ),
    (
        "Lê Minh Anh;01/06/2001;F;001;Lê Văn Bình;Trần Thị Hoa;",
        "Lê Minh Ánh Dương;01/06/2001;F;001;Lê Văn Bình;Trần Thị Hoa;",
        "twin",
    ),
    (
        "Nguyễn Thị Hoa;01/01/1960;F;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Thị Hoa;01/01/1960;F;038;Nguyễn Văn Tư;Lê Thị Mùi;",
        "different-parents",
    ),
    (
        "Nguyễn Văn Nam;02/09/1975;M;001;Nguyễn Văn Bình;Trần Thị Lan;",
        "Nguyễn Văn Nam;02/09/1975;M;001;Nguyễn Văn Tư;Lê Thị Mùi;",
        "different-parents",
    ),
    (
        "Nguyễn Văn Nam;02/09/1975;M;001;;;012345678",
        "Nguyễn Văn Nam;02/09/1975;M;079;;;023456789",
        "different-old-number",
    ),
    (
        "Phan Văn Trị;04/02/1950;M;087;Phan Văn Đạo;Lê Thị Tư;",
        "Phan Văn Trị;04/02/1980;M;087;Phan Văn Trị;Ngô Thị Năm;",
        "parent-and-child",
    ),
    ("Phan Văn Trị;1950;M;087;;;", "Phan Văn Trị;1980;M;087;Phan Văn Trị;Ngô Thị Năm;", "parent-and-child"),
    ("Võ Thị Sáu;04/02/1950;F;077;;;", "Võ Thị Sáu;15/08/1975;F;077;Trần Văn Hai;Võ Thị Sáu;", "parent-and-child"),
    (
        "Trần Thị Mai;04/02/1990;F;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Thị Đào;15/08/1992;F;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "sibling",
    ),
    (
        "Trần Văn Một;04/02/1990;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Hai;04/02/1991;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "different-given-name",
    ),
    (
        "Trần Văn Dũng;04/02/1990;M;036;Trần Văn Chiến;Đỗ Thị Hoa;",
        "Trần Văn Dương;17/08/1990;M;036;Trần Văn Thắng;Lê Thị Hương;",
        "different-birth-date",
    ),
    (
        "Nguyễn Thị Thu;11/11/1988;F;001;Nguyễn Văn Bình;;",
        "Nguyễn Thị Thủy;11/11/1988;F;038;Nguyễn Văn Cảnh;;",
        "different-parents",
    ),
    ("Nguyễn Văn An;12/05/1970;M;001;;;", "Nguyễn Văn Ân;27/08/1970;M;079;;;", "different-birth-date"),
    (
        "Lê Văn Tám;1955;M;038;Lê Văn Bảy;Lê Thị Sáu;",
        "Lê Văn Tám;1965;M;040;Lê Văn Năm;Bùi Thị Bốn;",
        "different-parents",
    ),
    (
        "Hoàng Thị Yến;09/09/1999;F;020;Hoàng Văn Én;Nông Thị Nhạn;",
        "Hoàng Văn Yên;09/09/1999;M;020;Hoàng Văn Sáo;Lý Thị Cò;",
        "different-sex",
    ),
];

/// Reads `name;date;sex;province;father;mother;old number`.
fn form(line: &str) -> Declaration {
    let fields: Vec<&str> = line.split(';').collect();
    let [name, date, sex, province, father, mother, old] = fields[..] else { panic!("{line}") };
    let relative = |name: &str| {
        (!name.is_empty()).then(|| DeclaredRelative { full_name: name.into(), ..DeclaredRelative::default() })
    };
    let place = DeclaredPlace { province: province.into(), ..DeclaredPlace::default() };
    Declaration {
        full_name: name.into(),
        birth_date: date.into(),
        sex: sex.into(),
        birth_registration: place.clone(),
        place_of_origin: place,
        father: relative(father),
        mother: relative(mother),
        old_id_number: old.into(),
        ..Declaration::default()
    }
}

fn traits(line: &str) -> Traits {
    Traits::from(&form(line))
}

fn words<T: serde::Serialize>(all: &[T]) -> Vec<String> {
    all.iter().map(|one| serde_json::to_value(one).unwrap().as_str().unwrap().to_owned()).collect()
}

#[test]
fn hard_doubles_are_found_by_their_keys_and_shown_with_the_reason() {
    let mut missed = vec![];
    for (one, other, reason) in DOUBLES {
        let memory = Memory::of(vec![traits(one), traits(other)]);
        for at in [0, 1] {
            match &memory.candidates(at).0[..] {
                [found] => {
                    let judgement = &found.judgement;
                    if judgement.score < SHOWN_FROM || !words(&judgement.reasons).contains(&(*reason).to_owned()) {
                        missed.push(format!("{one} | {other}: {judgement:?}"));
                    }
                }
                _ => missed.push(format!("{one} | {other}: no common key")),
            }
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(DOUBLES.len() + TWO_PEOPLE.len() >= 60);
}

#[test]
fn twins_namesakes_juniors_and_siblings_are_not_shown_as_doubles() {
    let mut shown = vec![];
    for (one, other, against) in TWO_PEOPLE {
        let judgement = judge(&traits(one), &traits(other));
        let said = against.is_empty() || words(&judgement.against).contains(&(*against).to_owned());
        if judgement.score >= SHOWN_FROM || !said {
            shown.push(format!("{one} | {other}: {judgement:?}"));
        }
    }
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn the_keys_of_a_person_stay_what_they_are() {
    let one = keys::keys(&traits(DOUBLES[0].0));
    let digest = one.iter().fold(0_u64, |all, key| all.rotate_left(7) ^ key.cast_unsigned());
    // Another value here means that registered people are not found any more: raise `keys::VERSION` and index anew.
    assert_eq!((one.len(), digest, keys::VERSION), (7, KEYS_OF_THE_FIRST, 2));
}

/// What the keys of the first person of the table come to.
const KEYS_OF_THE_FIRST: u64 = 0xb584_893e_87eb_8f17;

#[test]
fn a_key_is_never_made_of_a_name_alone() {
    let same_name = "Nguyễn Văn Nam;02/09/1975;M;001;Nguyễn Văn Bình;Trần Thị Lan;";
    let another_year = "Nguyễn Văn Nam;17/04/1950;M;001;Lê Văn Tư;Đỗ Thị Năm;";
    let memory = Memory::of(vec![traits(same_name), traits(another_year)]);
    assert_eq!(memory.candidates(0).1, 0, "a third of the nation shares words of names");
}

/// Text of any kind, and text that is nearly a name.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[A-Za-zĐđÐăâêôơưàáảãạ'\\- ]{0,40}", "\\PC{0,200}", "([Nn]guy[eễê]n ?){0,40}"]
}

fn any_traits() -> impl Strategy<Value = Traits> {
    let date =
        prop_oneof![any_text(), "(0[1-9]|1[0-2])/(0[1-9]|1[0-2])/(19[0-9]{2})", "(19|20)[0-9]{2}", Just("9999".into())];
    (
        any_text(),
        date,
        prop_oneof![Just("Nam"), Just("Nữ"), Just("?")],
        "[0-9]{0,4}",
        any_text(),
        any_text(),
        any_text(),
    )
        .prop_map(|(name, date, sex, province, father, mother, old)| {
            Traits::read(&Written {
                full_name: &name,
                birth_date: &date,
                sex,
                born_in: (&province, &old),
                origin: (&province, ""),
                father: (&father, ""),
                mother: (&mother, &old),
                spouse: &father,
                old_number: &old,
                ..Written::default()
            })
        })
}

proptest! {
    #[test]
    fn a_pair_is_judged_alike_from_both_sides_and_any_text_is_taken((one, other) in (any_traits(), any_traits())) {
        prop_assert_eq!(judge(&one, &other), judge(&other, &one));
        prop_assert_eq!(keys::keys(&one), keys::keys(&one));
        let found = Memory::of(vec![one.clone(), one.clone(), other]).candidates(0).0;
        // A person with a name and a year is found again.
        let usable = keys::probes(&one).len() > 1;
        prop_assert!(!usable || found.iter().any(|found| found.at == 1));
        let locks = keys::locks(&one);
        prop_assert!(locks.windows(2).all(|pair| pair[0] < pair[1]), "one order for all");
    }
}

/// How many pairs of these people are shown as one person. Two at the same moment wait for each other wherever
/// one would find the other.
fn pairs_waited_for(people: &[Traits]) -> usize {
    let memory = Memory::of(people.to_vec());
    let mut pairs = 0;
    for (one, traits) in people.iter().enumerate() {
        let own = keys::locks(traits);
        for found in memory.candidates(one).0.iter().filter(|found| found.judgement.score >= SHOWN_FROM) {
            let other = keys::locks(&people[found.at]);
            assert!(own.iter().any(|lock| other.contains(lock)), "{one} and {} would pass each other", found.at);
            pairs += 1;
        }
    }
    pairs
}

#[test]
fn a_person_who_is_found_by_a_key_was_waited_for() {
    for rich in [true, false] {
        let nation = Nation::of(Kind { people: 3000, seed: 5, rich });
        let people: Vec<Traits> = nation.forms.iter().map(|form| of_json(form.declaration())).collect();
        let pairs = pairs_waited_for(&people);
        assert!(pairs > 100, "{pairs}");
    }
}

#[test]
fn a_name_less_a_word_is_waited_for_whatever_is_known_of_the_date_and_the_parents() {
    let names = ["Nguyễn Văn An", "Nguyễn An", "Văn An", "Nguyễn Văn", "An", "Nguyen Van An", "Nguyễn Văn Anh An"];
    let dates = ["05/03/1951", "03/05/1951", "1951", "03/1951", "05/03/1952", "05/03/1957", "1952", "1957", "1915"];
    let parents = [";", "Nguyễn Văn Bình;", ";Trần Thị Lan"];
    let mut people = vec![];
    for name in names {
        for date in dates {
            people.extend(parents.map(|parents| traits(&format!("{name};{date};M;001;{parents};"))));
        }
    }
    let pairs = pairs_waited_for(&people);
    assert!(pairs > 500, "{pairs}");
}

#[test]
fn two_months_of_birth_that_differ_are_no_agreement() {
    let judged = |one: &str, other: &str| {
        let of = |date: &str| traits(&format!("Nguyễn Văn Khuê;{date};M;001;;;"));
        judge(&of(one), &of(other))
    };
    let reasons = |judgement: &issuance::population::duplicates::score::Judgement| words(&judgement.reasons);
    let same = judged("05/2001", "12/05/2001");
    assert!(reasons(&same).contains(&"day-missing".to_owned()), "{same:?}");
    assert_eq!(judged("2001", "12/05/2001"), same);
    for (one, other) in [("05/2001", "12/09/2001"), ("05/2001", "09/2001")] {
        let apart = judged(one, other);
        assert!(!reasons(&apart).contains(&"day-missing".to_owned()), "{apart:?}");
        assert!(words(&apart.against).contains(&"different-birth-date".to_owned()), "{apart:?}");
        assert!(apart.score < same.score);
    }
}

fn of_json(declaration: Value) -> Traits {
    Traits::from(&serde_json::from_value::<Declaration>(declaration).unwrap())
}

#[test]
fn the_command_measures_a_file_against_its_truth() {
    let folder = tempfile::tempdir().unwrap();
    for (rich, recall, precision) in [(true, 0.98, 0.90), (false, 0.97, 0.60)] {
        // The weights were set by nations of other seeds.
        let nation = Nation::of(Kind { people: 6000, seed: 20_261_126, rich });
        let (file, truth) = (folder.path().join("people.ndjson"), folder.path().join("truth.ndjson"));
        let lines: Vec<String> = nation.forms.iter().map(|form| form.declaration().to_string()).collect();
        std::fs::write(&file, lines.join("\n")).unwrap();
        let truths: Vec<String> =
            nation.truths.iter().enumerate().filter_map(|(at, truth)| truth_line(at, truth)).collect();
        std::fs::write(&truth, truths.join("\n")).unwrap();
        let said = command(&["--file", file.to_str().unwrap(), "--truth", truth.to_str().unwrap(), "--json"]);
        assert!(said.0, "{}", said.2);
        let measured: Value = serde_json::from_str(&said.1).unwrap();
        let found = &measured["against_truth"];
        let figure = |name: &str| found[name].as_f64().unwrap();
        assert!(found["doubles"].as_u64().unwrap() > 150, "{found}");
        assert!(figure("recall_in_five") >= recall, "{found}");
        assert!(figure("precision_at_threshold") >= precision, "{found}");
        let two = &found["by_count"]["2"]["doubles"];
        assert!(two.as_u64().unwrap() * 10 >= found["doubles"].as_u64().unwrap() * 3, "{found}");
        let text = command(&["--file", file.to_str().unwrap(), "--truth", truth.to_str().unwrap()]);
        assert!(text.1.contains("among the first five"), "{}", text.1);
        assert!(!text.1.contains("Nguyễn"), "a measurement names no one");
    }
}

fn truth_line(at: usize, truth: &crate::nation::Truth) -> Option<String> {
    let line = |of: Option<usize>| of.map(|at| at + 1);
    (truth.double_of.is_some() || truth.look_alike_of.is_some()).then(|| {
        json!({"line": at + 1, "double_of": line(truth.double_of), "look_alike_of": line(truth.look_alike_of),
            "faults": truth.faults})
        .to_string()
    })
}

/// Runs `issuance duplicates`. Returns whether it ended well, and what it said.
fn command(arguments: &[&str]) -> (bool, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_issuance")).arg("duplicates").args(arguments).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (done.status.success(), text(done.stdout), text(done.stderr))
}

#[test]
fn a_file_is_csv_or_json_and_one_that_is_broken_is_named_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("people.csv");
    let all = "full_name,birth_date,sex,birth_registration.province,place_of_origin.province,ethnic_group";
    let head = format!("{all},father.full_name,form");
    let one = "Nguyễn Thị Hòa,05/03/1980,Nữ,001,001,01,\"Nguyễn \"\"Văn\"\" Bình\",7";
    let other = "NGUYEN THI HOA,05/03/1980,Nữ,001,001,01,\"Nguyen\nVan Binh\",8";
    std::fs::write(&file, format!("\u{feff}{head}\r\n{one}\r\n{other}\r\n\r\n{one}\r\n")).unwrap();
    let said = command(&["--file", file.to_str().unwrap()]);
    assert!(said.0 && said.1.contains("line 3 and line 2: "), "{} {}", said.1, said.2);
    assert!(
        said.1.contains("line 6 and line 2: "),
        "the quoted line end counts, and so does the empty line: {}",
        said.1
    );
    let below = |row: &[u8]| [all.as_bytes(), b"\n", row].concat();
    for (bytes, complaint) in [
        (vec![], "the file is empty"),
        (below(b"A,B,C\n"), "line 2, byte 91: 3 fields, the header has 6"),
        (below(b"\"A\n"), "a quotation mark in the row that begins at line 2"),
        (below(b"L\xea,,,,,\n"), "line 2, byte 92: 0xEA"),
        (b"full_name,shoe_size\nA,42\n".to_vec(), "a column `shoe_size`, which does not exist"),
        (b"{\"full_name\": \"A\"}\n{\"full_name\"\n".to_vec(), "line 2, byte 19: no JSON object"),
    ] {
        std::fs::write(&file, bytes).unwrap();
        let said = command(&["--file", file.to_str().unwrap()]);
        assert!(!said.0 && said.2.contains(complaint), "{complaint}: {}", said.2);
    }
}

/// The form of the tests with another name, date and parents.
fn of(name: &str, date: &str, father: &str, mother: &str) -> Value {
    let relative = |name: &str| Some(DeclaredRelative { full_name: name.into(), ..DeclaredRelative::default() });
    json!(Declaration {
        full_name: name.into(),
        birth_date: date.into(),
        father: relative(father),
        mother: relative(mother),
        ..declaration()
    })
}

async fn declares(by: &Caller, key: &str, form: Value) -> Value {
    let said = by.post("/api/v1/declarations", key, form).await;
    assert_eq!(said.status, 201, "{}", said.body);
    said.body
}

async fn registrars(house: &House) -> (Caller, Caller, Caller) {
    let lan = house.officer("lan", &[Role::Registrar], "o-1").await;
    let hoa = house.officer("hoa", &[Role::Registrar], "o-1").await;
    (lan, hoa, house.officer("binh", &[Role::Registrar], "o-2").await)
}

#[tokio::test]
async fn a_declaration_names_the_person_who_is_probably_the_same_one() {
    on_both(async |house| {
        let (lan, _, binh) = registrars(house).await;
        let first = declares(&lan, "d-1", of("Nguyễn Thị Hạnh", "03/11/1980", "Nguyễn Văn Bình", "Trần Thị Lan")).await;
        assert_eq!(first["duplicates"], json!([]));
        let twice = of("Nguyen Thi Hahn", "11/03/1980", "Nguyen Van Binh", "Trần Thị Lan");
        let second = declares(&lan, "d-2", twice.clone()).await;
        let alike = &second["duplicates"][0];
        assert_eq!((&alike["person_id"], &alike["likely"]), (&first["person_id"], &json!(true)), "{second}");
        let reasons = alike["reasons"].as_array().unwrap();
        for reason in ["one-letter", "day-and-month-swapped", "same-parents"] {
            assert!(reasons.contains(&json!(reason)), "{alike}");
        }
        assert_eq!(
            second["findings"].as_array().unwrap().iter().filter(|f| f["code"] == "perhaps-declared-before").count(),
            1
        );
        let twin = declares(&lan, "d-3", of("Nguyễn Thị Phúc", "03/11/1980", "Nguyễn Văn Bình", "Trần Thị Lan")).await;
        assert_eq!(twin["duplicates"], json!([]), "a twin is another person");
        // Another office learns that there is one, and nothing else.
        let elsewhere = declares(&binh, "d-4", twice).await;
        let alike = &elsewhere["duplicates"][0];
        assert_eq!((&alike["person_id"], &alike["office"]), (&Value::Null, &json!("o-1")), "{elsewhere}");
        assert_eq!((&alike["reasons"], &alike["against"]), (&json!([]), &json!([])), "{elsewhere}");
        let told = sql!("select count(*) as n from audit_entry where action = 'person-found' and person_id = $1");
        let first: issuance::ground::ids::PersonId = first["person_id"].as_str().unwrap().parse().unwrap();
        assert_eq!(house.count(told, args![first]).await, 2, "each answer that tells of the person is recorded");
    })
    .await;
}

#[tokio::test]
async fn who_was_told_apart_is_not_shown_again_and_stands_in_no_way_of_a_number() {
    on_both(async |house| {
        let (lan, hoa, binh) = registrars(house).await;
        let one = declares(&lan, "d-1", of("Lê Văn Khuê", "03/11/1980", "Lê Văn Bình", "Trần Thị Lan")).await;
        let other = declares(&lan, "d-2", of("Lê Văn Khuê", "03/11/1980", "Lê Văn Bình", "Trần Thị Lan")).await;
        let id = |body: &Value| body["person_id"].as_str().unwrap().to_owned();
        let (one, other) = (id(&one), id(&other));
        let of_one = format!("/api/v1/persons/{one}/duplicates?purpose=update");
        let seen = lan.get(&of_one).await;
        assert_eq!(seen.body["items"][0]["person_id"], json!(other), "{}", seen.body);
        assert_eq!(seen.body["shown_from"], json!(SHOWN_FROM));
        let number = lan.post(&format!("/api/v1/persons/{other}/number"), "n-1", json!({})).await;
        assert_eq!(number.code(), "acknowledgement-needed");
        let path = format!("/api/v1/persons/{one}/duplicate-verdicts");
        let same = json!({"other": other, "verdict": "same", "because": "one household book"});
        assert_eq!(lan.post(&path, "v-1", same.clone()).await.status, 204);
        assert_eq!(binh.post(&path, "v-2", same.clone()).await.code(), "other-office");
        assert_eq!(hoa.post(&path, "v-3", same).await.status, 204);
        let seen = hoa.get(&of_one).await;
        assert_eq!(seen.body["items"][0]["verdicts"].as_array().unwrap().len(), 2, "{}", seen.body);
        let unknown = json!({"other": crate::house::NIL, "verdict": "same", "because": "?"});
        assert_eq!(lan.post(&path, "v-4", unknown).await.code(), "person-unknown");
        let itself = json!({"other": one, "verdict": "different", "because": "?"});
        assert_eq!(lan.post(&path, "v-5", itself).await.code(), "person-unknown");
        let apart = json!({"other": other, "verdict": "different", "because": "two birth certificates were shown"});
        assert_eq!(lan.post(&path, "v-6", apart).await.status, 204);
        assert_eq!(lan.get(&of_one).await.body["items"], json!([]));
        let of_other = format!("/api/v1/persons/{other}/duplicates?purpose=update");
        assert_eq!(lan.get(&of_other).await.body["items"], json!([]));
        let number = lan.post(&format!("/api/v1/persons/{other}/number"), "n-2", json!({})).await;
        assert_eq!(number.status, 200, "{}", number.body);
        let told = sql!("select count(*) as n from audit_entry where action = 'duplicate-judged'");
        assert_eq!(house.count(told, args![]).await, 6, "a record about each of the two");
    })
    .await;
}

#[tokio::test]
async fn a_verdict_that_is_no_word_is_named_and_tells_no_two_apart() {
    on_both(async |house| {
        let (lan, ..) = registrars(house).await;
        let one = declares(&lan, "d-1", of("Lê Văn Khuê", "03/11/1980", "Lê Văn Bình", "Trần Thị Lan")).await;
        let other = declares(&lan, "d-2", of("Lê Văn Khuê", "03/11/1980", "Lê Văn Bình", "Trần Thị Lan")).await;
        let path = format!("/api/v1/persons/{}/duplicate-verdicts", one["person_id"].as_str().unwrap());
        let same = json!({"other": other["person_id"], "verdict": "same", "because": "one household book"});
        assert_eq!(lan.post(&path, "v-1", same).await.status, 204);
        let sealed = &population::store::duplicates::DUPLICATE_VERDICT;
        let mut tx = house.service.offices().deeds().db().begin_upkeep().await.unwrap();
        let row = tx.one(sql!("select id from duplicate_verdict"), args![]).await.unwrap().unwrap();
        let id = issuance::ground::ids::VerdictId::of(&row, "id").unwrap();
        let spoil = sql!("update duplicate_verdict set verdict = 'perhaps' where id = $1");
        assert_eq!(tx.change(sealed, id, spoil, args![id]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let seen = lan.get(&format!("/api/v1/persons/{}/duplicates", one["person_id"].as_str().unwrap())).await;
        assert_eq!((seen.status, seen.code()), (409, "record-inconsistent"), "{}", seen.body);
    })
    .await;
}

#[tokio::test]
async fn persons_of_two_offices_are_told_apart_by_an_officer_of_each_or_by_the_national_office() {
    on_both(async |house| {
        let (lan, _, binh) = registrars(house).await;
        let national = house.officer("quoc", &[Role::Registrar], "national").await;
        let khue = || of("Lê Văn Khuê", "03/11/1980", "Lê Văn Bình", "Trần Thị Lan");
        let id = |body: &Value| body["person_id"].as_str().unwrap().to_owned();
        let one = id(&declares(&lan, "d-1", khue()).await);
        let other = id(&declares(&binh, "d-2", khue()).await);
        let says = async |by: &Caller, key: &str, verdict: &str| {
            let said = json!({"other": other, "verdict": verdict, "because": "two birth certificates were shown"});
            let said = by.post(&format!("/api/v1/persons/{one}/duplicate-verdicts"), key, said).await;
            assert_eq!(said.status, 204, "{}", said.body);
        };
        let alike = async |by: &Caller, person: &str| {
            let seen = by.get(&format!("/api/v1/persons/{person}/duplicates?purpose=update")).await;
            assert_eq!(seen.status, 200, "{}", seen.body);
            seen.body["items"].as_array().unwrap().iter().map(|one| one["awaits"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(alike(&lan, &one).await, [Value::Null]);
        says(&lan, "v-1", "different").await;
        assert_eq!(alike(&lan, &one).await, [json!("o-2")], "shown still: the other office has not said so");
        assert_eq!(alike(&binh, &other).await, [json!("o-2")]);
        let number = binh.post(&format!("/api/v1/persons/{other}/number"), "n-1", json!({})).await;
        assert_eq!(number.code(), "acknowledgement-needed", "{}", number.body);
        says(&lan, "v-2", "different").await;
        assert_eq!(alike(&lan, &one).await, [json!("o-2")], "twice by one office is once");
        says(&binh, "v-3", "different").await;
        assert!(alike(&lan, &one).await.is_empty() && alike(&binh, &other).await.is_empty());
        let number = binh.post(&format!("/api/v1/persons/{other}/number"), "n-2", json!({})).await;
        assert_eq!(number.status, 200, "{}", number.body);
        // One office alone takes it back.
        says(&binh, "v-4", "same").await;
        assert_eq!(alike(&lan, &one).await, [json!("o-2")]);
        says(&national, "v-5", "different").await;
        assert!(alike(&lan, &one).await.is_empty(), "the national office speaks for both");
    })
    .await;
}

#[tokio::test]
async fn a_change_puts_a_person_under_other_keys() {
    on_both(async |house| {
        let (lan, hoa, _) = registrars(house).await;
        let one = declares(&lan, "d-1", of("Lê Văn Khuê", "03/11/1980", "Lê Văn Bình", "Trần Thị Lan")).await;
        let person = one["person_id"].as_str().unwrap();
        let change = json!({"kind": "corrected", "fields": {"full_name": "Vương Đình Thoại", "birth_date": "17/05/1955",
            "father": null, "mother": {"full_name": "Phan Thị Ngọ"}},
            "evidence": {"form": "dc02", "source": "civil-status", "confidence": "proved"}});
        let change = lan.post(&format!("/api/v1/persons/{person}/changes"), "c-1", change).await;
        let change = change.body["change_id"].as_str().unwrap().to_owned();
        let applied = hoa.post(&format!("/api/v1/register-changes/{change}/application"), "a-1", json!({})).await;
        assert_eq!(applied.status, 204, "{}", applied.body);
        let old = declares(&lan, "d-2", of("Lê Văn Khuê", "03/11/1980", "Lê Văn Bình", "Trần Thị Lan")).await;
        assert_eq!(old["duplicates"], json!([]), "no one is called so any more");
        let new = declares(&lan, "d-3", of("Vuong Dinh Thoai", "1955", "Vương Đình Nghĩa", "Phan Thị Ngọ")).await;
        assert_eq!(new["duplicates"][0]["person_id"], one["person_id"], "{new}");
        let rows =
            sql!("select count(*) as n from person_key k left join person p on p.id = k.person_id where p.id is null");
        assert_eq!(house.count(rows, args![]).await, 0);
    })
    .await;
}

#[tokio::test]
async fn persons_of_a_version_without_keys_are_indexed_at_the_start() {
    for database in [None, fresh_database()] {
        let offices = Offices::open(database.clone()).await;
        let person = offices.declares(&declaration()).await;
        let count = sql!("select count(*) as n from person_key where person_id = $1");
        let db = offices.state.deeds().db();
        let rows = async || {
            let mut tx = db.begin_read().await.unwrap();
            tx.one(count, args![person]).await.unwrap().unwrap().get::<i64>("n").unwrap()
        };
        let before = rows().await;
        assert!(before >= 5, "{before}");
        let mut tx = db.begin_upkeep().await.unwrap();
        tx.run(sql!("delete from person_key where person_id = $1"), args![person]).await.unwrap();
        tx.run(sql!("update person set keyed = null where id = $1"), args![person]).await.unwrap();
        tx.commit().await.unwrap();
        population::store::duplicates::index_persons_of_before(db).await.unwrap();
        assert_eq!(rows().await, before);
        if database.is_none() && fresh_database().is_none() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_faulty_declarations_of_one_person_at_once_find_each_other() {
    for database in [None, fresh_database()] {
        let offices = Offices::open(database).await;
        let register = &offices.state.register;
        // Other parents with every turn, so that no turn finds those before: five are told at most.
        let pairs: Vec<(&str, &str, &str)> = DOUBLES[10..30].to_vec();
        let mut met = 0;
        for (turn, (one, other, _)) in pairs.iter().enumerate() {
            let own = |line: &str| {
                let turned = DeclaredPlace { province: "003".into(), ..DeclaredPlace::default() };
                let form = form(line);
                let (surname, given) = (turn / 5 % 4, turn % 5);
                let surname = ["Vàng", "Giàng", "Thào", "Lò"][surname];
                let given = ["Mỷ", "Páo", "Chẩu", "Dợ", "Sùng"][given];
                let stranger = |middle: &str| {
                    let full_name = format!("{surname} {middle} {given}");
                    Some(DeclaredRelative { full_name, ..DeclaredRelative::default() })
                };
                Declaration {
                    birth_registration: turned.clone(),
                    place_of_origin: turned,
                    ethnic_group: "01".into(),
                    father: stranger("Văn"),
                    mother: stranger("Thị"),
                    ..form
                }
            };
            let (one, other) = (own(one), own(other));
            if one.full_name.chars().any(char::is_numeric) || other.full_name.chars().any(char::is_numeric) {
                continue;
            }
            let declare = async |form: &Declaration| {
                within!(offices, offices.registrar, deed => {
                    population::steps::enter_declaration(deed, register, form)
                })
                .unwrap()
            };
            let (one, other) = tokio::join!(declare(&one), declare(&other));
            let found = |by: &population::steps::Entered, whom: &population::steps::Entered| {
                by.duplicates.iter().any(|alike| alike.registered.id == whom.id)
            };
            assert!(found(&one, &other) || found(&other, &one), "turn {turn}: they passed each other");
            met += 1;
            // Five are told at most, and those of the turns before are alike too.
            let mut tx = offices.state.deeds().db().begin_upkeep().await.unwrap();
            tx.run(sql!("delete from person_key"), args![]).await.unwrap();
            tx.commit().await.unwrap();
        }
        assert!(met > 15);
    }
}
