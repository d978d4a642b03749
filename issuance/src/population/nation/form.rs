//! Lines of the files: the declaration as an import takes it, and the truth about it.

use std::io::{self, Write};

use serde::Serialize;
use time::Date;

use super::faults::Fault;
use crate::population::import::{Format, csv_field};
use crate::population::model::{Declaration, DeclaredPlace, DeclaredRelative};

/// What one paper form says.
#[derive(Clone, Serialize)]
pub struct Row {
    /// Number of the paper.
    pub form: String,
    /// Day on the paper.
    #[serde(serialize_with = "iso")]
    pub declared_on: Date,
    /// A number for life that the person has already; empty for none.
    pub personal_number: String,
    /// The fields.
    #[serde(flatten)]
    pub declaration: Declaration,
}

/// What is true about a line.
#[derive(Debug, Serialize)]
pub struct Truth {
    /// Line of the file of declarations, from 1; the header of a CSV file is line 1.
    pub line: u64,
    /// The person whom it declares.
    pub person: u64,
    /// The household in which the person lives.
    pub household: u64,
    /// What is wrong with the line.
    pub faults: Vec<Fault>,
    /// The line that declares the same person.
    pub double_of: Option<u64>,
    /// The line of another person who is easily taken for this one.
    pub look_alike_of: Option<u64>,
}

/// Writes the first line of a file, if the format has one.
pub(super) fn header(format: Format, out: &mut impl Write) -> io::Result<()> {
    match format {
        Format::Ndjson => Ok(()),
        Format::Csv => writeln!(out, "{}", columns().join(",")),
    }
}

/// Writes a line.
pub(super) fn line(row: &Row, format: Format, out: &mut Vec<u8>) -> io::Result<()> {
    match format {
        Format::Ndjson => json_line(row, out),
        Format::Csv => {
            csv(row, out);
            Ok(())
        }
    }
}

/// Writes a value as a line of JSON.
pub(super) fn json_line(value: &impl Serialize, out: &mut Vec<u8>) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.push(b'\n');
    Ok(())
}

/// Returns the names of the columns: pointers of the fields with dots.
pub(super) fn columns() -> Vec<String> {
    let mut columns = vec![];
    for name in COLUMNS {
        let parts: &[&str] = match *name {
            "birth_registration"
            | "place_of_origin"
            | "permanent_residence"
            | "temporary_residence"
            | "current_residence" => &["province", "district", "commune", "detail"],
            "father" | "mother" | "spouse" | "representative" | "head_of_household" => {
                &["full_name", "personal_number", "old_id_number", "nationality"]
            }
            _ => {
                columns.push((*name).to_owned());
                continue;
            }
        };
        columns.extend(parts.iter().map(|part| format!("{name}.{part}")));
    }
    columns
}

const COLUMNS: &[&str] = &[
    "form",
    "declared_on",
    "personal_number",
    "full_name",
    "birth_date",
    "sex",
    "birth_registration",
    "place_of_origin",
    "ethnic_group",
    "religion",
    "nationality",
    "marital_status",
    "permanent_residence",
    "temporary_residence",
    "current_residence",
    "blood_group",
    "father",
    "mother",
    "spouse",
    "representative",
    "head_of_household",
    "relation_to_head",
    "died",
    "old_id_number",
    "household_book_number",
];

/// Writes the fields in the order of [`COLUMNS`].
fn csv(row: &Row, out: &mut Vec<u8>) {
    let d = &row.declaration;
    let mut line = Line { out, first: true };
    line.field(&row.form);
    line.field(&row.declared_on.to_string());
    line.field(&row.personal_number);
    line.field(&d.full_name);
    line.field(&d.birth_date);
    line.field(&d.sex);
    line.place(Some(&d.birth_registration));
    line.place(Some(&d.place_of_origin));
    line.field(&d.ethnic_group);
    line.field(&d.religion);
    line.field(&d.nationality);
    line.field(&d.marital_status);
    line.place(d.permanent_residence.as_ref());
    line.place(d.temporary_residence.as_ref());
    line.place(d.current_residence.as_ref());
    line.field(&d.blood_group);
    line.relative(d.father.as_ref());
    line.relative(d.mother.as_ref());
    line.relative(d.spouse.as_ref());
    line.relative(d.representative.as_ref());
    line.relative(d.head_of_household.as_ref());
    line.field(&d.relation_to_head);
    line.field(&d.died);
    line.field(&d.old_id_number);
    line.field(&d.household_book_number);
    line.out.push(b'\n');
}

struct Line<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Line<'_> {
    fn field(&mut self, text: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(csv_field(text).as_bytes());
    }

    fn place(&mut self, place: Option<&DeclaredPlace>) {
        let none = DeclaredPlace::default();
        let place = place.unwrap_or(&none);
        for text in [&place.province, &place.district, &place.commune, &place.detail] {
            self.field(text);
        }
    }

    fn relative(&mut self, relative: Option<&DeclaredRelative>) {
        let none = DeclaredRelative::default();
        let relative = relative.unwrap_or(&none);
        for text in [&relative.full_name, &relative.personal_number, &relative.old_id_number, &relative.nationality] {
            self.field(text);
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn iso<S: serde::Serializer>(on: &Date, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(on)
}
