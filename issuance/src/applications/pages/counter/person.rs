//! A person at the counter: what the register holds beside what the citizen brings, and for what a card may be applied.

use std::fmt;

use askama::Template;
use axum::Json;
use axum::http::StatusCode;
use crypto::identity::{Date, folded_name};
use crypto::perso::problem::ProblemCode;

use super::super::super::cases::CASES;
use super::super::super::model::{Held, Kind};
use super::super::super::steps::{self, Request, issued_of};
use super::super::super::store::lists::open_of;
use super::super::super::{ApplicationView, CounterError, reading};
use super::super::file::{fields, kind_word};
use super::{Act, REGISTRATION, address};
use crate::bookings::model::Booking;
use crate::cards::model::Card;
use crate::deed::Deed;
use crate::ground::ids::{ApplicationId, PersonId};
use crate::ground::text::Words;
use crate::ground::{OfficeCode, Officer};
use crate::population::model::{Claim, Registered};
use crate::web::Problem;
use crate::web::html::{COUNTER, Filled, Frame, Place, Shown, Texts, Trouble, fill, page, page_about, texts, to};
use crate::{bookings, cards, population};

/// A person at the counter.
#[derive(Template)]
#[template(path = "counter-person.html")]
struct Sheet {
    frame: Frame,
    id: PersonId,
    token: String,
    key: String,
    brought: Brought,
    /// What the register holds; nothing where another office registered the person and the citizen showed nothing yet.
    known: Option<Known>,
    trouble: Option<Trouble>,
}

impl Sheet {
    /// Returns what is wrong with a field that the officer filled in.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// What the citizen brings, as the officer typed it from the paper.
#[derive(Clone, Default)]
struct Brought {
    number: String,
    name: String,
    birth: String,
    issued: String,
    old_number: String,
    /// The kind that was chosen, by its word.
    kind: String,
    because: String,
}

/// Shows nothing: what is typed is personal.
impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Brought(…)")
    }
}

impl Brought {
    fn of(filled: &Filled) -> Self {
        let text = |name| filled.text(name).trim().to_owned();
        Self {
            number: text("number"),
            name: text("name"),
            birth: text("birth"),
            issued: text("issued"),
            old_number: text("old_number"),
            kind: text("kind"),
            because: text("because"),
        }
    }

    fn is_empty(&self) -> bool {
        [&self.number, &self.name, &self.birth, &self.issued, &self.old_number].iter().all(|text| text.is_empty())
    }

    /// Returns the same as a claim of the citizen.
    fn claim(&self) -> Result<Claim, Problem> {
        let unfit = |field: &'static str| {
            move |_| Problem::new(ProblemCode::TextTooLong).field(field, ProblemCode::TextTooLong, "too long")
        };
        let digits = |text: &str| text.split_whitespace().collect::<String>();
        Ok(Claim {
            personal_number: Words::try_from(digits(&self.number)).map_err(unfit("/number"))?,
            birth_date: Words::try_from(self.birth.clone()).map_err(unfit("/birth"))?,
            full_name: Words::try_from(self.name.clone()).map_err(unfit("/name"))?,
            card_issued: Words::try_from(self.issued.clone()).map_err(unfit("/issued"))?,
            old_card: Words::try_from(digits(&self.old_number)).map_err(unfit("/old_number"))?,
        })
    }
}

/// What the register holds, in the words of the page.
struct Known {
    name: String,
    number: String,
    office: String,
    /// What the citizen brings beside it, line by line.
    rows: Vec<Row>,
    /// How many lines differ.
    differs: usize,
    /// In words.
    verdict: String,
    cards: Vec<(String, &'static str)>,
    /// The application under way.
    open: Option<Open>,
    booking: Option<String>,
    cases: Vec<Choice>,
    /// True if an officer must say why one of the cases is right.
    doubtful: bool,
    /// What stands in the way of any application.
    barred: Option<Trouble>,
    /// True if the application takes what the citizen brings too: another office registered the person.
    by_claim: bool,
}

/// An application under way.
struct Open {
    /// Its address, if the officer's office has it.
    href: Option<String>,
}

/// A line of the comparison.
struct Row {
    item: &'static str,
    value: String,
    class: &'static str,
    /// What the paper says where it differs.
    paper: String,
    glyph: &'static str,
    says: &'static str,
}

/// A case for which a card may be applied.
struct Choice {
    word: String,
    text: &'static str,
    doubtful: bool,
    chosen: bool,
}

/// What was read in one deed.
struct Read {
    registered: Registered,
    cards: Vec<Card>,
    open: Option<(ApplicationId, OfficeCode)>,
    bookings: Vec<Booking>,
    /// True if the officer may read it by what the citizen brings alone.
    by_claim: bool,
}

async fn in_deed(deed: &mut Deed<Officer>, id: PersonId, claim: Option<&Claim>) -> Result<Read, CounterError> {
    // Before the record of the reading, which names the person.
    let cards = cards::store::cards_of(deed, id).await?;
    let registered = match claim {
        None => reading::person(deed, id, REGISTRATION).await?,
        Some(claim) => reading::person_by_claim(deed, id, claim, REGISTRATION).await?,
    };
    let open = open_of(deed.tx(), id).await?;
    let today = deed.today();
    let bookings = bookings::steps::to_take(deed.tx(), id, today).await?;
    Ok(Read { registered, cards, open, bookings, by_claim: claim.is_some() })
}

/// A person at the counter.
impl Act<PersonId> {
    fn t(&self) -> &'static Texts {
        texts(self.dress.language)
    }

    /// Reads the person: as an officer of the office that registered the person, or by what the citizen brings. Returns
    /// nothing where the citizen has to show something first.
    async fn read(&self, brought: &Brought) -> Result<Option<Read>, Problem> {
        let officer = self.visitor.officer.clone();
        let read = self.desk.look(officer.clone(), async |deed| in_deed(deed, self.id, None).await).await;
        let claim = match read {
            Ok(Json(read)) => return Ok(Some(read)),
            Err(problem) if problem.code() != ProblemCode::OtherOffice => return Err(problem),
            Err(_) if brought.is_empty() => return Ok(None),
            Err(_) => brought.claim()?,
        };
        let by_claim = async || {
            let Json(read) =
                self.desk.look(officer.clone(), async |deed| in_deed(deed, self.id, Some(&claim)).await).await?;
            Ok(read)
        };
        population::claimed(&self.desk, &officer, self.id, by_claim).await.map(Some)
    }

    async fn sheet(&self, brought: Brought, trouble: Option<Trouble>) -> Result<Sheet, Problem> {
        let read = match self.read(&brought).await {
            Ok(read) => Ok(read),
            // What the citizen brings is not what the register holds: the page says so, and shows nothing of it.
            Err(problem) if problem.status().is_client_error() && trouble.is_some() => Ok(None),
            Err(problem) => Err(problem),
        }?;
        let known = match read {
            None => None,
            Some(read) => {
                let barred = Box::pin(self.barred(&read, &brought)).await?;
                Some(self.known(read, &brought, barred))
            }
        };
        let dress = self.dress.at(&format!("{COUNTER}/persons/{}", self.id));
        Ok(Sheet {
            frame: Frame::new(&dress, Some(&self.visitor), Place::Counter),
            id: self.id,
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            brought,
            known,
            trouble,
        })
    }

    /// Returns what the verb itself says against any application of this person: it is tried in a deed that is not
    /// kept.
    async fn barred(&self, read: &Read, brought: &Brought) -> Result<Option<Trouble>, Problem> {
        let held = Held::of(&read.cards);
        let mut deed = self.desk.deeds().open(self.visitor.officer.clone()).await?;
        let today = deed.today();
        let Some(kind) = offered(&read.cards, held, today).first().map(|(kind, _)| *kind) else { return Ok(None) };
        let claim = if read.by_claim { Some(brought.claim()?) } else { None };
        let request = Request {
            person: self.id,
            kind,
            office: &self.visitor.officer.office,
            exempt: false,
            claim: claim.as_ref(),
            acknowledged: Some("tried"),
        };
        let tried = steps::register(&mut deed, &self.counter, request).await;
        drop(deed);
        match tried.map_err(Problem::from) {
            Ok(_) => Ok(None),
            Err(problem) if problem.status().is_server_error() => Err(problem),
            Err(problem) => Ok(Some(Trouble::of(&problem, self.t()))),
        }
    }

    fn known(&self, read: Read, brought: &Brought, barred: Option<Trouble>) -> Known {
        let t = self.t();
        let Read { registered, cards, open, bookings, by_claim } = read;
        let (officer, today) = (&self.visitor.officer, self.desk.deeds().source().clock().today());
        let number = registered.personal_number.as_ref().map(|number| number.as_str().to_owned());
        let rows = self.rows(&registered, number.as_deref(), brought);
        let differs = rows.iter().filter(|row| row.class == "diff").count();
        let held = Held::of(&cards);
        let cases: Vec<Choice> = offered(&cards, held, today)
            .into_iter()
            .map(|(kind, doubtful)| {
                let word = kind_word(kind);
                let chosen = word == brought.kind;
                Choice { text: t.word(&t.kind, &word), doubtful, chosen, word }
            })
            .collect();
        Known {
            name: registered.person.full_name.as_str().to_owned(),
            number: number.map_or_else(|| t.file.number_none.clone(), |n| ::pages::written::personal_number(&n)),
            office: registered.office.to_string(),
            verdict: match differs {
                _ if brought.is_empty() => t.counter.unasked.clone(),
                0 => t.counter.all_same.clone(),
                n => fill(&t.counter.differs, &[("n", &n.to_string())]),
            },
            rows,
            differs,
            cards: cards
                .iter()
                .map(|card| {
                    let state = if card.status.is_active() { &t.counter.card_counts } else { &t.counter.card_ended };
                    (fill(&t.counter.card_issued, &[("day", &::pages::written::date(card.issued))]), state.as_str())
                })
                .collect(),
            open: open.map(|(id, office)| Open { href: officer.may_act_for(&office).is_ok().then(|| address(id)) }),
            booking: bookings.first().map(|booking| {
                let day = ::pages::written::date(booking.day);
                let (from, to) = (booking.from.to_string(), booking.to.to_string());
                let office = booking.office.to_string();
                fill(&t.counter.booked, &[("day", &day), ("from", &from), ("to", &to), ("office", &office)])
            }),
            doubtful: cases.iter().any(|case| case.doubtful),
            cases,
            barred,
            by_claim,
        }
    }

    /// The fields of the register, those that the officer typed from paper first compared.
    fn rows(&self, registered: &Registered, number: Option<&str>, brought: &Brought) -> Vec<Row> {
        use super::super::super::register_check::RegisterField as F;
        let t = self.t();
        let today = self.desk.deeds().source().clock().today();
        let row = |item, value: String, paper: &str, same: bool| {
            let (class, glyph, says) = match (paper.is_empty(), same) {
                (true, _) => ("", "i-none", &*t.counter.not_typed),
                (false, true) => ("same", "i-ok", &*t.counter.same),
                (false, false) => ("diff", "i-wait", &*t.counter.differs_here),
            };
            let paper = if class == "diff" { paper.to_owned() } else { String::new() };
            Row { item, value, class, paper, glyph, says }
        };
        let digits = |text: &str| text.split_whitespace().collect::<String>();
        let shown = number.map_or_else(|| t.file.number_none.clone(), ::pages::written::personal_number);
        let mut rows =
            vec![row(&*t.counter.number, shown, &brought.number, number == Some(digits(&brought.number).as_str()))];
        for (field, value) in fields(&registered.person, self.counter.register.reference(), today, t) {
            let Some(value) = value else { continue };
            let (paper, same) = match field {
                F::FullName => (brought.name.as_str(), same_name(&value, &brought.name)),
                F::BirthDate => (brought.birth.as_str(), brought.birth.parse::<Date>() == Ok(registered.person.birth)),
                F::OldIdNumber => (brought.old_number.as_str(), value == digits(&brought.old_number)),
                _ => ("", true),
            };
            rows.push(row(t.word(&t.field, &field.name()), value, paper, same));
        }
        rows
    }

    /// The page with what is wrong, and nothing of the person.
    fn closed(&self, brought: Brought, trouble: Trouble) -> Sheet {
        let dress = self.dress.at(&format!("{COUNTER}/persons/{}", self.id));
        Sheet {
            frame: Frame::new(&dress, Some(&self.visitor), Place::Counter),
            id: self.id,
            token: self.visitor.token.clone(),
            key: self.visitor.key.clone(),
            brought,
            known: None,
            trouble: Some(trouble),
        }
    }

    async fn again(&self, problem: &Problem, brought: Brought) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem.clone());
        }
        let trouble = Trouble::of(problem, self.t());
        let sheet = match problem.code() {
            // Shown without another attempt: a wrong claim counts once, and is one record.
            ProblemCode::ClaimMismatch | ProblemCode::ClaimTooSoon => self.closed(brought, trouble),
            _ => Box::pin(self.sheet(brought, Some(trouble))).await?,
        };
        page_about(problem, &sheet)
    }
}

/// True if two names have the same letters and tones, in upper or lower case: a name that only folds to the other is
/// another one, and the officer is told.
fn same_name(registered: &str, paper: &str) -> bool {
    let plain = |name: &str| name.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
    folded_name(registered) == folded_name(paper) && plain(registered) == plain(paper)
}

/// Returns the cases for which this person may apply, as the cards say it, each with whether an officer must know
/// better.
fn offered(cards: &[Card], held: Held, today: time::Date) -> Vec<(Kind, bool)> {
    let in_hand = !issued_of(cards).is_empty();
    let fits = |kind: Kind| match kind.judge(held, today) {
        Ok(doubt) if kind != Kind::First || !in_hand => Some((kind, doubt.is_some())),
        _ => None,
    };
    CASES.iter().filter_map(|case| fits(case.kind)).collect()
}

/// The person, as the register has it.
pub(super) async fn show(act: Act<PersonId>) -> Shown {
    page(&Box::pin(act.sheet(Brought::default(), None)).await?)
}

/// The person beside what the citizen brings.
pub(super) async fn compare(act: Act<PersonId>, filled: Filled) -> Shown {
    let brought = Brought::of(&filled);
    match Box::pin(act.sheet(brought.clone(), None)).await {
        Ok(sheet) => page(&sheet),
        Err(problem) if problem.status().is_server_error() || problem.status() == StatusCode::NOT_FOUND => Err(problem),
        Err(problem) => page_about(&problem, &act.closed(brought, Trouble::of(&problem, act.t()))),
    }
}

/// Opens an application, once, however often the form comes.
pub(super) async fn open(act: Act<PersonId>, filled: Filled) -> Shown {
    let brought = Brought::of(&filled);
    let (person, officer) = (act.id, act.visitor.officer.clone());
    let opening = async {
        let chosen = CASES.iter().map(|case| case.kind).find(|kind| kind_word(*kind) == brought.kind);
        let code = ProblemCode::ReasonUnfit;
        let kind = chosen.ok_or_else(|| Problem::new(code).field("/kind", code, "one of the cases"))?;
        let claim = if filled.some("claimed").is_some() { Some(brought.claim()?) } else { None };
        let acknowledged = Some(brought.because.as_str()).filter(|because| !because.is_empty());
        let stamp = filled.stamp()?;
        let write = async || {
            act.desk
                .write(officer.clone(), stamp, async |deed| {
                    let office = officer.office.clone();
                    let request =
                        Request { person, kind, office: &office, exempt: false, claim: claim.as_ref(), acknowledged };
                    let application = steps::register(deed, &act.counter, request).await?;
                    Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
                })
                .await
        };
        match &claim {
            Some(_) => population::claimed(&act.desk, &officer, person, write).await,
            None => write().await,
        }
    };
    match Box::pin(opening).await {
        Ok(made) => {
            let id = made.text("id").ok_or_else(|| Problem::new(ProblemCode::Internal))?;
            Ok(to(&format!("{COUNTER}/applications/{id}")))
        }
        Err(problem) => act.again(&problem, brought).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_any_case_and_never_without_their_tones() {
        assert!(same_name("TRẦN THỊ HOÀI AN", "Trần  Thị Hoài An"));
        for other in ["Tran Thi Hoai An", "Trần Thị Hoài Ân", "Trần Thị Hoài", ""] {
            assert!(!same_name("TRẦN THỊ HOÀI AN", other), "{other}");
        }
    }
}
