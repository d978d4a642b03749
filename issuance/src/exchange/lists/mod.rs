//! Lists: a partner confirms up to a million lines, in stretches of a thousand.
//!
//! A list is opened under an agreement by two of the partner's officers. Each stretch is a question of its own,
//! answered at once, signed and kept: what was cut is sent again, and the same bytes have the same answer. So a list
//! can rest for a day, or until the quota of tomorrow, and goes on where it was.

pub(super) mod api;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use time::OffsetDateTime;

use super::answer::{self, Said};
use super::ask::{self, Answered, Asked};
use super::model::{Field, Grant, Service};
use super::store::lists::{self, List, Miss, Stretch};
use super::store::requests;
use super::subject::{By, Subject, province_of};
use super::{Exchange, ExchangeError, limits};
use crate::deed::{Action, Deed, Deeds, Entry, Object, Purpose};
use crate::ground::actor::Partner;
use crate::ground::ids::{ListId, PersonId, RequestId};
use crate::ground::text::Login;
use crate::population::model::Registered;
use crate::population::store::search;

/// Most lines of a list.
const MOST: u32 = 1_000_000;
/// Most lines of a stretch: an answer stays far below the ten megabytes that X-Road carries.
const STRETCH: usize = 1_000;

/// What opens a list.
pub(super) struct Opening {
    /// The partner's identifier of the request.
    pub request: String,
    /// SHA-256 of its body.
    pub request_sha256: [u8; 32],
    /// Code of the purpose.
    pub purpose: String,
    /// Number of the partner's case.
    pub case: String,
    /// The partner's officer who asks.
    pub officer: Login,
    /// The partner's officer who agreed: another person.
    pub second_officer: Login,
    /// Their unit.
    pub unit: String,
    /// So many lines.
    pub lines: u32,
}

/// Opens a list; the same request opens it once.
///
/// # Errors
/// [`ExchangeError::NotAgreed`], [`ExchangeError::RequestUnfit`], [`ExchangeError::RequestReused`]
pub(super) async fn open(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: Partner,
    opening: Opening,
) -> Result<List, ExchangeError> {
    for officer in [&opening.officer, &opening.second_officer] {
        limits::fit_officer(exchange, &partner, officer.as_str())?;
    }
    limits::fit_carried(&partner, opening.officer.as_str(), &opening.case)?;
    if opening.officer == opening.second_officer {
        return Err(unfit("second_officer: another officer than `officer` agrees to a list"));
    }
    if !(1..=MOST).contains(&opening.lines) {
        return Err(unfit("lines: a list has 1 to 1,000,000"));
    }
    let mut deed = deeds.open(partner).await?;
    let partner = deed.actor().id;
    if let Some(before) = lists::opened_by(deed.tx(), partner, &opening.request).await? {
        let same = before.request_sha256 == opening.request_sha256;
        return if same { Ok(before) } else { Err(ExchangeError::RequestReused) };
    }
    let (agreement, _, _) = limits::granted(&mut deed, Service::ConfirmList, &opening.purpose).await?;
    let list = List {
        id: deed.id(),
        partner,
        agreement: agreement.id,
        request: opening.request,
        request_sha256: opening.request_sha256,
        purpose: opening.purpose,
        case: opening.case,
        officer: opening.officer.as_str().to_owned(),
        second_officer: opening.second_officer.as_str().to_owned(),
        unit: opening.unit,
        announced: i64::from(opening.lines),
        at: deed.at(),
    };
    if !lists::insert(deed.tx(), &list).await? {
        // The same request came twice at once, and the other one was first.
        return Err(ExchangeError::Repeated);
    }
    let entry = Entry::new(Action::ExchangeListOpened, Object::Agreement(agreement.id), Purpose::Exchange);
    deed.enter(entry.because(format!("list/{}", list.id))).await?;
    deed.commit().await?;
    Ok(list)
}

/// How far a list is.
///
/// # Errors
/// [`ExchangeError::ListUnknown`]
pub(super) async fn state(deeds: &Deeds, partner: Partner, id: ListId) -> Result<(List, Vec<Stretch>), ExchangeError> {
    let mut deed = deeds.open(partner).await?;
    let partner = deed.actor().id;
    let list = lists::list(deed.tx(), partner, id).await?.ok_or(ExchangeError::ListUnknown)?;
    // Nothing of a person is told: the deed ends without a trace.
    Ok((list, lists::stretches(deed.tx(), id).await?))
}

/// What a stretch is answered; signed.
#[derive(Serialize)]
struct Told<'a> {
    list: ListId,
    stretch: u32,
    request_sha256: String,
    answer: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    answered_at: OffsetDateTime,
    agreement: &'a str,
    purpose: &'a str,
    service: Service,
    lines: Vec<Line>,
}

/// What one line is answered.
#[derive(Debug, Serialize)]
struct Line {
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    differs: Option<BTreeSet<Field>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
}

/// What came of a line.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Outcome {
    /// The particulars belong together.
    Confirmed,
    /// They do not, or no person has the number.
    NotConfirmed,
    /// The line names no person, or lacks name or date of birth.
    Unfit,
}

/// Answers a stretch of a list: all its lines in one transaction, with a record about each person whom they touch.
///
/// # Errors
/// [`ExchangeError::ListUnknown`], [`ExchangeError::NotAgreed`], [`ExchangeError::QuotaSpent`] for a stretch that the
/// day's quota does not hold whole, [`ExchangeError::RequestReused`] for a number that was answered with other lines,
/// [`ExchangeError::RequestUnfit`]
pub(super) async fn answer(
    deeds: &Deeds,
    exchange: &Exchange,
    partner: &Partner,
    id: ListId,
    (number, request_sha256, subjects): (u32, [u8; 32], Vec<Subject>),
) -> Result<Answered, ExchangeError> {
    if !(1..=STRETCH).contains(&subjects.len()) {
        return Err(unfit("lines: a stretch has 1 to 1,000"));
    }
    if !(1..=MOST).contains(&number) {
        return Err(unfit("number: stretches are counted from 1"));
    }
    let request = format!("list/{id}/{number}");
    let mut deed = deeds.open(partner.clone()).await?;
    let list = lists::locked(deed.tx(), partner.id, id).await?.ok_or(ExchangeError::ListUnknown)?;
    // As of any question: what no agreement in force allows any more is not answered again either.
    let (agreement, place, grant) = limits::granted(&mut deed, Service::ConfirmList, &list.purpose).await?;
    if requests::before(deed.tx(), partner.id, &request).await?.is_some() {
        drop(deed);
        return ask::again(deeds, partner, (&request, &request_sha256, Service::ConfirmList)).await;
    }
    let more = i64::try_from(subjects.len()).unwrap_or(i64::MAX);
    if lists::answered(deed.tx(), id).await? + more > list.announced {
        return Err(unfit("lines: there are more than were announced when the list was opened"));
    }
    let said: BTreeSet<Field> = subjects.iter().flat_map(Subject::said).collect();
    let number_of = |field: &&Field| matches!(field, Field::PersonalNumber | Field::OldIdNumber);
    if let Some(field) = said.iter().filter(|field| !number_of(field)).find(|field| !grant.fields.contains(field)) {
        return Err(ExchangeError::NotAgreed(format!("the field {field} is not in the agreement")));
    }
    limits::spend_all(&mut deed, (&agreement, place, &grant), more).await?;
    let found = Named::of(&mut deed, &subjects).await?;
    let mut guesses = Guesses::of(&mut deed, exchange, partner, (&subjects, &found)).await?;
    let mut touched: BTreeMap<PersonId, bool> = BTreeMap::new();
    let lines: Vec<Line> =
        (0_usize..).zip(&subjects).map(|line| judged(line, &found, &grant, (&mut touched, &mut guesses))).collect();
    let confirmed = lines.iter().filter(|line| line.outcome == Outcome::Confirmed).count();
    if lines.len() >= 100 && confirmed * 2 < lines.len() {
        tracing::warn!(partner = %partner.id, list = %id, "most lines of a list are not so");
    }
    let answer: RequestId = deed.id();
    let told = Told {
        list: id,
        stretch: number,
        request_sha256: hex::encode(request_sha256),
        answer,
        answered_at: deed.at(),
        agreement: &agreement.number,
        purpose: &list.purpose,
        service: Service::ConfirmList,
        lines,
    };
    let said = Said {
        id: answer,
        fields: said.iter().map(|field| field.word()).collect::<Vec<_>>().join(","),
        outcome: "answered",
        subject: deed.secrets().fingerprint("exchange-list", id.uuid().as_bytes()),
        missed: false,
        body: serde_json::to_vec(&told)?,
    };
    let asked = question(list, request, request_sha256);
    let answered = answer::sign(&mut deed, exchange, partner, &asked, &agreement, said).await?;
    let stretch =
        Stretch { number: i64::from(number), lines: more, confirmed: i64::try_from(confirmed).unwrap_or(more) };
    lists::note(deed.tx(), id, stretch, answer).await?;
    lists::note_misses(deed.tx(), partner.id, answer, &guesses.noted).await?;
    let (so, not): (Vec<_>, Vec<_>) = touched.into_iter().partition(|(_, holds)| *holds);
    for (persons, said, needed) in [(&so, "confirmed", false), (&not, "not-confirmed", so.is_empty())] {
        if needed || !persons.is_empty() {
            let persons: Vec<PersonId> = persons.iter().map(|(person, _)| *person).collect();
            answer::record(&mut deed, Action::ExchangeAnswered, answer, &persons, said, agreement.id).await?;
        }
    }
    deed.commit().await?;
    Ok(answered)
}

/// A stretch of a list, as the question that it is.
fn question(list: List, request: String, request_sha256: [u8; 32]) -> Asked {
    let List { purpose, case, officer, unit, .. } = list;
    let (asked_at, service, fields, subject) = (None, Service::ConfirmList, None, Subject::default());
    Asked { request, request_sha256, purpose, case, officer, unit, asked_at, service, fields, subject }
}

/// The persons whom the lines of a stretch name by number, read at once.
struct Named {
    by_number: BTreeMap<String, Registered>,
    by_old_number: BTreeMap<String, Vec<Registered>>,
}

impl Named {
    async fn of(deed: &mut Deed<Partner>, subjects: &[Subject]) -> Result<Self, ExchangeError> {
        let (mut numbers, mut old) = (BTreeSet::new(), BTreeSet::new());
        for subject in subjects {
            match subject.by() {
                Ok(By::Number(number)) => drop(numbers.insert(number.to_string())),
                Ok(By::OldNumber(number)) => drop(old.insert(number.to_owned())),
                Ok(By::Nothing | By::Pseudonym(_)) | Err(_) => {}
            }
        }
        let (numbers, old) = (numbers.into_iter().collect(), old.into_iter().collect());
        let by_number = search::by_numbers(deed.tx(), numbers).await?;
        let of_old = search::by_old_numbers(deed.tx(), old).await?;
        for person in by_number.values().chain(of_old.values().flatten()) {
            deed.saw(person.id);
        }
        Ok(Self { by_number, by_old_number: of_old })
    }

    /// Returns the person whom a line names; none where two have the number of an old card.
    fn person(&self, by: &By<'_>) -> Option<&Registered> {
        match self.all(by) {
            [one] => Some(one),
            _ => None,
        }
    }

    /// Returns all who were looked at for it.
    fn all(&self, by: &By<'_>) -> &[Registered] {
        match by {
            By::Number(number) => self.by_number.get(&number.to_string()).map_or(&[], std::slice::from_ref),
            By::OldNumber(old) => self.by_old_number.get(*old).map_or(&[], Vec::as_slice),
            By::Pseudonym(_) | By::Nothing => &[],
        }
    }
}

/// How often the partner missed about the persons of a stretch: in questions and lists of the last hour, and in the
/// lines before. A list is no way to try out what is so of one person.
struct Guesses {
    /// Of each line whom it is about, as a keyed digest.
    subjects: Vec<[u8; 32]>,
    /// So often each was missed.
    missed: BTreeMap<[u8; 32], u32>,
    /// So often it may be.
    most: u32,
    /// Lines of this stretch that missed.
    noted: Vec<Miss>,
}

impl Guesses {
    async fn of(
        deed: &mut Deed<Partner>,
        exchange: &Exchange,
        partner: &Partner,
        (lines, found): (&[Subject], &Named),
    ) -> Result<Self, ExchangeError> {
        let named = |line: &Subject| {
            let person = line.by().ok().and_then(|by| found.person(&by));
            limits::subject_named(deed, partner, person, line.target())
        };
        let subjects: Vec<_> = lines.iter().map(named).collect();
        let of_each = subjects.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
        let since = deed.at() - limits::COUNTED;
        let missed = lists::misses(deed.tx(), partner.id, of_each, since).await?;
        Ok(Self { subjects, missed, most: exchange.settings.misses_about_person, noted: Vec::new() })
    }

    /// True if the line is judged no more.
    fn are_spent(&self, line: usize) -> bool {
        self.missed.get(&self.subjects[line]).is_some_and(|missed| *missed >= self.most)
    }

    /// Counts a line that was not so.
    fn miss(&mut self, line: usize) {
        let subject = self.subjects[line];
        *self.missed.entry(subject).or_default() += 1;
        self.noted.push(Miss { subject, line: i64::try_from(line).unwrap_or(i64::MAX) });
    }
}

/// Judges a line, and notes the person whom it touches. What is said of a person by any line that is so counts as
/// confirmed for the person's log.
fn judged(
    (at, subject): (usize, &Subject),
    found: &Named,
    grant: &Grant,
    (touched, guesses): (&mut BTreeMap<PersonId, bool>, &mut Guesses),
) -> Line {
    let by = match subject.by() {
        Err(why) => return Line { outcome: Outcome::Unfit, differs: None, why: Some(why) },
        Ok(By::Pseudonym(_)) => {
            let why = Some("subject: lists name persons by number");
            return Line { outcome: Outcome::Unfit, differs: None, why };
        }
        Ok(by) => by,
    };
    for looked_at in found.all(&by) {
        touched.entry(looked_at.id).or_default();
    }
    if guesses.are_spent(at) {
        let why = Some("too many lines about this person were not so: ask again in an hour, in a new stretch");
        return Line { outcome: Outcome::Unfit, differs: None, why };
    }
    let registered = found.person(&by);
    let differs = registered.map(|registered| subject.differs(&registered.person));
    let reached = registered.is_some_and(|registered| grant.reaches(province_of(registered).as_deref()));
    let holds = reached && differs.as_ref().is_some_and(BTreeSet::is_empty);
    if let Some(registered) = registered {
        *touched.entry(registered.id).or_default() |= holds;
    }
    if !holds {
        guesses.miss(at);
    }
    let outcome = if holds { Outcome::Confirmed } else { Outcome::NotConfirmed };
    let tells = grant.tells_which && !holds;
    let differs =
        tells.then(|| differs.filter(|_| reached).map_or_else(|| subject.said(), |differs| subject.told(differs)));
    Line { outcome, differs, why: None }
}

fn unfit(why: &str) -> ExchangeError {
    ExchangeError::RequestUnfit(why.to_owned())
}
