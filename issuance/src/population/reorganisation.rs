//! What changed in the tables of places and ethnic groups after November 2021: files that say, row by row, which unit
//! is new, has another name or another superior, or went into another one, each from a day on.
//!
//! ```text
//! table,code,valid_from,within,name_vi,name_en,successor
//! communes,99001,2027-07-01,001,Phường Mẫu,Mau,            a new commune, or another name or district of one
//! communes,00001,2027-07-01,,,,99001                       ends on that day; 99001 took its place
//! ```

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

use crypto::identity::{Date as WrittenDate, canonical_spelling};
use thiserror::Error;
use time::Date;

use super::reference::{Table, embedded};

/// What a table says of one code for some time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Version {
    /// First day; `None` for what stands in the tables of 2021.
    pub from: Option<Date>,
    /// The first day on which it is no longer so.
    pub until: Option<Date>,
    /// Code of the unit that it belongs to; empty for provinces and ethnic groups.
    pub within: String,
    /// Name in Vietnamese.
    pub name_vi: String,
    /// Name in English, or without marks.
    pub name_en: Option<String>,
    /// The code that took its place.
    pub successor: Option<String>,
}

impl Version {
    /// True if it is so on this day.
    #[must_use]
    pub fn on(&self, day: Date) -> bool {
        self.begun(day) && self.until.is_none_or(|until| day < until)
    }

    /// True if it was so on this day or before.
    #[must_use]
    pub fn begun(&self, day: Date) -> bool {
        self.from.is_none_or(|from| from <= day)
    }
}

/// The codes that changed, each with its versions in the order of time. All other codes are those of 2021.
pub type Changes = HashMap<(Table, String), Vec<Version>>;

/// Reads every `.csv` file of a folder.
///
/// # Errors
/// [`TablesError`] with file, line and what is wrong with it.
pub fn read_folder(folder: &Path) -> Result<Changes, TablesError> {
    let unreadable = |error: std::io::Error| TablesError::Unreadable(folder.to_owned(), error.to_string());
    let mut files = vec![];
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "csv") {
            files.push(path);
        }
    }
    files.sort();
    let mut rows = vec![];
    for path in files {
        let text =
            fs::read_to_string(&path).map_err(|error| TablesError::Unreadable(path.clone(), error.to_string()))?;
        rows.extend(parse(&path, &text)?);
    }
    applied(rows)
}

/// One row of a file.
#[derive(Debug)]
struct Row {
    at: (PathBuf, usize),
    table: Table,
    code: String,
    from: Date,
    becomes: Becomes,
}

#[derive(Debug)]
enum Becomes {
    Version { within: String, name_vi: String, name_en: Option<String> },
    PartOf(String),
}

impl Row {
    fn wrong(&self, what: impl Into<String>) -> TablesError {
        let (path, line) = &self.at;
        TablesError::Row { path: path.clone(), line: *line, what: what.into() }
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<Row>, TablesError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wrong = |line: usize, what: &str| TablesError::Row { path: path.to_owned(), line, what: what.to_owned() };
    let mut lines = text.lines().map(|line| line.trim_end_matches('\r')).zip(1..);
    if lines.next().is_none_or(|(header, _)| header != HEADER) {
        return Err(wrong(1, &format!("the first line is `{HEADER}`")));
    }
    let mut rows = vec![];
    for (text, line) in lines.filter(|(text, _)| !text.trim().is_empty()) {
        let wrong = |what: &str| wrong(line, what);
        if text.contains('"') {
            return Err(wrong("no field is quoted: names have neither comma nor quotation mark"));
        }
        let [table, code, from, within, name_vi, name_en, successor] = text.split(',').collect::<Vec<_>>()[..] else {
            return Err(wrong("seven fields are needed, with commas between"));
        };
        let (table, digits) = match table {
            "communes" => (Table::Communes, 5),
            "districts" => (Table::Districts, 3),
            "ethnic-groups" => (Table::EthnicGroups, 2),
            "provinces" => (Table::Provinces, 3),
            _ => return Err(wrong("the table is `communes`, `districts`, `provinces` or `ethnic-groups`")),
        };
        let is_code = |code: &str, digits: usize| code.len() == digits && code.bytes().all(|b| b.is_ascii_digit());
        if !is_code(code, digits) || !(successor.is_empty() || is_code(successor, digits)) {
            return Err(wrong(&format!("a code of this table has {digits} digits")));
        }
        let from = from.parse::<WrittenDate>().ok().and_then(WrittenDate::full);
        let from = from.ok_or_else(|| wrong("`valid_from` is a day, yyyy-MM-dd"))?;
        let becomes = if successor.is_empty() {
            if name_vi.trim().is_empty() {
                return Err(wrong("give `name_vi`, or the `successor` of a unit that ends"));
            }
            if within.is_empty() == matches!(table, Table::Communes | Table::Districts) {
                return Err(wrong("`within` is the province of a district, the district of a commune, else empty"));
            }
            let name_en = Some(name_en.trim().to_owned()).filter(|name| !name.is_empty());
            Becomes::Version { within: within.to_owned(), name_vi: canonical_spelling(name_vi), name_en }
        } else {
            if !(within.is_empty() && name_vi.is_empty() && name_en.is_empty()) || successor == code {
                return Err(wrong("a unit that ends has no name, and another successor than itself"));
            }
            Becomes::PartOf(successor.to_owned())
        };
        rows.push(Row { at: (path.to_owned(), line), table, code: code.to_owned(), from, becomes });
    }
    Ok(rows)
}

/// Puts the rows into the order of time and over the tables of 2021.
fn applied(mut rows: Vec<Row>) -> Result<Changes, TablesError> {
    rows.sort_by_key(|row| row.from);
    let mut changes = Changes::new();
    for row in &rows {
        let versions = changes.entry((row.table, row.code.clone())).or_insert_with(|| {
            let known = embedded(row.table, &row.code);
            known.map(|(within, name_vi, name_en)| of_2021(within, name_vi, name_en)).into_iter().collect()
        });
        let last = versions.last_mut();
        if last.as_ref().is_some_and(|last| last.from.is_some_and(|from| from >= row.from)) {
            return Err(row.wrong("the code has another row of this day"));
        }
        if last.as_ref().is_some_and(|last| last.until.is_some()) {
            return Err(row.wrong("the code ended before: no code is given again"));
        }
        match (&row.becomes, last) {
            (Becomes::PartOf(_), None) => return Err(row.wrong("no unit with this code is there to end")),
            (Becomes::PartOf(successor), Some(last)) => {
                (last.until, last.successor) = (Some(row.from), Some(successor.clone()));
            }
            (Becomes::Version { within, name_vi, name_en }, last) => {
                if let Some(last) = last {
                    last.until = Some(row.from);
                }
                versions.push(Version {
                    from: Some(row.from),
                    until: None,
                    within: within.clone(),
                    name_vi: name_vi.clone(),
                    name_en: name_en.clone(),
                    successor: None,
                });
            }
        }
    }
    whole(&rows, &changes)?;
    Ok(changes)
}

/// Refuses tables that do not hang together on a day on which something changes.
fn whole(rows: &[Row], changes: &Changes) -> Result<(), TablesError> {
    let is_there = |table: Table, code: &str, day: Date| match changes.get(&(table, code.to_owned())) {
        Some(versions) => versions.iter().any(|version| version.on(day)),
        None => embedded(table, code).is_some(),
    };
    let above = |table: Table| match table {
        Table::Communes => Some(Table::Districts),
        Table::Districts => Some(Table::Provinces),
        _ => None,
    };
    for row in rows {
        let missing = match &row.becomes {
            Becomes::PartOf(successor) => !is_there(row.table, successor, row.from),
            Becomes::Version { within, .. } => above(row.table).is_some_and(|table| !is_there(table, within, row.from)),
        };
        if missing {
            return Err(row.wrong("the successor, or the unit that it belongs to, is not there on this day"));
        }
        // What ends leaves nothing behind in it.
        let (Becomes::PartOf(_), below) = (&row.becomes, row.table.below()) else { continue };
        let Some(below) = below else { continue };
        let untouched =
            super::reference::within(below, &row.code).find(|code| !changes.contains_key(&(below, (*code).to_owned())));
        let touched = changes.iter().find(|((table, _), versions)| {
            *table == below && versions.iter().any(|version| version.on(row.from) && version.within == row.code)
        });
        if let Some(left) = untouched.or_else(|| touched.map(|((_, code), _)| code.as_str())) {
            return Err(row.wrong(format!("`{left}` still belongs to it on this day")));
        }
    }
    Ok(())
}

fn of_2021(within: &str, name_vi: &str, name_en: Option<&str>) -> Version {
    Version {
        from: None,
        until: None,
        within: within.to_owned(),
        name_vi: name_vi.to_owned(),
        name_en: name_en.map(str::to_owned),
        successor: None,
    }
}

/// Returns the days on which something changes, in their order.
#[must_use]
pub fn days(changes: &Changes) -> BTreeSet<Date> {
    changes.values().flatten().flat_map(|version| [version.from, version.until]).flatten().collect()
}

const HEADER: &str = "table,code,valid_from,within,name_vi,name_en,successor";

/// What is wrong with a folder of tables.
#[derive(Debug, Error)]
pub enum TablesError {
    /// A row.
    #[error("{}:{line}: {what}", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Its line, from 1.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// The folder or a file.
    #[error("{}: {}", .0.display(), .1)]
    Unreadable(PathBuf, String),
}

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;

    fn read(rows: &str) -> Result<Changes, String> {
        parse(Path::new("invented.csv"), &format!("{HEADER}\n{rows}"))
            .and_then(applied)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_commune_goes_into_a_new_one_from_a_day_on() {
        let changes = read(
            "communes,00001,2027-07-01,,,,99001\ncommunes,00004,2027-07-01,,,,99001\n\
             communes,99001,2027-07-01,001,Phường Mẫu,Mau,\r\n",
        )
        .unwrap();
        let before = &changes[&(Table::Communes, "00001".to_owned())];
        assert_eq!((before[0].until, before[0].successor.as_deref()), (Some(date!(2027 - 07 - 01)), Some("99001")));
        assert!(before[0].on(date!(2027 - 06 - 30)) && !before[0].on(date!(2027 - 07 - 01)));
        let new = &changes[&(Table::Communes, "99001".to_owned())];
        assert!(!new[0].on(date!(2027 - 06 - 30)) && new[0].on(date!(2027 - 07 - 01)));
        assert_eq!(days(&changes).into_iter().collect::<Vec<_>>(), [date!(2027 - 07 - 01)]);
    }

    #[test]
    fn what_does_not_hang_together_is_refused_with_its_line() {
        for (rows, says) in [
            ("communes,00001,2027-07-01,,,,99001", "invented.csv:2: the successor"),
            ("communes,99001,2027-07-01,999,Mẫu,,", "the unit that it belongs to, is not there"),
            ("districts,001,2027-07-01,,,,002", "still belongs to it"),
            ("communes,99009,2027-07-01,,,,00001", "no unit with this code"),
            ("communes,00001,2027-07-01,001,Mẫu,,\ncommunes,00001,2027-07-01,001,Khác,,", "another row of this day"),
            ("communes,00001,2027-07-01,,,,00004\ncommunes,00001,2028-07-01,001,Mẫu,,", "no code is given again"),
            ("communes,00001,2027-07-01,,,,00001", "another successor than itself"),
            ("communes,1,2027-07-01,001,Mẫu,,", "5 digits"),
            ("communes,00001,2027,001,Mẫu,,", "`valid_from` is a day"),
            ("communes,00001,2027-07-01,001,,,", "give `name_vi`"),
            ("communes,00001,2027-07-01,,Mẫu,,", "`within` is"),
            ("streets,00001,2027-07-01,,Mẫu,,", "the table is"),
            ("communes,00001,2027-07-01,001,\"Mẫu\",,", "no field is quoted"),
            ("communes,00001", "seven fields"),
        ] {
            let refused = read(rows).unwrap_err();
            assert!(refused.contains(says), "{rows}: {refused}");
        }
        assert!(parse(Path::new("x.csv"), "code,name\n").unwrap_err().to_string().starts_with("x.csv:1: "));
    }
}
