//! The four words of the register as figures: how many persons are *right* (đúng), *enough* (đủ), *clean* (sạch) and
//! *living* (sống), by country, province, district and commune.
//!
//! Every person who is not recorded as dead is counted once, in the commune of the permanent residence. What the person
//! is counted as is a [`Mark`]; the transaction that enters or changes a person adds the difference of two marks to the
//! tally, so that the figures are exact at every moment and `issuance verify` can count them anew.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, Month};
use utoipa::ToSchema;

use super::model::{Finding, Person};
use super::reference::{Digits, Reference};
use super::rules::{self, Word};
use super::store::quality as store;
use crate::store::{Db, StoreError, Tx};

/// What a person is counted as.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Mark {
    /// Province, district and commune of the permanent residence, with strokes between; what the tables do not have is
    /// empty.
    pub commune: String,
    /// Months since year 0 until the last confirmation.
    pub month: i64,
    /// The words, as bits.
    pub words: i64,
}

impl Mark {
    /// The mark of a person who was declared, or whose record changed, on a day.
    #[must_use]
    pub fn of(person: &Person, findings: &[Finding], reference: &Reference, confirmed: Date) -> Self {
        let month = months(confirmed);
        let mut words = ALL;
        for finding in findings {
            words &= !word_of(&finding.code);
        }
        // As of the month, so that the mark follows from what is kept.
        let (first, last) = (first_of(month).unwrap_or(confirmed), last_of(month).unwrap_or(confirmed));
        if !has_enough(person, reference, first) {
            words &= !ENOUGH;
        }
        if person.died.is_some() {
            words |= DEAD;
        }
        // Of a month in which places changed: as its last day has them, and what ended before as its first day had it.
        let commune = commune_of(person, reference, last);
        let unknown = commune.ends_with('/');
        let before = unknown.then(|| commune_of(person, reference, first)).filter(|before| !before.ends_with('/'));
        Self { commune: before.unwrap_or(commune), month, words }
    }

    /// As it is kept; the mark of a person of whom only the month of confirmation is known.
    pub(super) fn kept(person: &Person, findings: &[Finding], reference: &Reference, month: i64) -> Self {
        match first_of(month) {
            Some(day) => Self::of(person, findings, reference, day),
            None => Self { commune: String::new(), month, words: DEAD },
        }
    }

    /// The mark of a person who is counted as another one.
    #[must_use]
    pub fn uncounted(self) -> Self {
        Self { words: self.words | DEAD, ..self }
    }

    /// The mark of a person in whose household a contradiction was found.
    #[must_use]
    pub fn unclean(self) -> Self {
        Self { words: self.words & !CLEAN, ..self }
    }

    /// The mark of a person about whom more was found.
    #[must_use]
    pub fn with(self, findings: &[Finding]) -> Self {
        let spoken_against = findings.iter().fold(0, |words, finding| words | word_of(&finding.code));
        Self { words: self.words & !spoken_against, ..self }
    }

    fn has(&self, word: i64) -> i64 {
        i64::from(self.words & word == word)
    }
}

/// What a transaction adds to the tally: collected first, so that a whole file of declarations
/// writes one row a commune.
#[derive(Clone, Debug, Default)]
pub struct Deltas {
    marks: ByPlace<i64, 5>,
    entries: ByPlace<Date, 2>,
}

/// Counts by place, and by month or day.
type ByPlace<T, const N: usize> = BTreeMap<String, BTreeMap<T, [i64; N]>>;

/// The counts of a place in a month or on a day. A place that is there is not copied: a file has its rows by places.
fn counts<'a, T: Ord, const N: usize>(all: &'a mut ByPlace<T, N>, place: &str, at: T) -> &'a mut [i64; N]
where
    [i64; N]: Default,
{
    if !all.contains_key(place) {
        all.insert(place.to_owned(), BTreeMap::new());
    }
    all.get_mut(place).expect("it is there").entry(at).or_default()
}

/// Each place with the month or the day, and its counts where one is not zero.
fn changed<T: Copy, const N: usize>(all: &ByPlace<T, N>) -> impl Iterator<Item = (&str, T, [i64; N])> {
    let each = all.iter().flat_map(|(place, of)| of.iter().map(move |(at, counts)| (place.as_str(), *at, *counts)));
    each.filter(|(_, _, counts)| counts.iter().any(|n| *n != 0))
}

impl Deltas {
    /// Counts a person in.
    pub fn add(&mut self, mark: &Mark) {
        self.weigh(mark, 1);
    }

    /// Counts a person out, as the one who was counted in.
    pub fn take(&mut self, mark: &Mark) {
        self.weigh(mark, -1);
    }

    /// Counts a person who entered the register on a day, for the campaign.
    pub fn enter(&mut self, mark: &Mark, day: Date) {
        counts(&mut self.entries, &mark.commune, day)[0] += 1;
    }

    /// Counts forms of a place (see [`Mark`]) that went into quarantine on a day; less than 0 for those that left it.
    pub fn quarantine(&mut self, commune: &str, day: Date, forms: i64) {
        counts(&mut self.entries, commune, day)[1] += forms;
    }

    /// Returns the commune, the day and what is added: persons who entered, and forms in quarantine.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&str, Date, [i64; 2])> {
        changed(&self.entries)
    }

    /// Returns the commune, the month and what is added: persons, right, enough, clean, and all three.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&str, i64, [i64; 5])> {
        changed(&self.marks)
    }

    /// Adds what another transaction added of entries.
    pub(super) fn merge_entry(&mut self, commune: &str, day: Date, more: [i64; 2]) {
        for (count, n) in counts(&mut self.entries, commune, day).iter_mut().zip(more) {
            *count += n;
        }
    }

    /// Adds what another transaction added.
    pub(super) fn merge(&mut self, commune: &str, month: i64, more: [i64; 5]) {
        for (count, n) in counts(&mut self.marks, commune, month).iter_mut().zip(more) {
            *count += n;
        }
    }

    fn weigh(&mut self, mark: &Mark, weight: i64) {
        if mark.words & DEAD != 0 {
            return;
        }
        let counts = counts(&mut self.marks, &mark.commune, mark.month);
        for (count, n) in counts.iter_mut().zip([1, mark.has(RIGHT), mark.has(ENOUGH), mark.has(CLEAN), mark.has(ALL)])
        {
            *count += weight * n;
        }
    }
}

/// Adds to the tally what a transaction changed. Returns how many rows that took.
///
/// # Errors
/// [`StoreError`]
pub async fn count(tx: &mut Tx, deltas: &Deltas) -> Result<usize, StoreError> {
    store::count(tx, deltas).await
}

/// What the figures are of.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize, ToSchema, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// The whole register: one line.
    Country,
    /// Provinces.
    #[default]
    Province,
    /// Districts.
    District,
    /// Communes.
    Commune,
}

impl Level {
    /// Returns how many parts of a place it tells apart.
    fn parts(self) -> usize {
        self as usize
    }
}

/// The province, or the province and the district, that figures are of: `001` or `001/004`; everything if empty.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(try_from = "String")]
pub struct Within(String);

impl TryFrom<String> for Within {
    type Error = WithinMalformed;

    fn try_from(text: String) -> Result<Self, WithinMalformed> {
        text.parse()
    }
}

impl Within {
    /// Returns the range of places within, in the order of bytes.
    pub(super) fn range(&self) -> (String, String) {
        match self.0.as_str() {
            "" => (String::new(), "~".to_owned()),
            // The stroke is followed by the zero.
            place => (format!("{place}/"), format!("{place}0")),
        }
    }

    /// True for a place within.
    pub(super) fn holds(&self, place: &str) -> bool {
        self.0.is_empty() || place.strip_prefix(&self.0).is_some_and(|rest| rest.starts_with('/'))
    }

    /// As it was asked for.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Reads `001` or `001/004`.
impl FromStr for Within {
    type Err = WithinMalformed;

    fn from_str(text: &str) -> Result<Self, WithinMalformed> {
        let parts: Vec<&str> = text.split('/').collect();
        let code = |part: &&str| part.len() == 3 && part.bytes().all(|b| b.is_ascii_digit());
        if text.is_empty() || parts.len() <= 2 && parts.iter().all(code) {
            return Ok(Self(text.to_owned()));
        }
        Err(WithinMalformed)
    }
}

/// The text names no province and no district.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
#[error("a province (`001`), or a district with its province (`001/004`)")]
pub struct WithinMalformed;

/// The figures of one unit.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, ToSchema)]
pub struct Figures {
    /// Province, district and commune with strokes between, as far as the level tells them apart; a part that is not
    /// known is empty. The State's three letters for the country.
    pub place: String,
    /// Name of the unit; `null` for persons whose residence is not known so far.
    pub name: Option<String>,
    /// Persons who are not recorded as dead.
    pub persons: i64,
    /// Of these: every value agrees with the tables, the numbers and the evidence.
    pub right: i64,
    /// Of these: every field that the law asks for is there (Law 59/2014/QH13, Art. 9(1)).
    pub enough: i64,
    /// Of these: nothing stands twice and nothing contradicts itself.
    pub clean: i64,
    /// Of these: declared or confirmed within the term.
    pub living: i64,
    /// Of these: right, enough and clean at once.
    pub verified: i64,
}

impl Figures {
    /// Returns a share in tenths of a per cent, rounded down; `None` where there are no persons.
    #[must_use]
    pub fn tenths(&self, part: i64) -> Option<i64> {
        (self.persons > 0).then(|| part * 1000 / self.persons)
    }

    /// Returns the four figures in their order.
    #[must_use]
    pub fn words(&self) -> [i64; 4] {
        [self.right, self.enough, self.clean, self.living]
    }

    fn add(&mut self, other: &Self) {
        self.persons += other.persons;
        self.right += other.right;
        self.enough += other.enough;
        self.clean += other.clean;
        self.living += other.living;
        self.verified += other.verified;
    }
}

/// Returns the figures at a level within a place, by place. Living is what was confirmed in the last so many months
/// before `today`.
///
/// # Errors
/// [`StoreError`]
pub async fn figures(
    tx: &mut Tx,
    reference: &Reference,
    (level, within): (Level, &Within),
    (today, term): (Date, u32),
) -> Result<Vec<Figures>, StoreError> {
    let rows = store::sums(tx, within, months(today) - i64::from(term)).await?;
    let mut units: BTreeMap<String, Figures> = BTreeMap::new();
    for row in rows {
        let place = unit_of(&row.place, level);
        units.entry(place).or_default().add(&row);
    }
    if level == Level::Country && units.is_empty() {
        units.entry(String::new()).or_default();
    }
    let named = units.into_iter().map(|(place, figures)| {
        let name = name_of(&place, level, reference, today);
        let place = if level == Level::Country { reference.state().to_owned() } else { place };
        Figures { place, name, ..figures }
    });
    Ok(named.collect())
}

/// What was counted anew, and where the tally differs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Recount {
    /// Persons looked at.
    pub persons: u64,
    /// Each place and person whose count is not what follows from the records; at most a thousand are named.
    pub differ: Vec<String>,
}

/// Counts the four figures anew: each person's mark from the record, and the tally from the marks. Changes nothing. The
/// service may run meanwhile.
///
/// # Errors
/// [`StoreError`]
pub async fn recount(db: &Db, reference: &Reference) -> Result<Recount, StoreError> {
    let mut recount = Recount::default();
    let mut after = crate::ground::Id::nil();
    loop {
        let mut tx = db.begin_read().await?;
        let page = store::marked(&mut tx, after).await?;
        let Some(last) = page.last() else { break };
        after = last.id;
        for one in &page {
            recount.persons += 1;
            let follows = one
                .person
                .as_ref()
                .map(|(person, findings)| Mark::kept(person, findings, reference, one.mark.month))
                .map(|mark| if one.merged { mark.uncounted() } else { mark } == one.mark);
            if follows == Some(false) && recount.differ.len() < MOST_NAMED {
                recount.differ.push(format!("person {} is counted as what does not follow from the record", one.id));
            }
        }
    }
    let mut tx = db.begin_read().await?;
    for (commune, month) in store::differences(&mut tx).await? {
        let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
        recount.differ.push(format!("the tally of {commune} in {year}-{month:02} is not the number of persons there"));
    }
    Ok(recount)
}

/// Counts the persons whom a version before the figures registered; in steps, so that it can be cut.
///
/// # Errors
/// [`StoreError`]
pub async fn count_persons_of_before(db: &Db, reference: &Reference) -> Result<(), StoreError> {
    store::count_persons_of_before(db, reference).await
}

/// Adds the tallies up, each if it has grown: many changes of a place and month, or day, become one row. Beside other
/// writers nothing is lost or counted twice, since only rows that it deletes are added up.
///
/// # Errors
/// [`StoreError`]
pub async fn add_up(db: &Db) -> Result<(), StoreError> {
    for tally in &store::TALLIES {
        if let Some(last) = store::grown(&mut db.begin_read().await?, tally).await? {
            store::add_up(db, tally, last).await?;
        }
    }
    Ok(())
}

/// Returns the part of a place that a level tells apart.
pub(super) fn unit_of(place: &str, level: Level) -> String {
    place.split('/').take(level.parts()).collect::<Vec<_>>().join("/")
}

/// Returns the name of a unit.
pub(super) fn name_of(place: &str, level: Level, reference: &Reference, on: Date) -> Option<String> {
    let code = place.rsplit('/').next().filter(|code| !code.is_empty());
    match level {
        Level::Country => Some(reference.state().to_owned()),
        Level::Province => code?.parse().ok().and_then(|code| reference.province(code, on)).map(str::to_owned),
        Level::District => reference.district(code?, on).map(|unit| unit.name.to_owned()),
        Level::Commune => reference.commune(code?, on).map(|unit| unit.name.to_owned()),
    }
}

/// Returns the place of a commune of the tables, as persons are counted in it.
pub(super) fn place_of(commune: &str, reference: &Reference, on: Date) -> Option<String> {
    let district = reference.commune(commune, on)?.within;
    Some(format!("{}/{district}/{commune}", reference.district(district, on)?.within))
}

/// Returns the place of the permanent residence in a form as JSON, as far as the tables know the commune.
pub(super) fn place_declared(declaration: &serde_json::Value, reference: &Reference, on: Date) -> String {
    let commune = declaration["permanent_residence"]["commune"].as_str().map(str::trim);
    commune.and_then(|code| place_of(code, reference, on)).unwrap_or_else(|| "//".to_owned())
}

/// Returns the months since year 0 of a day.
pub(super) fn months(day: Date) -> i64 {
    i64::from(day.year()) * 12 + i64::from(u8::from(day.month())) - 1
}

fn first_of(month: i64) -> Option<Date> {
    let year = i32::try_from(month.div_euclid(12)).ok()?;
    let month = u8::try_from(month.rem_euclid(12) + 1).ok().and_then(|month| Month::try_from(month).ok())?;
    Date::from_calendar_date(year, month, 1).ok()
}

fn last_of(month: i64) -> Option<Date> {
    first_of(month + 1)?.previous_day()
}

/// Where a person is counted: the permanent residence as far as the tables know it.
fn commune_of(person: &Person, reference: &Reference, on: Date) -> String {
    let Some(home) = &person.permanent_residence else { return "//".to_owned() };
    let province = Digits::of(home.province);
    let province = province.as_str();
    let within = |unit: Option<super::reference::Unit<'_>>, of: &str| unit.is_some_and(|unit| unit.within == of);
    let district = home.district.as_deref().filter(|code| within(reference.district(code, on), province));
    let commune = home
        .commune
        .as_deref()
        .filter(|code| district.is_some_and(|district| within(reference.commune(code, on), district)));
    [province, "/", district.unwrap_or_default(), "/", commune.unwrap_or_default()].concat()
}

/// True if every field that the law asks for is there (Law 59/2014/QH13, Art. 9(1)); those without which there is no
/// person always are.
fn has_enough(person: &Person, reference: &Reference, on: Date) -> bool {
    let adult = crypto::identity::validity::age(person.birth, on) >= ADULT;
    let home = person.permanent_residence.as_ref();
    // The tables know nothing below a province of the deployment's own. Asked of the tables alone, so that a command
    // with another configuration counts the same.
    let at_home = home.is_some_and(|home| {
        !reference.has_units_of(home.province) || home.district.is_some() && home.commune.is_some()
    });
    person.birth.full().is_some()
        && at_home
        && (!adult || person.marital_status.is_some())
        && (person.father.is_some() || person.mother.is_some() || person.representative.is_some())
        && person.head_of_household.is_some()
        && person.relation_to_head.is_some()
}

/// Returns the word against which a finding speaks; 0 for none.
fn word_of(code: &str) -> i64 {
    match rules::by_code(code).map(|rule| rule.word) {
        Some(Word::Enough) => ENOUGH,
        Some(Word::Clean) => CLEAN,
        // How fresh a record is follows from the month.
        Some(Word::Living) => 0,
        Some(Word::Right) | None => RIGHT,
    }
}

const RIGHT: i64 = 1;
const ENOUGH: i64 = 2;
const CLEAN: i64 = 4;
const ALL: i64 = RIGHT | ENOUGH | CLEAN;
/// Recorded as dead, and not counted.
pub(super) const DEAD: i64 = 8;
/// Years at which a marital status is asked for.
const ADULT: i32 = 18;
const MOST_NAMED: usize = 1000;

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Country => "country",
            Self::Province => "province",
            Self::District => "district",
            Self::Commune => "commune",
        })
    }
}

#[cfg(test)]
mod tests {
    use crypto::identity::PersonalNumber;
    use time::macros::date;

    use super::*;
    use crate::population::check::examine;
    use crate::population::model::{Declaration, DeclaredPlace, DeclaredRelative};

    fn declaration() -> Declaration {
        let place = |province: &str, district: &str, commune: &str| DeclaredPlace {
            province: province.into(),
            district: district.into(),
            commune: commune.into(),
            detail: String::new(),
        };
        Declaration {
            full_name: "Nguyễn Thị Mẫu".into(),
            birth_date: "05/01/2000".into(),
            sex: "F".into(),
            birth_registration: place("003", "", ""),
            place_of_origin: place("003", "", ""),
            ethnic_group: "01".into(),
            marital_status: "single".into(),
            permanent_residence: Some(place("001", "001", "00001")),
            father: Some(DeclaredRelative { full_name: "Nguyễn Văn Mẫu".into(), ..Default::default() }),
            head_of_household: Some(DeclaredRelative { full_name: "Nguyễn Văn Mẫu".into(), ..Default::default() }),
            relation_to_head: "con".into(),
            ..Default::default()
        }
    }

    fn mark(declaration: &Declaration) -> Mark {
        let reference = Reference::new(&["003".parse().unwrap()]);
        let (person, findings) = examine(declaration, &reference, date!(2026 - 11 - 22)).unwrap();
        Mark::of(&person, &findings, &reference, date!(2026 - 11 - 22))
    }

    fn words(spoil: impl FnOnce(&mut Declaration)) -> (bool, bool, bool) {
        let mut declaration = declaration();
        spoil(&mut declaration);
        let mark = mark(&declaration);
        (mark.has(RIGHT) == 1, mark.has(ENOUGH) == 1, mark.has(CLEAN) == 1)
    }

    #[test]
    fn each_word_falls_alone() {
        assert_eq!(words(|_| {}), (true, true, true));
        assert_eq!(words(|d| d.old_id_number = "12".into()), (false, true, true));
        assert_eq!(words(|d| d.birth_date = "2000".into()), (true, false, true));
        assert_eq!(words(|d| d.marital_status = String::new()), (true, false, true));
        assert_eq!(words(|d| d.relation_to_head = String::new()), (true, false, true));
        assert_eq!(words(|d| d.permanent_residence = None), (true, false, true));
        let too_young: PersonalNumber = "003095000001".parse().unwrap();
        let spoil = |d: &mut Declaration| d.father.as_mut().unwrap().personal_number = too_young.as_str().into();
        assert_eq!(words(spoil), (true, true, false));
    }

    #[test]
    fn a_child_needs_no_marital_status() {
        let spoil = |d: &mut Declaration| {
            d.birth_date = "05/01/2015".into();
            d.marital_status = String::new();
        };
        assert_eq!(words(spoil), (true, true, true));
    }

    #[test]
    fn in_the_month_of_a_reorganisation_old_and_new_communes_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let rows = "table,code,valid_from,within,name_vi,name_en,successor\n\
                    communes,00001,2026-11-15,,,,99001\n\
                    communes,99001,2026-11-15,001,Phường Mẫu,Mau,\n\
                    communes,00004,2026-11-15,002,Phường Kia,Kia,\n";
        std::fs::write(folder.path().join("a.csv"), rows).unwrap();
        let changes = crate::population::reorganisation::read_folder(folder.path()).unwrap();
        let reference = Reference::new(&["003".parse().unwrap()]).changed_by(changes);
        let at = |day, district: &str, commune: &str| {
            let mut declaration = declaration();
            let home = declaration.permanent_residence.as_mut().unwrap();
            (home.district, home.commune) = (district.into(), commune.into());
            let (person, findings) = examine(&declaration, &reference, day).unwrap();
            let mark = Mark::of(&person, &findings, &reference, day);
            assert_eq!(Mark::kept(&person, &findings, &reference, mark.month), mark, "it follows from the month");
            mark.commune
        };
        let (before, after) = (date!(2026 - 11 - 10), date!(2026 - 11 - 20));
        assert_eq!(at(before, "001", "00001"), "001/001/00001");
        assert_eq!(at(after, "001", "99001"), "001/001/99001");
        assert_eq!(at(after, "002", "00004"), "001/002/00004");
        assert_eq!(at(before, "001", "00004"), "001/001/00004");
    }

    #[test]
    fn a_place_is_counted_as_far_as_the_tables_know_it() {
        let at = |district: &str, commune: &str| {
            let mut declaration = declaration();
            let home = declaration.permanent_residence.as_mut().unwrap();
            (home.district, home.commune) = (district.into(), commune.into());
            mark(&declaration).commune
        };
        assert_eq!(at("001", "00001"), "001/001/00001");
        assert_eq!(at("001", "99999"), "001/001/");
        assert_eq!(at("002", "00001"), "001/002/");
        assert_eq!(at("079", "00001"), "001//");
        let mut homeless = declaration();
        homeless.permanent_residence = None;
        assert_eq!(mark(&homeless).commune, "//");
    }

    #[test]
    fn the_dead_are_not_counted_and_who_comes_and_goes_leaves_nothing() {
        let mut dead = declaration();
        dead.died = "2020".into();
        let mut deltas = Deltas::default();
        deltas.add(&mark(&dead));
        assert_eq!(deltas.cells().count(), 0);
        deltas.add(&mark(&declaration()));
        assert_eq!(deltas.cells().collect::<Vec<_>>(), [("001/001/00001", 2026 * 12 + 10, [1, 1, 1, 1, 1])]);
        deltas.take(&mark(&declaration()));
        assert_eq!(deltas.cells().count(), 0);
    }

    #[test]
    fn a_place_to_look_into_is_a_province_or_a_district_of_it() {
        for text in ["", "001", "001/004"] {
            assert_eq!(text.parse::<Within>().unwrap().as_str(), text);
        }
        for text in ["1", "001/", "001/004/00121", "abc", "001 004"] {
            assert_eq!(text.parse::<Within>(), Err(WithinMalformed), "{text}");
        }
        let (from, to) = "001".parse::<Within>().unwrap().range();
        assert!(from.as_str() <= "001//" && "001/999/99999" < to.as_str() && to.as_str() < "002//");
    }
}
