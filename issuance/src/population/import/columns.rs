//! Which column of a file is which field of a declaration.

use std::borrow::Cow;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error as _, IntoDeserializer as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;

use super::super::history::members;
use super::super::model::{Declaration, DeclaredPlace, DeclaredRelative, Finding};
use super::super::rules;
use super::reader::{RawRow, encoding_of};
use crate::ground::ids::BatchId;

/// A row as it was declared: the form's fields, and what stands beside them in a file.
#[derive(Clone, Default, Deserialize, Serialize)]
pub struct Declared {
    /// Number of the paper form.
    pub form: String,
    /// The day on the form.
    pub declared_on: String,
    /// A number for life that the person has already.
    pub personal_number: String,
    /// The form.
    pub declaration: Declaration,
    /// The file and the line of the row in quarantine in whose place it comes.
    #[serde(skip)]
    replaces: [String; 2],
}

/// Shows nothing: a declaration is personal data.
impl std::fmt::Debug for Declared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Declared(…)")
    }
}

impl Declared {
    /// As one JSON object, with the names of the columns.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut all = members(&self.declaration);
        for (name, text) in BESIDE.into_iter().zip([&self.form, &self.declared_on, &self.personal_number]) {
            all.insert(name.to_owned(), Value::String(text.clone()));
        }
        Value::Object(all)
    }

    /// From one JSON object: the declaration as the API takes it, and what stands beside it.
    ///
    /// # Errors
    /// What is wrong, without any value.
    pub fn from_json(mut all: Map<String, Value>) -> Result<Self, String> {
        let mut declared = Self::default();
        for (name, into) in
            BESIDE.into_iter().zip([&mut declared.form, &mut declared.declared_on, &mut declared.personal_number])
        {
            match all.remove(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => *into = text,
                Some(_) => return Err(format!("`{name}` is no text")),
            }
        }
        declared.declaration = serde_json::from_value(Value::Object(all)).map_err(|error| {
            // The library's words name an unknown field, and else may show the value.
            let said = error.to_string();
            let unknown = said.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
            match unknown {
                Some((name, _)) => format!("no field is called `{}`", name.chars().take(60).collect::<String>()),
                None => "a field has not the type of a declaration's".to_owned(),
            }
        })?;
        Ok(declared)
    }

    /// Puts a text into the field of a column. Returns false if there is none of this name.
    pub fn set(&mut self, column: &str, text: &str) -> bool {
        match known().into_iter().find(|(name, _)| name == column) {
            Some((_, target)) => target.put(self, text),
            None => return false,
        }
        true
    }

    /// The file and the line of the row in quarantine in whose place it comes, as an export names them.
    #[must_use]
    pub fn replaces(&self) -> Option<(BatchId, u64)> {
        let [batch, line] = &self.replaces;
        batch.trim().parse().ok().zip(line.trim().parse().ok())
    }

    /// The fields, each with the name of its column; empty ones are left out.
    #[must_use]
    pub fn by_column(&self) -> Map<String, Value> {
        let mut columns = Map::new();
        if let Value::Object(all) = self.to_json() {
            for (name, value) in all {
                match value {
                    Value::Object(parts) => {
                        columns.extend(parts.into_iter().map(|(part, value)| (format!("{name}.{part}"), value)));
                    }
                    Value::Null => {}
                    value => {
                        columns.insert(name, value);
                    }
                }
            }
        }
        columns.retain(|_, value| value.as_str().is_some_and(|text| !text.is_empty()));
        columns
    }
}

/// What stands beside the fields of the form.
const BESIDE: [&str; 3] = ["form", "declared_on", "personal_number"];

type Of<T> = fn(&mut T) -> &mut String;
type PartOf<T> = fn(&mut Declaration) -> &mut T;

/// Where the text of a column goes.
#[derive(Clone, Copy)]
enum Target {
    Beside(Of<Declared>),
    Text(Of<Declaration>),
    Place(PartOf<DeclaredPlace>, Of<DeclaredPlace>),
    Relative(PartOf<DeclaredRelative>, Of<DeclaredRelative>),
    /// What an export of the quarantine says of a row.
    Ignored,
}

impl Target {
    fn put(self, declared: &mut Declared, text: &str) {
        let into = match self {
            Self::Beside(of) => of(declared),
            Self::Text(of) => of(&mut declared.declaration),
            Self::Place(place, of) => of(place(&mut declared.declaration)),
            Self::Relative(relative, of) => of(relative(&mut declared.declaration)),
            Self::Ignored => return,
        };
        text.clone_into(into);
    }
}

/// Columns of an export of the quarantine, which a file may keep when it is imported again.
pub const OF_QUARANTINE: [&str; 7] = [
    "quarantine.batch",
    "quarantine.line",
    "quarantine.rules",
    "quarantine.says",
    "quarantine.shapes",
    "quarantine.repairs",
    "quarantine.raw",
];

/// The columns of a file, in its order.
#[derive(Clone)]
pub struct Columns(Vec<Target>);

impl std::fmt::Debug for Columns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Columns({})", self.0.len())
    }
}

/// Columns without which no row can become a person.
pub const OBLIGATORY: [&str; 6] =
    ["full_name", "birth_date", "sex", "birth_registration.province", "place_of_origin.province", "ethnic_group"];

const TEXTS: [(&str, Of<Declaration>); 12] = [
    ("full_name", |d| &mut d.full_name),
    ("birth_date", |d| &mut d.birth_date),
    ("sex", |d| &mut d.sex),
    ("ethnic_group", |d| &mut d.ethnic_group),
    ("religion", |d| &mut d.religion),
    ("nationality", |d| &mut d.nationality),
    ("marital_status", |d| &mut d.marital_status),
    ("blood_group", |d| &mut d.blood_group),
    ("relation_to_head", |d| &mut d.relation_to_head),
    ("died", |d| &mut d.died),
    ("old_id_number", |d| &mut d.old_id_number),
    ("household_book_number", |d| &mut d.household_book_number),
];

const PLACES: [(&str, PartOf<DeclaredPlace>); 5] = [
    ("birth_registration", |d| &mut d.birth_registration),
    ("place_of_origin", |d| &mut d.place_of_origin),
    ("permanent_residence", |d| d.permanent_residence.get_or_insert_default()),
    ("temporary_residence", |d| d.temporary_residence.get_or_insert_default()),
    ("current_residence", |d| d.current_residence.get_or_insert_default()),
];

const OF_PLACE: [(&str, Of<DeclaredPlace>); 4] = [
    ("province", |p| &mut p.province),
    ("district", |p| &mut p.district),
    ("commune", |p| &mut p.commune),
    ("detail", |p| &mut p.detail),
];

const RELATIVES: [(&str, PartOf<DeclaredRelative>); 5] = [
    ("father", |d| d.father.get_or_insert_default()),
    ("mother", |d| d.mother.get_or_insert_default()),
    ("spouse", |d| d.spouse.get_or_insert_default()),
    ("representative", |d| d.representative.get_or_insert_default()),
    ("head_of_household", |d| d.head_of_household.get_or_insert_default()),
];

const OF_RELATIVE: [(&str, Of<DeclaredRelative>); 4] = [
    ("full_name", |r| &mut r.full_name),
    ("personal_number", |r| &mut r.personal_number),
    ("old_id_number", |r| &mut r.old_id_number),
    ("nationality", |r| &mut r.nationality),
];

/// All columns that there are.
fn known() -> Vec<(String, Target)> {
    let beside: [Of<Declared>; 3] = [|d| &mut d.form, |d| &mut d.declared_on, |d| &mut d.personal_number];
    let mut known: Vec<_> = BESIDE.into_iter().zip(beside).map(|(n, of)| (n.to_owned(), Target::Beside(of))).collect();
    known.extend(TEXTS.iter().map(|(name, of)| ((*name).to_owned(), Target::Text(*of))));
    for (name, place) in PLACES {
        known.extend(OF_PLACE.iter().map(|(part, of)| (format!("{name}.{part}"), Target::Place(place, *of))));
    }
    for (name, relative) in RELATIVES {
        known.extend(OF_RELATIVE.iter().map(|(part, of)| (format!("{name}.{part}"), Target::Relative(relative, *of))));
    }
    known
}

/// Returns the names of all columns.
#[must_use]
pub fn names() -> Vec<String> {
    known().into_iter().map(|(name, _)| name).collect()
}

/// Why the first line is no header.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum HeaderError {
    /// A column that no file has.
    #[error("the header has a column `{name}`, which does not exist{}", nearest.as_ref().map_or(String::new(), |near| format!(": `{near}` is meant?")))]
    Unknown {
        /// As written.
        name: String,
        /// The one that is likely meant.
        nearest: Option<String>,
    },
    /// A column that no file has, and whose name may be a value: the file may have no header.
    #[error("column {0} of the first line has a name that no column has: a file begins with a header")]
    UnknownAt(usize),
    /// A column that every file has.
    #[error("the header lacks the column {}", .0.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))]
    Lacks(Vec<&'static str>),
    /// A column twice.
    #[error("the header has the column `{0}` twice")]
    Twice(String),
    /// It cannot be read.
    #[error("the header cannot be read: {0}")]
    Unreadable(String),
    /// It has another separator.
    #[error("the header has no comma: fields are separated by commas, not by semicolons or tabulators")]
    NoComma,
    /// There is no line.
    #[error("the file is empty")]
    Empty,
}

impl Columns {
    /// Reads the header.
    ///
    /// # Errors
    /// [`HeaderError`]
    pub fn of_header(header: Option<&RawRow>) -> Result<Self, HeaderError> {
        let header = header.ok_or(HeaderError::Empty)?;
        if let Some(fault) = header.faults.first() {
            return Err(HeaderError::Unreadable(fault.message.clone()));
        }
        if header.count() == 1 && header.field(0).contains([';', '\t']) {
            return Err(HeaderError::NoComma);
        }
        let mut known = known();
        let replaces: [Of<Declared>; 2] = [|d| &mut d.replaces[0], |d| &mut d.replaces[1]];
        let targets = replaces.into_iter().map(Target::Beside).chain(std::iter::repeat(Target::Ignored));
        known.extend(OF_QUARANTINE.iter().zip(targets).map(|(name, target)| ((*name).to_owned(), target)));
        let (mut columns, mut names) = (Vec::new(), Vec::new());
        for number in 0..header.count() {
            let name = header.field(number).trim();
            let Some((name, target)) = known.iter().find(|(one, _)| one == name) else {
                let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
                let near = known.iter().map(|(one, _)| (strsim::jaro_winkler(one, &shown.to_lowercase()), one));
                let near = near.max_by(|one, other| one.0.total_cmp(&other.0)).filter(|(score, _)| *score > 0.75);
                // Of a file without a header this is what a citizen declared.
                if near.is_none() && !shown.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.')) {
                    return Err(HeaderError::UnknownAt(number + 1));
                }
                return Err(HeaderError::Unknown { name: shown, nearest: near.map(|(_, name)| name.clone()) });
            };
            if names.contains(&name) {
                return Err(HeaderError::Twice(name.clone()));
            }
            names.push(name);
            columns.push(*target);
        }
        let lacks: Vec<_> = OBLIGATORY.into_iter().filter(|name| !names.iter().any(|one| one == name)).collect();
        if lacks.is_empty() { Ok(Self(columns)) } else { Err(HeaderError::Lacks(lacks)) }
    }

    /// Reads a row, as far as it can be read.
    #[must_use]
    pub fn declared(&self, row: &mut RawRow) -> Declared {
        let mut declared = Declared::default();
        if row.count() != self.0.len() && row.faults.is_empty() {
            let says = format!("{}: {} fields, the header has {}", row.at.named(), row.count(), self.0.len());
            row.faults.push(Finding::new(rules::COLUMNS_DIFFER, "", says));
        }
        for (number, target) in self.0.iter().enumerate() {
            let text = row.field(number);
            // An empty field of a place or a relative makes none.
            if text.is_empty() {
                continue;
            }
            target.put(&mut declared, text);
        }
        declared
    }
}

/// Reads a line of JSON, as far as it can be read.
pub(in crate::population) fn of_json(row: &mut RawRow) -> Declared {
    if !row.faults.is_empty() {
        return Declared::default();
    }
    let text = row.field(0);
    let nul = crate::ground::text::holds_nul(text.as_bytes());
    match serde_json::from_str::<Line>(text) {
        Ok(Line(declared)) if !nul => return declared,
        // Read once more, so that what is wrong is named.
        _ => {}
    }
    let parsed = serde_json::from_str::<Map<String, Value>>(text);
    let parsed = parsed.map_err(|error| format!("no JSON object, at character {}", error.column()));
    if let (Ok(_), Err(error)) = (&parsed, serde_json::from_str::<Once>(text)) {
        let says = format!("{}: {}", row.at.named(), error.to_string().split(" at line ").next().unwrap_or_default());
        row.faults.push(Finding::new(rules::JSON_KEY_TWICE, "", says));
        return Declared::default();
    }
    match parsed.and_then(Declared::from_json) {
        Ok(declared) if !nul => declared,
        Ok(_) => {
            row.faults.push(Finding::new(rules::BYTE_NUL, "", format!("{}: a text holds U+0000", row.at.named())));
            Declared::default()
        }
        Err(says) => {
            row.faults.push(Finding::new(rules::JSON_MALFORMED, "", format!("{}: {says}", row.at.named())));
            Declared::default()
        }
    }
}

/// Any JSON in which no object has a key twice: which of two values is meant is not known.
struct Once;

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = Self;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self, A::Error> {
        while items.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Self, A::Error> {
        let mut names: Vec<String> = Vec::with_capacity(32);
        while let Some(name) = fields.next_key::<String>()? {
            if names.contains(&name) {
                let name: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
                return Err(serde::de::Error::custom(format_args!("the field `{name}` stands twice")));
            }
            names.push(name);
            fields.next_value::<Self>()?;
        }
        Ok(self)
    }
}

/// A line of JSON as a declaration, read without making values of it: what stands beside the fields of the form is
/// taken out, and all else goes to [`Declaration`].
struct Line(Declared);

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LineVisitor)
    }
}

struct LineVisitor;

impl<'de> Visitor<'de> for LineVisitor {
    type Value = Line;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Line, A::Error> {
        let mut beside: [String; 3] = Default::default();
        let fields = Fields { map, beside: &mut beside, met: [false; 3] };
        let declaration = Declaration::deserialize(MapAccessDeserializer::new(fields))?;
        let [form, declared_on, personal_number] = beside;
        Ok(Line(Declared { form, declared_on, personal_number, replaces: Default::default(), declaration }))
    }
}

/// The fields of an object without those of [`BESIDE`], which are put aside.
struct Fields<'a, A> {
    map: A,
    beside: &'a mut [String; 3],
    met: [bool; 3],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Fields<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(name) = self.map.next_key::<Cow<'de, str>>()? {
            match BESIDE.iter().position(|beside| *beside == name) {
                None => return seed.deserialize(name.into_deserializer()).map(Some),
                Some(at) if self.met[at] => return Err(A::Error::duplicate_field(BESIDE[at])),
                Some(at) => {
                    self.beside[at] = self.map.next_value::<Option<String>>()?.unwrap_or_default();
                    self.met[at] = true;
                }
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

/// Says why a file that begins with these bytes is no text.
pub(super) fn no_text(begins: &[u8]) -> Option<&'static str> {
    let utf16 = begins.starts_with(&[0xff, 0xfe]) || begins.starts_with(&[0xfe, 0xff]);
    let packed = begins.starts_with(b"PK\x03\x04") || begins.starts_with(&[0x1f, 0x8b]);
    if packed {
        return Some("a packed file or a table calculation: unpack it, or save it as CSV in UTF-8");
    }
    utf16.then(|| encoding_of(begins, 0))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::super::reader::{Format, Position, Rows};
    use super::*;

    fn read(text: &str) -> Result<Vec<(Declared, Vec<Finding>)>, HeaderError> {
        let mut rows = Rows::new(text.as_bytes(), Format::Csv, Position { line: 1, byte: 0 }, Sha256::new());
        let columns = Columns::of_header(rows.next_row().unwrap().as_ref())?;
        let mut read = vec![];
        while let Some(mut row) = rows.next_row().unwrap() {
            read.push((columns.declared(&mut row), row.faults));
        }
        Ok(read)
    }

    #[test]
    fn each_column_is_the_field_of_its_name() {
        let names = names();
        assert_eq!(names.len(), 55);
        let values: Vec<_> = (0..names.len()).map(|number| format!("v{number}")).collect();
        let text = format!("\u{feff}{}\n{}\n", names.join(","), values.join(","));
        let (declared, faults) = read(&text).unwrap().remove(0);
        assert!(faults.is_empty());
        let by_column = declared.by_column();
        assert_eq!(by_column.len(), names.len());
        for (name, value) in names.iter().zip(&values) {
            assert_eq!(by_column[name], Value::String(value.clone()), "{name}");
        }
        let again = Declared::from_json(declared.to_json().as_object().unwrap().clone()).unwrap();
        assert_eq!(again.by_column(), by_column);
    }

    #[test]
    fn a_line_of_json_is_read_as_its_values_are() {
        let whole = "{\"form\": \"7\", \"full_name\": \"a\", \"declared_on\": null, \"father\": {\"full_name\": \"b\"},
                      \"mother\": null, \"personal_number\": \"c\", \"permanent_residence\": {\"province\": \"001\"}}";
        for text in [whole, "{}", "{\"form\": \"\\u0041\", \"sex\": \"\\u0042\"}"] {
            let line = serde_json::from_str::<Line>(text).unwrap().0;
            let values = Declared::from_json(serde_json::from_str(text).unwrap()).unwrap();
            assert_eq!(line.to_json(), values.to_json());
        }
        for text in ["{\"form\": 7}", "{\"full_nam\": \"x\"}", "{\"sex\": null}", "[]", "{\"father\": {\"x\": \"y\"}}"]
        {
            assert!(serde_json::from_str::<Line>(text).is_err(), "{text}");
            let values = serde_json::from_str(text).map_err(|e| e.to_string()).and_then(Declared::from_json);
            assert!(values.is_err(), "{text}");
        }
        assert!(serde_json::from_str::<Line>("{\"form\": \"a\", \"form\": \"b\"}").is_err(), "a name twice");
    }

    #[test]
    fn a_header_that_is_none_is_named() {
        let all = OBLIGATORY.join(",");
        let cases = [
            ("", "the file is empty"),
            ("full_name,birth_date\n", "the header lacks the column `sex`, `birth_registration.province`"),
            ("full_nam,birth_date\n", "a column `full_nam`, which does not exist: `full_name` is meant?"),
            ("FULL_NAME,birth_date\n", "`full_name` is meant?"),
            ("full_name,full_name\n", "the column `full_name` twice"),
            ("full_name;birth_date\n", "not by semicolons"),
            ("full_name,shoe_size\n", "a column `shoe_size`, which does not exist"),
            ("7,2026-01-05,,Nguyễn An\n", "column 1 of the first line"),
            ("\u{feff}Nguyễn An,05/01/1980\n", "column 1 of the first line"),
        ];
        for (text, says) in cases {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(says) && !error.contains("Nguyễn"), "{error}");
        }
        let (_, faults) = read(&format!("{all}\na,b,c\n")).unwrap().remove(0);
        assert_eq!(faults[0].code, "columns-differ");
    }
}
