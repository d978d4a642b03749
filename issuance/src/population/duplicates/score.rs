//! Judges a pair: how much more likely is what two declarations say if they are of one person than if they are of two?
//! Weights of agreement and disagreement in tenths of a bit, after Fellegi and Sunter (1969), added field by field.
//! Pure, symmetric, in integers.
//!
//! Two people can be strangers, or of one family; what a family shares tells nothing about which of its members it is.
//! So two sums are made, and the less favourable one counts.

use serde::Serialize;
use utoipa::ToSchema;

use super::traits::{Birth, Name, Parent, Traits, Word};
use super::words::{bits, is_known, is_syllable, near};

/// From this score on, a pair is shown to officers.
pub const SHOWN_FROM: i32 = 20;

/// What a comparison came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Judgement {
    /// Bits of evidence that the two are one person; see [`SHOWN_FROM`].
    pub score: i32,
    /// What speaks for one person.
    pub reasons: Vec<DuplicateReason>,
    /// What speaks for two.
    pub against: Vec<DuplicateAgainst>,
}

/// What speaks for one person.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateReason {
    /// The same name, with its tones.
    SameName,
    /// The same name, once written without tones.
    NameWithoutTones,
    /// The same name with other tones.
    OtherTones,
    /// The words of the name in another order.
    OtherOrder,
    /// A middle name is missing, or stands twice.
    MiddleNameMissing,
    /// A word that sounds alike in some region.
    SoundsAlike,
    /// One letter of a word is wrong, missing, added or swapped.
    OneLetter,
    /// The same day of birth.
    SameBirthDate,
    /// Day and month are swapped.
    DayAndMonthSwapped,
    /// Of one of them day and month are not known, and the year is the same.
    DayMissing,
    /// One digit of day or month differs.
    OneDigitOfTheDay,
    /// The same day of a year next to it.
    YearOffByOne,
    /// The same day, and a year with one wrong digit or two swapped ones.
    YearMisread,
    /// Apart by as much as the lunar calendar is behind.
    LunarDate,
    /// Born in the same commune.
    SameBirthPlace,
    /// Both parents are the same.
    SameParents,
    /// One parent is the same, and the other not known of both.
    SameParent,
    /// A parent's name is the same but for a fault.
    ParentAlike,
    /// The same wife or husband.
    SameSpouse,
    /// The same number of the old card.
    SameOldNumber,
    /// Numbers of old cards that differ by a digit or a swap.
    OldNumberMistyped,
}

/// What speaks for two people.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DuplicateAgainst {
    /// Same parents, same day, two given names.
    Twin,
    /// Same parents, another day, two given names.
    Sibling,
    /// One is named as a parent of the other, or they are a generation apart.
    ParentAndChild,
    /// Another given name.
    DifferentGivenName,
    /// Another surname.
    DifferentSurname,
    /// Another middle name.
    DifferentMiddleName,
    /// Another date of birth.
    DifferentBirthDate,
    /// The other sex.
    DifferentSex,
    /// Another province of birth registration.
    DifferentProvince,
    /// Another parent.
    DifferentParents,
    /// Another old card.
    DifferentOldNumber,
}

/// Compares two persons. The order of the two does not matter.
#[must_use]
pub fn judge(one: &Traits, other: &Traits) -> Judgement {
    let mut sum = Sum::default();
    let names = compare_names(&one.name, &other.name);
    sum.name(&names, &one.name, &other.name);
    let given_agrees = names.given == Fit::Same;
    let apart = sum.birth(one.birth, other.birth);
    match (one.sex, other.sex) {
        (Some(a), Some(b)) if a == b => sum.both(9),
        (Some(_), Some(_)) => sum.against(-50, DuplicateAgainst::DifferentSex),
        _ => {}
    }
    sum.places(one, other);
    let family = sum.parents(one, other);
    match (&one.spouse, &other.spouse) {
        (Some(a), Some(b)) if compare_names(a, b).agrees() => sum.reason(60, DuplicateReason::SameSpouse),
        (Some(_), Some(_)) => sum.both(-20),
        _ => {}
    }
    match (&one.old_number, &other.old_number) {
        (Some(a), Some(b)) if a == b => sum.reason(200, DuplicateReason::SameOldNumber),
        (Some(a), Some(b)) if near(a, b) => sum.reason(90, DuplicateReason::OldNumberMistyped),
        // Cards of other provinces had other numbers, so that one person can have had two.
        (Some(_), Some(_)) => sum.against(-40, DuplicateAgainst::DifferentOldNumber),
        _ => {}
    }
    let alike = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
    sum.strangers += if alike(&one.household, &other.household) { 25 } else { 0 };
    sum.strangers += if alike(&one.lives_in, &other.lives_in) { 20 } else { 0 };
    if family && !given_agrees && names.given == Fit::Other {
        sum.against.push(if apart { DuplicateAgainst::Sibling } else { DuplicateAgainst::Twin });
    }
    if is_parent(one, other) || is_parent(other, one) || apart && !family && names.agrees() && a_generation(one, other)
    {
        sum.against(-120, DuplicateAgainst::ParentAndChild);
    }
    sum.judged(family)
}

/// Weights so far, if the two are strangers and if they are of one family.
#[derive(Default)]
struct Sum {
    strangers: i32,
    relatives: i32,
    reasons: Vec<DuplicateReason>,
    against: Vec<DuplicateAgainst>,
}

impl Sum {
    fn both(&mut self, weight: i32) {
        self.strangers += weight;
        self.relatives += weight;
    }

    fn reason(&mut self, weight: i32, reason: DuplicateReason) {
        self.both(weight);
        self.reasons.push(reason);
    }

    fn against(&mut self, weight: i32, against: DuplicateAgainst) {
        self.both(weight);
        self.against.push(against);
    }

    fn judged(mut self, family: bool) -> Judgement {
        let counted = if family { self.strangers.min(self.relatives + FAMILY) } else { self.strangers };
        self.reasons.sort_unstable();
        self.reasons.dedup();
        self.against.sort_unstable();
        self.against.dedup();
        Judgement { score: counted.div_euclid(10), reasons: self.reasons, against: self.against }
    }

    fn name(&mut self, names: &Names, one: &Name, other: &Name) {
        self.strangers += names.shared;
        // A family has the surname in common, and mostly the middle name.
        self.relatives += names.shared_given;
        let mut whole = true;
        for (fit, given, against) in [
            (names.given, true, DuplicateAgainst::DifferentGivenName),
            (names.surname, false, DuplicateAgainst::DifferentSurname),
        ] {
            match fit {
                Fit::Same => {}
                Fit::Sound => self.reason(-15, DuplicateReason::SoundsAlike),
                Fit::Slip => self.reason(if given { 0 } else { -10 }, DuplicateReason::OneLetter),
                Fit::LikelySlip => self.reason(if given { -5 } else { -10 }, DuplicateReason::OneLetter),
                Fit::NearName => self.reason(if given { -25 } else { -20 }, DuplicateReason::OneLetter),
                Fit::Other => self.against(if given { -75 } else { -55 }, against),
            }
            whole &= fit == Fit::Same;
        }
        for fit in &names.middle {
            match fit {
                Fit::Same => {}
                Fit::Sound => self.reason(-10, DuplicateReason::SoundsAlike),
                Fit::Slip | Fit::LikelySlip => self.reason(-10, DuplicateReason::OneLetter),
                Fit::NearName => self.reason(-25, DuplicateReason::OneLetter),
                Fit::Other => self.against(-45, DuplicateAgainst::DifferentMiddleName),
            }
            whole &= *fit == Fit::Same;
        }
        if names.missing > 0 {
            self.reason(-20 * names.missing, DuplicateReason::MiddleNameMissing);
        } else if one.doubled != other.doubled {
            self.reason(0, DuplicateReason::MiddleNameMissing);
        }
        if names.reordered {
            self.reason(-5, DuplicateReason::OtherOrder);
        }
        match (names.other_tones, one.marked && other.marked) {
            (0, _) if whole && names.missing == 0 && !names.reordered => self.reason(5, DuplicateReason::SameName),
            (0, _) => {}
            (_, false) => self.reason(0, DuplicateReason::NameWithoutTones),
            (words, true) => {
                let given = if names.given_other_tones { -15 } else { 0 };
                self.reason(given - 20 * words.min(2), DuplicateReason::OtherTones);
            }
        }
    }

    /// Returns true if the dates cannot be one.
    fn birth(&mut self, one: Birth, other: Birth) -> bool {
        let ((weight, relatives), reason) = compare_births(one, other);
        self.strangers += weight;
        self.relatives += relatives;
        match reason {
            Some(reason) => self.reasons.push(reason),
            None if one.year != 0 && other.year != 0 => {
                self.against.push(DuplicateAgainst::DifferentBirthDate);
                return true;
            }
            None => {}
        }
        false
    }

    fn places(&mut self, one: &Traits, other: &Traits) {
        let (a, b) = (&one.born_in, &other.born_in);
        let born = a.province.zip(b.province).map(|(a, b)| a == b);
        match born {
            Some(true) => {
                let communes = a.commune.as_ref().zip(b.commune.as_ref()).map(|(a, b)| a == b);
                self.strangers += 35 + communes.map_or(0, |same| if same { 45 } else { -20 });
                if communes == Some(true) {
                    self.reasons.push(DuplicateReason::SameBirthPlace);
                }
            }
            // Other members of the family are mostly registered in one province too.
            Some(false) => self.against(-35, DuplicateAgainst::DifferentProvince),
            None => {}
        }
        let (a, b) = (&one.origin, &other.origin);
        match a.province.zip(b.province).map(|(a, b)| a == b) {
            Some(true) => {
                let same = a.commune.is_some() && a.commune == b.commune;
                self.strangers += if born == Some(true) { 8 } else { 30 } + if same { 15 } else { 0 };
            }
            Some(false) => self.both(-25),
            None => {}
        }
    }

    /// Returns true if the two have a parent in common.
    fn parents(&mut self, one: &Traits, other: &Traits) -> bool {
        let fits = [(&one.father, &other.father), (&one.mother, &other.mother)]
            .map(|(a, b)| a.as_ref().zip(b.as_ref()).map(|(a, b)| compare_parents(a, b)));
        let known = fits.iter().flatten().count();
        let same = fits.iter().flatten().filter(|fit| **fit != Fit::Other).count();
        for (fit, (a, b)) in fits.iter().zip([(&one.father, &other.father), (&one.mother, &other.mother)]) {
            let bits_of = |parent: &Parent| parent.name.words.iter().map(|word| bits(&word.plain)).sum::<i32>();
            let told = a.as_ref().map_or(0, bits_of).min(b.as_ref().map_or(0, bits_of));
            let numbered = |parent: &Option<Parent>| parent.as_ref().and_then(|parent| parent.number.clone());
            let told = if numbered(a).is_some() && numbered(a) == numbered(b) { 100 } else { told };
            match fit {
                Some(Fit::Same) => self.strangers += told.min(100),
                Some(Fit::Other) if same > 0 => self.against(-25, DuplicateAgainst::DifferentParents),
                Some(Fit::Other) => self.against(-60, DuplicateAgainst::DifferentParents),
                Some(_) => {
                    self.strangers += 55;
                    self.relatives -= 10;
                    self.reasons.push(DuplicateReason::ParentAlike);
                }
                None => {}
            }
        }
        match (fits.iter().flatten().filter(|fit| **fit == Fit::Same).count(), known) {
            (2, _) => self.reasons.push(DuplicateReason::SameParents),
            (1, 1) => self.reasons.push(DuplicateReason::SameParent),
            _ => {}
        }
        same > 0
    }
}

/// How two words, or two names, fit.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Fit {
    /// The same but for tones.
    Same,
    /// They sound alike.
    Sound,
    /// One is the other with a fault, and no word of its own.
    Slip,
    /// A letter apart, and one of them is no name that is known.
    LikelySlip,
    /// A letter apart, and both are names.
    NearName,
    Other,
}

/// How two names fit.
struct Names {
    surname: Fit,
    middle: Vec<Fit>,
    given: Fit,
    /// Middle names that only one has.
    missing: i32,
    reordered: bool,
    /// Words that are the same but for tones.
    other_tones: i32,
    given_other_tones: bool,
    /// How much the words tell that fit.
    shared: i32,
    shared_given: i32,
}

impl Names {
    /// True for one name, perhaps with a middle name missing.
    fn agrees(&self) -> bool {
        let fits = [self.surname, self.given].into_iter().chain(self.middle.iter().copied());
        fits.into_iter().all(|fit| fit == Fit::Same)
    }

    /// True for one name with a fault.
    fn alike(&self) -> bool {
        let fits: Vec<Fit> = [self.surname, self.given].into_iter().chain(self.middle.iter().copied()).collect();
        let strange = fits.iter().filter(|fit| **fit >= Fit::NearName).count();
        strange == 0 || strange == 1 && fits.iter().all(|fit| *fit != Fit::Other) && self.missing == 0
    }
}

fn fit(one: &Word, other: &Word) -> Fit {
    if one.plain == other.plain {
        Fit::Same
    } else if one.sound == other.sound {
        Fit::Sound
    } else if !near(&one.plain, &other.plain) && !near(&one.sound, &other.sound) {
        Fit::Other
    } else if !is_syllable(&one.plain) || !is_syllable(&other.plain) {
        Fit::Slip
    } else if is_known(&one.plain) && is_known(&other.plain) || !near(&one.toned, &other.toned) {
        Fit::NearName
    } else {
        Fit::LikelySlip
    }
}

/// For each word of a name its partner in the other name, and how the two fit.
type Partners = Vec<Option<(usize, Fit)>>;

/// Pairs the words of two names, best fit first. Returns the partners of the words of each.
fn partners(left: &[Word], right: &[Word]) -> (Partners, Partners) {
    let mut pairs: Vec<(Fit, usize, &Word, &Word, usize, usize)> = vec![];
    for (at, word) in left.iter().enumerate() {
        for (other_at, other) in right.iter().enumerate() {
            let fit = fit(word, other);
            if fit != Fit::Other {
                // Near its end or its beginning, whichever the two share; then by the words, so that the order of the
                // two names does not matter.
                let away = at.abs_diff(other_at).min((left.len() - at).abs_diff(right.len() - other_at));
                pairs.push((fit, away, word.min(other), word.max(other), at, other_at));
            }
        }
    }
    pairs.sort_by(|one, other| (one.0, one.1, one.2, one.3).cmp(&(other.0, other.1, other.2, other.3)));
    let (mut of_left, mut of_right) = (vec![None; left.len()], vec![None; right.len()]);
    for (fit, _, _, _, at, other_at) in pairs {
        if of_left[at].is_none() && of_right[other_at].is_none() {
            (of_left[at], of_right[other_at]) = (Some((other_at, fit)), Some((at, fit)));
        }
    }
    (of_left, of_right)
}

/// Says what became of surname, middle names and given name.
fn compare_names(one: &Name, other: &Name) -> Names {
    let (left, right) = (&one.words, &other.words);
    let (of_left, of_right) = partners(left, right);
    let mut names = Names {
        surname: Fit::Same,
        middle: vec![],
        given: Fit::Same,
        missing: 0,
        reordered: false,
        other_tones: 0,
        given_other_tones: false,
        shared: 0,
        shared_given: 0,
    };
    if left.is_empty() || right.is_empty() {
        (names.surname, names.given) = (Fit::Other, Fit::Other);
        return names;
    }
    let order: Vec<usize> = of_left.iter().flatten().map(|(at, _)| *at).collect();
    names.reordered = order.windows(2).any(|pair| pair[0] > pair[1]);
    let (mut rest_left, mut rest_right) = (leftovers(&of_left), leftovers(&of_right));
    for (at, matched) in of_left.iter().enumerate() {
        let Some((other_at, fit)) = *matched else { continue };
        let (word, partner) = (&left[at], &right[other_at]);
        let told = match fit {
            Fit::Same => bits(&word.plain),
            Fit::Sound => bits(&word.plain).min(bits(&partner.plain)),
            Fit::Slip => bits(&word.plain).min(bits(&partner.plain)).min(65),
            Fit::LikelySlip => bits(&word.plain).min(bits(&partner.plain)).min(40),
            Fit::NearName | Fit::Other => 0,
        };
        names.shared += told;
        // The given name of either: in the order of the State it is the last word.
        let last = (at + 1 == left.len(), other_at + 1 == right.len());
        let given = if names.reordered { last.0 || last.1 } else { last.0 && last.1 };
        let surname = !given && (at == 0 || other_at == 0);
        if given {
            // No two children of a family are called alike.
            names.shared_given += match fit {
                Fit::Same if other_vowel(&word.toned, &partner.toned) => 10,
                Fit::Same => 95,
                _ => told,
            };
        }
        if fit == Fit::Same && word.toned != partner.toned {
            names.other_tones += 1;
            names.given_other_tones |= given;
        }
        if given {
            names.given = names.given.max(fit);
        } else if surname {
            names.surname = names.surname.max(fit);
        } else {
            names.middle.push(fit);
        }
    }
    // What found no partner: two words in one place are two names; one alone is missing.
    let ends = |rest: &mut Vec<usize>, words: &[Word]| rest.pop_if(|at| *at + 1 == words.len()).is_some();
    match (ends(&mut rest_left, left), ends(&mut rest_right, right)) {
        (true, true) => names.given = Fit::Other,
        (false, false) => {}
        // The one ends with another word than the other: its given name is another one, or was left out.
        (ends_left, _) => {
            names.given = Fit::Other;
            if ends_left {
                rest_right.pop()
            } else {
                rest_left.pop()
            };
        }
    }
    let first = |rest: &mut Vec<usize>| (rest.first() == Some(&0)).then(|| rest.remove(0)).is_some();
    match (first(&mut rest_left), first(&mut rest_right)) {
        (true, true) => names.surname = Fit::Other,
        (false, false) => {}
        (begins_left, _) => {
            names.surname = Fit::Other;
            let rest = if begins_left { &mut rest_right } else { &mut rest_left };
            rest.drain(..rest.len().min(1));
        }
    }
    let (more, fewer) = (rest_left.len().max(rest_right.len()), rest_left.len().min(rest_right.len()));
    names.middle.extend(vec![Fit::Other; fewer]);
    names.missing = i32::try_from(more - fewer).unwrap_or(i32::MAX).min(3);
    names
}

/// True for two words that differ in a vowel and not in its tone alone, and both are written with marks: `Hùng` and
/// `Hưng` are two names.
fn other_vowel(one: &str, other: &str) -> bool {
    use unicode_normalization::UnicodeNormalization as _;
    let without_tone = |word: &str| -> String { word.nfd().filter(|c| !TONES.contains(c)).collect() };
    one != other && !one.is_ascii() && !other.is_ascii() && without_tone(one) != without_tone(other)
}

/// Grave, acute, tilde, hook above, dot below.
const TONES: [char; 5] = ['\u{300}', '\u{301}', '\u{303}', '\u{309}', '\u{323}'];

fn leftovers(matched: &[Option<(usize, Fit)>]) -> Vec<usize> {
    (0..matched.len()).filter(|n| matched[*n].is_none()).collect()
}

fn compare_parents(one: &Parent, other: &Parent) -> Fit {
    if one.number.is_some() && one.number == other.number {
        return Fit::Same;
    }
    if one.name.words.is_empty() || other.name.words.is_empty() {
        return if one.number.is_some() && other.number.is_some() { Fit::Other } else { Fit::NearName };
    }
    let names = compare_names(&one.name, &other.name);
    match names.agrees() && names.missing == 0 {
        true => Fit::Same,
        false if names.alike() => Fit::Slip,
        false => Fit::Other,
    }
}

/// Returns the weight if the two are strangers and if they are of one family, and the reason; none for two dates.
fn compare_births(one: Birth, other: Birth) -> ((i32, i32), Option<DuplicateReason>) {
    let (a, b) = if (one.year, one.month, one.day) <= (other.year, other.month, other.day) {
        (one, other)
    } else {
        (other, one)
    };
    if a.year == 0 || b.year == 0 {
        return ((0, 0), None);
    }
    let years = b.year - a.year;
    if !a.has_day() || !b.has_day() {
        let other_month = a.month != 0 && b.month != 0 && a.month != b.month;
        return match years {
            // Of a month that was misread or swapped with the day nothing is left to see it by.
            0 if other_month => ((-25, -25), None),
            0 => ((60, 45), Some(DuplicateReason::DayMissing)),
            1 => ((0, 0), Some(DuplicateReason::YearOffByOne)),
            _ if misread(a.year, b.year) => ((-35, -35), Some(DuplicateReason::YearMisread)),
            _ => ((-90, -90), None),
        };
    }
    // Days on which many are said to be born tell less.
    let day = if a.day == 1 && a.month == 1 { 50 } else { 85 };
    let (same_day, swapped) = ((a.day, a.month) == (b.day, b.month), (a.day, a.month) == (b.month, b.day));
    let one_digit = one_digit_apart(a, b);
    let lunar = (17..=52).contains(&days_between(a, b));
    match (years, same_day, swapped) {
        // Of a family that has two of one day the two are twins, and twins are rare.
        (0, true, _) => ((60 + day, 60), Some(DuplicateReason::SameBirthDate)),
        (0, _, true) => ((95, 80), Some(DuplicateReason::DayAndMonthSwapped)),
        (1, true, _) => ((40 + day - 45, 60), Some(DuplicateReason::YearOffByOne)),
        (_, true, _) if misread(a.year, b.year) => ((day - 25, 40), Some(DuplicateReason::YearMisread)),
        (0, ..) if one_digit => ((40, 40), Some(DuplicateReason::OneDigitOfTheDay)),
        (0 | 1, ..) if lunar => ((30, 25), Some(DuplicateReason::LunarDate)),
        (1, _, true) => ((30, 25), Some(DuplicateReason::DayAndMonthSwapped)),
        (_, _, true) if misread(a.year, b.year) => ((5, 0), Some(DuplicateReason::DayAndMonthSwapped)),
        (0, ..) => ((-25, -25), None),
        _ => ((-90, -65), None),
    }
}

/// True for two years of which one is the other with a wrong digit, or two swapped.
fn misread(one: u16, other: u16) -> bool {
    super::keys::years_near(one).contains(&other)
}

fn one_digit_apart(one: Birth, other: Birth) -> bool {
    let digits = |birth: Birth| [birth.day / 10, birth.day % 10, birth.month / 10, birth.month % 10];
    let (a, b) = (digits(one), digits(other));
    let swapped = |n: usize| a[n] == b[n + 1] && a[n + 1] == b[n];
    match a.iter().zip(&b).filter(|(x, y)| x != y).count() {
        1 => true,
        2 => a[..2] == b[..2] && swapped(2) || a[2..] == b[2..] && swapped(0),
        _ => false,
    }
}

fn days_between(one: Birth, other: Birth) -> i32 {
    let days = |birth: Birth| {
        time::Month::try_from(birth.month)
            .and_then(|month| time::Date::from_calendar_date(i32::from(birth.year), month, birth.day))
            .map_or(0, time::Date::to_julian_day)
    };
    (days(one) - days(other)).abs()
}

/// True if `parent` is named among the parents of `child`, and old enough.
fn is_parent(parent: &Traits, child: &Traits) -> bool {
    let older = i32::from(child.birth.year) - i32::from(parent.birth.year) >= GENERATION;
    let own = match parent.sex {
        Some(true) => [child.father.as_ref(), None],
        Some(false) => [None, child.mother.as_ref()],
        None => [child.father.as_ref(), child.mother.as_ref()],
    };
    older && own.into_iter().flatten().any(|named| compare_names(&named.name, &parent.name).agrees())
}

fn a_generation(one: &Traits, other: &Traits) -> bool {
    i32::from(one.birth.year.abs_diff(other.birth.year)) >= GENERATION
}

const GENERATION: i32 = 14;
/// A pair of one family is much more often met than a pair of strangers, and still is mostly two people.
const FAMILY: i32 = 150;
