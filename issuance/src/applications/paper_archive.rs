//! Classification of a dossier on the day of its capture, and the look-up in the archive of papers (tàng thư) inside or
//! outside the province: Circular 60/2021/TT-BCA, Art. 6. Both are work beside the stage, each with its owner and its
//! day (ADR 0041).

use crypto::identity::ProvinceCode;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::Date;
use utoipa::ToSchema;

use super::cases::case;
use super::deadlines::Now;
use super::model::{Application, Held, Stage, StageName, TransitionError};
use super::progress::{ReminderError, Said};
use super::register_check::{self, RegisterField};
use super::steps::{involved_officers, to_step};
use super::store::paper_archive as store;
use super::{Counter, CounterError};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::{Actor, Service};
use crate::ground::ids::{ApplicationId, ArchiveRequestId, PersonId};
use crate::ground::text::tidy;
use crate::ground::{Decision, OfficeCode, Officer, Permission, Role, words};
use crate::offices::calendar::Calendar;
use crate::population::model::Person;
use crate::population::{self, PopulationError};
use crate::store::{StoreError, Tx};
use crate::{access, cards, offices};

/// Whether a dossier is classified and the archive asked before a card is approved, and until when; in working days.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Archives {
    /// True: no card is approved before the dossier is classified and, where the case needs it, the archive answered.
    pub demanded: bool,
    /// From the capture to the classification; 0: on the same working day.
    pub classification: u16,
    /// From the question to the answer of the archive of the own province.
    pub inside: u16,
    /// The same of another province.
    pub outside: u16,
}

impl Default for Archives {
    fn default() -> Self {
        Self { demanded: false, classification: 0, inside: 1, outside: 3 }
    }
}

impl Archives {
    /// Returns the last day of the classification of what is captured on this day: a working day.
    #[must_use]
    pub fn classified_by(&self, calendar: &Calendar, day: Date) -> Date {
        let before = day.previous_day().unwrap_or(day);
        calendar.add_working_days(before, u32::from(self.classification) + 1).unwrap_or(Date::MAX)
    }

    /// Returns the last day of the answer of an archive that is asked on this day.
    #[must_use]
    pub fn answered_by(&self, calendar: &Calendar, day: Date, papers: Papers) -> Date {
        let days = if papers == Papers::Outside { self.outside } else { self.inside };
        calendar.add_working_days(day, days.into()).unwrap_or(Date::MAX)
    }
}

/// Where the papers of the citizen's old identity card lie.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Papers {
    /// In the archive of the office's own province.
    Inside,
    /// There are none: the citizen never had an old identity card.
    Nowhere,
    /// In the archive of another province.
    Outside,
}

words! {
    Papers {
        Inside = "inside",
        Nowhere = "nowhere",
        Outside = "outside",
    }
}

/// What an officer said of the papers of a dossier.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Classification {
    /// Where they lie.
    pub papers: Papers,
    /// Of which province; none where the office's own one is not known.
    pub province: Option<ProvinceCode>,
    /// True if the case needs a look-up.
    pub needed: bool,
    /// The officer, and the moment.
    pub classified: Decision,
}

/// How a look-up ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ArchiveOutcome {
    /// The papers say otherwise than the register.
    Disagrees,
    /// The papers are there, and agree.
    Found,
    /// There are no papers of the citizen.
    NotFound,
}

words! {
    ArchiveOutcome {
        Disagrees = "disagrees",
        Found = "found",
        NotFound = "not-found",
    }
}

/// What the papers say.
#[derive(Clone, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Answer {
    /// The number of the identity card, nine or twelve digits.
    pub number: Option<String>,
    /// The name on the papers.
    pub full_name: Option<String>,
    /// The birth date on the papers, as it is written there.
    pub birth_date: Option<String>,
    /// The day on which the identity card was issued.
    pub issued_on: Option<Date>,
    /// What was looked at, in the officer's words.
    pub says: String,
    /// SHA-256 of the scan of the papers, which stays in the archive.
    pub scan_sha256: Option<String>,
    /// Fields in which the papers say otherwise than the register.
    #[serde(default)]
    pub disagrees: Vec<RegisterField>,
}

/// Shows nothing: it is personal.
impl std::fmt::Debug for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Answer(…)")
    }
}

impl Answer {
    /// Refuses an answer that does not belong to its outcome: what was found has number and name, what was not found
    /// has none, and only papers that disagree name fields.
    ///
    /// # Errors
    /// [`ArchiveDoubt::AnswerUnfit`]
    pub fn check(&self, outcome: ArchiveOutcome) -> Result<(), ArchiveDoubt> {
        let unfit = |why| Err(ArchiveDoubt::AnswerUnfit(why));
        let is_number =
            |text: &String| [9, 12].contains(&text.len()) && text.bytes().all(|digit| digit.is_ascii_digit());
        let is_digest =
            |text: &String| text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if self.number.as_ref().is_some_and(|number| !is_number(number)) {
            return unfit("the number of an identity card has nine or twelve digits");
        }
        if self.scan_sha256.as_ref().is_some_and(|digest| !is_digest(digest)) {
            return unfit("the digest of a scan has 64 hexadecimal digits");
        }
        let reads_papers = self.number.is_some() || self.full_name.is_some() || self.birth_date.is_some();
        let reads_papers = reads_papers || self.issued_on.is_some() || self.scan_sha256.is_some();
        match outcome {
            ArchiveOutcome::Found if self.number.is_none() || self.full_name.is_none() => {
                unfit("what was found says number and name")
            }
            ArchiveOutcome::NotFound if reads_papers => unfit("what was not found says nothing"),
            ArchiveOutcome::Disagrees if self.disagrees.is_empty() => {
                unfit("papers that disagree name one field or more")
            }
            ArchiveOutcome::Found | ArchiveOutcome::NotFound if !self.disagrees.is_empty() => {
                unfit("only papers that disagree name fields")
            }
            _ => Ok(()),
        }
    }
}

/// A question to the archive of papers of a province.
#[derive(Clone, Debug)]
pub struct ArchiveRequest {
    /// Identifier.
    pub id: ArchiveRequestId,
    /// The application for which it is asked.
    pub application: ApplicationId,
    /// The citizen.
    pub person: PersonId,
    /// Number among those of the application, from 1.
    pub ordinal: u32,
    /// Inside or outside the province.
    pub papers: Papers,
    /// The province.
    pub province: Option<ProvinceCode>,
    /// The office of the application.
    pub from: OfficeCode,
    /// The office that keeps the archive.
    pub to: OfficeCode,
    /// What is asked, in the officer's words; empty once they are erased.
    pub words: String,
    /// The officer who asked, and the moment.
    pub asked: Decision,
    /// The last day on which the archive answers in time.
    pub due_on: Date,
    /// How it ended, the officer who answered, and the moment.
    pub answered: Option<(ArchiveOutcome, Decision)>,
    /// What the archive answered, until it is erased.
    pub answer: Option<Answer>,
    /// When the application ended without an answer.
    pub ended_at: Option<time::OffsetDateTime>,
}

impl ArchiveRequest {
    /// True while the archive is to answer.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        self.answered.is_none() && self.ended_at.is_none()
    }

    /// True if the archive of which a classification speaks answered.
    fn answers(&self, said: &Classification) -> bool {
        self.answered.is_some() && (self.papers, self.province) == (said.papers, said.province)
    }
}

/// Why a dossier does not go on, or an archive is not asked.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum ArchiveDoubt {
    /// An answer does not belong to its outcome.
    #[error("{0}")]
    AnswerUnfit(&'static str),
    /// It was answered, or ended with its application.
    #[error("the question is answered, or ended with its application")]
    Closed,
    /// A classification that cannot be.
    #[error("{0}")]
    ClassificationUnfit(&'static str),
    /// The archive is asked and has not answered, or must be asked.
    #[error("{0}")]
    Unanswered(&'static str),
    /// It is not classified.
    #[error("no officer said yet where the papers of the old identity card lie")]
    Unclassified,
    /// No such question.
    #[error("no such question")]
    Unknown,
}

/// Returns whether a card may be approved as far as the papers are concerned: no archive is still to answer and, where
/// it is demanded, the dossier is classified and the archive that it names answered.
///
/// # Errors
/// [`ArchiveDoubt::Unanswered`], [`ArchiveDoubt::Unclassified`]
pub fn settled(
    demanded: bool,
    classification: Option<&Classification>,
    requests: &[ArchiveRequest],
) -> Result<(), ArchiveDoubt> {
    if requests.iter().any(ArchiveRequest::is_open) {
        return Err(ArchiveDoubt::Unanswered("the archive of papers has not answered yet"));
    }
    if !demanded {
        return Ok(());
    }
    let said = classification.ok_or(ArchiveDoubt::Unclassified)?;
    if said.needed && !requests.iter().any(|request| request.answers(said)) {
        return Err(ArchiveDoubt::Unanswered("this case needs a look-up in the archive of papers"));
    }
    Ok(())
}

/// Returns whether a dossier at this stage can be classified: from the capture to the approval, while no archive is
/// asked.
///
/// # Errors
/// [`TransitionError::NotFrom`], [`ArchiveDoubt::Unanswered`]
pub fn may_classify(stage: StageName, requests: &[ArchiveRequest]) -> Result<(), CounterError> {
    if !matches!(stage, StageName::Captured | StageName::Returned | StageName::Checked) {
        return Err(TransitionError::NotFrom(stage.word()).into());
    }
    if requests.iter().any(ArchiveRequest::is_open) {
        return Err(ArchiveDoubt::Unanswered("the archive of papers has not answered yet").into());
    }
    Ok(())
}

/// As [`may_classify`], for the question to the archive: of papers that lie in one.
///
/// # Errors
/// [`ArchiveDoubt::Unclassified`], [`ArchiveDoubt::ClassificationUnfit`]; as [`may_classify`]
pub fn may_ask<'a>(
    stage: StageName,
    classification: Option<&'a Classification>,
    requests: &[ArchiveRequest],
) -> Result<&'a Classification, CounterError> {
    may_classify(stage, requests)?;
    let said = classification.ok_or(ArchiveDoubt::Unclassified)?;
    if said.papers == Papers::Nowhere {
        return Err(
            ArchiveDoubt::ClassificationUnfit("no archive has papers of this citizen, as it is classified").into()
        );
    }
    Ok(said)
}

/// Says where the papers of the citizen's old identity card lie. Said again, the last word counts, until the archive is
/// asked. The officer had a hand in the application.
///
/// # Errors
/// [`CounterError`]; [`ArchiveDoubt::ClassificationUnfit`] for a province that does not belong to the answer, and for
/// no papers where the case needs a look-up.
pub async fn classify(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    papers: Papers,
    province: Option<ProvinceCode>,
) -> Result<Classification, CounterError> {
    let application = to_step(deed, id).await?;
    let requests = store::of_application(deed.tx(), id).await?;
    may_classify(application.stage.which(), &requests)?;
    let own = offices::steps::province_of(deed.tx(), &application.office).await?;
    let (unfit, today) = (ArchiveDoubt::ClassificationUnfit, deed.today());
    let province = match (papers, province) {
        (Papers::Outside, None) => {
            return Err(unfit("papers outside the province lie in a province that is named").into());
        }
        (Papers::Outside, other) if other == own => return Err(unfit("the province is the office's own").into()),
        (Papers::Outside, Some(code)) if counter.register.reference().province(code, today).is_none() => {
            return Err(unfit("there is no such province").into());
        }
        (Papers::Outside, other) => other,
        (_, Some(_)) => return Err(unfit("a province is named for papers outside the own one").into()),
        (Papers::Inside, None) => own,
        (Papers::Nowhere, None) => None,
    };
    let registered = population::store::person(deed, application.person).await?.ok_or(PopulationError::Unknown)?;
    let held = Held::of(&cards::store::cards_of(deed, application.person).await?);
    let has_old_card = registered.person.old_id_number.as_ref().is_some_and(|number| number.len() == 9);
    let needed = case(application.kind).look_up.is_needed(has_old_card, held);
    if needed && papers == Papers::Nowhere {
        return Err(unfit("this case needs a look-up in the archive of papers").into());
    }
    let said = Classification { papers, province, needed, classified: deed.decision() };
    store::classify(deed.tx(), &application, &said).await?;
    super::steps::involve_actor(deed, id).await?;
    let mut words = said.papers.word().to_owned();
    if let Some(province) = said.province {
        words = format!("{words} {province}");
    }
    let words = if needed { format!("{words}; look-up needed") } else { words };
    let entry = Entry::new(Action::ApplicationClassified, Object::Application(id), Purpose::Capture);
    deed.enter(entry.about(application.person).of(&application.office).because(words)).await?;
    Ok(said)
}

/// Asks the archive of which the classification speaks. The head who asks approves the question (Circular
/// 60/2021/TT-BCA, Art. 6), and had no hand in the application. A province without an office of its own in which an
/// officer keeps the archive is asked at the national office.
///
/// # Errors
/// [`CounterError`]; [`ArchiveDoubt`]
pub async fn ask(
    deed: &mut Deed<Officer>,
    counter: &Counter,
    id: ApplicationId,
    words: &str,
) -> Result<ArchiveRequest, CounterError> {
    let application = to_step(deed, id).await?;
    let words = tidy(words).ok_or(CounterError::ReasonMissing)?;
    let requests = store::of_application(deed.tx(), id).await?;
    let classification = store::classification(deed.tx(), id).await?;
    let said = may_ask(application.stage.which(), classification.as_ref(), &requests)?;
    let asked = deed.decision();
    if involved_officers(deed, &application).await?.contains(&asked.by) {
        return Err(TransitionError::SameOfficer.into());
    }
    let to = keeper(deed.tx(), said.province).await?;
    let archives = application.progress.terms.and_then(|terms| terms.archive).unwrap_or(counter.settings.archive);
    let today = deed.today();
    let calendar = super::progress::calendar(deed.tx(), today).await?;
    let request = ArchiveRequest {
        id: deed.id(),
        application: id,
        person: application.person,
        ordinal: u32::try_from(requests.len()).unwrap_or(u32::MAX - 1) + 1,
        papers: said.papers,
        province: said.province,
        from: application.office.clone(),
        to,
        words,
        asked,
        due_on: archives.answered_by(&calendar, today, said.papers),
        answered: None,
        answer: None,
        ended_at: None,
    };
    store::ask(deed.tx(), &request).await?;
    let entry = Entry::new(Action::ArchiveAsked, Object::Application(id), Purpose::Decision);
    let to = Object::Unit(request.to.to_string());
    deed.enter(entry.about(application.person).with(to).of(&application.office)).await?;
    Ok(request)
}

/// Returns the office that keeps the archive of a province: its own, if an officer in service keeps the archive there,
/// and the national office otherwise.
async fn keeper(tx: &mut Tx, province: Option<ProvinceCode>) -> Result<OfficeCode, StoreError> {
    let Some(province) = province else { return Ok(OfficeCode::national()) };
    let posts = access::posts_in_service(tx).await?;
    let keeps = |roles: &[Role]| roles.iter().any(|role| Permission::Archive.roles().contains(role));
    let units = offices::steps::offices_of_province(tx, province).await?;
    let kept = units.into_iter().find(|unit| posts.iter().any(|(office, roles)| office == unit && keeps(roles)));
    Ok(kept.unwrap_or_else(OfficeCode::national))
}

/// Returns a question to the archive of the officer's office, and the person whom it is about: what is looked for.
///
/// # Errors
/// [`CounterError`]; [`ArchiveDoubt::Unknown`] also for one of another archive: its officers learn nothing.
pub async fn read(deed: &mut Deed<Officer>, id: ArchiveRequestId) -> Result<(ArchiveRequest, Person), CounterError> {
    let request = of_archive(deed, id).await?;
    let registered = population::store::person(deed, request.person).await?.ok_or(PopulationError::Unknown)?;
    let entry = Entry::new(Action::ArchiveRequestRead, Object::Application(request.application), Purpose::Decision);
    deed.enter(entry.about(request.person).with(Object::Unit(request.to.to_string())).of(&request.from)).await?;
    Ok((request, registered.person))
}

/// Says what the archive has of a citizen. Fields in which it says otherwise than the register are noted as the
/// citizen's own doubts are: no card is approved before they are settled (form DC02). The officer had a hand in the
/// application.
///
/// # Errors
/// [`ArchiveDoubt::Closed`] for what is answered, or ended with its application; [`ArchiveDoubt::AnswerUnfit`];
/// [`ArchiveDoubt::Unknown`]; [`CounterError`]
pub async fn answer(
    deed: &mut Deed<Officer>,
    id: ArchiveRequestId,
    outcome: ArchiveOutcome,
    mut answer: Answer,
) -> Result<ArchiveRequest, CounterError> {
    let found = of_archive(deed, id).await?;
    // The application is locked first, as in every verb; then its question as it stands.
    let application = super::store::application_locked(deed, found.application).await?.ok_or(ArchiveDoubt::Unknown)?;
    let mut request = of_archive(deed, id).await?;
    if !request.is_open() {
        return Err(ArchiveDoubt::Closed.into());
    }
    answer.disagrees.sort_unstable();
    answer.disagrees.dedup();
    answer.check(outcome)?;
    let answered = deed.decision();
    store::answer(deed.tx(), id, outcome, &answer, &answered).await?;
    super::steps::involve_actor(deed, application.id).await?;
    let mut words = outcome.word().to_owned();
    if outcome == ArchiveOutcome::Disagrees {
        register_check::archive_disagrees(deed, &application, &answer.disagrees).await?;
        words = format!("{words}: {}", register_check::names(&answer.disagrees));
    }
    let entry = Entry::new(Action::ArchiveAnswered, Object::Application(application.id), Purpose::Decision);
    let entry = entry.about(application.person).with(Object::Unit(request.to.to_string()));
    deed.enter(entry.of(&application.office).because(words)).await?;
    (request.answered, request.answer) = (Some((outcome, answered)), Some(answer));
    Ok(request)
}

/// Returns a question if it is one to the archive of the officer's office.
async fn of_archive(deed: &mut Deed<Officer>, id: ArchiveRequestId) -> Result<ArchiveRequest, CounterError> {
    let request = store::request(deed.tx(), id).await?.ok_or(ArchiveDoubt::Unknown)?;
    deed.actor().may_act_for(&request.to).map_err(|_| ArchiveDoubt::Unknown)?;
    Ok(request)
}

/// What is known of the papers of an application.
#[derive(Clone, Debug, Default)]
pub(super) struct OfPapers {
    /// The last day of a classification that waits to be made.
    pub due: Option<Date>,
    pub classification: Option<Classification>,
    pub requests: Vec<ArchiveRequest>,
}

/// Returns what is known of the papers of an application that was read.
pub(super) async fn of_application(tx: &mut Tx, id: ApplicationId) -> Result<OfPapers, StoreError> {
    let due = store::waits(tx, id).await?;
    let classification = store::classification(tx, id).await?;
    // Without a classification nothing was asked.
    let requests = if classification.is_some() { store::of_application(tx, id).await? } else { Vec::new() };
    Ok(OfPapers { due, classification, requests })
}

/// Refuses an approval while the archive of papers has not answered or, where it is demanded, the dossier is not
/// classified.
///
/// # Errors
/// [`CounterError::Archive`]
pub(super) async fn must_be_settled(deed: &mut Deed<Officer>, application: &Application) -> Result<(), CounterError> {
    let demanded = application.progress.terms.is_some_and(|terms| terms.archive.is_some());
    let OfPapers { classification, requests, .. } = of_application(deed.tx(), application.id).await?;
    Ok(settled(demanded, classification.as_ref(), &requests)?)
}

/// Does what follows for the papers of an application that moves: what is captured waits to be classified, where it is
/// demanded; with its end nothing waits any more.
pub(super) async fn follow<A: Actor>(
    deed: &mut Deed<A>,
    before: &Application,
    stage: &Stage,
    now: Now,
    calendar: &Calendar,
) -> Result<(), StoreError> {
    if !stage.is_open() {
        return store::end(deed.tx(), before.id, now.at).await;
    }
    match before.progress.terms.and_then(|terms| terms.archive) {
        Some(archives) if matches!(stage, Stage::Captured { .. }) => {
            let due = archives.classified_by(calendar, now.day);
            store::await_classification(deed.tx(), before, due).await
        }
        _ => Ok(()),
    }
}

/// Work beside the stage of an application.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Work {
    /// Its classification.
    Classification(ApplicationId),
    /// A look-up in an archive.
    LookUp(ApplicationId, ArchiveRequestId),
}

/// Says of each late classification and look-up once that it is late, and once more to the national office when it
/// stays late: each is a record of the trail and a row, in one transaction.
///
/// # Errors
/// [`ReminderError`]; those that another hand changed are left out.
pub(super) async fn remind(
    deeds: &Deeds,
    today: Date,
    calendar: &Calendar,
    said: &mut Said,
) -> Result<(), ReminderError> {
    let late = store::late_unsaid(&mut deeds.db().begin_read().await?, today).await?;
    for (work, reminded) in late {
        match Box::pin(say(deeds, work, reminded, today, calendar)).await {
            Ok(Some(true)) => said.escalations += 1,
            Ok(Some(false)) => said.reminders += 1,
            Ok(None) | Err(ReminderError::Store(StoreError::Tampered { .. } | StoreError::Inconsistent { .. })) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Returns true for what was told to the national office, false for what was told to the office that has it.
async fn say(
    deeds: &Deeds,
    work: Work,
    reminded: bool,
    today: Date,
    calendar: &Calendar,
) -> Result<Option<bool>, ReminderError> {
    let mut deed = deeds.open(Service).await?;
    let (Work::Classification(id) | Work::LookUp(id, _)) = work;
    // Looked at again, and kept from other writers: it may just have been done.
    let Some(application) = super::store::application_locked(&mut deed, id).await? else { return Ok(None) };
    let waits = match work {
        Work::Classification(_) => {
            store::waits(deed.tx(), id).await?.map(|due| (due, application.office.clone(), Role::Capture, 0))
        }
        Work::LookUp(_, request) => {
            let request = store::request(deed.tx(), request).await?.filter(ArchiveRequest::is_open);
            request.map(|request| (request.due_on, request.to, Role::Registrar, request.ordinal))
        }
    };
    let Some((due, office, role, ordinal)) = waits.filter(|(due, ..)| *due < today) else { return Ok(None) };
    let days = calendar.working_days_between(due, today);
    let escalation = application.progress.terms.map_or(USUAL_ESCALATION, |terms| terms.escalation.into());
    let escalates = reminded && days > escalation;
    if reminded && !escalates {
        return Ok(None);
    }
    let (kind, action) = match (work, escalates) {
        (Work::Classification(_), false) => ("classification-late", Action::ClassificationOverdue),
        (Work::Classification(_), true) => ("classification-escalated", Action::ClassificationEscalated),
        (Work::LookUp(..), false) => ("archive-late", Action::ArchiveOverdue),
        (Work::LookUp(..), true) => ("archive-escalated", Action::ArchiveEscalated),
    };
    let at = deed.at();
    if !super::store::progress::note(deed.tx(), id, ordinal, kind, at).await? {
        return Ok(None);
    }
    let told = if escalates { OfficeCode::national() } else { office };
    let entry = Entry::new(action, Object::Application(id), Purpose::Administration).about(application.person);
    let reason = format!("{}, due on {due}, {days} working days late", role.name());
    deed.enter(entry.of(&told).because(reason)).await?;
    deed.commit().await?;
    Ok(Some(escalates))
}

/// As the terms have it where nothing else is set.
const USUAL_ESCALATION: u32 = 3;

#[cfg(test)]
mod tests {
    use time::macros::date;

    use super::*;
    use crate::applications::cases::LookUp;
    use crate::offices::holidays::Holidays;

    fn calendar() -> Calendar {
        let years = Holidays::default();
        Calendar::default().with_years(years.years().map(|(n, year)| (n, year.announced, year.days())).collect())
    }

    #[test]
    fn what_is_captured_is_classified_on_the_same_working_day() {
        let (archives, calendar) = (Archives::default(), calendar());
        for (captured, due) in [
            (date!(2027 - 03 - 01), date!(2027 - 03 - 01)),
            // A Sunday, and the day before Tết ends.
            (date!(2027 - 03 - 07), date!(2027 - 03 - 08)),
            (date!(2027 - 02 - 10), date!(2027 - 02 - 12)),
        ] {
            assert_eq!(archives.classified_by(&calendar, captured), due);
        }
        let later = Archives { classification: 1, ..archives };
        assert_eq!(later.classified_by(&calendar, date!(2027 - 03 - 05)), date!(2027 - 03 - 08));
        let asked = date!(2027 - 03 - 05);
        assert_eq!(archives.answered_by(&calendar, asked, Papers::Inside), date!(2027 - 03 - 08));
        assert_eq!(archives.answered_by(&calendar, asked, Papers::Outside), date!(2027 - 03 - 10));
    }

    #[test]
    fn an_answer_belongs_to_its_outcome() {
        use ArchiveOutcome::{Disagrees, Found, NotFound};
        let none = Answer { says: "box 12".into(), ..Answer::default() };
        let read =
            Answer { number: Some("012345678".into()), full_name: Some("Nguyễn Thị Mẫu".into()), ..none.clone() };
        let other = Answer { disagrees: vec![RegisterField::BirthDate], ..read.clone() };
        for (outcome, fits) in
            [(Found, [false, true, false]), (NotFound, [true, false, false]), (Disagrees, [false, false, true])]
        {
            let judged = [&none, &read, &other].map(|answer| answer.check(outcome).is_ok());
            assert_eq!(judged, fits, "{outcome:?}");
        }
        let short = Answer { number: Some("12345678".into()), ..read.clone() };
        let digest = Answer { scan_sha256: Some("A".repeat(64)), ..read };
        assert!(short.check(Found).is_err() && digest.check(Found).is_err());
    }

    #[test]
    fn a_case_needs_the_archive_where_the_register_does_not_know_the_old_card() {
        let now = Held::Now { expires: None };
        for (look_up, has_old_card, held, needed) in [
            (LookUp::OldCard, true, Held::Never, true),
            (LookUp::OldCard, false, Held::Never, false),
            (LookUp::UnknownCard, true, Held::Never, true),
            (LookUp::UnknownCard, false, Held::Never, true),
            (LookUp::UnknownCard, true, Held::Once, false),
            (LookUp::UnknownCard, false, now, false),
        ] {
            assert_eq!(look_up.is_needed(has_old_card, held), needed, "{look_up:?} {has_old_card} {held:?}");
        }
    }
}
