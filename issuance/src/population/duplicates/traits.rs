//! What the detector looks at: the parts of a declaration by which one person is told from another, each in the form in
//! which faults of writing are gone. Pure.

use crypto::identity::{Date, canonical_spelling, folded_name};

use super::words;

/// What is written of a person, in the words of a declaration; empty for what is not known.
#[derive(Clone, Copy, Default)]
pub struct Written<'a> {
    /// True if the names are in one canonical spelling already ([`crypto::identity::FullName`]).
    pub canonical: bool,
    /// Full name.
    pub full_name: &'a str,
    /// Date of birth.
    pub birth_date: &'a str,
    /// Sex, any spelling that begins differently for the two.
    pub sex: &'a str,
    /// Province and commune of birth registration.
    pub born_in: (&'a str, &'a str),
    /// Province and commune of origin.
    pub origin: (&'a str, &'a str),
    /// Commune of residence.
    pub lives_in: &'a str,
    /// Name and number for life of the father.
    pub father: (&'a str, &'a str),
    /// Name and number for life of the mother.
    pub mother: (&'a str, &'a str),
    /// Name of wife or husband.
    pub spouse: &'a str,
    /// Number of the old card.
    pub old_number: &'a str,
    /// Household book.
    pub household: &'a str,
}

/// What the detector looks at.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Traits {
    pub(super) name: Name,
    pub(super) birth: Birth,
    /// `M` or `F`; `None` if it is neither.
    pub(super) sex: Option<bool>,
    pub(super) born_in: Locality,
    pub(super) origin: Locality,
    pub(super) lives_in: Option<String>,
    pub(super) father: Option<Parent>,
    pub(super) mother: Option<Parent>,
    pub(super) spouse: Option<Name>,
    pub(super) old_number: Option<String>,
    pub(super) household: Option<String>,
}

/// Shows nothing: it is personal data.
impl std::fmt::Debug for Traits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Traits(…)")
    }
}

/// A name, word by word in the order in which it is written.
#[derive(Clone, Default, Eq, PartialEq)]
pub(super) struct Name {
    pub words: Vec<Word>,
    /// True if a mark stands anywhere.
    pub marked: bool,
    /// True if a word stood twice.
    pub doubled: bool,
}

/// A word of a name; several that were written as one are cut.
#[derive(Clone, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Word {
    /// Without marks and without rests of an input method.
    pub plain: String,
    /// Lower case, with marks.
    pub toned: String,
    /// As it sounds.
    pub sound: String,
}

/// A date of birth; 0 for a part that is not known.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
pub(super) struct Birth {
    pub year: u16,
    pub month: u8,
    pub day: u8,
}

/// Province and commune.
#[derive(Clone, Default, Eq, PartialEq)]
pub(super) struct Locality {
    pub province: Option<u16>,
    pub commune: Option<String>,
}

/// A parent.
#[derive(Clone, Eq, PartialEq)]
pub(super) struct Parent {
    pub name: Name,
    pub number: Option<String>,
}

impl Traits {
    /// Reads what is written. Takes any text.
    #[must_use]
    pub fn read(written: &Written<'_>) -> Self {
        let parent = |(name, number): (&str, &str)| {
            let (name, number) = (Name::read(name, written.canonical), text(number));
            (!name.words.is_empty() || number.is_some()).then_some(Parent { name, number })
        };
        let spouse = Name::read(written.spouse, written.canonical);
        Self {
            name: Name::read(written.full_name, written.canonical),
            birth: Birth::read(written.birth_date),
            sex: match folded_name(written.sex).as_str() {
                "nam" | "m" => Some(true),
                "nu" | "f" => Some(false),
                _ => None,
            },
            born_in: Locality::read(written.born_in),
            origin: Locality::read(written.origin),
            lives_in: text(written.lives_in),
            father: parent(written.father),
            mother: parent(written.mother),
            spouse: (!spouse.words.is_empty()).then_some(spouse),
            old_number: text(written.old_number),
            household: text(written.household),
        }
    }
}

impl Name {
    fn read(text: &str, canonical: bool) -> Self {
        // Names are a hundred characters at most; what is longer in a file that was never examined is cut.
        let spelled = if canonical {
            text.to_lowercase()
        } else {
            let cut: String = text.chars().take(MOST_CHARACTERS).collect();
            canonical_spelling(&cut).to_lowercase()
        };
        let (mut words, mut doubled, mut marked): (Vec<Word>, _, _) = (vec![], false, false);
        for toned in spelled.split([' ', '\'', '-']).filter(|word| !word.is_empty()) {
            let Some((folded, plain)) = spoken(toned) else { continue };
            marked |= folded != toned;
            let toned = if plain == folded { toned } else { &plain };
            let mut letters = toned.chars();
            for part in words::parts_of(&plain) {
                let toned: String = letters.by_ref().take(part.chars().count()).collect();
                if words.iter().any(|word| word.plain == part) {
                    doubled = true;
                    continue;
                }
                words.push(Word { sound: words::sound(part), plain: part.to_owned(), toned });
            }
        }
        words.truncate(MOST_WORDS);
        Self { words, marked, doubled }
    }
}

/// Returns a word of a name without its marks, and also without rests of an input method; `None` if nothing is left.
/// Takes it in lower case.
pub(super) fn spoken(toned: &str) -> Option<(String, String)> {
    let folded = words::folded(toned).unwrap_or_else(|| folded_name(toned));
    let plain = words::without_rests(&folded);
    (!plain.is_empty() && !plain.contains(char::is_whitespace)).then_some((folded, plain))
}

impl Birth {
    fn read(text: &str) -> Self {
        match text.trim().parse::<Date>() {
            Ok(date) => Self::of(date),
            Err(_) => Self::default(),
        }
    }

    pub(super) fn of(date: Date) -> Self {
        let (month, day) = (date.month().map_or(0, u8::from), date.full().map_or(0, time::Date::day));
        Self { year: date.year(), month, day }
    }

    /// True if day and month are known.
    pub(super) fn has_day(self) -> bool {
        self.day != 0
    }
}

impl Locality {
    fn read((province, commune): (&str, &str)) -> Self {
        Self { province: province.trim().parse().ok(), commune: text(commune) }
    }
}

fn text(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

const MOST_CHARACTERS: usize = 100;
/// No name has more that tell anything.
pub(super) const MOST_WORDS: usize = 6;
