//! A row in quarantine: which rule keeps it out, which field, how it is likely to be mended; corrected, judged
//! again, and entered or dropped.

use std::collections::BTreeMap;

use askama::Template;
use crypto::perso::problem::ProblemCode;
use serde_json::json;

use super::super::import::quarantine::{self, QuarantineError};
use super::super::import::{Declared, names};
use super::super::model::Finding;
use super::super::store::import::Quarantined;
use super::Act;
use super::fields::{label, said};
use crate::deed::Deed;
use crate::ground::Officer;
use crate::ground::ids::of;
use crate::ground::text::SomeWords;
use crate::web::Problem;
use crate::web::html::{Asked, Filled, Frame, REGISTER, Shown, Texts, Trouble, fill, page, page_about, to};

/// A row.
#[derive(Template)]
#[template(path = "register-row.html")]
struct Sheet {
    frame: Frame,
    token: String,
    key: String,
    id: String,
    /// The name of what the row holds.
    seen: String,
    title: String,
    raw: Option<String>,
    findings: Vec<Found>,
    /// Columns that hold something, or of which something is said; then the others.
    columns: Vec<Column>,
    others: Vec<Column>,
    /// True while it waits.
    waits: bool,
    ready: bool,
    ended: Option<String>,
    person: Option<String>,
    reason: String,
    wrong_reason: Option<String>,
    trouble: Option<Trouble>,
    done: Option<&'static str>,
}

/// What a rule says of the row.
struct Found {
    rule: String,
    field: String,
    says: String,
    shape: String,
    /// What is likely meant: how it is called, and the column with its value.
    repair: Option<(String, String)>,
}

/// A column of the row.
#[derive(Debug)]
struct Column {
    name: String,
    id: String,
    label: String,
    value: String,
    wrong: Option<String>,
    /// What it holds now, where an officer typed something else over what it held before.
    now: Option<String>,
}

type RowAct = Act<of::Quarantined>;

fn found(finding: &Finding, t: &'static Texts) -> Found {
    let repair = finding.repair.as_ref().and_then(|repair| repair.put.as_ref());
    Found {
        rule: finding.rule.clone(),
        field: if finding.field.is_empty() { t.registry.whole_row.clone() } else { label(&finding.field, t) },
        says: said(&finding.code, &finding.message, t),
        shape: finding.shape.clone().unwrap_or_default(),
        repair: repair.map(|put| {
            let says = [("field", label(&put.field, t)), ("value", put.value.clone())];
            let says = says.iter().map(|(name, value)| (*name, value.as_str())).collect::<Vec<_>>();
            (fill(&t.registry.repair, &says), format!("{}={}", put.field, put.value))
        }),
    }
}

impl RowAct {
    fn place(&self) -> String {
        format!("{REGISTER}/quarantine/{}", self.id)
    }

    async fn row(
        &self,
        typed: Option<&BTreeMap<String, String>>,
        problem: Option<&Problem>,
        reason: &str,
        done: Option<&'static str>,
    ) -> Result<Sheet, Problem> {
        let t = self.t();
        let row: Quarantined = self.look(async |deed| quarantine::read(deed, self.id).await).await?;
        let declared = match row.declaration.clone() {
            serde_json::Value::Object(all) => Declared::from_json(all).unwrap_or_default(),
            _ => Declared::default(),
        };
        let held = declared.by_column();
        let about: BTreeMap<&str, &Finding> =
            row.findings.iter().map(|finding| (finding.field.as_str(), finding)).collect();
        let column = |name: String| {
            let value = held.get(&name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
            let moved_on = problem.is_some_and(|problem| problem.code() == ProblemCode::FormMovedOn);
            let other = typed.and_then(|typed| typed.get(&name)).filter(|typed| **typed != value);
            let now = other.filter(|_| moved_on).map(|_| {
                let text = Some(value.as_str()).filter(|text| !text.is_empty()).unwrap_or(&t.file.nothing);
                fill(&t.meanwhile.now_kept, &[("text", text)])
            });
            let value = other.cloned().unwrap_or(value);
            let wrong = about.get(name.as_str()).map(|finding| said(&finding.code, &finding.message, t));
            Column { id: name.replace('.', "-"), label: label(&name, t), value, wrong, now, name }
        };
        let (columns, others) =
            names().into_iter().map(column).partition(|column| !column.value.is_empty() || column.wrong.is_some());
        let waits = row.state == "waiting";
        Ok(Sheet {
            frame: self.frame(&self.place()),
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            id: self.id.to_string(),
            seen: row.digest(),
            title: fill(&t.registry.line, &[("n", &row.line.to_string())]),
            raw: row.raw.clone(),
            findings: row.findings.iter().map(|finding| found(finding, t)).collect(),
            columns,
            others,
            waits,
            ready: waits && row.findings.is_empty(),
            ended: (!waits).then(|| t.word(&t.row_state, &row.state).to_owned()),
            person: row.person.map(|person| person.to_string()),
            reason: reason.to_owned(),
            wrong_reason: problem.and_then(|problem| super::fields::wrongs(problem, t).remove("reason")),
            trouble: problem.map(|problem| Trouble::of(problem, t)),
            done,
        })
    }

    async fn row_again(&self, problem: Problem, typed: Option<&BTreeMap<String, String>>, reason: &str) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem);
        }
        let sheet = Box::pin(self.row(typed, Some(&problem), reason, None)).await?;
        page_about(&problem, &sheet)
    }
}

/// A row.
pub(super) async fn open(act: RowAct, asked: Asked) -> Shown {
    let done = super::done(&asked, act.t());
    page(&Box::pin(act.row(None, None, "", done)).await?)
}

/// Puts what was typed, or what is likely meant, into the row, and judges it again.
pub(super) async fn correct(act: RowAct, filled: Filled) -> Shown {
    let mut typed: BTreeMap<String, String> = names()
        .into_iter()
        .filter_map(|name| filled.some(&name).map(|text| text.trim().to_owned()).map(|text| (name, text)))
        .collect();
    if let Some((field, value)) = filled.some("repair").and_then(|text| text.split_once('=')) {
        typed.insert(field.to_owned(), value.to_owned());
    }
    let verb = async |deed: &mut Deed<Officer>| {
        quarantine::correct(deed, &act.register, act.id, &typed, Some(filled.text("seen")))
            .await
            .map(|judgement| json!({"ready": judgement.against.is_empty()}))
    };
    match Box::pin(act.once(&filled, verb)).await {
        Ok(_) => Ok(to(&format!("{}?done=corrected", act.place()))),
        Err(problem) => act.row_again(problem, Some(&typed), "").await,
    }
}

/// Enters the row into the register, once, however often the form comes.
pub(super) async fn replay(act: RowAct, filled: Filled) -> Shown {
    let verb = async |deed: &mut Deed<Officer>| {
        let seen = Some(filled.text("seen"));
        let (person, _) = Box::pin(quarantine::replay(deed, &act.register, act.id, seen)).await?;
        Ok::<_, QuarantineError>(json!({"person_id": person}))
    };
    match Box::pin(act.once(&filled, verb)).await {
        Ok(made) => match made.text("person_id") {
            Some(person) => Ok(to(&format!("{REGISTER}/persons/{person}?done=replayed"))),
            None => Ok(to(REGISTER)),
        },
        Err(problem) => act.row_again(problem, None, "").await,
    }
}

/// Drops the row, for a reason.
pub(super) async fn dismiss(act: RowAct, filled: Filled) -> Shown {
    let dropping = async {
        let reason: SomeWords<200> = filled.judged("reason")?;
        act.once(&filled, async |deed| quarantine::dismiss(deed, &act.register, act.id, reason.as_str()).await).await
    };
    match Box::pin(dropping).await {
        Ok(_) => Ok(to(&format!("{REGISTER}?done=row-dropped"))),
        Err(problem) => act.row_again(problem, None, filled.text("reason")).await,
    }
}
