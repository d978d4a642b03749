//! A person as an officer of the register sees one: the record, what is to be looked at, who may be the same one, and
//! the ways to change it.

use askama::Template;

use super::super::duplicates::steps as duplicates;
use super::super::history::EventKind;
use super::super::model::Registered;
use super::super::{PopulationError, steps};
use super::words::{self, Double};
use super::{Act, done};
use crate::deed::{Deed, Occasion, Purpose};
use crate::ground::Officer;
use crate::ground::ids::of;
use crate::web::html::{Asked, Frame, REGISTER, Shown, page};

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
    sources: Vec<(&'static str, &'static str)>,
    done: Option<&'static str>,
}

/// For what these pages read a person.
pub(super) const UPDATE: Occasion = Occasion { purpose: Purpose::Update, case: None };

/// The person.
pub(super) async fn open(act: Act<of::Person>, asked: Asked) -> Shown {
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
    page(&Sheet {
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
        sources: super::change::sources(t),
        done: done(&asked, t),
    })
}
