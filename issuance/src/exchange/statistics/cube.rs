//! What is counted: tables by place and at most two characteristics, and their cells.
//!
//! The tables are a fixed list, the same for all partners. All that can ever be told of a state is what its tables
//! hold, so that no choice of questions is told more: a question reads cells, and adds up none.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crypto::identity::validity;
use rand::Rng;
use time::Date;

use super::noise::Noise;
use crate::exchange::model::Dimension;
use crate::population::traits::{Life, Traits};

/// By which place a table counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum ByPlace {
    /// The whole country.
    Country,
    /// Provinces.
    Province,
    /// Districts, with their provinces.
    District,
}

/// A table: by place, and by at most two characteristics in the order of their words. Whether a person lives is told
/// apart in every table.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Table {
    /// The place.
    pub place: ByPlace,
    characteristics: [Option<Dimension>; 2],
}

/// What is counted by beside place and life.
const CHARACTERISTICS: [Dimension; 5] =
    [Dimension::AgeGroup, Dimension::EthnicGroup, Dimension::MaritalStatus, Dimension::Nationality, Dimension::Sex];

impl Table {
    /// All tables of a state.
    pub fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for place in [ByPlace::Country, ByPlace::Province, ByPlace::District] {
            all.push(Self { place, characteristics: [None, None] });
            for (n, first) in CHARACTERISTICS.into_iter().enumerate() {
                all.push(Self { place, characteristics: [Some(first), None] });
                let pairs = CHARACTERISTICS.into_iter().skip(n + 1);
                all.extend(pairs.map(|second| Self { place, characteristics: [Some(first), Some(second)] }));
            }
        }
        all
    }

    /// Returns the table that crosses these dimensions; `None` if they are more than one counts by.
    pub fn of(crossed: &BTreeSet<Dimension>) -> Option<Self> {
        let place = match (crossed.contains(&Dimension::Province), crossed.contains(&Dimension::District)) {
            (_, true) => ByPlace::District,
            (true, false) => ByPlace::Province,
            (false, false) => ByPlace::Country,
        };
        let mut named = CHARACTERISTICS.into_iter().filter(|one| crossed.contains(one));
        let characteristics = [named.next(), named.next()];
        named.next().is_none().then_some(Self { place, characteristics })
    }

    /// The name under which its cells are kept.
    pub fn word(self) -> String {
        let place = match self.place {
            ByPlace::Country => "country",
            ByPlace::Province => "province",
            ByPlace::District => "district",
        };
        let characteristics = self.characteristics.into_iter().flatten().map(Dimension::word);
        [place].into_iter().chain(characteristics).collect::<Vec<_>>().join(",")
    }

    /// The characteristics by which it counts.
    pub const fn characteristics(self) -> [Option<Dimension>; 2] {
        self.characteristics
    }
}

/// A cell that may be told. What is not known, or not counted by, is empty.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(in crate::exchange) struct Cell {
    /// Province, three digits.
    pub province: String,
    /// District, three digits.
    pub district: String,
    /// The first characteristic of its table.
    pub first: String,
    /// The second one.
    pub second: String,
    /// `living`, `dead` or `missing`.
    pub life: String,
    /// So many persons, with the error.
    pub persons: i64,
}

/// What a person is counted as: place, characteristics, life, each as a number of its word.
type Key = [u16; 8];
/// The places of the words in a key.
const PROVINCE: usize = 0;
const DISTRICT: usize = 1;
const LIFE: usize = 2;
const FIRST_CHARACTERISTIC: usize = 3;

/// Words, each with its number; the empty one has 0.
#[derive(Clone, Debug, Default)]
struct Words {
    all: Vec<String>,
    numbers: HashMap<String, u16>,
}

impl Words {
    /// Returns the number of a word. One that there is no number for is counted as not known.
    fn number(&mut self, word: &str) -> u16 {
        if word.is_empty() {
            return 0;
        }
        if let Some(number) = self.numbers.get(word) {
            return *number;
        }
        let Ok(number) = u16::try_from(self.all.len() + 1) else { return 0 };
        self.all.push(word.to_owned());
        self.numbers.insert(word.to_owned(), number);
        number
    }

    fn word(&self, number: u16) -> &str {
        let at = usize::from(number).checked_sub(1);
        at.and_then(|at| self.all.get(at)).map_or("", String::as_str)
    }
}

/// The persons of the register, counted by everything at once. It is never kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Cube {
    words: [Words; 8],
    persons: HashMap<Key, i64>,
}

impl Cube {
    /// Counts a person, as of a day.
    pub fn add(&mut self, traits: &Traits, on: Date) {
        let life = match traits.life {
            Life::Dead => "dead",
            Life::Living => "living",
            Life::Missing => "missing",
        };
        let age = age_group(validity::age(traits.birth, on));
        let marital = traits.marital_status.map_or("", |status| status.word());
        let (sex, nationality) = (traits.sex.to_string(), &*traits.nationality);
        let said =
            [&*traits.province, &*traits.district, life, &*age, &*traits.ethnic_group, marital, nationality, &*sex];
        let mut key = Key::default();
        for ((number, words), word) in key.iter_mut().zip(&mut self.words).zip(said) {
            *number = words.number(word);
        }
        *self.persons.entry(key).or_default() += 1;
    }

    /// Counts the cells of a table, exactly: by place, characteristics and life.
    fn counted(&self, table: Table) -> BTreeMap<[u16; 5], i64> {
        let mut cells = BTreeMap::new();
        let places = table.characteristics.map(|one| one.and_then(place_of));
        for (key, persons) in &self.persons {
            let [first, second] = places.map(|place| place.map_or(0, |place| key[place]));
            let (province, district) = match table.place {
                ByPlace::Country => (0, 0),
                ByPlace::Province => (key[PROVINCE], 0),
                ByPlace::District => (key[PROVINCE], key[DISTRICT]),
            };
            *cells.entry([province, district, first, second, key[LIFE]]).or_default() += persons;
        }
        cells
    }

    /// Returns the cells of a table that may be told: each count is given its error, and what is below `least` with it
    /// is left out, as is a cell of no person.
    pub fn told(&self, table: Table, noise: &Noise, least: i64, rng: &mut impl Rng) -> Vec<Cell> {
        let places = table.characteristics.map(|one| one.and_then(place_of));
        let mut told = Vec::new();
        for ([province, district, first, second, life], persons) in self.counted(table) {
            let persons = persons + noise.draw(rng);
            if persons < least {
                continue;
            }
            let word = |place: usize, number: u16| self.words[place].word(number).to_owned();
            let [first, second] = [(places[0], first), (places[1], second)]
                .map(|(at, of)| at.map_or_else(String::new, |at| word(at, of)));
            let (province, district) = (word(PROVINCE, province), word(DISTRICT, district));
            told.push(Cell { province, district, first, second, life: word(LIFE, life), persons });
        }
        told
    }
}

/// Returns the place of a characteristic in a key.
fn place_of(dimension: Dimension) -> Option<usize> {
    CHARACTERISTICS.iter().position(|one| *one == dimension).map(|place| place + FIRST_CHARACTERISTIC)
}

/// Returns the group of an age: five years each, and from 85 on all. Of one who was born after the day: the first.
fn age_group(age: i32) -> String {
    let from = age.max(0) / 5 * 5;
    if from >= 85 { "85+".to_owned() } else { format!("{from}-{}", from + 4) }
}

#[cfg(test)]
#[path = "cube_tests.rs"]
mod tests;
