//! Worked examples of Doc 9303-3, -5 and -11 (8th ed.); the synthetic citizen is invented
//! (province 003 does not exist).

use proptest::prelude::*;
use time::macros::date;

use super::*;
use crate::identity::{Date, FullName, PersonalNumber, Sex};

/// An invented citizen, composed with an independent script from the rules seen on cards.
const SYNTHETIC: &str = "\
IDVNM3000000171003300000017<<4
0001052F2501051VNM<<<<<<<<<<<4
NGUYEN<<THI<MAU<<<<<<<<<<<<<<<";

fn lines(zone: &[u8; 90]) -> String {
    zone.chunks(30).map(|line| String::from_utf8_lossy(line)).collect::<Vec<_>>().join("\n")
}

fn citizen(name: &str) -> Td1 {
    let number: PersonalNumber = "003300000017".parse().unwrap();
    let (name, birth) = (name.parse::<FullName>().unwrap(), Date::Full(date!(2000 - 01 - 05)));
    Td1::of_citizen(&number, &name, Sex::Female, birth, Some(date!(2025 - 01 - 05))).unwrap()
}

#[test]
fn check_digits_of_part_3_appendix_a() {
    assert_eq!(check_digit(b"520727"), Some('3'));
    assert_eq!(check_digit(b"AB2134<<<"), Some('5'));
    // Composite digits: TD3 and TD2 lower line, as the appendix covers them.
    assert_eq!(check_digit(b"HA672242<658022549601086<<<<<<<<<<<<<<0"), Some('8'));
    assert_eq!(check_digit(b"HA672242<658022549601086<<<<<<<"), Some('8'));
    assert_eq!(check_digit(b"a"), None);
}

#[test]
fn zones_of_part_5_are_read_and_written_back() {
    for zone in [
        "I<UTOD231458907<<<<<<<<<<<<<<<\n7408122F1204159UTO<<<<<<<<<<<6\nERIKSSON<<ANNA<MARIA<<<<<<<<<<",
        "I<UTOD23145890<7349<<<<<<<<<<<\n3407127M9507122UTO<<<<<<<<<<<2\nSTEVENSON<<PETER<JOHN<<<<<<<<<",
        "I<YTOD231458907<<<<<<<<<<<<<<<\n3407127M9507122YTO<<<<<<<<<<<2\nSTEVENSON<<PETER<JOHN<<<<<<<<<",
        // Part 10 appendix A prints the composite digit 4, an erratum: it is 8.
        "I<NLDXI85935F86999999990<<<<<<\n7208148F1108268NLD<<<<<<<<<<<8\nVAN<DER<STEEN<<MARIANNE<LOUISE",
        SYNTHETIC,
    ] {
        let td1 = Td1::parse(zone.as_bytes()).unwrap();
        assert_eq!(lines(&td1.compose().unwrap()), zone);
    }
    let long =
        Td1::parse(b"I<UTOD23145890<7349<<<<<<<<<<<3407127M9507122UTO<<<<<<<<<<<2STEVENSON<<PETER<JOHN<<<<<<<<<");
    assert_eq!(long.unwrap().document_number.as_str(), "D23145890734");
}

#[test]
fn the_synthetic_citizen_is_composed_as_expected() {
    let td1 = citizen("Nguyễn Thị Mẫu");
    assert_eq!(lines(&td1.compose().unwrap()), SYNTHETIC);
    assert_eq!(td1.personal_number().map(|n| n.to_string()), Some("003300000017".into()));
    assert_eq!(*td1.key().information(), "300000017100010522501051");
}

#[test]
fn a_card_without_expiry_says_991231_and_a_year_alone_leaves_fillers() {
    let number: PersonalNumber = "003150000017".parse().unwrap();
    let name: FullName = "Mẫu".parse().unwrap();
    let td1 = Td1::of_citizen(&number, &name, Sex::Female, Date::Year(1950), None).unwrap();
    let zone = lines(&td1.compose().unwrap());
    assert_eq!(zone.lines().nth(1).map(|l| &l[..15]), Some("50<<<<5F9912315"));
    assert_eq!(zone.lines().nth(2), Some("MAU<<<<<<<<<<<<<<<<<<<<<<<<<<<"));
    let read = Td1::parse(zone.as_bytes()).unwrap();
    assert_eq!((read.expiry, read.expiry.expiry()), (MrzDate::NO_EXPIRY, None));
    assert_eq!(read.birth.birth(date!(2024 - 01 - 01)), None);
}

/// Doc 9303-3 §4.8: the part that is not known is fillers, which count as zero in the check digit.
#[test]
fn a_birth_of_which_the_day_is_not_known_leaves_two_fillers() {
    let number: PersonalNumber = "003150000017".parse().unwrap();
    let name: FullName = "Mẫu".parse().unwrap();
    let birth = Date::Month(1950, time::Month::March);
    let td1 = Td1::of_citizen(&number, &name, Sex::Female, birth, None).unwrap();
    let zone = lines(&td1.compose().unwrap());
    // 5×7 + 0×3 + 0×1 + 3×7 + 0 + 0 = 56: check digit 6.
    assert_eq!(zone.lines().nth(1).map(|l| &l[..15]), Some("5003<<6F9912315"));
    assert_eq!(Td1::parse(zone.as_bytes()).unwrap().birth, MrzDate::from(birth));
}

#[test]
fn the_century_of_a_birth_is_the_last_possible_one() {
    let date = |text: &str| text.parse::<MrzDate>().unwrap();
    assert_eq!(date("000105").birth(date!(2021 - 03 - 15)), Some(date!(2000 - 01 - 05)));
    assert_eq!(date("500105").birth(date!(2021 - 03 - 15)), Some(date!(1950 - 01 - 05)));
    assert_eq!(date("250105").expiry(), Some(date!(2025 - 01 - 05)));
    assert_eq!(date("250230").expiry(), None);
}

#[test]
fn key_information_of_part_11_appendix_d2() {
    for (zone, information) in [
        ("I<UTOSTEVENSON<<PETER<JOHN<<<<<<<<<<\nD23145890<UTO3407127M95071227349<<<8", "D23145890734934071279507122"),
        ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<\nL898902C<3UTO6908061F9406236<<<<<<<8", "L898902C<369080619406236"),
        (
            "I<UTOD23145890<7349<<<<<<<<<<<\n3407127M9507122UTO<<<<<<<<<<<2\nSTEVENSON<<PETER<JOHN<<<<<<<<<",
            "D23145890734934071279507122",
        ),
        // The composite digit printed here is an erratum (it is 2); the key does not depend on it.
        (
            "I<UTOL898902C<3<<<<<<<<<<<<<<<\n6908061F9406236UTO<<<<<<<<<<<1\nERIKSSON<<ANNA<MARIA<<<<<<<<<<",
            "L898902C<369080619406236",
        ),
    ] {
        assert_eq!(*zone.parse::<MrzZone>().unwrap().key().information(), information);
    }
    assert_eq!(*MrzKey::new("L898902C", "690806", "940623").unwrap().information(), "L898902C<369080619406236");
    assert_eq!(format!("{:?}", MrzKey::new("L898902C", "690806", "940623").unwrap()), "MrzKey(…)");
    assert_eq!(MrzKey::new("L898902C", "69080", "940623"), Err(MrzError::Form(Field::Birth)));
    assert_eq!(MrzKey::new("", "690806", "940623"), Err(MrzError::Form(Field::DocumentNumber)));
    assert_eq!("ABC".parse::<MrzZone>(), Err(MrzError::Length(3)));
}

#[test]
fn names_are_truncated_as_part_5_shows() {
    // §4.2.3.1 a), §4.2.3.2 a), §4.2.3.3, §4.2.3.4, §4.2.3.5: each example of the method we chose, and what needs none.
    for (primary, secondary, field) in [
        ("Nilavadhanananda", "Chayapa Dejthamrong Krasuang", "NILAVADHANANANDA<<CHAYAPA<DE<K"),
        ("Bennelong Wooloomooloo Warrandyte Warnambool", "Dingo Potoroo", "BENNELONG<WOOLOOMOOLOO<W<W<<DI"),
        ("Papandropoulous", "Jonathon Alec", "PAPANDROPOULOUS<<JONATHON<ALEC"),
        ("Van Der Muellen", "Martin", "VAN<DER<MUELLEN<<MARTIN<<<<<<<"),
        ("Al-Basri", "Huda Muhammad Jawad", "AL<BASRI<<HUDA<MUHAMMAD<JAWAD<"),
        ("Vilarchao Fernandez", "Jose Ramon", "VILARCHAO<FERNANDEZ<<JOSE<RAMO"),
        ("Arkfreith", "", "ARKFREITH<<<<<<<<<<<<<<<<<<<<<"),
        ("Satriya Sudarpa", "", "SATRIYA<SUDARPA<<<<<<<<<<<<<<<"),
    ] {
        assert_eq!(MrzName::new(primary, secondary).unwrap().field(30), field);
    }
}

#[test]
fn one_letter_components_still_end_in_the_last_position() {
    let initials = "A ".repeat(20);
    assert_eq!(MrzName::new("Nguyen", &initials).unwrap().field(30), "NGUYE<<A<A<A<A<A<A<A<A<A<A<A<A");
    assert_eq!(MrzName::new(&"N".repeat(40), "Anh").unwrap().field(30), format!("{}<<A", "N".repeat(27)));
    assert_eq!(MrzName::new(&"N".repeat(40), "").unwrap().field(30), "N".repeat(30));
}

#[test]
fn punctuation_is_removed_or_separates_as_part_3_says() {
    for (written, expected) in [
        ("D’Artagnan", "DARTAGNAN"),
        ("D'Artagnan", "DARTAGNAN"),
        ("Marie-Elise", "MARIE<ELISE"),
        ("Anna, Maria", "ANNA<MARIA"),
        ("St. John", "ST<JOHN"),
        (" - ", ""),
    ] {
        assert_eq!(transliterate(written).as_deref(), Ok(expected));
    }
}

#[test]
fn every_vietnamese_letter_has_its_latin_one() {
    let families = [
        ("AÀÁẢÃẠĂẰẮẲẴẶÂẦẤẨẪẬ", 'A'),
        ("Đ", 'D'),
        ("EÈÉẺẼẸÊỀẾỂỄỆ", 'E'),
        ("IÌÍỈĨỊ", 'I'),
        ("OÒÓỎÕỌÔỒỐỔỖỘƠỜỚỞỠỢ", 'O'),
        ("UÙÚỦŨỤƯỪỨỬỮỰ", 'U'),
        ("YỲÝỶỸỴ", 'Y'),
    ];
    for (letters, latin) in families {
        for letter in letters.chars() {
            for form in [letter.to_string(), letter.to_lowercase().to_string()] {
                assert_eq!(transliterate(&form), Ok(latin.to_string()), "{form}");
                use unicode_normalization::UnicodeNormalization;
                assert_eq!(transliterate(&form.nfd().collect::<String>()), Ok(latin.to_string()), "{form} decomposed");
            }
        }
    }
    assert_eq!(transliterate("Ưng Ơn"), Ok("UNG<ON".into()));
}

#[test]
fn other_latin_letters_by_the_table_and_unknown_ones_are_named() {
    assert_eq!(transliterate("Müller Øre Þor Straße Łódź"), Ok("MUELLER<OERE<THOR<STRASSE<LODZ".into()));
    for (text, culprit) in [("Ни", 'Н'), ("A1", '1'), ("名", '名'), ("a|b", '|'), ("x\u{330}", '\u{330}')] {
        assert_eq!(transliterate(text), Err(UnknownCharacter(culprit)), "{text}");
    }
}

#[test]
fn every_wrong_digit_in_a_checked_position_is_found() {
    let zone = citizen("Nguyễn Thị Mẫu").compose().unwrap();
    for at in (5..37).chain(38..45).chain(48..60) {
        let mut wrong = zone;
        wrong[at] = if zone[at] == b'7' { b'8' } else { b'7' };
        // All of these are digits or fillers, and 1, 3 and 7 are prime to ten: no single change hides.
        assert!(Td1::parse(&wrong).is_err(), "position {at}");
    }
}

#[test]
fn errors_name_the_field() {
    let change = |at: usize, to: u8| {
        let mut zone = citizen("Nguyễn Thị Mẫu").compose().unwrap();
        zone[at] = to;
        Td1::parse(&zone)
    };
    assert_eq!(change(0, b'i'), Err(MrzError::Character { at: 0, character: 'i' }));
    assert_eq!(change(6, b'9'), Err(MrzError::CheckDigit(Field::Composite)));
    assert_eq!(change(37, b'Q'), Err(MrzError::Form(Field::Sex)));
    assert_eq!(change(61, b'1'), Err(MrzError::Form(Field::Name)));
    assert_eq!(Td1::parse(b"IDVNM"), Err(MrzError::Length(5)));
    let too_long = Td1 { optional: "1".repeat(16), ..citizen("Mẫu") };
    assert_eq!(too_long.compose(), Err(MrzError::TooLong(Field::Optional)));
}

/// The `mrz` crate is an independent implementation.
#[test]
fn an_independent_reader_finds_every_check_digit_right() {
    for name in ["Nguyễn Thị Mẫu", "Ưng Hoàng Phúc", "Công Tằng Tôn Nữ Thị Nguyễn Phước Hoàng Khánh Ngọc"]
    {
        let zone = lines(&citizen(name).compose().unwrap());
        let [one, two, three] = zone.lines().collect::<Vec<_>>()[..] else { panic!("three lines") };
        let read = ::mrz::parse_td1(one, two, three).unwrap();
        assert!(read.valid(), "{name}");
        assert_eq!(read.document_number, "300000017");
    }
}

proptest! {
    #[test]
    fn check_digits_agree_with_an_independent_implementation(field in "[A-Z0-9<]{0,40}") {
        let theirs = ::mrz::check_digit(&field).ok().and_then(|digit| char::from_digit(digit, 10));
        prop_assert_eq!(check_digit(field.as_bytes()), theirs);
    }

    #[test]
    fn any_bytes_are_read_or_refused_but_never_panic(bytes: Vec<u8>, text: String) {
        let _ = (Td1::parse(&bytes), text.parse::<MrzZone>(), transliterate(&text), MrzName::parse(&text));
    }

    #[test]
    fn any_foreign_zone_is_written_and_read_back(
        document_number in "[A-Z0-9]{1,22}", optional in "[A-Z0-9]{0,15}", optional_middle in "[A-Z0-9]{0,11}",
        issuing_state in "[A-Z]{1,3}", birth in "[0-9]{2}([0-9]{4}|<<<<)", sex in prop::sample::select(vec![None, Some(Sex::Male)]),
        primary in "[A-Z]{1,12}(<[A-Z]{1,9}){0,3}", secondary in "([A-Z]{1,12}(<[A-Z]{1,9}){0,3})?",
    ) {
        let td1 = Td1 {
            document_code: "C".into(),
            nationality: issuing_state.clone(),
            issuing_state,
            optional: if document_number.len() > 9 { String::new() } else { optional },
            document_number: document_number.parse().unwrap(),
            optional_middle,
            birth: birth.parse().unwrap(),
            sex,
            expiry: MrzDate::NO_EXPIRY,
            name: MrzName::new(&primary, &secondary).unwrap(),
        };
        let zone = td1.compose().unwrap();
        let read = Td1::parse(&zone).unwrap();
        prop_assert_eq!(read.compose().unwrap(), zone);
        // All but the name, which may have been truncated.
        let renamed = Td1 { name: td1.name.clone(), ..read.clone() };
        prop_assert!(renamed == td1);
        prop_assert_eq!(lines(&zone).parse::<MrzZone>().map(|zone| zone.key().clone()), Ok(read.key()));
    }

    #[test]
    fn any_citizen_is_written_and_read_back(
        province in 0u16..1000, year in 1900u16..2100, serial in 0u32..1_000_000, woman: bool,
        name in "[A-ZĐ][a-zêơăưđ]{0,9}( [A-ZĐ][a-zêơăưđ]{0,9}){0,7}", days in 0i32..30_000, forever: bool,
    ) {
        let sex = if woman { Sex::Female } else { Sex::Male };
        let province = crate::identity::ProvinceCode::new(province).unwrap();
        let number = PersonalNumber::compose(province, sex, year, serial).unwrap();
        let expiry = (!forever).then(|| date!(2001 - 01 - 01) + time::Duration::days(i64::from(days)));
        let birth = if forever { Date::Year(year) } else { Date::Full(time::Date::from_ordinal_date(i32::from(year), 60).unwrap()) };
        let name: FullName = name.parse().unwrap();
        let td1 = Td1::of_citizen(&number, &name, sex, birth, expiry).unwrap();
        let zone = td1.compose().unwrap();
        let read = Td1::parse(&zone).unwrap();
        prop_assert_eq!(read.compose().unwrap(), zone);
        prop_assert_eq!(read.personal_number(), Some(number));
        prop_assert_eq!(read.expiry.expiry(), expiry.filter(|d| *d != date!(2099 - 12 - 31)));
        prop_assert_eq!(lines(&zone).replace('\n', "").parse::<MrzZone>().unwrap().key().information(), td1.key().information());
        let whole = transliterate(name.as_str()).unwrap().len() + 1;
        prop_assert_eq!(zone[89].is_ascii_uppercase(), whole >= 30 || zone[89] != b'<');
        prop_assert!(whole <= 30 || zone[89].is_ascii_uppercase());
    }
}
