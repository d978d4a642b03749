//! Whether everything that speaks of the holder speaks of the same one: DG1, what was given, and DG13.
//!
//! Only what was compared is named. What a field does not say, or says in a spelling that cannot be
//! compared, contradicts nothing.

use time::Month;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::Outcome::{NotChecked, Proved, Refuted};
use super::{Check, Judge, SignedGroups};
use crate::identity::{FullName, PersonalNumber, Sex};
use crate::inspection::Password;
use crate::lds::dg13::NO_EXPIRY;
use crate::lds::{DataGroup, Dg1, Dg13};
use crate::mrz::{MrzDate, MrzName, Td1};

/// What was compared with DG1, and how it came out.
#[derive(Default)]
struct Comparison {
    agreed: Vec<String>,
    contradicted: Vec<String>,
    open: Vec<String>,
}

impl Comparison {
    /// Adds a comparison; `None` if it could not be made.
    fn add(&mut self, what: impl Into<String>, agrees: Option<bool>) {
        match agrees {
            Some(true) => self.agreed.push(what.into()),
            Some(false) => self.contradicted.push(what.into()),
            None => self.open.push(what.into()),
        }
    }

    /// Adds the comparisons of the fields of one file.
    fn add_all(&mut self, file: &str, fields: &Self) {
        let lists = [
            (&mut self.agreed, &fields.agreed),
            (&mut self.contradicted, &fields.contradicted),
            (&mut self.open, &fields.open),
        ];
        for (list, fields) in lists.into_iter().filter(|(_, fields)| !fields.is_empty()) {
            list.push(format!("{file} ({})", fields.join(", ")));
        }
    }
}

impl Judge<'_> {
    /// Compares DG1 with its own check digits, with the MRZ or CAN that was given, and, on a card that is by its DG1 a
    /// citizen card, with DG13. What other States put into DG13 is theirs (Doc 9303-10 (8th ed.) §4.7.13).
    pub(super) fn mrz(&mut self, groups: &SignedGroups<'_>) {
        let Some(file) = groups.get(DataGroup::DG1) else {
            self.demand(Check::MrzConsistency, NotChecked, "there is no signed DG1");
            return;
        };
        let (dg1, characters) = match Dg1::parse(file).and_then(|dg1| Ok((dg1, Dg1::characters(file)?))) {
            Ok(read) => read,
            Err(error) => {
                self.demand(Check::MrzConsistency, Refuted, error.to_string());
                return;
            }
        };
        let mut comparison = Comparison::default();
        comparison.add("its own check digits", check_digits(&dg1));
        let profile = self.citizen_card();
        let citizen = dg1.td1().filter(|td1| profile.is_claimed(&td1.document_code, &td1.issuing_state));
        let mut misread = false;
        match &self.evidence.password {
            None => {}
            Some(Password::Zone(given)) => match given.differences(characters) {
                None => comparison.contradicted.push("the given MRZ (another size)".to_owned()),
                Some(fields) if fields.is_empty() => {
                    comparison.agreed.push("the given MRZ in every character".to_owned());
                }
                // What was misread does not make an honest card a forged one.
                Some(_) if !given.is_sound() => misread = true,
                Some(fields) => {
                    let fields: Vec<_> = fields.iter().map(ToString::to_string).collect();
                    comparison.contradicted.push(format!("the given MRZ ({})", fields.join(", ")));
                }
            },
            Some(Password::Mrz(given)) => {
                let agrees = dg1.key().is_ok_and(|key| key.information() == given.information());
                comparison.add("the given number, birth and expiry", Some(agrees));
            }
            // The CAN is a rule of the citizen card's issuer: the end of the personal number.
            Some(Password::Can(given)) => {
                let number = citizen.and_then(Td1::personal_number);
                comparison.add("the given CAN", number.map(|number| number.can() == *given));
            }
        }
        if let Some((td1, raw)) = citizen.zip(groups.get(DataGroup::DG13)) {
            match Dg13::parse(raw) {
                Ok(dg13) => comparison.add_all("DG13", &compare(td1, &dg13)),
                Err(_) => comparison.add("DG13, which cannot be read", None),
            }
        }
        let Comparison { agreed, contradicted, open } = comparison;
        let not_compared = match open.is_empty() {
            true => String::new(),
            false => format!("; not compared: {}", open.join(", ")),
        };
        let (outcome, reason) = match (contradicted.is_empty(), agreed.is_empty()) {
            (false, _) => (Refuted, format!("DG1 contradicts {}", contradicted.join(", "))),
            (true, _) if misread => (NotChecked, MISREAD.to_owned()),
            (true, true) => (NotChecked, format!("nothing could be compared with DG1{not_compared}")),
            (true, false) => (Proved, format!("DG1 agrees with {}{not_compared}", agreed.join(", "))),
        };
        self.demand(Check::MrzConsistency, outcome, reason);
    }
}

const MISREAD: &str = "the given MRZ differs from DG1 and was misread, or is wrong on the card: its composite check digit does \
                       not fit; read it again";

/// Returns whether the check digits fit; `None` for a zone of no known size. A TD1 zone is one whose digits all fit.
fn check_digits(dg1: &Dg1) -> Option<bool> {
    match dg1 {
        Dg1::Td1(_) => Some(true),
        Dg1::Other(zone) => matches!(zone.len(), 72 | 88 | 90).then(|| zone.len() != 90 && dg1.key().is_ok()),
    }
}

/// Compares the fields that both DG1 and DG13 have.
fn compare(td1: &Td1, dg13: &Dg13) -> Comparison {
    let mut comparison = Comparison::default();
    let mut add = |what: &str, text: &Option<String>, agrees: &dyn Fn(&str) -> Option<bool>| {
        comparison.add(what, text.as_deref().and_then(agrees));
    };
    add("number", &dg13.number, &|text| {
        let digits: String = text.nfkc().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')).collect();
        let printed: PersonalNumber = digits.parse().ok()?;
        // The document number is the end of the personal number, which stands whole in the optional data.
        let whole = td1.personal_number().is_none_or(|number| number == printed);
        Some(whole && td1.document_number == printed.last_nine())
    });
    add("name", &dg13.name, &|text| {
        let name: FullName = text.nfkc().collect::<String>().parse().ok()?;
        Some(same_name(&MrzName::of_citizen(&name).ok()?, &td1.name))
    });
    add("birth", &dg13.birth, &|text| Some(Day::read(text)?.is(td1.birth)));
    add("sex", &dg13.sex, &|text| Some(sex(text)? == td1.sex?));
    add("expiry", &dg13.expiry, &|text| match folded(text) == folded(NO_EXPIRY) {
        true => Some(td1.expiry == MrzDate::NO_EXPIRY),
        false => Some(Day::read(text)?.is(td1.expiry)),
    });
    comparison
}

/// Returns whether a whole name is that of an MRZ, whose issuer may have cut it if it fills its field.
fn same_name(whole: &MrzName, written: &MrzName) -> bool {
    let parts = |name: &MrzName| -> Vec<String> {
        let all = [name.primary(), name.secondary()];
        all.iter().flat_map(|part| part.split('<')).filter(|c| !c.is_empty()).map(str::to_owned).collect()
    };
    let (whole, parts) = (parts(whole), parts(written));
    let cut = !written.field(NAME_WIDTH).ends_with('<');
    let begins =
        || parts.len() <= whole.len() && whole.iter().zip(&parts).all(|(whole, part)| whole.starts_with(part.as_str()));
    whole == parts || (cut && begins())
}

/// Reads `Nam` and `Nữ` in any case and composition, and the letters of the MRZ.
fn sex(text: &str) -> Option<Sex> {
    match folded(text).as_str() {
        "nam" | "m" | "male" => Some(Sex::Male),
        "nu" | "f" | "female" => Some(Sex::Female),
        _ => None,
    }
}

/// Returns the text in small letters without diacritics and with single spaces.
fn folded(text: &str) -> String {
    let bare: String = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase).collect();
    bare.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A date as DG13 has it, as far as it goes.
struct Day {
    year: u16,
    month: Option<u8>,
    day: Option<u8>,
}

impl Day {
    /// Reads day, month and year with any separators, the year first or last; the year alone; month and year.
    fn read(text: &str) -> Option<Self> {
        let text: String = text.nfkc().collect();
        if text.chars().any(char::is_alphabetic) {
            return None;
        }
        let parts: Vec<&str> = text.split(|c: char| !c.is_ascii_digit()).filter(|part| !part.is_empty()).collect();
        let (year, month, day) = match parts[..] {
            [year] if year.len() == 4 => (year, None, None),
            [all] if all.len() == 8 => (&all[4..], Some(&all[2..4]), Some(&all[..2])),
            [month, year] if year.len() == 4 => (year, Some(month), None),
            [year, month, day] if year.len() == 4 => (year, Some(month), Some(day)),
            [day, month, year] if year.len() == 4 => (year, Some(month), Some(day)),
            _ => return None,
        };
        let number = |text: Option<&str>| text.map(str::parse::<u8>).transpose().ok();
        let (year, month, day) = (year.parse().ok()?, number(month)?, number(day)?);
        if let Some(month) = month {
            let month = Month::try_from(month).ok()?;
            time::Date::from_calendar_date(i32::from(year), month, day.unwrap_or(1)).ok()?;
        }
        Some(Self { year, month, day })
    }

    /// Returns whether this is the date of an MRZ, as far as both go: an unknown part there is a filler.
    fn is(&self, date: MrzDate) -> bool {
        let written = date.as_str();
        let same = |at: usize, own: Option<u8>| match (own, &written[at..at + 2]) {
            (None, _) | (_, "<<") => true,
            (Some(own), written) => format!("{own:02}") == written,
        };
        let year = u8::try_from(self.year % 100).expect("two digits");
        same(0, Some(year)) && same(2, self.month) && same(4, self.day)
    }
}

/// Characters of the name field of a TD1 zone.
const NAME_WIDTH: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_read_with_any_separators_and_as_far_as_it_goes() {
        let read = |text: &str| Day::read(text).map(|day| (day.year, day.month, day.day));
        let whole = Some((1985, Some(3), Some(2)));
        for text in ["02/03/1985", "2-3-1985", "2.3.1985", "02 03 1985", "1985-03-02", "02031985", "０２/０３/１９８５"]
        {
            assert_eq!(read(text), whole, "{text}");
        }
        assert_eq!((read("1985"), read("03/1985")), (Some((1985, None, None)), Some((1985, Some(3), None))));
        for text in
            ["", "85", "850302", "2/3/85", "31/02/1985", "02/13/1985", "13/1985", "1/2/3/1985", "2 tháng 3", "3/85"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_date_agrees_with_an_mrz_as_far_as_both_go() {
        let is = |text: &str, written: &str| Day::read(text).unwrap().is(written.parse().unwrap());
        for (text, written, same) in [
            ("02/03/1985", "850302", true),
            ("02/03/1985", "850303", false),
            ("02/03/1985", "850402", false),
            ("02/03/1985", "840302", false),
            ("02/03/1985", "85<<<<", true),
            ("02/03/1985", "84<<<<", false),
            ("1985", "850302", true),
            ("1984", "850302", false),
            ("03/1985", "850302", true),
            ("04/1985", "850302", false),
        ] {
            assert_eq!(is(text, written), same, "{text} and {written}");
        }
    }
}
