//! A person as an officer of the register sees one: the record, what is to be looked at, who may be the same one, and
//! the ways to change it.

use askama::Template;

use super::super::duplicates::steps as duplicates;
use super::super::history::EventKind;
use super::super::model::Registered;
use super::super::{PopulationError, steps};
use super::change::TypedEvidence;
use super::fields::wrongs;
use super::words::{self, Double};
use super::{Act, done};
use crate::deed::{Deed, Occasion, Purpose};
use crate::ground::Officer;
use crate::ground::ids::of;
use crate::web::Problem;
use crate::web::html::{Asked, Filled, Frame, REGISTER, Shown, Trouble, page, page_about};

/// A person.
#[derive(Template)]
#[template(path = "register-person.html")]
struct Sheet {
    frame: Frame,
    id: String,
    token: String,
    key: String,
    name: String,
    number: String,
    rows: Vec<(String, String)>,
    findings: Vec<String>,
    doubles: Vec<Double>,
    /// The kinds of change: word, and what it is for.
    kinds: Vec<(&'static str, &'static str, &'static str)>,
    /// The record into which this one is merged.
    merged_into: Option<String>,
    /// On what an undoing rests.
    evidence: TypedEvidence,
    trouble: Option<Trouble>,
    done: Option<&'static str>,
}

/// For what these pages read a person.
pub(super) const UPDATE: Occasion = Occasion { purpose: Purpose::Update, case: None };

/// The person.
pub(super) async fn open(act: Act<of::Person>, asked: Asked) -> Shown {
    let done = done(&asked, act.t());
    page(&Sheet { done, ..Box::pin(sheet(&act, None)).await? })
}

/// The person again, with what is wrong with an act about it and what was typed for it.
pub(super) async fn again(act: &Act<of::Person>, problem: Problem, filled: &Filled) -> Shown {
    if problem.status().is_server_error() {
        return Err(problem);
    }
    page_about(&problem, &Box::pin(sheet(act, Some((filled, &problem)))).await?)
}

async fn sheet(act: &Act<of::Person>, tried: Option<(&Filled, &Problem)>) -> Result<Sheet, Problem> {
    let t = act.t();
    let look = async |deed: &mut Deed<Officer>| {
        let registered = steps::read(deed, act.id, UPDATE).await?;
        let alike = match registered.merged_into {
            None => duplicates::of_person(deed, act.id, UPDATE).await?,
            Some(_) => vec![],
        };
        Ok::<_, PopulationError>((registered, alike))
    };
    let (registered, alike): (Registered, _) = act.look(look).await?;
    let kinds = EventKind::PROPOSED.iter();
    let missing = registered.person.missing_since.is_some();
    let fits = |kind: &&EventKind| match kind {
        EventKind::DeclaredMissing => !missing,
        EventKind::FoundAgain => missing,
        EventKind::Died => registered.person.died.is_none(),
        _ => true,
    };
    let wrongs = tried.map(|(_, problem)| wrongs(problem, t)).unwrap_or_default();
    Ok(Sheet {
        frame: act.frame(&format!("{REGISTER}/persons/{}", act.id)),
        id: act.id.to_string(),
        token: act.visitor.token.clone(),
        key: act.visitor.key.clone(),
        name: registered.person.full_name.as_str().to_owned(),
        number: words::number(&registered, t),
        rows: words::person(&registered.person, act.register.reference(), act.today(), t),
        findings: words::findings(&registered.findings, t),
        doubles: words::doubles(&alike, t),
        kinds: kinds
            .filter(fits)
            .map(|kind| (kind.word(), t.word(&t.event, kind.word()), t.word(&t.change, kind.word())))
            .collect(),
        merged_into: registered.merged_into.map(|into| into.to_string()),
        evidence: TypedEvidence::of(tried.map(|(filled, _)| filled), "civil-status", &wrongs, t),
        trouble: tried.map(|(_, problem)| Trouble::of(problem, t)),
        done: None,
    })
}
