//! The page of the second officer: the queue by due day, the dossier beside the register, one decision for one key. And
//! the pages of people ([`persons`], [`person`], [`readings`]) and of the hand-over ([`hand_over`]).
//!
//! Every act is the verb that the API has; what stands in the way of an approval is what the verb itself says, tried in
//! a deed that is not kept.

mod counter;
mod file;
mod hand_over;
mod person;
mod persons;
mod queue;
mod readings;

use askama::Template;
use axum::Json;
use axum::extract::{FromRef, FromRequestParts, State};
use axum::http::request::Parts;
use axum::response::Response;
pub(crate) use counter::at_counter;
use file::{File, Typed};
pub(crate) use hand_over::waiting_cards;
use queue::Queue;
use serde::de::DeserializeOwned;
use time::Date;

use super::appeals::{self, AppealOutcome};
use super::model::{Application, DossierDigest, ReturnReason};
use super::stages::Step;
use super::steps::{self, Missing};
use super::{ApplicationView, Counter, CounterError, claims};
use crate::deed::{Deed, Occasion};
use crate::ground::ids::ApplicationId;
use crate::ground::text::{MOST_OF_REASON, SomeWords};
use crate::ground::{Officer, Permission};
use crate::offices::calendar::Day;
use crate::web::html::{
    APPROVALS, Asked, Dress, Filled, Frame, HAND_OVER, PERSONS, PageRoutes, Place, READINGS, Shown, Texts, Trouble,
    Visitor, fill, page, page_about, texts, to,
};
use crate::web::{Desk, Named, Problem, Right, Stamp};

/// The pages of this office.
pub(crate) fn pages<S: Clone + Send + Sync + 'static>() -> PageRoutes<S>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    let decides = Right::Officer(Permission::Decide);
    let hands_over = Right::Officer(Permission::HandOver);
    let (reads_person, reads_audit) = (Right::Officer(Permission::ReadPerson), Right::Officer(Permission::ReadAudit));
    PageRoutes::new()
        .get(reads_person, PERSONS, persons::form)
        .post(reads_person, PERSONS, persons::search)
        .get(reads_person, "/pages/persons/{id}", person::open)
        .get(reads_audit, READINGS, readings::ask)
        .get(reads_audit, "/pages/persons/{id}/readings", readings::of_person)
        .get(hands_over, HAND_OVER, hand_over::begin)
        .post(hands_over, HAND_OVER, hand_over::find)
        .get(hands_over, "/pages/hand-over/{id}", hand_over::open)
        .post(hands_over, "/pages/hand-over/{id}", hand_over::hand_over_card)
        .post(hands_over, "/pages/hand-over/{id}/refusal", hand_over::refuse)
        .get(hands_over, "/pages/hand-over/{id}/receipt", hand_over::receipt)
        .get(decides, APPROVALS, approvals)
        .get(decides, "/pages/approvals/queue", queue_alone)
        .get(decides, "/pages/approvals/{id}", open)
        .get(decides, "/pages/approvals/{id}/prints/{finger}", counter::prints::decided_on)
        .post(decides, "/pages/approvals/{id}/approval", approve)
        .post(decides, "/pages/approvals/{id}/check", check)
        .post(decides, "/pages/approvals/{id}/return", give_back)
        .post(decides, "/pages/approvals/{id}/refusal", refuse)
        .post(decides, "/pages/approvals/{id}/appeal", hear)
        .post(decides, "/pages/approvals/{id}/claim", claim)
        .post(decides, "/pages/approvals/{id}/claim/release", release)
        .merge(counter::pages())
}

/// Queue and file.
#[derive(Template)]
#[template(path = "approvals.html")]
struct Approvals {
    frame: Frame,
    queue: Queue,
    file: Option<File>,
    /// What was decided a moment ago.
    done: Option<Done>,
    trouble: Option<Trouble>,
}

impl Approvals {
    /// Returns what is wrong with a field that the officer filled in.
    fn wrong(&self, field: &str) -> Option<&str> {
        self.trouble.as_ref().filter(|trouble| trouble.is_about(field)).map(|trouble| trouble.title.as_str())
    }
}

/// The queue, as the open page asks for it again.
#[derive(Template)]
#[template(path = "queue.html")]
struct QueueAlone {
    frame: Frame,
    queue: Queue,
}

/// Returns how many applications wait for the decision of an officer's office, in words, and when the first is due.
pub(crate) async fn waiting(desk: &Desk, officer: &Officer, t: &'static Texts) -> Result<String, Problem> {
    let queue = queue::read(desk, officer, None, t).await?;
    Ok(match queue.rows.first() {
        None => t.home.approvals_none.clone(),
        Some(first) => fill(&t.home.approvals_some, &[("n", &queue.count), ("due", &first.due)]),
    })
}

async fn approvals(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let t = texts(dress.language);
    let queue = queue::read(&desk, &visitor.officer, None, t).await?;
    let (frame, done) = (Frame::new(&dress, Some(&visitor), Place::Approvals), done(t, &asked, false));
    page(&Approvals { frame, queue, file: None, done, trouble: None })
}

async fn queue_alone(State(desk): State<Desk>, dress: Dress, visitor: Visitor, asked: Asked) -> Shown {
    let current = asked.some("current").and_then(|id| id.parse().ok());
    let queue = queue::read(&desk, &visitor.officer, current, texts(dress.language)).await?;
    page(&QueueAlone { frame: Frame::new(&dress, Some(&visitor), Place::Approvals), queue })
}

async fn open(act: Act, asked: Asked) -> Shown {
    let Act { desk, counter, dress, visitor, id } = act;
    let t = texts(dress.language);
    let file = Box::pin(file::read(&desk, &counter, &visitor, id, Typed::default(), t)).await?;
    let queue = queue::read(&desk, &visitor.officer, Some(id), t).await?;
    let (frame, done) = (Frame::new(&dress, Some(&visitor), Place::Approvals), done(t, &asked, true));
    page(&Approvals { frame, queue, file: Some(file), done, trouble: None })
}

/// What was done a moment ago.
#[derive(Debug)]
struct Done {
    /// In words.
    says: String,
    /// The end of the identifier of its application: what this window kept for it is done with.
    was: String,
}

/// Returns what was decided a moment ago, as the address says it in words of ours.
fn done(t: &'static Texts, asked: &Asked, opened: bool) -> Option<Done> {
    let Done { says, was } = done_of(asked, |word| match word {
        "approved" => Some(&*t.done.approved),
        "checked" => Some(&*t.done.checked),
        "returned" => Some(&*t.done.returned),
        "refused" => Some(&*t.done.refused),
        "appeal-allowed" => Some(&*t.hearing.allowed_done),
        "appeal-upheld" => Some(&*t.hearing.upheld_done),
        _ => None,
    })?;
    Some(Done { says: format!("{says} {}", if opened { &t.done.next } else { &t.done.last }), was })
}

/// Returns what was done a moment ago, in the words for what the address says, of the application that it names.
fn done_of(asked: &Asked, says: impl FnOnce(&str) -> Option<&'static str>) -> Option<Done> {
    let says = says(asked.some("done")?)?;
    let was = asked.some("was").filter(|was| was.len() == 6 && was.bytes().all(|b| b.is_ascii_hexdigit()))?;
    Some(Done { says: fill(says, &[("reference", was)]), was: was.to_ascii_lowercase() })
}

/// What the handlers of the pages and the acts about one thing need: an application, if not said otherwise.
struct Act<I = ApplicationId> {
    desk: Desk,
    counter: Counter,
    dress: Dress,
    visitor: Visitor,
    id: I,
}

impl<S: Send + Sync, I: DeserializeOwned + Send> FromRequestParts<S> for Act<I>
where
    Counter: FromRef<S>,
    Desk: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Named(id) = Named::from_request_parts(parts, state).await?;
        Ok(Self {
            desk: Desk::from_ref(state),
            counter: Counter::from_ref(state),
            dress: Dress::from_request_parts(parts, state).await?,
            visitor: Visitor::from_request_parts(parts, state).await?,
            id,
        })
    }
}

impl Act {
    /// Does the verb once, however often the form comes, and leads to the next application; or shows the same one again
    /// with what is wrong, and all that was typed.
    async fn decide(
        self,
        stamp: Result<Stamp, Problem>,
        done: &'static str,
        typed: Typed,
        verb: impl AsyncFnOnce(&mut Deed<Officer>) -> Result<Application, CounterError>,
    ) -> Shown {
        let officer = self.visitor.officer.clone();
        let said = match stamp {
            Ok(stamp) => {
                let kept = async |deed: &mut Deed<Officer>| {
                    let application = verb(deed).await?;
                    Ok::<_, CounterError>(ApplicationView::new(application, None, &officer))
                };
                self.desk.write(officer.clone(), stamp, kept).await.map(drop)
            }
            Err(problem) => Err(problem),
        };
        match said {
            Ok(()) => {
                let t = texts(self.dress.language);
                let queue = queue::read(&self.desk, &officer, None, t).await?;
                let next = queue.rows.iter().find(|row| row.id != self.id && !row.taken);
                let place = next.map_or_else(|| APPROVALS.to_owned(), |row| format!("{APPROVALS}/{}", row.id));
                Ok(to(&format!("{place}?done={done}&was={}", file::reference(self.id))))
            }
            Err(problem) => self.again(&problem, typed).await,
        }
    }

    /// Shows the application with what is wrong.
    async fn again(self, problem: &Problem, typed: Typed) -> Shown {
        if problem.status().is_server_error() {
            return Err(problem.clone());
        }
        let t = texts(self.dress.language);
        let dress = self.dress.at(&format!("{APPROVALS}/{}", self.id));
        let file = Box::pin(file::read(&self.desk, &self.counter, &self.visitor, self.id, typed, t)).await?;
        let queue = queue::read(&self.desk, &self.visitor.officer, Some(self.id), t).await?;
        let frame = Frame::new(&dress, Some(&self.visitor), Place::Approvals);
        let trouble = Some(Trouble::of(problem, t));
        page_about(problem, &Approvals { frame, queue, file: Some(file), done: None, trouble })
    }
}

/// Reads the name of the dossier that the officer saw.
fn seen(filled: &Filled) -> Option<DossierDigest> {
    hex::decode(filled.text("dossier")).ok()?.try_into().ok().map(DossierDigest)
}

async fn approve(act: Act, filled: Filled) -> Shown {
    let (counter, id) = (act.counter.clone(), act.id);
    let portrait = steps::fetch_portrait(act.desk.deeds(), &counter, id).await?;
    let verb = async |deed: &mut Deed<Officer>| steps::approve(deed, &counter, id, seen(&filled), portrait).await;
    Box::pin(act.decide(filled.stamp(), "approved", Typed::default(), verb)).await
}

async fn check(act: Act, filled: Filled) -> Shown {
    let id = act.id;
    let verb = async |deed: &mut Deed<Officer>| steps::check(deed, id, seen(&filled)).await;
    Box::pin(act.decide(filled.stamp(), "checked", Typed::default(), verb)).await
}

async fn give_back(act: Act, filled: Filled) -> Shown {
    let typed = Typed::of(Step::Return, &filled);
    let (reasons, says, until) = match bring(&filled) {
        Ok(bring) => bring,
        Err(problem) => return act.again(&problem, typed).await,
    };
    let (counter, id) = (act.counter.clone(), act.id);
    let verb = async |deed: &mut Deed<Officer>| {
        steps::give_back(deed, &counter, id, Missing { reasons, says: says.as_str(), until }).await
    };
    Box::pin(act.decide(filled.stamp(), "returned", typed, verb)).await
}

/// Reads what the citizen is to bring, and until when.
fn bring(filled: &Filled) -> Result<(Vec<ReturnReason>, SomeWords<MOST_OF_REASON>, Date), Problem> {
    use crypto::perso::problem::ProblemCode as C;
    let reasons: Vec<ReturnReason> =
        filled.all("reasons").filter_map(|word| serde_json::from_value(word.into()).ok()).collect();
    if reasons.is_empty() {
        return Err(Problem::new(C::ReasonMissing).field("/reasons", C::ReasonMissing, "one or more"));
    }
    let unfit = |_| Problem::new(C::PeriodUnfit).field("/until", C::PeriodUnfit, "a day after today");
    let until = filled.text("until").parse::<Day>().map_err(unfit)?;
    Ok((reasons, filled.judged("says")?, until.0))
}

async fn refuse(act: Act, filled: Filled) -> Shown {
    let typed = Typed::of(Step::Refuse, &filled);
    let reason: SomeWords<MOST_OF_REASON> = match filled.judged("reason") {
        Ok(reason) => reason,
        Err(problem) => return act.again(&problem, typed).await,
    };
    let id = act.id;
    let verb = async |deed: &mut Deed<Officer>| steps::refuse(deed, id, reason.as_str()).await;
    Box::pin(act.decide(filled.stamp(), "refused", typed, verb)).await
}

/// Decides about a complaint, at the national office.
async fn hear(act: Act, filled: Filled) -> Shown {
    let typed = Typed::of(Step::Uphold, &filled);
    let (outcome, done) = match filled.text("outcome") {
        "upheld" => (AppealOutcome::Upheld, "appeal-upheld"),
        "allowed" => (AppealOutcome::Allowed, "appeal-allowed"),
        _ => {
            use crypto::perso::problem::ProblemCode as C;
            let problem = Problem::new(C::ReasonMissing).field("/outcome", C::ReasonMissing, "upheld or allowed");
            return act.again(&problem, typed).await;
        }
    };
    let reason: SomeWords<MOST_OF_REASON> = match filled.judged("reason") {
        Ok(reason) => reason,
        Err(problem) => return act.again(&problem, typed).await,
    };
    let id = act.id;
    let verb = async |deed: &mut Deed<Officer>| appeals::decide(deed, id, outcome, reason.as_str()).await;
    Box::pin(act.decide(filled.stamp(), done, typed, verb)).await
}

async fn claim(act: Act, _: Filled) -> Shown {
    let Act { desk, counter, visitor, id, .. } = act;
    let Json(()) = desk.look(visitor.officer, async |deed| claims::claim(deed, &counter, id).await.map(drop)).await?;
    Ok(back(id))
}

async fn release(act: Act, _: Filled) -> Shown {
    let Act { desk, visitor, id, .. } = act;
    let Json(()) = desk.look(visitor.officer, async |deed| claims::release(deed, id).await).await?;
    Ok(back(id))
}

fn back(id: ApplicationId) -> Response {
    to(&format!("{APPROVALS}/{id}"))
}

/// For what the page reads a person: the decision about this application.
fn occasion(id: ApplicationId) -> Occasion {
    Occasion { purpose: crate::deed::Purpose::Decision, case: Some(id) }
}

#[cfg(test)]
mod tests {
    use ::pages::Language;
    use serde::Serialize;

    use super::file::word_of;
    use super::*;
    use crate::applications::cases::CASES;
    use crate::applications::hand_over::OldDocumentEnd;
    use crate::applications::model::StageName;
    use crate::applications::register_check::RegisterField;
    use crate::population::history::EventKind;

    fn words<T: Serialize>(all: &[T]) -> Vec<String> {
        all.iter().map(word_of).collect()
    }

    /// The tables of words have each word that the page may show, and no other.
    #[test]
    fn every_word_of_a_file_has_a_text() {
        use RegisterField as F;
        let fields = [
            F::FullName,
            F::BirthDate,
            F::Sex,
            F::BirthRegistration,
            F::PlaceOfOrigin,
            F::EthnicGroup,
            F::Religion,
            F::Nationality,
            F::MaritalStatus,
            F::PermanentResidence,
            F::TemporaryResidence,
            F::CurrentResidence,
            F::BloodGroup,
            F::Father,
            F::Mother,
            F::Spouse,
            F::Representative,
            F::HeadOfHousehold,
            F::RelationToHead,
            F::OldIdNumber,
            F::HouseholdBookNumber,
        ];
        let stages: Vec<String> = StageName::ALL.iter().map(|stage| stage.word().to_owned()).collect();
        let kinds: Vec<String> = CASES.iter().map(|case| file::kind_word(case.kind)).collect();
        let events: Vec<String> = EventKind::PROPOSED.iter().map(|kind| kind.word().to_owned()).collect();
        let looks: Vec<String> = crate::audit::LOOKS.iter().map(|action| action.word().to_owned()).collect();
        let purposes: Vec<String> = crate::deed::Purpose::ALL.iter().map(|purpose| purpose.word().to_owned()).collect();
        let cards = ["personalized", "active", "suspended", "revoked"].map(str::to_owned).to_vec();
        let ends: Vec<String> = OldDocumentEnd::ALL.iter().map(|end| end.word().to_owned()).collect();
        for language in Language::ALL {
            let t = texts(language);
            for (table, words) in [
                (&t.field, words(&fields)),
                (&t.stage, stages.clone()),
                (&t.kind, kinds.clone()),
                (&t.event, events.clone()),
                (&t.reason, words(&file::RETURN_REASONS)),
                (&t.sex, vec!["F".into(), "M".into()]),
                (&t.action, looks.clone()),
                (&t.purpose, purposes.clone()),
                (&t.card, cards.clone()),
                (&t.old_document, ends.clone()),
            ] {
                for word in &words {
                    assert_ne!(t.word(table, word), "?", "{language}: {word}");
                }
                if !std::ptr::eq(table, &raw const t.event) {
                    assert_eq!(table.len(), words.len(), "{language}: {:?}", table.keys());
                }
            }
        }
    }
}
