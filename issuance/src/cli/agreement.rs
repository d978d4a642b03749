//! `issuance agreement`

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::confirm::confirm;
use super::partner::partner_id;
use super::remote::{RemoteError, SignedIn, Signing, none, read, tampered, word};
use super::{Outcome, output};
use crate::exchange::{Dimension, Grant, Service};

/// What a partner may ask, for officers of the national office: drafted by one, signed by two, one of them a data
/// protection officer.
///
/// It asks a running service, as the officer who signs in.
#[derive(Args)]
pub(super) struct AgreementCommand {
    #[command(flatten)]
    signing: Signing,
    #[command(subcommand)]
    act: Act,
}

#[derive(Subcommand)]
enum Act {
    /// Shows a file of terms, to begin with.
    Example,
    /// Drafts an agreement with the terms of a file (TOML, see `example`). Nothing may be asked by it until both
    /// signatures are there.
    Draft {
        /// The file.
        file: PathBuf,
    },
    /// Lists the agreements: number, state, partner, until when, grants.
    List {
        /// Those of this partner only: its code or its identifier.
        #[arg(long)]
        partner: Option<String>,
        /// As one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Shows an agreement as who signs it reads it: what may be asked, why, about whom, how often, and what is told.
    Show {
        /// Its number, or its identifier.
        agreement: String,
        /// As one JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Signs an agreement, after it was shown: a data protection officer for the persons, another officer for the
    /// register.
    Sign {
        /// Its number, or its identifier.
        agreement: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Ends an agreement: what it allowed is refused from now on.
    End {
        /// Its number, or its identifier.
        agreement: String,
        /// Why, for the trail.
        #[arg(long, value_name = "WORDS")]
        because: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
}

impl AgreementCommand {
    pub(super) fn run(self) -> Outcome {
        match &self.act {
            Act::Example => return Ok(output::line(format_args!("{}", EXAMPLE.trim_end()))?),
            Act::End { agreement, yes, .. } => {
                confirm(&format!("Agreement {agreement} ends for good; what it allowed is refused."), *yes)?;
            }
            _ => {}
        }
        act(&self.signing, self.act)
    }
}

fn act(signing: &Signing, act: Act) -> Outcome {
    match act {
        Act::Example => {}
        Act::Draft { file } => {
            let terms = Terms::of(&file)?;
            let office = signing.sign_in()?;
            let drafted = office.post("agreements", &terms.body(&partner_id(&office, &terms.partner)?))?;
            let number = word(&drafted, "number");
            output::line(format_args!(
                "Drafted. An administrator and a data protection officer sign it: issuance agreement sign {number}"
            ))?;
        }
        Act::List { partner, json } => {
            let office = signing.sign_in()?;
            let path = match partner {
                Some(partner) => format!("agreements?partner={}", partner_id(&office, &partner)?),
                None => "agreements".to_owned(),
            };
            let agreements = office.list(&path)?;
            if json {
                return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&agreements)?))?);
            }
            let partners = office.list("partners")?;
            for one in &agreements {
                let of = partners.iter().find(|partner| partner["id"] == one["partner_id"]);
                let code = of.map_or("?", |partner| word(partner, "code"));
                let [number, state, until] = ["number", "state", "valid_to"].map(|member| word(one, member));
                let grants = one["grants"].as_array().map_or(0, Vec::len);
                output::line(format_args!(
                    "{number}\t{state}\t{code}\tuntil {until}\t{grants} grants{}",
                    tampered(one)
                ))?;
            }
        }
        Act::Show { agreement, json } => {
            let office = signing.sign_in()?;
            let one = office.get(&format!("agreements/{}", agreement_id(&office, &agreement)?))?;
            if json {
                return Ok(output::line(format_args!("{}", serde_json::to_string_pretty(&one)?))?);
            }
            output::line(format_args!("{}", sheet(&office, &one)?.trim_end()))?;
        }
        Act::Sign { agreement, yes } => {
            let office = signing.sign_in()?;
            let id = agreement_id(&office, &agreement)?;
            let one = office.get(&format!("agreements/{id}"))?;
            // What cannot be signed is refused by the service, and not shown as if it could.
            if word(&one, "state") == "drafted" {
                confirm(&format!("{}\nYou sign this.", sheet(&office, &one)?), yes)?;
            }
            let signed = office.post(&format!("agreements/{id}/signature"), &json!({}))?;
            output::line(format_args!("{}\t{}", word(&signed, "number"), word(&signed, "state")))?;
        }
        Act::End { agreement, because, .. } => {
            let office = signing.sign_in()?;
            let id = agreement_id(&office, &agreement)?;
            let ended = office.post(&format!("agreements/{id}/end"), &json!({"reason": because}))?;
            output::line(format_args!("{}\t{}", word(&ended, "number"), word(&ended, "state")))?;
        }
    }
    Ok(())
}

/// The terms of a file: what is wrong in it is told with its line.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    partner: String,
    number: String,
    basis: String,
    valid_from: toml::value::Datetime,
    valid_to: toml::value::Datetime,
    kept_days: u32,
    grants: Vec<Grant>,
}

impl Terms {
    /// Reads a file.
    fn of(file: &Path) -> Result<Self, RemoteError> {
        let unfit = |why: String| RemoteError::Unfit(file.to_owned(), why);
        let text = String::from_utf8(read(file)?).map_err(|_| unfit("it is not UTF-8: save it as UTF-8".to_owned()))?;
        let text = text.trim_start_matches('\u{feff}');
        let terms: Self = toml::from_str(text).map_err(|error| unfit(error.to_string()))?;
        for (name, at) in [("valid_from", terms.valid_from), ("valid_to", terms.valid_to)] {
            if at.offset.is_none() {
                let why =
                    format!("{name} has no time, or does not say how far it is from UTC: 2026-12-01T00:00:00+07:00");
                return Err(unfit(why));
            }
        }
        // Without the line the grant is for the whole country: an empty one was meant otherwise.
        let table: toml::Table = toml::from_str(text).map_err(|error| unfit(error.to_string()))?;
        let grants = table["grants"].as_array().into_iter().flatten();
        let empty =
            |grant: &toml::Value| grant.get("provinces").is_some_and(|all| all.as_array().is_some_and(Vec::is_empty));
        if grants.into_iter().any(empty) {
            return Err(unfit("provinces = []: name some, or leave the line out for the whole country".to_owned()));
        }
        Ok(terms)
    }

    /// As the service takes them.
    fn body(&self, partner: &str) -> Value {
        let Self { number, basis, valid_from, valid_to, kept_days, grants, .. } = self;
        json!({"partner_id": partner, "number": number, "basis": basis, "valid_from": valid_from.to_string(),
            "valid_to": valid_to.to_string(), "kept_days": kept_days, "grants": grants})
    }
}

fn agreement_id(office: &SignedIn, named: &str) -> Result<String, RemoteError> {
    if named.parse::<Uuid>().is_ok() {
        return Ok(named.to_owned());
    }
    let found = office.list("agreements")?.into_iter().find(|one| word(one, "number") == named);
    found.map(|one| word(&one, "id").to_owned()).ok_or_else(|| none("agreement-unknown", "agreement", named))
}

/// Puts an agreement into words for those who sign it: what of the register it opens.
fn sheet(office: &SignedIn, agreement: &Value) -> Result<String, RemoteError> {
    let partner = office.get(&format!("partners/{}", word(agreement, "partner_id")))?;
    let purposes = office.get("exchange-purposes")?;
    let of = |member| word(&partner["partner"], member);
    let said = |member| word(agreement, member);
    let mut text = format!(
        "Agreement {}{}\npartner: {} ({}), {}\nstate: {}\nlegal basis: {}\nfrom {} until before {}\nanswers are kept for {} days\nsigned for the register: {}, for the persons: {}\n",
        said("number"),
        tampered(agreement),
        of("name"),
        of("code"),
        of("unit"),
        said("state"),
        said("basis"),
        said("valid_from"),
        said("valid_to"),
        agreement["kept_days"],
        yes_or_no(&agreement["signed_by"]),
        yes_or_no(&agreement["protected_by"]),
    );
    for (n, grant) in agreement["grants"].as_array().into_iter().flatten().enumerate() {
        let code = word(grant, "purpose");
        let mut all = purposes["purposes"].as_array().into_iter().flatten();
        let purpose = all.find(|one| word(one, "code") == code).cloned().unwrap_or_default();
        let (service, name, law) = (word(grant, "service"), word(&purpose, "name_en"), word(&purpose, "law"));
        text.push_str(&in_words(&format!("{}. {service} for {code}: {name}, {law}", n + 1), grant));
    }
    Ok(text)
}

fn yes_or_no(by: &Value) -> &'static str {
    if by.is_null() { "no" } else { "yes" }
}

fn in_words(title: &str, grant: &Value) -> String {
    let words = |member: &str| -> Vec<&str> {
        grant[member].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    };
    let fields = words("fields");
    let service: Option<Service> = word(grant, "service").parse().ok();
    let of = service.map(|service| format!(" of the {} that the service has", service.fields().len()));
    let about = match words("provinces")[..] {
        [] => "the whole country".to_owned(),
        ref provinces => format!("the provinces {}", provinces.join(", ")),
    };
    let at = match grant["hours"].as_object() {
        Some(hours) => {
            let (from, to, days) = (&hours["from"], &hours["to"], &hours["days"]);
            format!("from {from} to {to} o'clock on the days {days} (Monday is 1)")
        }
        None => "at every hour".to_owned(),
    };
    let mut lines = vec![format!("\n{title}")];
    if service == Some(Service::Statistics) {
        let (by, all) = (words("dimensions"), Dimension::ALL.len());
        lines.push(format!("   counts by {} of the {all} dimensions: {}", by.len(), by.join(", ")));
        if let Some(least) = grant["small_cell"].as_u64() {
            lines.push(format!("   a count below {least} is not told"));
        }
    } else {
        lines.push(format!("   fields: {}: {}{}", fields.len(), fields.join(", "), of.unwrap_or_default()));
    }
    let what = if service == Some(Service::Statistics) { "questions" } else { "persons" };
    lines.push(format!("   about: residents of {about}"));
    lines.push(format!("   at most {} {what} a day, {at}", grant["per_day"]));
    let procedures = words("procedures");
    if !procedures.is_empty() {
        lines.push(format!("   messages without a purpose, of the procedures {}", procedures.join(", ")));
    }
    if grant["tells_which"] == json!(true) {
        lines.push("   a confirmation says which field differs".to_owned());
    }
    if grant["number_alone"] == json!(true) {
        lines.push("   the number alone names a person, without full name and date of birth".to_owned());
    }
    if grant["births"] == json!(true) {
        lines.push("   each birth that is registered is told".to_owned());
    }
    lines.join("\n") + "\n"
}

/// A file of terms.
const EXAMPLE: &str = r#"# Terms of an agreement: `issuance agreement draft FILE`.
# The partner's code (`issuance partner list`), and the number by which both sides call the agreement.
partner = "p-finance"
number = "TT-2026-0001"
basis = "Decree 47/2020/NĐ-CP, Art. 5"
# In force from the first moment until before the second, at most five years.
valid_from = 2026-12-01T00:00:00+07:00
valid_to = 2027-12-01T00:00:00+07:00
# Signed answers are kept for so many days.
kept_days = 90

# What may be asked: a service for a purpose (`issuance purpose list`), with the fields that are told.
[[grants]]
purpose = "tax-number"
service = "confirm"
fields = ["full_name", "birth_date"]
per_day = 20000
# Residents of these provinces only; without the line, of the whole country.
provinces = ["001"]
# Only from 7 to 17 o'clock, Monday (1) to Friday (5); without the line, always.
hours = { from = 7, to = 17, days = [1, 2, 3, 4, 5] }

# Counts of persons, without any person: what they are counted by, in place of fields.
# [[grants]]
# purpose = "official-statistics"
# service = "statistics"
# dimensions = ["province", "district", "age_group", "sex"]
# small_cell = 20
# per_day = 200
"#;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_has_terms_that_the_service_takes_and_what_is_wrong_is_told_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("terms.toml");
        let read = |text: &str| {
            std::fs::write(&file, text).unwrap();
            Terms::of(&file).map(|terms| terms.body("p")).map_err(|error| error.to_string())
        };
        let body = read(EXAMPLE).unwrap();
        assert_eq!(body["valid_from"], json!("2026-12-01T00:00:00+07:00"));
        let words = in_words("1.", &body["grants"][0]);
        for said in ["2: birth_date, full_name of the 7", "provinces 001", "20000 persons", "from 7 to 17"] {
            assert!(words.contains(said), "{said}: {words}");
        }
        for (from, to, why) in [
            ("partner = \"p-finance\"\n", "", "missing field `partner`"),
            ("\"confirm\"", "\"telepathy\"", "unknown variant `telepathy`"),
            ("full_name", "fullname", "unknown variant `fullname`"),
            ("kept_days = 90", "kept_days = -1", "line"),
            ("kept_days = 90", "keptdays = 90", "unknown field `keptdays`"),
            ("T00:00:00+07:00", "", "how far it is from UTC"),
            ("[\"001\"]", "[]", "leave the line out"),
            ("number = ", "number ", "line"),
        ] {
            assert!(EXAMPLE.contains(from), "{from}");
            let said = read(&EXAMPLE.replace(from, to)).unwrap_err();
            assert!(said.contains(why), "{to}: {said}");
        }
    }
}
