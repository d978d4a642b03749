//! What the page shows, free of language and markup. A browser is sent nothing that does not stand here.

use std::fmt;
use std::sync::Arc;

use crypto::identity::Sex;
use crypto::inspection::{Finding, Holder};
use crypto::mrz::MrzDate;
use time::{Date, OffsetDateTime};

use super::key::Unreadable;
use crate::failure::Failure;
use crate::kiosk::mrz_name;
use crate::portrait;

/// One state of the page.
#[derive(Clone, Debug)]
pub(super) struct Screen {
    /// Rises with each change.
    pub number: u64,
    /// What the person is told.
    pub face: Face,
    /// Each reader, and whether there is a card in it.
    pub readers: Vec<(String, bool)>,
    /// The trust bundle by which cards are judged, or why there is none.
    pub bundle: Result<BundleFace, Failure>,
    /// Whether the person is asked if anyone is still there.
    pub asks: bool,
    /// What became of the wish to save a report: its name, or why it was not saved.
    pub saved: Option<Result<String, Failure>>,
}

/// The dates of a trust bundle.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct BundleFace {
    pub issued: OffsetDateTime,
    pub due: OffsetDateTime,
}

/// What the person is told.
#[derive(Clone, Debug)]
pub(super) enum Face {
    /// A card is in a reader, and what opens it is asked for.
    Asking { wrong: Option<Wrong> },
    /// A card is being read: the step of the procedure, from 0.
    Reading { step: usize },
    /// The verdict.
    Shown(Arc<Shown>),
    /// All is said; the card is still in its reader.
    TakeOut,
    /// There is no card. What opens the next one may be typed before it comes.
    Waiting { wrong: Option<Wrong>, has_key: bool },
}

/// Why what was typed does not open the card.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Wrong {
    /// The chip refused it, and said or did not say how often it may be tried again.
    Password { tries_left: Option<u8> },
    /// It is none.
    Unreadable(Unreadable),
}

/// The verdict, and what stands behind it.
#[derive(Debug)]
pub(super) struct Shown {
    /// The number of the visit; the portrait's address holds it.
    pub visit: u64,
    pub word: Word,
    /// Why it is not trusted.
    pub failure: Option<Failure>,
    /// Each check; none in privacy mode, and none where no reading came to its end.
    pub findings: Vec<Finding>,
    /// The person, only of a trusted card and never in privacy mode.
    pub person: Option<Person>,
    /// The one answer of privacy mode, only of a trusted card.
    pub answer: Option<Answer>,
    /// Whether the card is still in its reader.
    pub card_is_there: bool,
}

/// The verdict in a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Word {
    Refused,
    Trusted,
    Unknown,
}

/// Whether the person is of age, and of which.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Answer {
    pub years: u8,
    /// `None` if the card does not tell the day of birth.
    pub is_over: Option<bool>,
}

impl Answer {
    /// Returns whether a person of this birth has completed so many years on this day. A person born on 29
    /// February completes a year on 1 March.
    pub(super) fn of(birth: Option<MrzDate>, today: Date, years: u8) -> Self {
        let completed = |born: Date| {
            let whole = today.year() - born.year();
            let had_birthday = (today.month() as u8, today.day()) >= (born.month() as u8, born.day());
            whole - i32::from(!had_birthday) >= i32::from(years)
        };
        Self { years, is_over: birth.and_then(|birth| birth.birth(today)).map(completed) }
    }
}

/// What the page shows of a person: texts without control characters, and no longer than the page can bear.
#[derive(Default)]
pub(super) struct Person {
    pub name: Option<String>,
    pub number: Option<String>,
    pub birth: Option<String>,
    pub sex: Option<Sex>,
    pub residence: Option<String>,
    /// `None` inside for a card that never expires.
    #[expect(clippy::option_option, reason = "not known, never, or a day")]
    pub expiry: Option<Option<String>>,
    /// PNG.
    pub portrait: Option<Vec<u8>>,
}

/// Shows nothing.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

impl Person {
    /// Returns what the proved groups say of the holder.
    pub(super) fn of(holder: &Holder, today: Date) -> Self {
        let day = |date: Option<Date>, raw: MrzDate| date.map_or_else(|| raw.to_string(), pages::written::date);
        let of_dg13 = |text: Option<&String>| text.map(|text| shown(text)).filter(|text| !text.is_empty());
        let dg13 = holder.particulars();
        Self {
            name: of_dg13(dg13.and_then(|dg13| dg13.name.as_ref())).or_else(|| holder.name().map(mrz_name)),
            number: holder.personal_number().map(|number| pages::written::personal_number(&number.to_string())),
            birth: holder.birth().map(|date| day(date.birth(today), date)),
            sex: holder.sex(),
            residence: of_dg13(dg13.and_then(|dg13| dg13.residence.as_ref())),
            expiry: holder.expiry().map(|date| match date {
                MrzDate::NO_EXPIRY => None,
                date => Some(day(date.expiry(), date)),
            }),
            portrait: holder.portrait().and_then(|dg2| portrait::png(&dg2.image).ok()),
        }
    }
}

/// Returns a text of a chip as it may be shown: without control characters and signs that turn the direction of what
/// follows, and cut where it would fill the page.
fn shown(text: &str) -> String {
    let turns =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let mut clean = text.chars().filter(|c| !c.is_control() && !turns(*c));
    let mut kept: String = clean.by_ref().take(MOST_LETTERS).collect();
    if clean.next().is_some() {
        kept.push('…');
    }
    kept.trim().to_owned()
}

/// The letters of a text that are shown; names and addresses of people are shorter.
const MOST_LETTERS: usize = 120;

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    #[test]
    fn a_person_is_over_an_age_from_the_birthday_on() {
        let over = |birth: &str, today| Answer::of(birth.parse().ok(), today, 18).is_over;
        assert_eq!(over("081126", date!(2026 - 11 - 25)), Some(false));
        assert_eq!(over("081126", date!(2026 - 11 - 26)), Some(true));
        assert_eq!(over("080229", date!(2026 - 02 - 28)), Some(false));
        assert_eq!(over("080229", date!(2026 - 03 - 01)), Some(true));
        assert_eq!(over("081300", date!(2026 - 11 - 26)), None, "no day of the calendar");
        assert_eq!(over("08<<<<", date!(2026 - 11 - 26)), None, "the day is not known");
        assert_eq!(Answer::of(None, date!(2026 - 11 - 26), 18).is_over, None);
    }

    #[test]
    fn a_text_of_a_chip_is_cut_and_turns_nothing_around() {
        assert_eq!(shown("Trần\u{202e} Thị\0 An\r\n "), "Trần Thị An");
        let long = shown(&"Ẩ".repeat(10_000));
        assert_eq!(long.chars().count(), MOST_LETTERS + 1);
        assert!(long.ends_with('…'));
        assert_eq!(shown(&"a".repeat(MOST_LETTERS)).len(), MOST_LETTERS);
    }
}
