//! What goes wrong on forms: the kinds that the press reported of the collection of 2020 and 2021 and of the first
//! cards (years of birth that differ across papers, missing days, spelling, wrong sex, addresses that do not exist,
//! households without a head, numbers that disagree), and those that a check of the register is there for.

use serde::Serialize;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::dice::Dice;
use super::form::Row;
use super::group::{Group, written};
use crate::population::model::DeclaredPlace;

/// A kind of fault.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fault {
    /// Born more than 110 years ago, and alive.
    AgeImprobable,
    /// Only the year of birth is written.
    BirthDayMissing,
    /// The day of birth is another by one digit.
    BirthDayDiffers,
    /// Month and year of birth are written, and no day.
    BirthDayUnknown,
    /// The year of birth is not that of the other papers, nor of the number.
    BirthYearDiffers,
    /// The child is older than its parent by the parent's number.
    ChildOlderThanParent,
    /// The commune lies in another district.
    CommuneElsewhere,
    /// The commune is missing.
    CommuneMissing,
    /// No commune has the code.
    CommuneUnknown,
    /// No day of the calendar: month and day in each other's places.
    DateImpossible,
    /// The day of birth lies ahead.
    DateInFuture,
    /// Day and month of birth in each other's places; the calendar has the day.
    DayMonthSwapped,
    /// Recorded as dead, and leads a household and lives at an address.
    DeadAndActive,
    /// Died before the birth.
    DeathBeforeBirth,
    /// No ethnic group has the code.
    EthnicGroupUnknown,
    /// No head of the household is named.
    HeadMissing,
    /// Names without any mark.
    NameMarksDropped,
    /// A letter is another, is missing or stands twice.
    NameMisspelt,
    /// Letters and their marks apart (Unicode NFD).
    NameNfd,
    /// A digit stands in the name.
    NameNotWritable,
    /// The tone mark on the other vowel (`Hoà` for `Hòa`).
    NameOldTonePlacement,
    /// One tone in place of another (`ỏ` for `õ`).
    NameToneWrong,
    /// Two words of the name in each other's places.
    NameWordsSwapped,
    /// The number for life is one of the other sex or year.
    NumberDisagrees,
    /// The number for life has eleven digits.
    NumberMalformed,
    /// The number for life of another person.
    NumberShared,
    /// The number of the old card has another digit.
    OldNumberDiffers,
    /// The old number has eight digits.
    OldNumberMalformed,
    /// The old card is not told.
    OldNumberMissing,
    /// The old number of another person.
    OldNumberShared,
    /// A letter of a parent's name is another.
    ParentMisspelt,
    /// Neither parent is named.
    ParentsMissing,
    /// The district lies in another province.
    ProvinceElsewhere,
    /// No permanent residence.
    ResidenceMissing,
    /// No sex is ticked.
    SexMissing,
    /// The other sex.
    SexWrong,
    /// A spouse is named, and the person is single.
    SpouseWithoutMarriage,
    /// A second member says to be the head.
    TwoHeads,
}

use Fault as F;

/// Faults of a form that is the only one of its person.
const OF_FORMS: &[Fault] = &[
    F::AgeImprobable,
    F::BirthDayMissing,
    F::BirthDayMissing,
    F::BirthDayUnknown,
    F::BirthYearDiffers,
    F::BirthYearDiffers,
    F::ChildOlderThanParent,
    F::CommuneElsewhere,
    F::CommuneMissing,
    F::CommuneUnknown,
    F::DateImpossible,
    F::DateInFuture,
    F::DayMonthSwapped,
    F::DeadAndActive,
    F::DeathBeforeBirth,
    F::EthnicGroupUnknown,
    F::HeadMissing,
    F::NameMarksDropped,
    F::NameMisspelt,
    F::NameNfd,
    F::NameNotWritable,
    F::NameOldTonePlacement,
    F::NameOldTonePlacement,
    F::NameOldTonePlacement,
    F::NameToneWrong,
    F::NumberDisagrees,
    F::NumberMalformed,
    F::NumberShared,
    F::OldNumberMalformed,
    F::OldNumberShared,
    F::ParentsMissing,
    F::ProvinceElsewhere,
    F::ResidenceMissing,
    F::SexMissing,
    F::SexWrong,
    F::SpouseWithoutMarriage,
    F::TwoHeads,
];

/// Faults by which a second form differs from the first.
const OF_DOUBLES: &[Fault] = &[
    F::BirthDayDiffers,
    F::BirthDayMissing,
    F::BirthYearDiffers,
    F::DayMonthSwapped,
    F::NameMarksDropped,
    F::NameMisspelt,
    F::NameMisspelt,
    F::NameNfd,
    F::NameOldTonePlacement,
    F::NameOldTonePlacement,
    F::NameOldTonePlacement,
    F::NameToneWrong,
    F::NameWordsSwapped,
    F::OldNumberDiffers,
    F::OldNumberMissing,
    F::ParentMisspelt,
    F::ParentsMissing,
    F::SexWrong,
];

/// Puts so many faults into a form of a person of a group. Returns them.
pub(super) fn spoil(row: &mut Row, group: &Group, who: usize, number: usize, dice: &mut Dice) -> Vec<Fault> {
    let mut done = some(row, Some((group, who)), OF_FORMS, number, dice);
    for sure in [F::ResidenceMissing, F::HeadMissing, F::ParentsMissing] {
        if done.len() < number && !done.contains(&sure) && sure.put(row, Some((group, who)), dice) {
            done.push(sure);
        }
    }
    done
}

/// Makes a second form of a person differ from the first in so many ways. Returns them.
pub(super) fn differ(row: &mut Row, number: usize, dice: &mut Dice) -> Vec<Fault> {
    let mut done = some(row, None, OF_DOUBLES, number, dice);
    for sure in [F::ParentsMissing, F::BirthDayMissing, F::SexWrong] {
        if done.len() < number && done.iter().all(|one| one.part() != sure.part()) && sure.put(row, None, dice) {
            done.push(sure);
        }
    }
    done
}

fn some(row: &mut Row, of: Option<(&Group, usize)>, kinds: &[Fault], number: usize, dice: &mut Dice) -> Vec<Fault> {
    let mut done: Vec<Fault> = vec![];
    for _ in 0..40 {
        if done.len() == number {
            break;
        }
        let kind = *dice.pick(kinds);
        if done.iter().all(|one| one.part() != kind.part()) && kind.put(row, of, dice) {
            done.push(kind);
        }
    }
    done
}

impl Fault {
    /// Returns which part of the form it is in: two faults are never in one part.
    fn part(self) -> u8 {
        match self {
            F::AgeImprobable
            | F::BirthDayMissing
            | F::BirthDayDiffers
            | F::BirthDayUnknown
            | F::BirthYearDiffers
            | F::ChildOlderThanParent
            | F::DateImpossible
            | F::DateInFuture
            | F::DayMonthSwapped
            | F::DeadAndActive
            | F::DeathBeforeBirth => 0,
            F::CommuneElsewhere
            | F::CommuneMissing
            | F::CommuneUnknown
            | F::ProvinceElsewhere
            | F::ResidenceMissing => 1,
            F::NameMarksDropped
            | F::NameMisspelt
            | F::NameNfd
            | F::NameNotWritable
            | F::NameOldTonePlacement
            | F::NameToneWrong
            | F::NameWordsSwapped => 2,
            F::HeadMissing | F::TwoHeads => 3,
            F::NumberDisagrees | F::NumberMalformed | F::NumberShared => 4,
            F::OldNumberDiffers | F::OldNumberMalformed | F::OldNumberMissing | F::OldNumberShared => 5,
            F::ParentMisspelt | F::ParentsMissing => 6,
            F::SexMissing | F::SexWrong => 7,
            F::EthnicGroupUnknown => 8,
            F::SpouseWithoutMarriage => 9,
        }
    }

    /// Puts the fault into a form. Returns false, and changes nothing, where the form has no place for it.
    fn put(self, row: &mut Row, of: Option<(&Group, usize)>, dice: &mut Dice) -> bool {
        let numbered = !row.personal_number.is_empty();
        let d = &mut row.declaration;
        let day = parts(&d.birth_date);
        match self {
            F::AgeImprobable => {
                // A number tells the year.
                let Some((day, month, _)) = day.filter(|_| !numbered && d.died.is_empty()) else { return false };
                put(&mut d.birth_date, format!("{day:02}/{month:02}/{}", 1860 + dice.of(40)))
            }
            F::BirthDayMissing => day.is_some_and(|(.., year)| put(&mut d.birth_date, year.to_string())),
            F::BirthDayDiffers => day.is_some_and(|(day, month, year)| {
                let other = if day % 10 == 9 { day - 1 } else { day + 1 };
                other <= 28 && put(&mut d.birth_date, format!("{other:02}/{month:02}/{year}"))
            }),
            F::BirthDayUnknown => {
                day.is_some_and(|(_, month, year)| put(&mut d.birth_date, format!("00/{month:02}/{year}")))
            }
            F::BirthYearDiffers => {
                // On an only form the difference shows by the number alone.
                let Some((day, month, year)) = day.filter(|_| of.is_none() || numbered) else { return false };
                let by = 1 + dice.of(3);
                let other = if dice.percent(60) || year + by > 2015 { year - by } else { year + by };
                day <= 28 && put(&mut d.birth_date, format!("{day:02}/{month:02}/{other}"))
            }
            F::ChildOlderThanParent => {
                let parent = of.and_then(|(group, who)| group.parents_birth_year(who));
                let Some((parent, (day, month, _))) = parent.zip(day).filter(|_| !numbered) else { return false };
                day <= 28 && put(&mut d.birth_date, format!("{day:02}/{month:02}/{}", parent - 2))
            }
            F::CommuneElsewhere => {
                let Some(home) = &mut d.permanent_residence else { return false };
                // Ba Đình's first commune, or one that lies in Hồ Chí Minh's centre.
                let other = if home.province == "001" { "26740" } else { "00001" };
                put(&mut home.commune, other.to_owned())
            }
            F::CommuneMissing => {
                d.permanent_residence.as_mut().is_some_and(|home| put(&mut home.commune, String::new()))
            }
            F::CommuneUnknown => {
                let code = format!("99{:03}", dice.of(1000));
                d.permanent_residence.as_mut().is_some_and(|home| put(&mut home.commune, code))
            }
            F::DateImpossible => day.is_some_and(|(day, month, year)| {
                day > 12 && put(&mut d.birth_date, format!("{month:02}/{day:02}/{year}"))
            }),
            F::DateInFuture => day.filter(|_| !numbered).is_some_and(|(day, month, year)| {
                put(&mut d.birth_date, format!("{day:02}/{month:02}/{}", year + 200))
            }),
            F::DayMonthSwapped => day.is_some_and(|(day, month, year)| {
                day <= 12 && day != month && put(&mut d.birth_date, format!("{month:02}/{day:02}/{year}"))
            }),
            F::DeadAndActive => {
                let leads = of.is_some_and(|(group, who)| group.leads(who));
                let home = d.permanent_residence.clone();
                leads && d.died.is_empty() && {
                    d.current_residence = home;
                    let died = row.declared_on - time::Duration::days(i64::from(30 + dice.of(300)));
                    put(&mut d.died, written(died))
                }
            }
            F::DeathBeforeBirth => {
                day.is_some_and(|(_, _, year)| put(&mut d.died, (year - 1 - dice.of(9)).to_string()))
            }
            F::EthnicGroupUnknown => put(&mut d.ethnic_group, format!("{}", 60 + dice.of(39))),
            F::HeadMissing => d.head_of_household.take().is_some(),
            F::NameMarksDropped => changed(&mut d.full_name, marks_dropped),
            F::NameMisspelt => changed(&mut d.full_name, |name| misspelt(name, dice)),
            F::NameNfd => changed(&mut d.full_name, |name| name.nfd().collect()),
            F::NameNotWritable => changed(&mut d.full_name, |name| name.replacen(['o', 'i', 'ô', 'ơ'], "0", 1)),
            F::NameOldTonePlacement => changed(&mut d.full_name, old_tones),
            F::NameToneWrong => changed(&mut d.full_name, |name| other_tone(name, dice)),
            F::NameWordsSwapped => changed(&mut d.full_name, words_swapped),
            F::NumberDisagrees => {
                // Century and sex, or the year, read wrongly by one.
                let at = if dice.percent(50) { 3 } else { 5 };
                changed(&mut row.personal_number, |number| other_digit(number, at))
            }
            F::NumberMalformed => {
                changed(&mut row.personal_number, |number| number.get(1..).unwrap_or_default().to_owned())
            }
            F::NumberShared => {
                let other = of.and_then(|(group, who)| group.number_of_another(who, dice));
                other.is_some_and(|other| put(&mut row.personal_number, other.as_str().to_owned()))
            }
            F::OldNumberDiffers => {
                let at = 4 + dice.at(5);
                changed(&mut d.old_id_number, |number| other_digit(number, at))
            }
            F::OldNumberMalformed => changed(&mut d.old_id_number, |number| number.chars().skip(1).collect()),
            F::OldNumberMissing => changed(&mut d.old_id_number, |_| String::new()),
            F::OldNumberShared => {
                let other = of.and_then(|(group, who)| group.old_number_of_another(who, dice));
                other.is_some_and(|other| !d.old_id_number.is_empty() && put(&mut d.old_id_number, other))
            }
            F::ParentMisspelt => {
                let parent = if dice.percent(50) { &mut d.father } else { &mut d.mother };
                parent.as_mut().is_some_and(|parent| changed(&mut parent.full_name, |name| misspelt(name, dice)))
            }
            F::ParentsMissing => {
                let named = d.father.is_some() || d.mother.is_some();
                d.representative.is_none() && named && {
                    (d.father, d.mother) = (None, None);
                    true
                }
            }
            F::ProvinceElsewhere => d.permanent_residence.as_mut().is_some_and(|home: &mut DeclaredPlace| {
                let other = if home.province == "001" { "079" } else { "001" };
                put(&mut home.province, other.to_owned())
            }),
            F::ResidenceMissing => d.permanent_residence.take().is_some(),
            F::SexMissing => put(&mut d.sex, String::new()),
            F::SexWrong => {
                let other = if d.sex == "Nam" { "Nữ" } else { "Nam" };
                // On an only form it shows by the number, or by `Thị` alone.
                let shows = of.is_none() || numbered || d.full_name.contains(" Thị ");
                shows && put(&mut d.sex, other.to_owned())
            }
            F::SpouseWithoutMarriage => d.spouse.is_some() && put(&mut d.marital_status, "single".to_owned()),
            F::TwoHeads => {
                let Some((group, who)) = of.filter(|(group, who)| group.follows(*who)) else { return false };
                d.head_of_household = Some(group.relative(who));
                put(&mut d.relation_to_head, "chủ hộ".to_owned())
            }
        }
    }
}

/// Writes another text in a field. Returns false if it is the same.
fn put(field: &mut String, text: String) -> bool {
    let other = *field != text;
    *field = text;
    other
}

/// Changes the text of a field that is not empty. Returns false if it is the same.
fn changed(field: &mut String, change: impl FnOnce(&str) -> String) -> bool {
    if field.is_empty() {
        return false;
    }
    let text = change(field);
    put(field, text)
}

/// Returns day, month and year of a date as forms have it.
fn parts(date: &str) -> Option<(u32, u32, u32)> {
    let mut parts = date.split('/').map(str::parse);
    let (day, month, year) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
    Some((day, month, year))
}

fn marks_dropped(name: &str) -> String {
    let plain = name.nfd().filter(|c| !is_combining_mark(*c));
    plain
        .map(|c| {
            if c == 'đ' {
                'd'
            } else if c == 'Đ' {
                'D'
            } else {
                c
            }
        })
        .collect()
}

fn misspelt(name: &str, dice: &mut Dice) -> String {
    let likely: Vec<(&str, &str)> = CONFUSED
        .iter()
        .flat_map(|(one, other)| [(*one, *other), (*other, *one)])
        .filter(|(wrong, _)| name.contains(wrong))
        .collect();
    if !likely.is_empty() && dice.percent(70) {
        let (right, wrong) = *dice.pick(&likely);
        return name.replacen(right, wrong, 1);
    }
    // A letter in the middle of the last word is left out, or stands twice.
    let letters: Vec<char> = name.chars().collect();
    let places: Vec<usize> = (1..letters.len()).filter(|at| letters[*at].is_lowercase()).collect();
    if places.is_empty() {
        return name.to_owned();
    }
    let at = *dice.pick(&places);
    let twice = dice.percent(50);
    let spelt = letters.iter().enumerate().flat_map(|(n, letter)| {
        let times = match (n == at, twice) {
            (true, true) => 2,
            (true, false) => 0,
            (false, _) => 1,
        };
        std::iter::repeat_n(*letter, times)
    });
    spelt.collect()
}

fn old_tones(name: &str) -> String {
    let words = name.split(' ').map(|word| {
        let pair = TONES_MOVED.iter().find(|(traditional, _)| word.ends_with(traditional));
        pair.map_or_else(
            || word.to_owned(),
            |(traditional, old)| format!("{}{old}", word.strip_suffix(traditional).unwrap_or_default()),
        )
    });
    words.collect::<Vec<_>>().join(" ")
}

fn other_tone(name: &str, dice: &mut Dice) -> String {
    let marks = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];
    let letters: Vec<char> = name.nfd().collect();
    let places: Vec<usize> = (0..letters.len()).filter(|at| marks.contains(&letters[*at])).collect();
    if places.is_empty() {
        return name.to_owned();
    }
    let at = *dice.pick(&places);
    let other = match letters[at] {
        '\u{309}' => '\u{303}',
        '\u{300}' => '\u{301}',
        '\u{301}' => '\u{300}',
        _ => '\u{309}',
    };
    letters.iter().enumerate().map(|(n, letter)| if n == at { other } else { *letter }).nfc().collect()
}

fn words_swapped(name: &str) -> String {
    let mut words: Vec<&str> = name.split(' ').collect();
    let last = words.len();
    if last > 2 {
        words.swap(last - 1, last - 2);
    }
    words.join(" ")
}

fn other_digit(number: &str, at: usize) -> String {
    let digits = number.chars().enumerate().map(|(n, digit)| match digit.to_digit(10) {
        Some(value) if n == at => char::from_digit((value + 1) % 10, 10).unwrap_or(digit),
        _ => digit,
    });
    digits.collect()
}

/// Letters that are taken for each other by the ear.
const CONFUSED: &[(&str, &str)] = &[
    ("tr", "ch"),
    ("Tr", "Ch"),
    ("s", "x"),
    ("S", "X"),
    ("ng", "n"),
    ("i", "y"),
    ("l", "n"),
    ("L", "N"),
    ("t", "c"),
    ("r", "d"),
    ("ê", "e"),
    ("ươ", "ưu"),
    ("V", "D"),
    ("Đ", "D"),
];

/// Ends of syllables with the tone mark in its traditional place, and in the other.
const TONES_MOVED: &[(&str, &str)] = &[
    ("òa", "oà"),
    ("óa", "oá"),
    ("ỏa", "oả"),
    ("õa", "oã"),
    ("ọa", "oạ"),
    ("òe", "oè"),
    ("óe", "oé"),
    ("ỏe", "oẻ"),
    ("ùy", "uỳ"),
    ("úy", "uý"),
    ("ủy", "uỷ"),
    ("ũy", "uỹ"),
    ("ụy", "uỵ"),
];
