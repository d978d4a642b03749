//! Who looked at a person, for the auditors who see the person's trail: newest first, page by page. Looking here is
//! itself a record of the trail.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use askama::Template;
use axum::Json;
use crypto::perso::problem::ProblemCode;

use super::Act;
use super::file::name_of;
use crate::audit::{self, AuditError, Row};
use crate::deed::Deed;
use crate::ground::Officer;
use crate::ground::ids::{EntryId, OfficerId, PersonId};
use crate::web::html::{Asked, Dress, Frame, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to};
use crate::web::{Desk, Problem};

/// The looks of one person; or the form that asks for whom.
#[derive(Template)]
#[template(path = "readings.html")]
struct Readings {
    frame: Frame,
    /// The person, by identifier; empty before one is named.
    person: String,
    looks: Option<Vec<Look>>,
    /// Where the page of older ones is.
    older: Option<String>,
    trouble: Option<Trouble>,
}

/// A look: one caller, one moment, one purpose.
#[derive(Debug)]
pub(super) struct Look {
    pub at: String,
    pub who: String,
    /// For whom the officer acted.
    pub acting: Option<String>,
    pub what: String,
    pub purpose: &'static str,
    /// The application for which it was read.
    pub case: Option<String>,
}

/// `GET /pages/readings`: whose looks, by the identifier that stands on the person's file and in the trail.
pub(super) async fn ask(dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let typed = asked.some("person").unwrap_or_default().trim().to_owned();
    if let Ok(person) = typed.parse::<PersonId>() {
        return Ok(to(&address(person)));
    }
    let frame = Frame::new(&dress, Some(&visitor), Place::Readings);
    if typed.is_empty() {
        return page(&Readings { frame, person: typed, looks: None, older: None, trouble: None });
    }
    let code = ProblemCode::IdentifierMalformed;
    let problem = Problem::new(code).field("/person", code, "the identifier of a person");
    let trouble = Some(Trouble::of(&problem, t));
    page_about(&problem, &Readings { frame, person: typed, looks: None, older: None, trouble })
}

/// `GET /pages/persons/{id}/readings`
pub(super) async fn of_person(act: Act<PersonId>, asked: Asked) -> Shown {
    let Act { desk, dress, visitor, id, .. } = act;
    let t = texts(dress.language);
    let before = asked.some("before").map(str::parse::<EntryId>).transpose();
    let before = before.map_err(|_| Problem::new(ProblemCode::QueryMalformed))?;
    let look = async |deed: &mut Deed<Officer>| {
        let rows = audit::looks_at(deed, id, before, SHOWN + 1).await?;
        let mut names = BTreeMap::new();
        for officer in rows.iter().filter_map(officer) {
            if let Entry::Vacant(entry) = names.entry(officer) {
                entry.insert(name_of(deed, officer).await?);
            }
        }
        Ok::<_, AuditError>((rows, names))
    };
    let Json((rows, names)) = desk.look(visitor.officer.clone(), look).await?;
    let shown = usize::try_from(SHOWN).unwrap_or_default();
    let last = rows.get(shown - 1).filter(|_| rows.len() > shown);
    let older = last.map(|row| format!("{}?before={}", address(id), row.id));
    let looks = Some(in_words(rows.iter().take(shown), &names, &desk, t));
    let frame = Frame::new(&dress, Some(&visitor), Place::Readings);
    page(&Readings { frame, person: id.to_string(), looks, older, trouble: None })
}

/// Where the looks of a person are told.
fn address(person: PersonId) -> String {
    format!("/pages/persons/{person}/readings")
}

/// Returns the officer of a record, if one looked.
pub(super) fn officer(row: &Row) -> Option<OfficerId> {
    row.actor.strip_prefix("officer/")?.parse().ok()
}

/// Returns the looks in the words of a page: what one caller read at one moment is one look.
pub(super) fn in_words<'a>(
    rows: impl Iterator<Item = &'a Row>,
    names: &BTreeMap<OfficerId, String>,
    desk: &Desk,
    t: &'static Texts,
) -> Vec<Look> {
    let offset = desk.deeds().source().clock().offset();
    let mut looks: Vec<(&Row, Vec<&'static str>)> = vec![];
    for row in rows {
        let what = t.word(&t.action, &row.action);
        match looks.last_mut() {
            Some((first, all)) if (&first.actor, first.at, &first.purpose) == (&row.actor, row.at, &row.purpose) => {
                if !all.contains(&what) {
                    all.push(what);
                }
            }
            _ => looks.push((row, vec![what])),
        }
    }
    let named = |officer: OfficerId| names.get(&officer).cloned().unwrap_or_else(|| officer.to_string());
    let look = |(row, what): (&Row, Vec<&'static str>)| Look {
        at: ::pages::written::moment(row.at, offset),
        who: match (officer(row), row.actor.as_str()) {
            (Some(officer), _) => named(officer),
            (None, "service") => t.readings.service.clone(),
            (None, "anyone") => t.readings.anyone.clone(),
            (None, actor) => actor.to_owned(),
        },
        acting: row.acting_for.map(|officer| fill(&t.readings.acting, &[("name", &named(officer))])),
        what: what.join(", "),
        purpose: t.word(&t.purpose, &row.purpose),
        case: row.related.as_deref().and_then(|related| related.strip_prefix("application/")).map(|id| {
            let reference = id[id.len().saturating_sub(6)..].to_uppercase();
            fill(&t.file.reference, &[("reference", &reference)])
        }),
    };
    looks.into_iter().map(look).collect()
}

/// So many records are a page.
const SHOWN: i64 = 50;
