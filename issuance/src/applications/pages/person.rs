//! The file of a person: what the register holds now, what happened, applications, cards, people who may be the same
//! one, and who looked. Each part is shown to the roles that its verb is for; the opening is a record about the person.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use askama::Template;
use axum::Json;
use crypto::perso::problem::ProblemCode;
use time::Date;

use super::super::model::{Application, Kind, Stage, StageName};
use super::super::{Counter, lists, reading, steps};
use super::Act;
use super::file::{fields, kind_word, name_of, reference, word_of};
use super::readings::{self, Look};
use crate::audit;
use crate::cards::{self, CardItem};
use crate::deed::{Deed, Occasion};
use crate::ground::ids::{ApplicationId, OfficerId, PersonId};
use crate::ground::text::Words;
use crate::ground::{Id, Officer, Permission};
use crate::offices::calendar::Day;
use crate::population::change::{self, History};
use crate::population::duplicates::score::SHOWN_FROM;
use crate::population::duplicates::steps::{Alike, of_person};
use crate::population::model::Registered;
use crate::store::Record;
use crate::web::html::{APPROVALS, Asked, Frame, HAND_OVER, PERSONS, Place, Shown, Texts, fill, page, texts};
use crate::web::{Desk, OccasionAsked, Problem};

/// The file of a person.
#[derive(Template)]
#[template(path = "person.html")]
struct PersonPage {
    frame: Frame,
    file: PersonFile,
}

/// What the page shows.
#[derive(Debug)]
struct PersonFile {
    id: PersonId,
    name: String,
    number: String,
    /// How the person is: colour, glyph, words.
    state: (&'static str, &'static str, String),
    office: String,
    /// The record that is in force instead: its address.
    merged_into: Option<String>,
    portrait: Option<(String, String)>,
    /// Fields of the register, in the order of form DC01.
    rows: Vec<(&'static str, String)>,
    /// What an officer should look at.
    findings: Option<String>,
    /// The card that waits here, for an officer who hands it over.
    waits: Option<String>,
    applications: Option<Vec<Case>>,
    cards: Option<Vec<Card>>,
    doubles: Vec<Double>,
    doubles_title: String,
    history: Vec<Happened>,
    /// Those that are folded away.
    earlier: Vec<Happened>,
    earlier_title: String,
    looks: Option<Vec<Look>>,
    /// True for an officer who tells the citizen who looked.
    tells: bool,
    /// True if there are more looks than are shown.
    looks_more: bool,
}

/// An application of the person.
#[derive(Debug)]
struct Case {
    reference: String,
    /// Where it can be opened, by this officer.
    href: Option<String>,
    kind: &'static str,
    opened: String,
    stage: &'static str,
    tampered: bool,
}

/// A card of the person.
#[derive(Debug)]
struct Card {
    serial: String,
    issued: String,
    expires: String,
    office: String,
    /// Colour, glyph, word.
    state: (&'static str, &'static str, &'static str),
}

/// A person who may be the same one.
#[derive(Debug)]
struct Double {
    name: String,
    href: Option<String>,
    number: String,
    why: String,
    against: String,
    score: i32,
    likely: bool,
}

/// An event of the register.
#[derive(Debug)]
struct Happened {
    at: String,
    what: &'static str,
    on: String,
    fields: String,
    by: String,
}

/// What was read in one deed.
struct Read {
    registered: Registered,
    history: History,
    doubles: Vec<Alike>,
    applications: Option<Vec<(Record, bool)>>,
    cards: Option<Vec<CardItem>>,
    looks: Option<Vec<audit::Row>>,
    /// The application whose portrait is shown.
    pictured: Option<Application>,
    names: BTreeMap<OfficerId, String>,
}

/// `GET /pages/persons/{id}`
pub(super) async fn open(act: Act<PersonId>, asked: Asked) -> Shown {
    let Act { desk, counter, dress, visitor, id } = act;
    let t = texts(dress.language);
    let occasion = occasion(&visitor.officer, &asked)?;
    let look = async |deed: &mut Deed<Officer>| in_deed(deed, id, occasion).await;
    let Json(read) = Box::pin(desk.look(visitor.officer.clone(), look)).await?;
    let portrait = match &read.pictured {
        Some(application) => steps::portrait_of(&counter, application).await?,
        None => None,
    };
    let source = desk.deeds().source();
    let told = Told { read: &read, t, counter: &counter, today: source.clock().today(), desk: &desk };
    let file = told.file(&visitor.officer, portrait);
    page(&PersonPage { frame: Frame::new(&dress, Some(&visitor), Place::Persons), file })
}

/// Reads for what the person is read.
fn occasion(officer: &Officer, asked: &Asked) -> Result<Occasion, Problem> {
    let unfit = |_| Problem::new(ProblemCode::QueryMalformed);
    let purpose = asked.some("purpose").map(|word| Words::try_from(word.to_owned())).transpose().map_err(unfit)?;
    OccasionAsked { purpose, case: None }.of(officer)
}

async fn in_deed(deed: &mut Deed<Officer>, id: PersonId, occasion: Occasion) -> Result<Read, Problem> {
    let registered = reading::person(deed, id, occasion).await?;
    let history = change::history(deed, id, occasion).await?;
    let doubles = of_person(deed, id, occasion).await?;
    let officer = deed.actor().clone();
    let applications = match officer.may(Permission::ReadApplication) {
        true => Some(lists::of_person(deed, id, occasion).await?),
        false => None,
    };
    let cards = match officer.may(Permission::ReadCard) {
        true => Some(cards::of_person(deed, id, occasion).await?),
        false => None,
    };
    let looks = match officer.may(Permission::ReadAudit) {
        true => Some(audit::looks_at(deed, id, None, LOOKS + 1).await?),
        false => None,
    };
    let pictured = match applications.as_deref().and_then(pictured).filter(|_| !steps::mends_only(&officer)) {
        // One that was erased, or moved on meanwhile, has none to show.
        Some(application) => steps::read_portrait(deed, application).await.ok(),
        None => None,
    };
    let mut officers: Vec<OfficerId> = history.events.iter().map(|event| event.recorded.by).collect();
    officers.extend(looks.iter().flatten().filter_map(readings::officer));
    let mut names = BTreeMap::new();
    for officer in officers {
        if let Entry::Vacant(entry) = names.entry(officer) {
            entry.insert(name_of(deed, officer).await?);
        }
    }
    Ok(Read { registered, history, doubles, applications, cards, looks, pictured, names })
}

/// The last application that holds a portrait.
fn pictured(rows: &[(Record, bool)]) -> Option<ApplicationId> {
    rows.iter().rev().filter(|(_, holds)| *holds).find_map(|(row, _)| {
        let stage: Stage = row.json("stage_data").ok()?;
        stage.capture_of()?;
        Id::of(row, "id").ok()
    })
}

/// What was read, in the words of a page.
struct Told<'a> {
    read: &'a Read,
    t: &'static Texts,
    counter: &'a Counter,
    today: Date,
    desk: &'a Desk,
}

impl Told<'_> {
    fn file(&self, officer: &Officer, portrait: Option<String>) -> PersonFile {
        let (t, registered) = (self.t, &self.read.registered);
        let person = &registered.person;
        let name = person.full_name.as_str().to_owned();
        let mut history: Vec<Happened> = self.history();
        let earlier = history.split_off(history.len().min(EVENTS));
        let applications = self.read.applications.as_ref().map(|rows| {
            rows.iter().rev().filter_map(|(row, holds)| self.case(row, *holds, officer)).collect::<Vec<_>>()
        });
        let waits = self.read.applications.iter().flatten().rev().find_map(|(row, holds)| {
            let stage: StageName = row.parsed("stage").ok()?;
            let is_here = *holds && matches!(stage, StageName::Personalized | StageName::NotFetched);
            let id: ApplicationId = Id::of(row, "id").ok().filter(|_| is_here && officer.may(Permission::HandOver))?;
            Some(format!("{HAND_OVER}/{id}"))
        });
        let looks = self.read.looks.as_ref().map(|rows| {
            let shown = rows.iter().take(usize::try_from(LOOKS).unwrap_or_default());
            readings::in_words(shown, &self.read.names, self.desk, self.t)
        });
        PersonFile {
            id: registered.id,
            number: self.number(registered),
            state: self.state(),
            office: registered.office.to_string(),
            merged_into: registered.merged_into.map(|into| format!("{PERSONS}/{into}")),
            portrait: portrait.map(|jpeg| (jpeg, fill(&t.file.portrait, &[("name", &name)]))),
            rows: fields(person, self.counter.register.reference(), self.today, t)
                .into_iter()
                .filter_map(|(field, value)| Some((t.word(&t.field, &field.name()), value?)))
                .collect(),
            findings: self.findings(),
            waits,
            applications,
            cards: self.read.cards.as_ref().map(|cards| cards.iter().rev().map(|card| self.card(card)).collect()),
            doubles_title: match self.read.doubles.len() {
                0 => t.file.doubles_none.clone(),
                n => fill(&t.file.doubles, &[("n", &n.to_string())]),
            },
            doubles: self.read.doubles.iter().map(|alike| self.double(alike)).collect(),
            earlier_title: fill(&t.person.earlier, &[("n", &earlier.len().to_string())]),
            history,
            earlier,
            looks,
            tells: officer.may(Permission::ReadLooks),
            looks_more: self.read.looks.as_ref().is_some_and(|rows| i64::try_from(rows.len()).is_ok_and(|n| n > LOOKS)),
            name,
        }
    }

    fn number(&self, registered: &Registered) -> String {
        let number = registered.personal_number.as_ref();
        number.map_or_else(|| self.t.file.number_none.clone(), |n| ::pages::written::personal_number(n.as_str()))
    }

    fn state(&self) -> (&'static str, &'static str, String) {
        let person = &self.read.registered.person;
        let on = |text: &str, day: &crypto::identity::Date| fill(text, &[("day", &day.to_string())]);
        match (&person.died, &person.missing_since) {
            (Some(day), _) => ("", "i-none", on(&self.t.person.died, day)),
            (None, Some(day)) => ("wait", "i-wait", on(&self.t.person.missing, day)),
            (None, None) => ("good", "i-ok", self.t.person.living.clone()),
        }
    }

    /// The fields at which an officer should look, by their names.
    fn findings(&self) -> Option<String> {
        let mut names: Vec<&str> = vec![];
        for finding in &self.read.registered.findings {
            let field = finding.field.split('.').next().unwrap_or_default();
            let name = self.t.field.get(field).map_or(&*self.t.person.whole, String::as_str);
            if !names.contains(&name) {
                names.push(name);
            }
        }
        (!names.is_empty()).then(|| fill(&self.t.person.findings, &[("fields", &names.join(", "))]))
    }

    fn case(&self, row: &Record, holds: bool, officer: &Officer) -> Option<Case> {
        let id: ApplicationId = Id::of(row, "id").ok()?;
        let stage: Option<StageName> = row.parsed("stage").ok();
        let kind: Option<Kind> = row.json("kind").ok();
        let hands_over = matches!(stage, Some(StageName::Personalized | StageName::NotFetched));
        let decides = stage.is_some_and(steps::waits_for_decision);
        let href = match officer {
            officer if hands_over && officer.may(Permission::HandOver) => Some(format!("{HAND_OVER}/{id}")),
            officer if decides && officer.may(Permission::Decide) => Some(format!("{APPROVALS}/{id}")),
            _ => None,
        };
        Some(Case {
            reference: reference(id),
            href,
            kind: kind.map_or("?", |kind| self.t.word(&self.t.kind, &kind_word(kind))),
            opened: row.get("registered_at").map(|at| self.moment(at)).unwrap_or_default(),
            stage: stage.map_or("?", |stage| self.t.word(&self.t.stage, stage.word())),
            tampered: !holds,
        })
    }

    fn card(&self, card: &CardItem) -> Card {
        let day =
            |text: &str| text.parse::<Day>().map_or_else(|_| text.to_owned(), |day| ::pages::written::date(day.0));
        let state = match card.status.as_str() {
            _ if card.tampered => ("bad-t", "i-no", &*self.t.approvals.tampered),
            "active" => ("good", "i-ok", self.t.word(&self.t.card, "active")),
            "personalized" => ("info", "i-card", self.t.word(&self.t.card, "personalized")),
            "suspended" => ("wait", "i-wait", self.t.word(&self.t.card, "suspended")),
            _ => ("", "i-none", self.t.word(&self.t.card, "revoked")),
        };
        Card {
            serial: grouped(&card.serial),
            issued: day(&card.issued),
            expires: card.expires.as_deref().map_or_else(|| self.t.person.no_limit.clone(), day),
            office: card.office.clone(),
            state,
        }
    }

    fn double(&self, alike: &Alike) -> Double {
        let (of, t) = (&alike.registered, self.t);
        let all = |words: Vec<String>, table: &'static BTreeMap<String, String>| {
            let words: Vec<&str> = words.iter().map(|word| t.word(table, word)).collect();
            if words.is_empty() { t.file.nothing.clone() } else { words.join("; ") }
        };
        // What agrees and what does not tells of the person.
        let (why, against) = match alike.readable {
            true => (
                alike.judgement.reasons.iter().map(word_of).collect(),
                alike.judgement.against.iter().map(word_of).collect(),
            ),
            false => (vec![], vec![]),
        };
        Double {
            name: match alike.readable {
                true => of.person.full_name.as_str().to_owned(),
                false => fill(&t.file.doubles_elsewhere, &[("office", of.office.as_str())]),
            },
            href: alike.readable.then(|| format!("{PERSONS}/{}", of.id)),
            number: if alike.readable { self.number(of) } else { String::new() },
            why: all(why, &t.duplicate),
            against: all(against, &t.against),
            score: alike.judgement.score,
            likely: alike.judgement.score >= SHOWN_FROM,
        }
    }

    /// The events, the newest first.
    fn history(&self) -> Vec<Happened> {
        let (t, events) = (self.t, self.read.history.events.iter().rev());
        events
            .map(|event| {
                let fields: Vec<&str> =
                    event.changes.iter().filter_map(|change| t.field.get(&change.field).map(String::as_str)).collect();
                let name = self.read.names.get(&event.recorded.by).map_or("?", String::as_str);
                Happened {
                    at: self.moment(event.recorded.at),
                    what: t.word(&t.event, event.kind.word()),
                    on: fill(&t.file.history_on, &[("form", t.word(&t.form, &word_of(&event.evidence.form)))]),
                    fields: fields.join(", "),
                    by: fill(&t.file.history_by, &[("name", name)]),
                }
            })
            .collect()
    }

    fn moment(&self, at: time::OffsetDateTime) -> String {
        ::pages::written::moment(at, self.desk.deeds().source().clock().offset())
    }
}

/// Returns a serial in groups of four.
pub(super) fn grouped(serial: &str) -> String {
    let signs: Vec<char> = serial.chars().collect();
    signs.chunks(4).map(|four| four.iter().collect::<String>()).collect::<Vec<_>>().join("\u{a0}")
}

/// So many events are shown before the rest is folded away.
const EVENTS: usize = 8;
/// So many looks are shown with the file.
const LOOKS: i64 = 10;
