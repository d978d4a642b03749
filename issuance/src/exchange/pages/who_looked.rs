//! Who looked at a person, for the citizen who stands at the counter and asks: authorities, units, purposes and fields,
//! in words. What a judge delays is counted. To put it together is itself a record about the person.

use askama::Template;
use axum::Json;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;

use super::super::looks::{self, Look, Looks};
use crate::deed::Deed;
use crate::ground::ids::{EntryId, PersonId};
use crate::ground::{Officer, Permission};
use crate::web::html::{Asked, Dress, Frame, PERSONS, Place, Shown, Texts, Visitor, fill, page, texts};
use crate::web::{Desk, Named, Problem};

/// The looks of one person.
#[derive(Template)]
#[template(path = "who-looked.html")]
struct WhoLooked {
    frame: Frame,
    /// The person's file, for an officer who may open it.
    back: Option<String>,
    told_at: String,
    delayed: Option<String>,
    looks: Vec<LookInWords>,
    older: Option<String>,
}

/// A look, in words.
#[derive(Debug)]
pub(crate) struct LookInWords {
    /// The moment.
    pub(crate) at: String,
    /// The authority, the office of the register, or the citizen.
    pub(crate) who: String,
    /// The unit of the authority.
    pub(crate) unit: Option<String>,
    /// For what it was.
    pub(crate) purpose: String,
    /// The law's article.
    pub(crate) law: Option<String>,
    /// What was asked, or done.
    pub(crate) what: &'static str,
    /// The fields that were told or put to the test.
    pub(crate) fields: String,
    /// What came of it: colour, glyph, word.
    pub(crate) came: Option<(&'static str, &'static str, &'static str)>,
}

/// `GET /pages/persons/{id}/looks`
pub(super) async fn open(
    State(desk): State<Desk>,
    dress: Dress,
    visitor: Visitor,
    Named(id): Named<PersonId>,
    asked: Asked,
) -> Shown {
    let t = texts(dress.language);
    let before = asked.some("before").map(str::parse::<EntryId>).transpose();
    let before = before.map_err(|_| Problem::new(ProblemCode::QueryMalformed))?;
    let look = async |deed: &mut Deed<Officer>| {
        let at = deed.at();
        looks::looks(deed, id, before, SHOWN).await.map(|looks| (at, looks))
    };
    let Json((at, Looks { looks, delayed, before })) = desk.look(visitor.officer.clone(), look).await?;
    let clock = desk.deeds().source().clock();
    let told_at = fill(&t.looked.told_at, &[("at", &::pages::written::moment(at, clock.offset()))]);
    let delayed = (delayed > 0).then(|| fill(&t.looked.delayed, &[("n", &delayed.to_string())]));
    let older = before.map(|entry| format!("{PERSONS}/{id}/looks?before={entry}"));
    let back = visitor.officer.may(Permission::ReadPerson).then(|| format!("{PERSONS}/{id}"));
    let looks = looks.into_iter().map(|look| look_in_words(look, &desk, t)).collect();
    let frame = Frame::new(&dress, Some(&visitor), Place::Persons);
    page(&WhoLooked { frame, back, told_at, delayed, looks, older })
}

/// Puts a look into the words of a page.
pub(crate) fn look_in_words(look: Look, desk: &Desk, t: &'static Texts) -> LookInWords {
    let of_partner = look.outcome.is_some();
    let (purpose, law) = match look.named {
        Some(named) => (if t.is_vietnamese() { named.name_vi } else { named.name_en }, Some(named.law)),
        None if of_partner => (look.purpose, None),
        None => (t.word(&t.purpose, &look.purpose).to_owned(), None),
    };
    let who = match of_partner {
        true => look.institution,
        false if look.institution == looks::YOURSELF => t.looked.yourself.clone(),
        // The code of an office of the register; what the service itself did has none.
        false => fill(&t.looked.register, &[("office", &look.institution)]),
    };
    let fields: Vec<&str> = look.fields.iter().map(|field| field_of(field, t)).collect();
    LookInWords {
        at: ::pages::written::moment(look.at, desk.deeds().source().clock().offset()),
        who,
        unit: look.unit,
        purpose,
        law,
        what: t.word(if of_partner { &t.service } else { &t.action }, &look.service),
        fields: fields.join(", "),
        came: look.outcome.as_deref().map(|outcome| came_of(outcome, t)),
    }
}

/// The field as the register calls it, or as answers do.
pub(super) fn field_of(field: &str, t: &'static Texts) -> &'static str {
    t.field.get(field).map_or_else(|| t.word(&t.told_field, field), String::as_str)
}

/// What came of a question: told, not so, or refused.
fn came_of(outcome: &str, t: &'static Texts) -> (&'static str, &'static str, &'static str) {
    match t.outcome.get(outcome) {
        Some(word) if matches!(outcome, "not-confirmed" | "not-found") => ("", "i-none", word),
        Some(word) => ("info", "i-eye", word),
        None => ("wait", "i-no", &t.looked.refused),
    }
}

/// So many looks are a page.
const SHOWN: i64 = 50;

#[cfg(test)]
mod tests {
    use ::pages::Language;

    use super::super::super::model::{Dimension, Field, Service};
    use super::*;

    #[test]
    fn each_service_field_and_outcome_has_words() {
        for t in [texts(Language::Vi), texts(Language::En)] {
            for service in Service::ALL {
                assert_ne!(t.word(&t.service, service.word()), "?", "{service}");
            }
            for dimension in Dimension::ALL {
                assert_ne!(t.word(&t.dimension, dimension.word()), "?", "{dimension}");
            }
            for field in Field::ALL {
                assert_ne!(field_of(field.word(), t), "?", "{field}");
            }
            let of_reports = ["applied", "held", "numbered", "proposed", "received"];
            for outcome in ["confirmed", "not-confirmed", "found", "not-found", "answered", "counted"]
                .into_iter()
                .chain(of_reports)
            {
                assert_ne!(came_of(outcome, t).2, t.looked.refused, "{outcome}");
            }
            assert_eq!(came_of("exchange-not-agreed", t).2, t.looked.refused);
        }
    }
}
