//! The page of an office's factory, and the draft of a batch of cards.

use askama::Template;
use axum::extract::State;
use crypto::perso::problem::ProblemCode;

use super::view::{FloorPart, Words};
use crate::deed::Deed;
use crate::ground::{OfficeCode, Officer, Permission};
use crate::production::card_batches::{self, MOST_ITEMS, Wanted};
use crate::production::{Production, ProductionError, live};
use crate::web::html::{
    Asked, Dress, FACTORY, Filled, Frame, Place, Shown, Texts, Trouble, Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Problem};

/// The factory of an office.
#[derive(Template)]
#[template(path = "factory.html")]
struct FactoryPage {
    frame: Frame,
    title: String,
    events: String,
    floor: FloorPart,
    /// True for an officer who may draft a batch here.
    drafts: bool,
    /// The other offices are for the national one.
    national: bool,
    office: String,
    typed: Typed,
    token: String,
    key: String,
    done: Option<&'static str>,
    trouble: Option<Trouble>,
}

impl FactoryPage {
    /// Returns what is wrong with a field that the officer filled in.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// What was typed for a batch.
#[derive(Debug)]
struct Typed {
    most: String,
    priority: String,
}

impl Default for Typed {
    fn default() -> Self {
        Self { most: "200".to_owned(), priority: "0".to_owned() }
    }
}

/// Returns how an officer's factory stands, in words, for the beginning.
pub(crate) async fn in_factory(desk: &Desk, officer: &Officer, t: &'static Texts) -> Result<String, Problem> {
    let now = desk.deeds().source().now();
    let mut tx = desk.deeds().db().begin_read().await?;
    let batches = crate::production::store::card_batches::working(&mut tx, &officer.office).await?;
    let (mut waiting, mut done) = (0, 0);
    for batch in &batches {
        let counts = card_batches::progress(&mut tx, batch.id, now).await?.counts;
        (waiting, done) = (waiting + counts.waiting + counts.leased, done + counts.done);
    }
    if batches.is_empty() {
        return Ok(t.factory.home_none.clone());
    }
    let words = [("n", batches.len().to_string()), ("waiting", waiting.to_string()), ("done", done.to_string())];
    let words = words.each_ref().map(|(name, text)| (*name, text.as_str()));
    Ok(fill(&t.factory.home_some, &words))
}

/// Returns the office whose factory is asked for.
///
/// # Errors
/// `office-code-malformed`, `other-office`
pub(super) fn office_of(asked: &Asked, officer: &Officer) -> Result<OfficeCode, Problem> {
    let Some(office) = asked.some("office").map(str::trim).filter(|office| !office.is_empty()) else {
        return Ok(officer.office.clone());
    };
    let office: OfficeCode = office.to_ascii_lowercase().parse()?;
    officer.may_act_for(&office)?;
    Ok(office)
}

/// `GET /pages/factory`
pub(super) async fn show(
    State(desk): State<Desk>,
    State(production): State<Production>,
    dress: Dress,
    visitor: Visitor,
    asked: Asked,
) -> Shown {
    let t = texts(dress.language);
    let done = match asked.some("done") {
        Some("drafted") => Some(&*t.factory.done_drafted),
        _ => None,
    };
    let office = office_of(&asked, &visitor.officer)?;
    let sheet = Sheet { desk: &desk, production: &production, visitor: &visitor, dress: &dress };
    page(&sheet.of(&office, Typed::default(), done, None).await?)
}

/// `POST /pages/factory/batches`: drafts a batch of the officer's office once, however often the form comes.
pub(super) async fn draft(
    State(desk): State<Desk>,
    State(production): State<Production>,
    dress: Dress,
    visitor: Visitor,
    filled: Filled,
) -> Shown {
    let typed = Typed { most: filled.text("most").to_owned(), priority: filled.text("priority").to_owned() };
    let drafted = match (wanted(&typed), filled.stamp()) {
        (Err(problem), _) | (_, Err(problem)) => Err(problem),
        (Ok(wanted), Ok(stamp)) => {
            let verb = async |deed: &mut Deed<Officer>| {
                card_batches::draft(deed, wanted).await?;
                Ok::<_, ProductionError>(())
            };
            desk.write(visitor.officer.clone(), stamp, verb).await.map(drop)
        }
    };
    match drafted {
        Ok(()) => Ok(to(&format!("{FACTORY}?done=drafted"))),
        Err(problem) if problem.status().is_server_error() => Err(problem),
        Err(problem) => {
            let dress = dress.at(FACTORY);
            let sheet = Sheet { desk: &desk, production: &production, visitor: &visitor, dress: &dress };
            let office = visitor.officer.office.clone();
            page_about(&problem, &sheet.of(&office, typed, None, Some(&problem)).await?)
        }
    }
}

/// Reads what is wanted of a batch: all that is wrong at once.
fn wanted(typed: &Typed) -> Result<Wanted, Problem> {
    let (most, priority) = (typed.most.trim().parse::<u32>(), typed.priority.trim().parse::<u8>());
    let most = most.ok().filter(|most| (1..=MOST_ITEMS).contains(most));
    if let (Some(most), Ok(priority)) = (most, &priority) {
        return Ok(Wanted { priority: *priority, cut_off: None, most });
    }
    let mut problem = Problem::new(ProblemCode::BodyMalformed);
    if most.is_none() {
        problem = problem.field("/most", ProblemCode::BodyMalformed, format!("1 to {MOST_ITEMS}"));
    }
    if priority.is_err() {
        problem = problem.field("/priority", ProblemCode::BodyMalformed, "0 to 255");
    }
    Err(problem)
}

/// What the page is made with.
struct Sheet<'a> {
    desk: &'a Desk,
    production: &'a Production,
    visitor: &'a Visitor,
    dress: &'a Dress,
}

impl Sheet<'_> {
    async fn of(
        &self,
        office: &OfficeCode,
        typed: Typed,
        done: Option<&'static str>,
        problem: Option<&Problem>,
    ) -> Result<FactoryPage, Problem> {
        let (t, deeds, officer) = (texts(self.dress.language), self.desk.deeds(), &self.visitor.officer);
        let seen = live::seen(deeds, self.production.lease(), office, None).await?;
        let words = Words { language: self.dress.language, offset: deeds.source().clock().offset() };
        let own = *office == officer.office;
        Ok(FactoryPage {
            title: fill(&t.factory.title, &[("office", office.as_str())]),
            events: if own { format!("{FACTORY}/events") } else { format!("{FACTORY}/events?office={office}") },
            floor: words.floor(&seen),
            drafts: own && officer.may(Permission::Stock),
            national: officer.office == OfficeCode::national(),
            office: office.to_string(),
            typed,
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            done,
            trouble: problem.map(|problem| Trouble::of(problem, t)),
            frame: Frame::new(self.dress, Some(self.visitor), Place::Factory),
        })
    }
}
