//! Names as the register compares them: by what a person is indexed, the words of all names in memory, and which words
//! are one letter apart. Pure.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crypto::identity::{Date, folded_name};
use sha2::{Digest as _, Sha256};
use time::Month;

use super::model::Person;
use crate::ground::ids::PersonId;

/// By what a person is found, as columns of the person's row hold it.
#[derive(Clone, Eq, PartialEq)]
pub struct Indexed {
    /// The folded name.
    pub fold: String,
    /// Day of birth as `yyyymmdd`; `00` stands for a month or a day that is not known.
    pub born: i64,
    /// Year of birth.
    pub birth_year: u16,
    /// Number of the old card.
    pub old_id_number: Option<String>,
    /// Folded name of the father.
    pub father: Option<String>,
    /// Folded name of the mother.
    pub mother: Option<String>,
    /// Province, district and commune of the permanent residence.
    pub residence: [Option<String>; 3],
    /// What two declarations of the person have in common.
    pub likeness: String,
    /// Commune and number of the household book.
    pub household: Option<String>,
    /// True for the head of the household.
    pub heads_household: bool,
}

/// Shows nothing: it is personal data.
impl fmt::Debug for Indexed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Indexed(…)")
    }
}

impl Indexed {
    /// Returns the columns that differ.
    #[must_use]
    pub fn differs_from(&self, other: &Self) -> Vec<&'static str> {
        let all = [
            ("fold", self.fold != other.fold),
            ("born", self.born != other.born),
            ("birth_year", self.birth_year != other.birth_year),
            ("old_id_number", self.old_id_number != other.old_id_number),
            ("father_fold", self.father != other.father),
            ("mother_fold", self.mother != other.mother),
            ("residence", self.residence != other.residence),
            ("likeness", self.likeness != other.likeness),
        ];
        // Persons of before the import have no household in the row.
        let household = self.household.is_some() && self.household != other.household;
        let heads = self.household.is_some() && self.heads_household != other.heads_household;
        let more = [("household", household), ("heads_household", heads)];
        all.into_iter().chain(more).filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
    }

    /// Returns by what this person is found.
    #[must_use]
    pub fn of(person: &Person) -> Self {
        let fold = |relative: Option<&super::model::Relative>| relative.map(|r| folded_name(r.full_name.as_str()));
        let residence = person.permanent_residence.as_ref();
        let own = folded_name(person.full_name.as_str());
        Self {
            likeness: person.likeness_of(&own),
            fold: own,
            born: born(person.birth),
            birth_year: person.birth.year(),
            old_id_number: person.old_id_number.clone(),
            father: fold(person.father.as_ref()),
            mother: fold(person.mother.as_ref()),
            residence: [
                residence.map(|place| place.province.to_string()),
                residence.and_then(|place| place.district.clone()),
                residence.and_then(|place| place.commune.clone()),
            ],
            household: person.household(),
            heads_household: person.heads_household(),
        }
    }
}

/// Returns a date of birth as `yyyymmdd`, with `00` for a month or a day that is not known.
#[must_use]
pub fn born(date: Date) -> i64 {
    let of_year = i64::from(date.year()) * 10_000;
    let of_month = |month: Month| of_year + i64::from(u8::from(month)) * 100;
    match date {
        Date::Full(day) => of_month(day.month()) + i64::from(day.day()),
        Date::Month(_, month) => of_month(month),
        Date::Year(_) => of_year,
    }
}

/// Returns the words of a folded name in the order of bytes: what names have in common that differ in order alone.
#[must_use]
pub fn sorted(fold: &str) -> String {
    let mut words: Vec<&str> = fold.split(' ').collect();
    words.sort_unstable();
    words.join(" ")
}

/// Returns how much `more` bearers add to the estimate of a name that has `n` so far: all of them while the name is
/// rare; of a common one a power of two for one bearer in so many, else 0. The row of a common name is then no queue in
/// which every declaration waits, and the estimate stays within some ten per cent. `drawn` is a number at random.
#[must_use]
pub fn weight(drawn: u64, n: i64, more: i64) -> i64 {
    let mut step: i64 = 1;
    while n / step >= 2 * COUNTED_SINGLY {
        step *= 2;
    }
    if more >= step {
        return more;
    }
    let counts = drawn % step.unsigned_abs() < more.unsigned_abs();
    if counts { step } else { 0 }
}

/// Returns a number at random that is the same each time for this person: the last bits of an id are drawn.
#[must_use]
pub fn drawn(person: PersonId) -> u64 {
    // The first bits of the second half are the variant of a UUID.
    person.uuid().as_u64_pair().1 & 0x0fff_ffff_ffff_ffff
}

/// Returns a number that says nothing of the text that it is drawn by.
#[must_use]
pub fn drawn_by(text: &str) -> u64 {
    let digest: [u8; 32] = Sha256::digest(text).into();
    digest.iter().take(8).fold(0, |drawn, byte| drawn << 8 | u64::from(*byte))
}

/// So many bearers of a name are counted one by one.
const COUNTED_SINGLY: i64 = 64;

/// The words that occur in names, each with an estimate of the names in which it occurs.
#[derive(Debug, Default)]
pub struct Vocabulary {
    names: HashMap<String, i64>,
    /// The sum of these.
    uses: i64,
    /// The same words by their length in letters.
    by_length: Vec<Vec<String>>,
}

impl Vocabulary {
    /// Returns a vocabulary of these words.
    #[must_use]
    pub fn new(words: Vec<(String, i64)>) -> Self {
        let mut by_length: Vec<Vec<String>> = vec![];
        for (word, _) in &words {
            let length = word.chars().count();
            by_length.resize_with(by_length.len().max(length + 1), Vec::new);
            by_length[length].push(word.clone());
        }
        let uses = words.iter().map(|(_, names)| names).sum();
        Self { names: words.into_iter().collect(), uses, by_length }
    }

    /// Returns how many words it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// True if it is near enough to a register with so many words that occur in so many names: the same words, and as
    /// many names but for a sixteenth.
    #[must_use]
    pub fn is_near(&self, words: usize, uses: i64) -> bool {
        self.len() == words && self.uses.abs_diff(uses) <= self.uses.unsigned_abs() / 16
    }

    /// True if it has no word.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the word of a name that occurs in the fewest names, and in about how many; `None` if a word occurs in
    /// none.
    #[must_use]
    pub fn rarest<'a>(&self, fold: &'a str) -> Option<(&'a str, i64)> {
        let known: Option<Vec<_>> =
            fold.split(' ').map(|word| self.names.get(word).map(|names| (word, *names))).collect();
        known?.into_iter().min_by_key(|(_, names)| *names)
    }

    /// Returns the names that are one letter away from a folded one, as [`sorted`] writes them: a letter more, less or
    /// another, two letters exchanged, a space more or less. If one word occurs in no name, the wrong letter is in that
    /// word; if two do, there is more than one wrong letter and the answer is empty.
    #[must_use]
    pub fn one_letter_away(&self, fold: &str) -> BTreeSet<String> {
        let words: Vec<&str> = fold.split(' ').collect();
        let unknown: Vec<usize> = (0..words.len()).filter(|at| !self.names.contains_key(words[*at])).collect();
        let mut found = BTreeSet::new();
        if words.len() > MOST_WORDS {
            return found;
        }
        let with = |from: usize, to: usize, by: &[&str]| {
            let mut all: Vec<&str> = words[..from].iter().chain(by).chain(&words[to..]).copied().collect();
            all.sort_unstable();
            all.join(" ")
        };
        for at in 0..words.len() {
            let others_known = unknown.iter().all(|other| *other == at);
            if others_known {
                let near = self.near(words[at]).map(|word| with(at, at + 1, &[word]));
                let parted = self.parts(words[at]).map(|(one, other)| with(at, at + 1, &[one, other]));
                found.extend(near.chain(parted));
            }
            if let Some(next) = words.get(at + 1) {
                let joined = format!("{}{next}", words[at]);
                if self.names.contains_key(&joined) && unknown.iter().all(|other| *other == at || *other == at + 1) {
                    found.insert(with(at, at + 2, &[&joined]));
                }
            }
        }
        found.remove(&sorted(fold));
        found.into_iter().take(MOST_NEAR).collect()
    }

    /// The words that are one letter apart from this one.
    fn near<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a str> {
        let letters: Vec<char> = word.chars().collect();
        let lengths = letters.len().saturating_sub(1)..=letters.len() + 1;
        let words = lengths.filter_map(|length| self.by_length.get(length)).flatten();
        words.filter(move |other| one_letter_apart(&letters, other)).map(String::as_str)
    }

    /// The two words that a word is if a space is missing.
    fn parts<'a>(&'a self, word: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let cuts = word.char_indices().skip(1).map(|(at, _)| word.split_at(at));
        cuts.filter(|(one, other)| self.names.contains_key(*one) && self.names.contains_key(*other))
    }
}

/// True if a word differs from these letters by one letter more, less or another, or by two neighbours exchanged.
pub(super) fn one_letter_apart(letters: &[char], word: &str) -> bool {
    let other: Vec<char> = word.chars().collect();
    let alike = letters.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let (one, other) = (&letters[alike..], &other[alike..]);
    match (one, other) {
        ([_, one @ ..], [_, other @ ..]) if one == other => true,
        ([a, b, one @ ..], [c, d, other @ ..]) if (a, b, one) == (d, c, other) => true,
        ([_, one @ ..], other) if one == other => true,
        (one, [_, other @ ..]) => one == other,
        _ => false,
    }
}

/// Names of more words are not sought with a wrong letter.
const MOST_WORDS: usize = 12;
/// So many names are tried.
const MOST_NEAR: usize = 4000;

/// The vocabulary in the memory of the service, read anew when the register has more words or far more
/// names. Shared by all clones.
#[derive(Clone, Debug, Default)]
pub struct Remembered(Arc<RwLock<Arc<Vocabulary>>>);

impl Remembered {
    /// Returns the vocabulary as it was read last.
    #[must_use]
    pub fn vocabulary(&self) -> Arc<Vocabulary> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Remembers a vocabulary that was read.
    #[must_use]
    pub fn renew(&self, words: Vec<(String, i64)>) -> Arc<Vocabulary> {
        let new = Arc::new(Vocabulary::new(words));
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&new);
        new
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ground::Id;

    fn vocabulary(words: &[&str]) -> Vocabulary {
        Vocabulary::new(words.iter().map(|word| ((*word).to_owned(), 1)).collect())
    }

    #[test]
    fn one_letter_more_or_less_or_another_or_two_exchanged_are_one_letter() {
        let apart = |one: &str, other: &str| {
            let letters = |word: &str| word.chars().collect::<Vec<_>>();
            let there = one_letter_apart(&letters(one), other);
            assert_eq!(there, one_letter_apart(&letters(other), one), "{one} {other}");
            there
        };
        for (one, other) in
            [("hoa", "hoan"), ("hoa", "ho"), ("nguyen", "nguyne"), ("mau", "mai"), ("a", ""), ("an", "na")]
        {
            assert!(apart(one, other), "{one} {other}");
        }
        for (one, other) in [("hoa", "hoa"), ("hoa", "hang"), ("abc", "cba"), ("nguyen", "nguy"), ("abcd", "badc")] {
            assert!(!apart(one, other), "{one} {other}");
        }
    }

    #[test]
    fn a_wrong_letter_is_sought_in_the_word_that_no_name_has() {
        let known = vocabulary(&["nguyen", "thi", "mau", "mai", "thanh"]);
        let near = |fold: &str| known.one_letter_away(fold).into_iter().collect::<Vec<_>>();
        assert_eq!(near("nguyne thi mau"), ["mau nguyen thi"]);
        assert_eq!(near("nguyen thi mau"), ["mai nguyen thi"], "every word may be the wrong one");
        assert_eq!(near("nguyenthi mau"), ["mau nguyen thi"], "a space too few");
        assert_eq!(near("nguyen th anh"), ["nguyen thanh"], "a space too many");
        assert_eq!(near("nguyne tih mau"), [""; 0], "two wrong letters");
    }

    #[test]
    fn the_estimate_of_bearers_of_a_common_name_stays_near_the_truth() {
        let (mut n, mut writes) = (0, 0);
        for person in 0..100_000_u128 {
            let digest: [u8; 32] = Sha256::digest(person.to_be_bytes()).into();
            let id = uuid::Builder::from_unix_timestamp_millis(1_790_000_000_000, &digest[..10].try_into().unwrap());
            let more = weight(drawn(Id::from_uuid(id.into_uuid())), n, 1);
            n += more;
            writes += u32::from(more > 0);
        }
        assert!((80_000..=120_000).contains(&n), "{n}");
        assert!(writes < 2_000, "{writes} of 100,000 declarations wrote the row");
        assert_eq!(weight(7, 0, 1), 1);
        assert_eq!(weight(7, 1_000_000, 900_000), 900_000, "many at once are counted as they are");
    }

    #[test]
    fn the_rarest_word_of_a_name_is_known() {
        let known = Vocabulary::new(vec![("nguyen".into(), 900), ("mau".into(), 3)]);
        assert_eq!(known.rarest("nguyen mau"), Some(("mau", 3)));
        assert_eq!(known.rarest("nguyen x"), None);
        assert_eq!(known.len(), 2);
        assert!(known.is_near(2, 903) && known.is_near(2, 950) && !known.is_near(2, 980) && !known.is_near(3, 903));
    }
}
