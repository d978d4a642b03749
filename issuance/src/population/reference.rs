//! Provinces, districts, communes and ethnic groups as of November 2021 (`issuance/data/README.md`), and the
//! provinces that a deployment adds.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::LazyLock;

use crypto::identity::{ProvinceCode, ProvinceCodeError};
use serde::{Deserialize, Serialize};

/// The tables that a declaration is checked against.
#[derive(Clone, Debug)]
pub struct Reference {
    extra: HashMap<ProvinceCode, String>,
    state: String,
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

/// What the tables say about a place.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unit<'a> {
    /// Code of the unit that it belongs to; empty for a province.
    pub within: &'a str,
    /// Short name in Vietnamese (`Ba Đình`).
    pub name: &'a str,
}

impl Reference {
    /// The tables with a deployment's own provinces.
    pub fn new(extra: &[ExtraProvince]) -> Self {
        Self { extra: extra.iter().map(|e| (e.code, e.name.clone())).collect(), state: "VNM".to_owned() }
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

    /// A province's name; `None` when no province has this code.
    pub fn province(&self, code: ProvinceCode) -> Option<&str> {
        let embedded = TABLES.provinces.get(code.to_string().as_str()).map(|unit| unit.name);
        embedded.or_else(|| self.extra.get(&code).map(String::as_str))
    }

    /// Whether the province is the deployment's own, so that the district and commune tables cannot speak about it.
    pub fn is_extra(&self, code: ProvinceCode) -> bool {
        self.extra.contains_key(&code)
    }

    /// Whether the tables know the districts and communes of the province.
    pub fn has_units_of(&self, code: ProvinceCode) -> bool {
        TABLES.provinces.contains_key(code.to_string().as_str())
    }

    /// A district (three digits), within its province.
    pub fn district(&self, code: &str) -> Option<Unit<'static>> {
        TABLES.districts.get(code).copied()
    }

    /// A commune (five digits), within its district.
    pub fn commune(&self, code: &str) -> Option<Unit<'static>> {
        TABLES.communes.get(code).copied()
    }

    /// An ethnic group's name by its two digits.
    pub fn ethnic_group(&self, code: &str) -> Option<&'static str> {
        TABLES.ethnic_groups.get(code).map(|unit| unit.name)
    }
}

/// The tables, for those who list them.
#[derive(Clone, Copy, Debug)]
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
    pub within: Option<&'static str>,
    /// Name in Vietnamese.
    pub name_vi: Option<String>,
    /// Name in English, or without marks.
    pub name_en: Option<&'static str>,
}

impl Reference {
    /// Returns the entries of a table, by code; of the provinces, with the deployment's own.
    #[must_use]
    pub fn entries(&self, table: Table) -> Vec<Entry> {
        let (text, within, vi, en) = match table {
            Table::Communes => (COMMUNES, Some(1), Some(2), Some(3)),
            Table::Countries => (COUNTRIES, None, Some(2), Some(1)),
            Table::Districts => (DISTRICTS, Some(1), Some(2), Some(3)),
            Table::EthnicGroups => (ETHNIC_GROUPS, None, Some(1), None),
            Table::Provinces => (PROVINCES, None, Some(1), Some(2)),
            Table::Religions => (RELIGIONS, None, Some(1), Some(2)),
        };
        let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<&'static str>>());
        let mut entries: Vec<_> = rows
            .map(|row| Entry {
                code: row[0].to_owned(),
                within: within.map(|column: usize| row[column]),
                name_vi: vi.map(|column: usize| row[column].to_owned()),
                name_en: en.map(|column: usize| row[column]),
            })
            .collect();
        if let Table::Provinces = table {
            let own = self.extra.iter().map(|(code, name)| (code.to_string(), name));
            let own = own.filter(|(code, _)| !TABLES.provinces.contains_key(code.as_str()));
            entries.extend(own.map(|(code, name)| Entry {
                code,
                within: None,
                name_vi: Some(name.clone()),
                name_en: None,
            }));
        }
        entries.sort_by(|one, other| one.code.cmp(&other.code));
        entries
    }
}

pub(super) const COMMUNES: &str = include_str!("../../data/vn_communes_2021.csv");
const COUNTRIES: &str = include_str!("../../data/countries.csv");
const DISTRICTS: &str = include_str!("../../data/vn_districts_2021.csv");
const ETHNIC_GROUPS: &str = include_str!("../../data/vn_ethnic_groups.csv");
const PROVINCES: &str = include_str!("../../data/vn_provinces.csv");
const RELIGIONS: &str = include_str!("../../data/vn_religions.csv");

struct Tables {
    provinces: HashMap<&'static str, Unit<'static>>,
    districts: HashMap<&'static str, Unit<'static>>,
    communes: HashMap<&'static str, Unit<'static>>,
    ethnic_groups: HashMap<&'static str, Unit<'static>>,
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables {
    // Columns: code, name_vi, …
    provinces: table(PROVINCES, |row| Unit { within: "", name: row[1] }),
    // Columns: code, province_pin_code, name_vi, …
    districts: table(DISTRICTS, |row| Unit { within: row[1], name: row[2] }),
    // Columns: code, district_code, name_vi, …
    communes: table(COMMUNES, |row| Unit { within: row[1], name: row[2] }),
    // Columns: code, name_vi
    ethnic_groups: table(ETHNIC_GROUPS, |row| Unit { within: "", name: row[1] }),
});

/// Reads an embedded table. Its first columns are unquoted (a test holds that), so that its text can
/// be borrowed as it stands.
fn table(text: &'static str, unit: impl Fn(&[&'static str]) -> Unit<'static>) -> HashMap<&'static str, Unit<'static>> {
    let rows = text.lines().skip(1).map(|line| line.split(',').collect::<Vec<_>>());
    rows.map(|row| (row[0], unit(&row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_whole_and_hang_together() {
        let t = &*TABLES;
        let sizes = [t.provinces.len(), t.districts.len(), t.communes.len(), t.ethnic_groups.len()];
        assert_eq!(sizes, [63, 705, 10_599, 56]);
        assert!(t.districts.values().all(|d| t.provinces.contains_key(d.within)));
        assert!(t.communes.values().all(|c| t.districts.contains_key(c.within)));
    }

    #[test]
    fn no_name_or_code_is_quoted() {
        let t = &*TABLES;
        for (code, unit) in t.provinces.iter().chain(&t.districts).chain(&t.communes).chain(&t.ethnic_groups) {
            assert!(code.bytes().all(|b| b.is_ascii_digit()), "{code}");
            assert!(!unit.name.contains('"'), "{}", unit.name);
        }
    }

    #[test]
    fn a_deployment_adds_its_own_province() {
        let code = "003".parse().unwrap();
        assert_eq!(Reference::new(&[]).province(code), None);
        let own = Reference::new(&[ExtraProvince { code, name: "Tỉnh Mẫu".into() }]);
        assert_eq!((own.province(code), own.is_extra(code)), (Some("Tỉnh Mẫu"), true));
    }
}
