//! Candidate keys: numbers that the declarations of one person have in common, whatever two faults lie between them.
//! Pure.
//!
//! A key is a name part, and behind it what follows in the order of sorting, so that one row in an ordinary index
//! answers several questions: *this name in this year*, *this name on this day*, *this name on this day in any of the
//! years that a misread digit makes*.
//!
//! ```text
//! 29 bits       8      9               5             5       4            4
//! name part   year   day and month   born in   origin   begin of     end of the word left out
//! ```
//!
//! A name part is never the only thing that must fit: each [`Probe`] demands the year, or a year near it with the day.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::super::model::{Person, Relative};
use super::traits::{Birth, Locality, MOST_WORDS, Parent, Traits, Word, spoken};
use super::words;

/// The way in which keys are made. It is raised when they are made another way, with a migration that sets `keyed` to
/// null: the next start then makes the keys of all persons anew.
pub const VERSION: i64 = 2;

/// The keys under which a person lies, sorted.
#[must_use]
pub fn keys(traits: &Traits) -> Vec<i64> {
    Essence::of(traits).keys()
}

/// Makes the keys of many persons: each word of their names is looked at once.
#[derive(Debug, Default)]
pub struct Sounds {
    /// How words sound, by how they are written: none for one of which nothing is left, several for names that were
    /// written as one.
    known: HashMap<Box<str>, Arc<[Sound]>>,
}

/// A word of a name.
#[derive(Clone, Debug)]
struct Sound {
    plain: Arc<str>,
    sound: Arc<str>,
}

impl Sounds {
    /// Returns the [`keys`] of a person.
    pub fn keys(&mut self, person: &Person) -> Vec<i64> {
        // The nation has some thousand words; a file of nonsense must not fill the memory.
        if self.known.len() > MOST_SOUNDS {
            self.known.clear();
        }
        let name = self.of(person.full_name.as_str());
        let mut parent =
            |parent: Option<&Relative>| parent.map(|one| self.of(one.full_name.as_str())).unwrap_or_default();
        let (father, mother) = (parent(person.father.as_ref()), parent(person.mother.as_ref()));
        let essence = Essence {
            birth: Birth::of(person.birth),
            born: class_of_province(person.birth_registration.province.number()),
            origin: class_of_province(person.place_of_origin.province.number()),
            name: name.iter().map(|word| &*word.sound).collect(),
            father: father.iter().map(|word| &*word.sound).collect(),
            mother: mother.iter().map(|word| &*word.sound).collect(),
            old_number: person.old_id_number.as_deref(),
        };
        essence.keys()
    }

    /// The words of a name that is in its canonical spelling, each once.
    fn of(&mut self, name: &str) -> Vec<Sound> {
        let mut words: Vec<Sound> = vec![];
        for word in name.split([' ', '\'', '-']).filter(|word| !word.is_empty()) {
            let known = self.known.get(word).cloned().unwrap_or_else(|| {
                let plain = spoken(&word.to_lowercase()).map(|(_, plain)| plain);
                let parts = plain.as_deref().map(words::parts_of).unwrap_or_default();
                let sounds: Arc<[Sound]> = parts
                    .into_iter()
                    .map(|part| Sound { sound: words::sound(part).into(), plain: part.into() })
                    .collect();
                self.known.insert(word.into(), sounds.clone());
                sounds
            });
            for part in known.iter() {
                if words.iter().all(|word| word.plain != part.plain) {
                    words.push(part.clone());
                }
            }
        }
        words.truncate(MOST_WORDS);
        words
    }
}

/// So many words are remembered.
const MOST_SOUNDS: usize = 50_000;

/// What keys are made of.
struct Essence<'a> {
    birth: Birth,
    /// Classes of the provinces of birth registration and of origin.
    born: u8,
    origin: u8,
    /// How the words of the names sound; none if the name is not known.
    name: Vec<&'a str>,
    father: Vec<&'a str>,
    mother: Vec<&'a str>,
    old_number: Option<&'a str>,
}

impl<'a> Essence<'a> {
    fn of(traits: &'a Traits) -> Self {
        let sounds = |words: &'a [Word]| words.iter().map(|word| word.sound.as_str()).collect::<Vec<_>>();
        let parent = |parent: Option<&'a Parent>| parent.map(|one| sounds(&one.name.words)).unwrap_or_default();
        Self {
            birth: traits.birth,
            born: class_of_place(&traits.born_in),
            origin: class_of_place(&traits.origin),
            name: sounds(&traits.name.words),
            father: parent(traits.father.as_ref()),
            mother: parent(traits.mother.as_ref()),
            old_number: traits.old_number.as_deref(),
        }
    }

    fn keys(&self) -> Vec<i64> {
        let (year, day) = (self.birth.year, day(self.birth));
        let mut keys: Vec<i64> = parts(self, false).into_iter().map(|part| part.key(year, day)).collect();
        keys.extend(number(self));
        keys.sort_unstable();
        keys.dedup();
        keys
    }
}

/// Where to look for doubles of a person.
#[must_use]
pub fn probes(traits: &Traits) -> Vec<Probe> {
    let (year, day) = (traits.birth.year, day(traits.birth));
    let essence = Essence::of(traits);
    let mut probes: Vec<Probe> =
        number(&essence).into_iter().map(|key| Probe { from: key, to: key + NARROW, ..Probe::default() }).collect();
    if year == 0 {
        return probes;
    }
    for part in parts(&essence, true) {
        let at = |year: u16, day: u16, rule: Rule| Probe {
            from: part.from(year, day),
            to: part.from(year, day) + NARROW,
            rule,
            part,
            wide: false,
        };
        let whole_year =
            |year: u16, rule: Rule| Probe { to: part.from(year, 511) + NARROW, wide: true, ..at(year, 0, rule) };
        match part.kind {
            PartKind::Name => {
                probes.push(whole_year(year, if day == 0 { Rule::Any } else { Rule::Place }));
                if day != 0 {
                    probes.push(at(year, day, Rule::Any));
                    probes.push(at(year, 0, Rule::Any));
                    probes.extend(years_near(year).into_iter().map(|year| at(year, day, Rule::Any)));
                    probes.extend(years_near(year).into_iter().map(|year| at(year, 0, Rule::Place)));
                } else {
                    probes.extend(years_near(year).into_iter().map(|year| whole_year(year, Rule::Place)));
                }
                probes.extend([year - 1, year + 1].map(|year| whole_year(year, Rule::Place)));
            }
            PartKind::NameLess => {
                probes.push(whole_year(year, Rule::PlaceAndLetter));
                if day != 0 {
                    probes.push(at(year, day, Rule::PlaceOrLetter));
                    probes.extend(years_near(year).into_iter().map(|year| at(year, day, Rule::PlaceAndLetter)));
                }
            }
            // All children of the two, whenever they were born.
            PartKind::Parents => {
                let last = part.from(u16::MAX, 511) + NARROW;
                probes.push(Probe { from: part.from(0, 0), to: last, wide: true, ..at(year, 0, Rule::Any) });
            }
            PartKind::Parent => {
                if day != 0 {
                    probes.push(at(year, day, Rule::Any));
                    probes.push(at(year, 0, Rule::Place));
                } else {
                    probes.push(whole_year(year, Rule::Place));
                }
            }
            PartKind::Word => {
                let wide = true;
                probes.push(Probe { wide, ..at(year, day, Rule::Place) });
            }
        }
    }
    probes
}

/// What two declarations that could be of one person both hold while they are entered, sorted: so that of two at the
/// same moment the later one sees the earlier one.
#[must_use]
pub fn locks(traits: &Traits) -> Vec<i64> {
    let (year, day) = (traits.birth.year, day(traits.birth));
    let essence = Essence::of(traits);
    let mut locks: Vec<i64> = number(&essence).into_iter().collect();
    for part in parts(&essence, true) {
        match part.kind {
            // Looked up in many years. Of another person it may be the whole name less a word, which holds its own year
            // and its own day.
            PartKind::Name => {
                locks.extend([part.from(0, 511), part.from(year, 511), part.from(0, day), part.from(0, 0)]);
                let near = match (year, day) {
                    (0, _) => vec![],
                    (_, 0) => years_near(year),
                    _ => vec![year - 1, year + 1],
                };
                locks.extend(near.into_iter().map(|year| part.from(year, 511)));
            }
            PartKind::Parents => locks.push(part.from(0, 511)),
            // By the year, for all that lies in it; by the day, for the years that are near.
            PartKind::NameLess | PartKind::Word => locks.extend([part.from(year, 511), part.from(0, day)]),
            PartKind::Parent => locks.push(part.from(year, 511)),
        }
    }
    locks.sort_unstable();
    locks.dedup();
    locks
}

/// A range of keys to look at.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Probe {
    /// First key.
    pub from: i64,
    /// Last key.
    pub to: i64,
    /// True for the range of a whole year, of which few rows are wanted.
    pub wide: bool,
    rule: Rule,
    part: Part,
}

impl Probe {
    /// True if the person of a key in the range is a candidate.
    #[must_use]
    pub fn admits(&self, key: i64) -> bool {
        let key = unsigned(key);
        let (born, origin) = (key >> 13 & 31, key >> 8 & 31);
        let (begin, end) = (key >> 4 & 15, key & 15);
        let (own_born, own_origin) = (u64::from(self.part.born), u64::from(self.part.origin));
        let place = [own_born, own_origin].iter().any(|own| *own != 0 && (*own == born || *own == origin));
        // A whole name, or one that lacks the word that this one lacks.
        let whole = begin == 0 || self.part.begin == 0;
        let letter = whole || begin == u64::from(self.part.begin) || end == u64::from(self.part.end);
        match self.rule {
            Rule::Any => true,
            Rule::Place => place,
            Rule::PlaceAndLetter => place && letter,
            Rule::PlaceOrLetter => place || letter,
        }
    }

    /// The same in numbers, for a statement: the classes of the two places (0: any will do), and those of the letters
    /// (0: any will do).
    #[must_use]
    pub fn wanted(&self) -> [Option<(u8, u8)>; 2] {
        let places = (self.rule != Rule::Any).then_some((self.part.born, self.part.origin));
        let letters =
            (self.rule == Rule::PlaceAndLetter && self.part.begin != 0).then_some((self.part.begin, self.part.end));
        [places, letters]
    }
}

/// What must fit beside the range.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Rule {
    #[default]
    Any,
    /// One of the places.
    Place,
    /// One of the places, and of the word that is left out the first or the last letter.
    PlaceAndLetter,
    /// One of the two.
    PlaceOrLetter,
}

/// A name part with what is kept behind it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Part {
    kind: PartKind,
    hash: u64,
    born: u8,
    origin: u8,
    begin: u8,
    end: u8,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum PartKind {
    /// All words of the name.
    #[default]
    Name,
    /// All but one.
    NameLess,
    /// Names of father and mother.
    Parents,
    /// Name of one of them.
    Parent,
    /// One word of the name.
    Word,
}

impl Part {
    fn from(self, year: u16, day: u16) -> i64 {
        let year = u64::from(year.clamp(YEARS_FROM, YEARS_FROM + 255) - YEARS_FROM);
        signed(self.hash << 35 | year << 27 | u64::from(day) << 18)
    }

    fn key(self, year: u16, day: u16) -> i64 {
        let low = [(self.born, 13), (self.origin, 8), (self.begin, 4), (self.end, 0)];
        self.from(year, day) | low.iter().map(|(value, at)| i64::from(*value) << at).sum::<i64>()
    }
}

/// The name parts of a person. `all` adds those that are looked up and not kept.
fn parts(essence: &Essence<'_>, all: bool) -> Vec<Part> {
    let Essence { born, origin, name: words, father, mother, .. } = essence;
    let part = |kind, hash, begin, end| Part { kind, hash, born: *born, origin: *origin, begin, end };
    let mut parts = Vec::with_capacity(16);
    if !words.is_empty() {
        parts.push(part(PartKind::Name, of_words('n', words.iter().copied()), 0, 0));
    }
    if words.len() > 1 {
        for (at, left_out) in words.iter().enumerate() {
            let rest = words.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, word)| *word);
            let (begin, end) = (left_out.chars().next(), left_out.chars().last());
            parts.push(part(PartKind::NameLess, of_words('n', rest), class_of_letter(begin), class_of_letter(end)));
        }
    }
    let named = |tag, parent: &Vec<&str>| (!parent.is_empty()).then(|| of_words(tag, parent.iter().copied()));
    let (father, mother) = (named('f', father), named('m', mother));
    if let (Some(father), Some(mother)) = (father, mother) {
        let both = father ^ mother.rotate_left(7) & HASH;
        parts.push(part(PartKind::Parents, both & HASH, 0, 0));
    }
    parts.extend([father, mother].into_iter().flatten().map(|parent| part(PartKind::Parent, parent, 0, 0)));
    // Where both parents are known they stand for the name; a name of two words has its words above.
    if words.len() > 2 && (all || father.is_none() || mother.is_none()) {
        parts.extend(words.iter().map(|word| part(PartKind::Word, of_words('n', [*word]), 0, 0)));
    }
    parts
}

/// The key of a number, which stands for itself.
fn number(essence: &Essence<'_>) -> Option<i64> {
    // As wide as a range of one day, so that both are looked up alike.
    essence.old_number.map(|number| signed(hash('o', [number])) & !NARROW)
}

/// Years for which one is read when a digit is wrong or two are swapped, and its neighbours.
pub(super) fn years_near(year: u16) -> Vec<u16> {
    let (century, tens, ones) = (year / 100 * 100, year / 10 % 10, year % 10);
    let mut years: Vec<u16> = (0..10).map(|digit| century + digit * 10 + ones).collect();
    years.extend((0..10).map(|digit| century + tens * 10 + digit));
    years.extend([century + ones * 10 + tens, year - 1, year + 1, year - 2, year + 2]);
    years.sort_unstable();
    years.dedup();
    years.retain(|near| *near != year);
    years
}

/// Day and month in nine bits, the same if they are swapped; 0 if they are not known.
fn day(birth: Birth) -> u16 {
    if !birth.has_day() {
        return 0;
    }
    let (less, more) = (birth.day.min(birth.month), birth.day.max(birth.month));
    u16::from(less) * 32 + u16::from(more)
}

fn class_of_place(place: &Locality) -> u8 {
    place.province.map_or(0, class_of_province)
}

fn class_of_province(province: u16) -> u8 {
    u8::try_from(province % 31 + 1).unwrap_or(0)
}

fn class_of_letter(letter: Option<char>) -> u8 {
    letter.map_or(0, |letter| u8::try_from(u32::from(letter) % 15 + 1).unwrap_or(0))
}

/// The words in any order, as they sound.
fn of_words<'a>(tag: char, words: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut sounds: Vec<&str> = words.into_iter().collect();
    sounds.sort_unstable();
    hash(tag, sounds) >> 35
}

fn hash<'a>(tag: char, parts: impl IntoIterator<Item = &'a str>) -> u64 {
    let mut hash = Sha256::new_with_prefix([u8::try_from(tag).unwrap_or(0)]);
    for part in parts {
        hash.update(part);
        hash.update([0]);
    }
    let digest: [u8; 32] = hash.finalize().into();
    digest[..8].iter().fold(0, |all, byte| all << 8 | u64::from(*byte))
}

/// The same order, in the integers that databases have.
fn signed(key: u64) -> i64 {
    (key ^ 1 << 63).cast_signed()
}

fn unsigned(key: i64) -> u64 {
    key.cast_unsigned() ^ 1 << 63
}

/// What stands behind day and month: so far behind its first key lies the last one of a narrow range.
pub const NARROW: i64 = (1 << 18) - 1;
const HASH: u64 = (1 << 29) - 1;
const YEARS_FROM: u16 = 1860;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::population::nation;

    #[test]
    fn keys_of_many_are_those_of_each() {
        let mut sounds = Sounds::default();
        let mut people = nation::examined_people(3000);
        people.retain(|person| person.father.is_some() || person.birth.year() % 2 == 0);
        assert!(people.iter().any(|one| one.father.is_none()) && people.iter().any(|one| one.old_id_number.is_some()));
        for person in &people {
            assert_eq!(sounds.keys(person), keys(&Traits::from(person)));
        }
    }
}
