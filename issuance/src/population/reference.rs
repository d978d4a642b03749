//! Provinces, districts, communes and ethnic groups on a day: as of November 2021 (`issuance/data/README.md`), with the
//! reorganisations since ([`super::reorganisation`]) and the provinces that a deployment adds.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};

use crypto::identity::{ProvinceCode, ProvinceCodeError};
use serde::{Deserialize, Serialize};
use time::Date;

use super::reorganisation::{Changes, Version};

/// The tables that a declaration is checked against.
#[derive(Clone, Debug)]
pub struct Reference {
    extra: HashMap<ProvinceCode, String>,
    state: String,
    changes: Arc<Changes>,
}

/// A province that the 2021 table does not have: one that was made later, or an unassigned code for
/// people who do not exist.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExtraProvince {
    /// Its three digits.
    pub code: ProvinceCode,
    /// Its name, as it is printed in addresses; may be empty.
    pub name: String,
}

/// Reads `003` or `003=Tỉnh Mẫu`.
impl FromStr for ExtraProvince {
    type Err = ProvinceCodeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (code, name) = text.split_once('=').unwrap_or((text, ""));
        Ok(Self { code: code.parse()?, name: name.to_owned() })
    }
}

/// What a table says about a code on a day.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unit<'a> {
    /// Code of the unit that it belongs to; empty for a province.
    pub within: &'a str,
    /// Short name in Vietnamese (`Ba Đình`); of one that ended, its last.
    pub name: &'a str,
    /// If it ended before: the day, and the code that is in its place on the day that is asked for.
    pub ended: Option<(Date, &'a str)>,
}

impl Reference {
    /// The tables with a deployment's own provinces.
    pub fn new(extra: &[ExtraProvince]) -> Self {
        let extra = extra.iter().map(|e| (e.code, e.name.clone())).collect();
        Self { extra, state: "VNM".to_owned(), changes: Arc::default() }
    }

    /// The same tables with what changed after November 2021.
    #[must_use]
    pub fn changed_by(self, changes: Changes) -> Self {
        Self { changes: Arc::new(changes), ..self }
    }

    /// The same tables for the register of another State.
    #[must_use]
    pub fn of_state(self, state: Option<&str>) -> Self {
        match state {
            Some(state) => Self { state: state.to_owned(), ..self },
            None => self,
        }
    }

    /// The State whose register it is: the nationality of a person for whom none is declared.
    pub fn state(&self) -> &str {
        &self.state
    }

    /// A province's name; `None` when no province has or had this code.
    pub fn province(&self, code: ProvinceCode, on: Date) -> Option<&str> {
        let known = self.unit(Table::Provinces, Digits::of(code).as_str(), on).map(|unit| unit.name);
        known.or_else(|| self.extra.get(&code).map(String::as_str))
    }

    /// Whether the province is the deployment's own, so that the district and commune tables cannot speak about it.
    pub fn is_extra(&self, code: ProvinceCode) -> bool {
        self.extra.contains_key(&code)
    }

    /// Whether the tables know the districts and communes of the province.
    pub fn has_units_of(&self, code: ProvinceCode) -> bool {
        embedded(Table::Provinces, Digits::of(code).as_str()).is_some()
    }

    /// A district (three digits), within its province.
    pub fn district(&self, code: &str, on: Date) -> Option<Unit<'_>> {
        self.unit(Table::Districts, code, on)
    }

    /// A commune (five digits), within its district.
    pub fn commune(&self, code: &str, on: Date) -> Option<Unit<'_>> {
        self.unit(Table::Communes, code, on)
    }

    /// An ethnic group's name by its two digits.
    pub fn ethnic_group(&self, code: &str, on: Date) -> Option<&str> {
        self.unit(Table::EthnicGroups, code, on).map(|unit| unit.name)
    }

    /// What a table says of a code on a day: also of a code that ended before, not of one that begins later.
    pub fn unit(&self, table: Table, code: &str, on: Date) -> Option<Unit<'_>> {
        let Some(versions) = self.versions(table, code) else {
            let (within, name, _) = embedded(table, code)?;
            return Some(Unit { within, name, ended: None });
        };
        let last = versions.iter().rfind(|version| version.begun(on))?;
        let ended = last.until.filter(|until| *until <= on).zip(last.successor.as_deref());
        let ended = ended.map(|(until, successor)| (until, self.successor(table, successor, on)));
        Some(Unit { within: &last.within, name: &last.name_vi, ended })
    }

    /// True if a unit belonged to another one on this day or before.
    pub fn was_within(&self, table: Table, code: &str, within: &str, on: Date) -> bool {
        match self.versions(table, code) {
            Some(versions) => versions.iter().any(|version| version.begun(on) && version.within == within),
            None => embedded(table, code).is_some_and(|(known, ..)| known == within),
        }
    }

    /// The code that stands on a day in the place of one that perhaps ended too.
    fn successor<'a>(&'a self, table: Table, mut code: &'a str, on: Date) -> &'a str {
        // Each step ends later than the one before, so this comes to an end.
        while let Some(versions) = self.versions(table, code) {
            let last = versions.iter().rfind(|version| version.begun(on));
            match last.filter(|last| last.until.is_some_and(|until| until <= on)).and_then(|l| l.successor.as_deref()) {
                Some(next) => code = next,
                None => break,
            }
        }
        code
    }

    /// Returns the codes that stand for one place on a day: this one, the one that stands in its place now if it ended,
    /// and all that went into that one before.
    #[must_use]
    pub fn as_one(&self, table: Table, code: &str, on: Date) -> Vec<String> {
        let now = self.successor(table, code, on);
        let former =
            self.changes.keys().filter(|(of, former)| *of == table && self.successor(table, former, on) == now);
        let mut all: Vec<String> = former.map(|(_, former)| former.clone()).collect();
        all.extend([code.to_owned(), now.to_owned()]);
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Returns the days on which a table changed, the first one first.
    #[must_use]
    pub fn changed_on(&self, table: Table) -> Vec<Date> {
        let versions = self.changes.iter().filter(|((of, _), _)| *of == table).flat_map(|(_, versions)| versions);
        let mut days: Vec<Date> = versions.flat_map(|version| [version.from, version.until]).flatten().collect();
        days.sort_unstable();
        days.dedup();
        days
    }

    fn versions(&self, table: Table, code: &str) -> Option<&[Version]> {
        if self.changes.is_empty() {
            return None;
        }
        self.changes.get(&(table, code.to_owned())).map(Vec::as_slice)
    }
}

/// The tables, for those who list them.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Table {
    /// Communes, within districts.
    Communes,
    /// Countries.
    Countries,
    /// Districts, within provinces.
    Districts,
    /// Ethnic groups.
    EthnicGroups,
    /// Provinces.
    Provinces,
    /// Religions.
    Religions,
}

/// An entry of a table.
#[derive(Clone, Debug)]
pub struct Entry {
    /// Its code.
    pub code: String,
    /// The code of what it belongs to.
    pub within: Option<String>,
    /// Name in Vietnamese.
    pub name_vi: Option<String>,
    /// Name in English, or without marks.
    pub name_en: Option<String>,
    /// First day on which it is so; `None` for what stands in the tables of 2021.
    pub valid_from: Option<Date>,
    /// The first day on which it is no longer so, if that is known.
    pub valid_until: Option<Date>,
    /// The code that takes its place on that day.
    pub successor: Option<String>,
}

impl Reference {
    /// Returns the entries of a table on a day, by code; of the provinces, with the deployment's own.
    #[must_use]
    pub fn entries(&self, table: Table, on: Date) -> Vec<Entry> {
        let (text, columns) = table.text();
        let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<&'static str>>());
        let of_2021 = rows.map(|row| {
            let (within, vi, en) = columns.of(&row);
            let (within, name_vi, name_en) = (columns.within.map(|_| within), columns.vi.map(|_| vi), en);
            entry(row[0], (within, name_vi, name_en), None)
        });
        let mut entries: Vec<_> = of_2021.filter(|entry| self.versions(table, &entry.code).is_none()).collect();
        for ((_, code), versions) in self.changes.iter().filter(|((of, _), _)| *of == table) {
            let version = versions.iter().find(|version| version.on(on));
            entries.extend(version.map(|version| {
                let within = columns.within.map(|_| version.within.as_str());
                entry(code, (within, Some(&version.name_vi), version.name_en.as_deref()), Some(version))
            }));
        }
        if let Table::Provinces = table {
            let own = self.extra.iter().map(|(code, name)| (code.to_string(), name));
            let own = own.filter(|(code, _)| self.unit(table, code, on).is_none());
            entries.extend(own.map(|(code, name)| entry(&code, (None, Some(name), None), None)));
        }
        entries.sort_by(|one, other| one.code.cmp(&other.code));
        entries
    }
}

fn entry(code: &str, (within, vi, en): (Option<&str>, Option<&str>, Option<&str>), version: Option<&Version>) -> Entry {
    Entry {
        code: code.to_owned(),
        within: within.map(str::to_owned),
        name_vi: vi.map(str::to_owned),
        name_en: en.map(str::to_owned),
        valid_from: version.and_then(|version| version.from),
        valid_until: version.and_then(|version| version.until),
        successor: version.and_then(|version| version.successor.clone()),
    }
}

/// In which columns of a file what stands.
#[derive(Clone, Copy, Debug)]
struct Columns {
    within: Option<usize>,
    vi: Option<usize>,
    en: Option<usize>,
}

impl Columns {
    /// What it belongs to (empty for nothing), name in Vietnamese and in English.
    fn of(self, row: &[&'static str]) -> (&'static str, &'static str, Option<&'static str>) {
        let column = |at: Option<usize>| at.map(|at| row[at]);
        (column(self.within).unwrap_or(""), column(self.vi).unwrap_or(""), column(self.en))
    }
}

impl Table {
    /// The table of the units that belong to units of this one.
    #[must_use]
    pub const fn below(self) -> Option<Self> {
        match self {
            Self::Districts => Some(Self::Communes),
            Self::Provinces => Some(Self::Districts),
            _ => None,
        }
    }

    fn text(self) -> (&'static str, Columns) {
        let (text, within, vi, en) = match self {
            Self::Communes => (COMMUNES, Some(1), Some(2), Some(3)),
            Self::Countries => (COUNTRIES, None, Some(2), Some(1)),
            Self::Districts => (DISTRICTS, Some(1), Some(2), Some(3)),
            Self::EthnicGroups => (ETHNIC_GROUPS, None, Some(1), None),
            Self::Provinces => (PROVINCES, None, Some(1), Some(2)),
            Self::Religions => (RELIGIONS, None, Some(1), Some(2)),
        };
        (text, Columns { within, vi, en })
    }
}

/// Returns what the tables of 2021 say of a code: what it belongs to, its name in Vietnamese and in English.
pub(super) fn embedded(table: Table, code: &str) -> Option<Row> {
    let (_, numbered) = NUMBERED.iter().find(|(of, _)| *of == table)?;
    numbered.row(code)
}

/// The three digits of a province.
#[derive(Clone, Copy, Debug)]
pub(super) struct Digits([u8; 3]);

impl Digits {
    pub(super) fn of(code: ProvinceCode) -> Self {
        let digit = |by: u16| b'0' + u8::try_from(code.number() / by % 10).unwrap_or(0);
        Self([digit(100), digit(10), digit(1)])
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("three ASCII digits")
    }
}

/// The rows of a table by their codes, which are numbers of so many digits: every rule about a place asks for them.
struct Numbered {
    digits: usize,
    /// For each number where its row is, counted from 1; 0 for none.
    at: Vec<u16>,
    rows: Vec<Row>,
}

impl Numbered {
    fn new(rows: &Rows) -> Self {
        let digits = rows.keys().map(|code| code.len()).max().unwrap_or(0);
        let mut numbered = Self { digits, at: vec![0; 10_usize.pow(u32::try_from(digits).unwrap_or(0))], rows: vec![] };
        for (code, row) in rows {
            numbered.rows.push(*row);
            let number: usize = code.parse().expect("a code is a number (a test holds that)");
            numbered.at[number] = u16::try_from(numbered.rows.len()).expect("no table is so long");
        }
        numbered
    }

    fn row(&self, code: &str) -> Option<Row> {
        if code.len() != self.digits || !code.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let number = code.bytes().fold(0, |number, digit| number * 10 + usize::from(digit - b'0'));
        let at = usize::from(self.at[number]);
        at.checked_sub(1).map(|at| self.rows[at])
    }
}

static NUMBERED: LazyLock<Vec<(Table, Numbered)>> =
    LazyLock::new(|| TABLES.iter().map(|(table, rows)| (*table, Numbered::new(rows))).collect());

/// Returns the codes of the tables of 2021 that belong to a unit.
pub(super) fn within(table: Table, unit: &str) -> impl Iterator<Item = &'static str> {
    let rows = TABLES.get(&table).into_iter().flatten();
    rows.filter(move |(_, (within, ..))| *within == unit).map(|(code, _)| *code)
}

pub(super) const COMMUNES: &str = include_str!("../../data/vn_communes_2021.csv");
const COUNTRIES: &str = include_str!("../../data/countries.csv");
const DISTRICTS: &str = include_str!("../../data/vn_districts_2021.csv");
const ETHNIC_GROUPS: &str = include_str!("../../data/vn_ethnic_groups.csv");
const PROVINCES: &str = include_str!("../../data/vn_provinces.csv");
const RELIGIONS: &str = include_str!("../../data/vn_religions.csv");

type Row = (&'static str, &'static str, Option<&'static str>);
type Rows = HashMap<&'static str, Row>;

/// The tables that change, by code. Their columns are unquoted (a test holds that), so that their text can be borrowed
/// as it stands.
static TABLES: LazyLock<HashMap<Table, Rows>> = LazyLock::new(|| {
    let tables = [Table::Communes, Table::Districts, Table::EthnicGroups, Table::Provinces];
    let rows = |table: Table| {
        let (text, columns) = table.text();
        let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
        rows.map(|row| (row[0], columns.of(&row))).collect()
    };
    tables.into_iter().map(|table| (table, rows(table))).collect()
});

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 26);

    #[test]
    fn the_tables_are_whole_and_hang_together() {
        let rows = |table: Table| &TABLES[&table];
        let sizes = [Table::Provinces, Table::Districts, Table::Communes, Table::EthnicGroups].map(|t| rows(t).len());
        assert_eq!(sizes, [63, 705, 10_599, 56]);
        assert!(rows(Table::Districts).values().all(|(within, ..)| rows(Table::Provinces).contains_key(within)));
        assert!(rows(Table::Communes).values().all(|(within, ..)| rows(Table::Districts).contains_key(within)));
    }

    #[test]
    fn a_row_is_found_by_its_code_alone() {
        for (table, rows) in TABLES.iter() {
            for (code, row) in rows {
                assert_eq!(embedded(*table, code), Some(*row), "{code}");
            }
            for code in ["", "0", "1", "99", "999", "99999", "000001", "-01", "٣٣٣", "0000x"] {
                assert_eq!(embedded(*table, code), rows.get(code).copied(), "{code}");
            }
        }
        assert_eq!(Digits::of("079".parse().unwrap()).as_str(), "079");
    }

    #[test]
    fn no_name_or_code_is_quoted() {
        for (code, (_, name, _)) in TABLES.values().flatten() {
            assert!(code.bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert!(!name.contains('"'), "{name}");
        }
    }

    #[test]
    fn a_deployment_adds_its_own_province() {
        let code = "003".parse().unwrap();
        assert_eq!(Reference::new(&[]).province(code, TODAY), None);
        let own = Reference::new(&[ExtraProvince { code, name: "Tỉnh Mẫu".into() }]);
        assert_eq!((own.province(code, TODAY), own.is_extra(code)), (Some("Tỉnh Mẫu"), true));
    }
}
