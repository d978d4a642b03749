//! People here are invented; province 003 does not exist.

use proptest::prelude::*;
use time::Month;
use time::macros::date;

use super::*;

fn number(text: &str) -> PersonalNumber {
    text.parse().unwrap()
}

#[test]
fn a_personal_number_has_province_sex_year_and_serial_part() {
    let mau = number("003300000017");
    assert_eq!((mau.province().number(), mau.sex(), mau.birth_year(), mau.serial_part()), (3, Sex::Female, 2000, 17));
    assert_eq!(mau.last_nine().as_str(), "300000017");
    assert_eq!(mau.can().as_str(), "000017");
    assert_eq!(PersonalNumber::compose(mau.province(), Sex::Female, 2000, 17), Ok(mau));
}

#[test]
fn the_century_digit_is_even_for_men_and_odd_for_women() {
    // Circular 07/2016: 20th century 0 and 1, 21st 2 and 3, … 24th 8 and 9.
    let province = ProvinceCode::new(3).unwrap();
    for (year, sex, digit) in [
        (1900, Sex::Male, '0'),
        (1999, Sex::Female, '1'),
        (2000, Sex::Male, '2'),
        (2099, Sex::Female, '3'),
        (2100, Sex::Male, '4'),
        (2399, Sex::Female, '9'),
    ] {
        let number = PersonalNumber::compose(province, sex, year, 0).unwrap();
        assert_eq!(number.to_string().chars().nth(3), Some(digit), "{year}");
        assert_eq!((number.sex(), number.birth_year()), (sex, year));
    }
    assert_eq!(PersonalNumber::compose(province, Sex::Male, 1899, 0), Err(PersonalNumberError::BirthYear(1899)));
    assert_eq!(
        PersonalNumber::compose(province, Sex::Male, 2000, 1_000_000),
        Err(PersonalNumberError::Serial(1_000_000))
    );
}

#[test]
fn an_error_names_what_is_wrong_with_a_number() {
    assert_eq!("00330000001".parse::<PersonalNumber>(), Err(PersonalNumberError::Length(11)));
    assert_eq!("0033000x0017".parse::<PersonalNumber>(), Err(PersonalNumberError::NotADigit { at: 7 }));
}

#[test]
fn debug_shows_nothing_personal() {
    let name: FullName = "Nguyễn Thị Mẫu".parse().unwrap();
    let shown =
        format!("{:?} {:?} {name:?} {:?}", number("003300000017"), Date::Year(1950), number("003300000017").can());
    assert!(!shown.contains(|c: char| c.is_ascii_digit()) && !shown.contains("Mẫu"), "{shown}");
}

#[test]
fn names_that_are_equal_are_equal_strings() {
    let canonical = |text: &str| text.parse::<FullName>().unwrap().as_str().to_owned();
    // Decomposed letters, wild spaces, another apostrophe, the other tone placement.
    assert_eq!(canonical("  Nguye\u{302}\u{303}n  Thi\u{323}\tMa\u{302}\u{303}u "), "Nguyễn Thị Mẫu");
    assert_eq!(canonical("H’Mai Êban"), "H'Mai Êban");
    for (written, kept) in [
        ("Hoà", "Hòa"),
        ("HOÀ", "HÒA"),
        ("Hòa", "Hòa"),
        ("Thuý", "Thúy"),
        ("Khoẻ", "Khỏe"),
        ("Qúy", "Quý"),
        ("Quý", "Quý"),
        ("Quỳnh", "Quỳnh"),
        ("Hòang", "Hoàng"),
        ("Hoàng", "Hoàng"),
        ("Hùynh", "Huỳnh"),
        ("Hoài", "Hoài"),
        ("Nguyễn", "Nguyễn"),
        ("Tuyết", "Tuyết"),
        ("Duy", "Duy"),
        ("Giàu", "Giàu"),
        ("Noé", "Noé"),
        ("Chloé", "Chloé"),
        ("Zoé", "Zoé"),
        ("Aloé", "Aloé"),
        ("H'Hoà", "H'Hòa"),
        ("Anna-Thuý", "Anna-Thúy"),
        ("ĐOÀ", "ĐÒA"),
    ] {
        assert_eq!(canonical(written), kept, "{written}");
    }
    let long = "a ".repeat(1_900_000);
    assert_eq!(long.parse::<FullName>(), Err(FullNameError::Length(3_800_000)), "measured before it is normalised");
    assert!("e\u{323}\u{302} ".repeat(50).parse::<FullName>().is_ok(), "a hundred characters with all their marks");
    assert_eq!(canonical_spelling("tỉnh  Hoà Bình"), "tỉnh Hòa Bình");
}

/// U+00D0 and U+0189 look like U+0110, and one person must not get two numbers by them.
#[test]
fn letters_that_look_like_d_with_stroke_are_it() {
    let canonical = |text: &str| text.parse::<FullName>().unwrap().as_str().to_owned();
    for written in ["\u{110}ặng Đình Mẫu", "\u{d0}ặng \u{d0}ình Mẫu", "\u{189}ặng \u{d0}ình Mẫu"] {
        assert_eq!(canonical(written), "\u{110}ặng \u{110}ình Mẫu");
        assert_eq!(canonical(&written.to_lowercase()), "\u{111}ặng \u{111}ình mẫu");
    }
    assert_eq!(canonical("H‘Mai H’Hoà Hʼ Hʻ"), "H'Mai H'Hòa H' H'");
}

#[test]
fn a_name_is_refused_with_its_culprit() {
    assert_eq!("Nguyễn Thị 2".parse::<FullName>(), Err(FullNameError::Character('2')));
    assert_eq!("Иван".parse::<FullName>(), Err(FullNameError::Character('И')));
    assert_eq!("Mẫu|x".parse::<FullName>(), Err(FullNameError::Character('|')));
    assert_eq!(" - ".parse::<FullName>(), Err(FullNameError::Empty));
    assert_eq!("A".repeat(101).parse::<FullName>(), Err(FullNameError::Length(101)));
}

#[test]
fn dates_are_read_in_every_form_of_the_counter() {
    let full = Date::Full(date!(2000 - 03 - 05));
    for text in ["05/03/2000", "5/3/2000", "2000-03-05"] {
        assert_eq!(text.parse::<Date>(), Ok(full), "{text}");
    }
    assert_eq!((full.to_string(), Date::Year(1950).to_string()), ("05/03/2000".into(), "1950".into()));
    assert_eq!("1950".parse::<Date>(), Ok(Date::Year(1950)));
    let month = Date::Month(2001, Month::May);
    for text in ["05/2001", "5/2001", "2001-05"] {
        assert_eq!(text.parse::<Date>(), Ok(month), "{text}");
    }
    assert_eq!(
        (month.to_string(), month.year(), month.month(), month.full()),
        ("05/2001".into(), 2001, Some(Month::May), None)
    );
}

#[test]
fn impossible_dates_are_refused() {
    assert_eq!("29/02/2001".parse::<Date>(), Err(DateError::Impossible { year: 2001, month: 2, day: 29 }));
    assert_eq!("2000-13-01".parse::<Date>(), Err(DateError::Impossible { year: 2000, month: 13, day: 1 }));
    assert_eq!("13/2001".parse::<Date>(), Err(DateError::ImpossibleMonth { year: 2001, month: 13 }));
    assert_eq!("2001-00".parse::<Date>(), Err(DateError::ImpossibleMonth { year: 2001, month: 0 }));
    for text in ["2001-5", "005/2001", "5/01", "2001/05", "05-2001", "/2001", "2001-", "0999-05"] {
        assert_eq!(text.parse::<Date>(), Err(DateError::Form), "{text:?}");
    }
    for text in ["", "05/03/00", "05-03-2000", "2000-3-5", "+5/03/2000", "05/03/2000 ", "0999", "1/2", "1/2/3/4"] {
        assert_eq!(text.parse::<Date>(), Err(DateError::Form), "{text:?}");
    }
}

#[test]
fn a_card_lasts_to_the_next_age_that_is_more_than_two_years_away() {
    // Law 59/2014 Art. 21: ages 25, 40, 60; within two years before one of them, to the next.
    let birth = Date::Full(date!(2000 - 01 - 05));
    for (issued, expires) in [
        (date!(2021 - 03 - 15), Some(date!(2025 - 01 - 05))), // the synthetic card of the MRZ and DG13 vectors
        (date!(2023 - 01 - 04), Some(date!(2025 - 01 - 05))),
        (date!(2023 - 01 - 05), Some(date!(2040 - 01 - 05))), // the very 23rd birthday
        (date!(2025 - 01 - 05), Some(date!(2040 - 01 - 05))),
        (date!(2038 - 01 - 04), Some(date!(2040 - 01 - 05))),
        (date!(2038 - 01 - 05), Some(date!(2060 - 01 - 05))),
        (date!(2058 - 01 - 04), Some(date!(2060 - 01 - 05))),
        (date!(2058 - 01 - 05), None),
        (date!(2090 - 01 - 01), None),
    ] {
        assert_eq!(validity::expiry(birth, issued), expires, "{issued}");
    }
}

#[test]
fn birthdays_on_29_february_or_of_a_year_alone_follow_the_documented_rule() {
    assert_eq!(validity::birthday(Date::Full(date!(2000 - 02 - 29)), 25), date!(2025 - 02 - 28));
    assert_eq!(validity::birthday(Date::Full(date!(2000 - 02 - 29)), 40), date!(2040 - 02 - 29));
    assert_eq!(validity::birthday(Date::Year(2000), 25), date!(2025 - 12 - 31));
    assert_eq!(validity::birthday(Date::Month(2000, Month::April), 25), date!(2025 - 04 - 30));
    assert_eq!(validity::birthday(Date::Month(2000, Month::February), 25), date!(2025 - 02 - 28));
    assert_eq!(validity::birthday(Date::Month(2000, Month::February), 40), date!(2040 - 02 - 29));
    assert_eq!(validity::age(Date::Month(2000, Month::May), date!(2025 - 05 - 30)), 24);
    assert_eq!(validity::age(Date::Month(2000, Month::May), date!(2025 - 05 - 31)), 25);
    assert_eq!(validity::age(Date::Full(date!(2000 - 01 - 05)), date!(2025 - 01 - 04)), 24);
    assert_eq!(validity::age(Date::Full(date!(2000 - 01 - 05)), date!(2025 - 01 - 05)), 25);
}

#[test]
fn every_type_has_one_text_form_in_serde_too() {
    let serial = CardSerial([0, 1, 2, 3, 4, 5, 6, 7, 0xfe, 0xff]);
    assert_eq!(serde_json::to_string(&serial).unwrap(), "\"0001020304050607FEFF\"");
    assert_eq!(serde_json::from_str::<CardSerial>("\"0001020304050607feff\"").unwrap(), serial);
    assert_eq!(serde_json::from_str::<Date>("\"5/3/2000\"").unwrap(), Date::Full(date!(2000 - 03 - 05)));
    assert_eq!(serde_json::to_string(&Sex::Female).unwrap(), "\"F\"");
    assert!(serde_json::from_str::<PersonalNumber>("\"1\"").is_err());
    assert!("12345".parse::<Can>().is_err() && "12345a".parse::<Can>().is_err());
    assert!("96".parse::<ProvinceCode>().is_err());
    assert_eq!("096".parse::<ProvinceCode>().unwrap().to_string(), "096");
    assert_eq!("A<B<<".parse::<DocumentNumber>().unwrap().as_str(), "A<B");
    assert_eq!("a".parse::<DocumentNumber>(), Err(DocumentNumberError::Character('a')));
}

proptest! {
    #[test]
    fn what_was_composed_is_read_back(province in 0u16..1000, year in 1900u16..2400, serial in 0u32..1_000_000, woman: bool) {
        let (province, sex) = (ProvinceCode::new(province).unwrap(), if woman { Sex::Female } else { Sex::Male });
        let number = PersonalNumber::compose(province, sex, year, serial).unwrap();
        prop_assert_eq!(number.to_string().parse(), Ok(number));
        prop_assert_eq!((number.province(), number.sex(), number.birth_year(), number.serial_part()), (province, sex, year, serial));
    }

    #[test]
    fn any_text_is_read_or_refused_but_never_panics(text: String) {
        let _ = (text.parse::<PersonalNumber>(), text.parse::<Can>(), text.parse::<CardSerial>(), text.parse::<DocumentNumber>());
        if let Ok(date) = text.parse::<Date>() {
            prop_assert_eq!(date.to_string().parse(), Ok(date));
        }
        if let Ok(name) = text.parse::<FullName>() {
            prop_assert_eq!(name.as_str().parse(), Ok(name.clone()));
        }
    }

    /// A date of any precision says the same in every form, and is no earlier and no later than its days.
    #[test]
    fn a_date_without_its_day_lies_around_its_days(year in 1000u16..10_000, ordinal in 1u16..=365, age in 0i32..100) {
        let day = time::Date::from_ordinal_date(i32::from(year), ordinal).unwrap();
        let (full, month, whole) = (Date::Full(day), Date::Month(year, day.month()), Date::Year(year));
        for date in [full, month, whole] {
            prop_assert_eq!(date.to_string().parse(), Ok(date));
            prop_assert!(date.first_day() <= day && day <= date.last_day());
            prop_assert!(validity::birthday(full, age) <= validity::birthday(date, age));
            prop_assert!(validity::age(date, day.saturating_add(time::Duration::days(10_000))) <= validity::age(full, day.saturating_add(time::Duration::days(10_000))));
        }
        let iso = format!("{year:04}-{:02}", u8::from(day.month()));
        prop_assert_eq!(iso.parse(), Ok(month));
    }

    #[test]
    fn canonical_names_stay_as_they_are(text in "[A-ZĐƯƠÂÊÔa-zđươâêôăáàảãạéèẻẽẹíìỉĩịóòỏõọúùủũụýỳỷỹỵ '-]{1,60}") {
        if let Ok(name) = text.parse::<FullName>() {
            prop_assert_eq!(name.as_str().parse(), Ok(name.clone()));
        }
    }

    #[test]
    fn no_card_is_issued_for_less_than_two_years(birth in 0i32..40_000, issued in 0i32..80_000) {
        let start = date!(1900 - 01 - 01).to_julian_day();
        let day = |n: i32| time::Date::from_julian_day(start + n).unwrap();
        if let Some(expires) = validity::expiry(Date::Full(day(birth)), day(issued)) {
            prop_assert!(expires > day(issued) + time::Duration::days(729));
        }
    }
}

#[test]
fn a_folded_name_is_what_all_its_spellings_have_in_common() {
    for (written, folded) in [
        ("Nguyễn Thị Mẫu", "nguyen thi mau"),
        ("NGUYỄN  THỊ MẪU", "nguyen thi mau"),
        ("Nguye\u{302}\u{303}n Thi\u{323} Ma\u{302}\u{303}u", "nguyen thi mau"),
        ("Đặng \u{d0}ình Hoà", "dang dinh hoa"),
        ("H'Hen Niê", "h hen nie"),
        ("H’Hen  Niê", "h hen nie"),
        ("Anna-Thuý", "anna thuy"),
        ("Ưng Ơn", "ung on"),
        ("Groß", "gross"),
        ("GROSS", "gross"),
        ("Chloé", "chloe"),
        ("ŉ", "n"),
    ] {
        assert_eq!(folded_name(written), folded, "{written}");
    }
}

proptest! {
    #[test]
    fn folding_is_the_same_for_every_form_of_a_name_and_for_the_folded_one(name in "[A-Za-zÀ-ỹĐđƠơƯư' -]{0,40}") {
        use unicode_normalization::UnicodeNormalization as _;
        let folded = folded_name(&name);
        prop_assert_eq!(folded_name(&folded), folded.clone());
        prop_assert_eq!(folded_name(&name.nfd().collect::<String>()), folded.clone());
        prop_assert_eq!(folded_name(&name.to_uppercase()), folded.clone());
        prop_assert!(!folded.contains("  ") && folded.trim() == folded);
    }
}

/// What the random names above meet once in many thousand times: the iota below, the capital sharp s, the sigma of a
/// word's end.
#[test]
fn folding_is_the_same_for_every_form_of_every_letter() {
    use unicode_normalization::UnicodeNormalization as _;
    for letter in '\u{21}'..='\u{2ffff}' {
        for name in [letter.to_string(), format!("a{letter}'a")] {
            let folded = folded_name(&name);
            let forms = [folded.clone(), name.nfd().collect(), name.to_uppercase(), name.to_lowercase()];
            for form in forms {
                assert_eq!(folded_name(&form), folded, "U+{:04X} as {form:?}", u32::from(letter));
            }
        }
    }
}

/// Letters of other alphabets that look like ours (`tests/data/confusables.txt`), each with the
/// letter that it looks like.
fn confusables() -> Vec<(char, char)> {
    let rows = include_str!("../../tests/data/confusables.txt").lines().filter(|line| !line.starts_with('#'));
    let row = |line: &str| {
        let (code, rest) = line.split_once(" ; ").unwrap();
        let letter = u32::from_str_radix(code, 16).ok().and_then(char::from_u32).unwrap();
        (letter, rest.chars().next().unwrap())
    };
    rows.map(row).collect()
}

/// The letter as NFC has it: U+1FBE is U+03B9.
fn composed(letter: char) -> char {
    use unicode_normalization::UnicodeNormalization as _;
    std::iter::once(letter).nfc().next().unwrap()
}

#[test]
fn a_letter_of_another_alphabet_is_refused_and_named() {
    let all = confusables();
    assert!(all.len() > 200, "only {} letters", all.len());
    for (letter, looks_like) in all {
        let read = format!("Nguy{letter}n").parse::<FullName>();
        match letter {
            // The one that a table of Doc 9303 has: a letter of its own in Turkish, and an i where names are compared.
            'ı' => assert_eq!(folded_name(read.unwrap().as_str()), "nguyin"),
            _ => assert_eq!(read, Err(FullNameError::Character(composed(letter))), "{letter} for {looks_like}"),
        }
    }
    // Signs that are letters by Unicode's own equivalence.
    assert_eq!("\u{212a}im".parse::<FullName>().unwrap().as_str(), "Kim");
    for shape in ['ſ', 'ﬁ', 'ﬆ'] {
        assert_eq!(format!("Na{shape}").parse::<FullName>(), Err(FullNameError::Character(shape)));
    }
    for invisible in ['\u{200b}', '\u{200d}', '\u{ad}', '\u{feff}', '\u{202e}'] {
        assert_eq!(format!("Na{invisible}m").parse::<FullName>(), Err(FullNameError::Character(invisible)));
    }
}

proptest! {
    #[test]
    fn one_foreign_letter_anywhere_in_a_name_is_the_culprit(at in 0usize..14, which in 0usize..1000) {
        let all: Vec<char> = confusables().into_iter().map(|(letter, _)| letter).filter(|letter| *letter != 'ı').collect();
        let letter = all[which % all.len()];
        let mut name: Vec<char> = "Nguyễn Thị Mẫu".chars().collect();
        name[at] = letter;
        let read = name.into_iter().collect::<String>().parse::<FullName>();
        prop_assert_eq!(read, Err(FullNameError::Character(composed(letter))));
    }

    #[test]
    fn every_letter_that_is_written_for_d_with_stroke_is_the_same_name(
        name in "[A-ZĐa-zđ]{1,8}( [A-ZĐa-zđ]{1,8}){0,3}", capital in "[\u{d0}\u{189}]", small in "[\u{f0}\u{256}]"
    ) {
        let written = name.replace('Đ', &capital).replace('đ', &small);
        prop_assert_eq!(written.parse::<FullName>(), name.parse::<FullName>());
        prop_assert_eq!(folded_name(&written), folded_name(&name));
        prop_assert!(folded_name(&written).is_ascii());
    }

    #[test]
    fn a_tone_moves_in_vietnamese_syllables_only(
        initial in "(b|m|n|p|ph|v|chl|kr|z)", vowels in "(o[áàảãạéèẻẽẹ]|[óòỏõọ][ae]|u[ýỳỷỹỵ]|[úùủũụ]y)", ending in "(|b|l|s)"
    ) {
        let word = format!("{initial}{vowels}{ending}");
        let read = word.parse::<FullName>().unwrap();
        prop_assert_eq!(read.as_str(), word);
    }

    #[test]
    fn both_places_of_a_tone_are_one_name(
        initial in "(|ch|đ|h|kh|l|ng|t|th|x)", tone in "[\u{300}\u{301}\u{303}\u{309}\u{323}]",
        vowels in "(oa|oe|uy)", ending in "(|n|ng|nh|t)"
    ) {
        let (first, second) = vowels.split_at(1);
        let old = format!("{initial}{first}{tone}{second}{ending}").parse::<FullName>();
        let new = format!("{initial}{first}{second}{tone}{ending}").parse::<FullName>();
        prop_assert_eq!(&old, &new);
        prop_assert_eq!(folded_name(old.unwrap().as_str()), format!("{}{vowels}{ending}", initial.replace('đ', "d")));
    }

    #[test]
    fn what_is_stored_can_be_printed_transliterated_and_compared(name in "[A-ZÀ-Ỹa-zà-ỹĐđƠơƯư' -]{2,40}") {
        if let Ok(name) = name.parse::<FullName>() {
            let written = crate::mrz::transliterate(name.as_str());
            prop_assert!(written.is_ok());
            let letters: String = folded_name(name.as_str()).split(' ').collect();
            prop_assert!(!letters.is_empty());
        }
    }
}
