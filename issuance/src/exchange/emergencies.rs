//! Looks in emergencies: an officer reads a person of whom the office has no case ("break-glass access"). It is
//! possible at once, it is loud, and another officer judges afterwards whether it was justified.

use std::collections::{BTreeMap, BTreeSet};

use crypto::identity::PersonalNumber;
use time::OffsetDateTime;

use super::store::emergencies as store;
use super::turns::Of;
use super::{Exchange, ExchangeError};
use crate::access::{self, AccessError};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::ids::{EmergencyLookId, OfficerId, PersonId};
use crate::ground::{Decision, Id, OfficeCode, Officer};
use crate::population::model::Registered;
use crate::population::{PopulationError, store as register};
use crate::store::{StoreError, Tx};

/// A look in an emergency.
#[derive(Clone, Debug)]
pub(super) struct EmergencyLook {
    /// Identifier.
    pub id: EmergencyLookId,
    /// Who looked.
    pub officer: OfficerId,
    /// The office of that officer.
    pub office: OfficeCode,
    /// The person; none where no person has the number that was asked for, which is a look all the same.
    pub person: Option<PersonId>,
    /// What the emergency is, in the officer's words.
    pub reason: String,
    /// Number of the incident or case, as the officer knows it.
    pub case: String,
    /// When it began.
    pub opened_at: OffsetDateTime,
    /// Until then the officer may read the person.
    pub until: OffsetDateTime,
    /// Until then it is reviewed.
    pub due: OffsetDateTime,
    /// What came of the review.
    pub review: Option<Review>,
}

/// What another officer found of a look in an emergency.
#[derive(Clone, Debug)]
pub(super) struct Review {
    /// Who and when.
    pub by: Decision,
    /// Whether it was justified.
    pub verdict: Justification,
    /// What speaks for it.
    pub remarks: String,
}

/// Whether a look in an emergency was justified.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Justification {
    /// It was.
    Justified,
    /// It was not: what follows for the officer is decided outside of this system.
    NotJustified,
}

impl Justification {
    /// The word in the database.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Justified => "justified",
            Self::NotJustified => "not-justified",
        }
    }
}

/// A word that is no verdict.
#[derive(Debug, thiserror::Error)]
#[error("no verdict")]
pub(super) struct NotAJustification;

impl std::str::FromStr for Justification {
    type Err = NotAJustification;

    fn from_str(text: &str) -> Result<Self, NotAJustification> {
        [Self::Justified, Self::NotJustified]
            .into_iter()
            .find(|verdict| verdict.word() == text)
            .ok_or(NotAJustification)
    }
}

/// What an officer says who breaks the glass.
pub(super) struct Emergency {
    /// The number for life of the person; none for a text that cannot be one.
    pub number: Option<PersonalNumber>,
    /// What the emergency is.
    pub reason: String,
    /// Number of the incident or case.
    pub case: String,
}

/// Waits until the officer's earlier look is written, so that each counts.
pub(super) async fn turn(exchange: &Exchange, officer: OfficerId) -> impl Drop {
    exchange.turns.take(Of::Emergency(officer)).await
}

/// Opens a person to an officer for a while. A number that no person has is a look too: it is told of, counted and
/// reviewed as the others are, so that numbers cannot be tried out.
///
/// # Errors
/// [`ExchangeError::EmergenciesUnreviewed`] for an officer of whom too many looks wait for their review
pub(super) async fn open(
    deed: &mut Deed<Officer>,
    exchange: &Exchange,
    Emergency { number, reason, case }: Emergency,
) -> Result<EmergencyLook, ExchangeError> {
    let (officer, office) = (deed.actor().id, deed.actor().office.clone());
    // Several processes have turns of their own.
    access::hold_officer(deed.tx(), officer).await?;
    let most = exchange.settings.emergencies_unreviewed;
    if store::waiting_of(deed.tx(), officer, most).await? >= usize::try_from(most).unwrap_or(usize::MAX) {
        return Err(ExchangeError::EmergenciesUnreviewed);
    }
    let found = match number {
        Some(number) => register::search::by_number(deed.tx(), &number).await?.pop(),
        None => None,
    };
    let person = found.map(|found| found.id);
    let now = deed.at();
    let (until, due) = (now + exchange.settings.emergency_lasts, now + exchange.settings.emergency_reviewed_within);
    let look = EmergencyLook {
        id: deed.id(),
        officer,
        office,
        person,
        reason,
        case,
        opened_at: now,
        until,
        due,
        review: None,
    };
    store::insert(deed.tx(), &look).await?;
    let entry = Entry::new(Action::EmergencyLookOpened, Object::EmergencyLook(look.id), Purpose::Emergency);
    let entry = entry.because(&look.reason);
    match person {
        Some(person) => {
            deed.saw(person);
            deed.enter(entry.about(person)).await?;
        }
        None => deed.enter(entry).await?,
    }
    Ok(look)
}

/// Returns the person of a look, to the officer who opened it, while its time lasts.
///
/// # Errors
/// [`ExchangeError::EmergencyUnknown`], [`ExchangeError::EmergencyOver`] after its time and for another officer,
/// [`ExchangeError::Person`] where no person has the number
pub(super) async fn read(deed: &mut Deed<Officer>, id: EmergencyLookId) -> Result<Registered, ExchangeError> {
    let look = store::one(deed.tx(), id).await?.ok_or(ExchangeError::EmergencyUnknown)?;
    if look.officer != deed.actor().id || look.until <= deed.at() {
        return Err(ExchangeError::EmergencyOver);
    }
    let unknown = || ExchangeError::Person(PopulationError::Unknown);
    let person = look.person.ok_or_else(unknown)?;
    let registered = register::person(deed, person).await?.ok_or_else(unknown)?;
    let entry = Entry::new(Action::EmergencyLookRead, Object::EmergencyLook(id), Purpose::Emergency);
    deed.enter(entry.because(&look.case).about(person)).await?;
    Ok(registered)
}

/// Lists the looks after this one that wait for a review, the oldest first, each with whether its row is as it was
/// written.
///
/// # Errors
/// [`ExchangeError::OtherOffice`] for an officer who is not of the national office
pub(super) async fn waiting(
    deed: &mut Deed<Officer>,
    after: EmergencyLookId,
    most: i64,
) -> Result<Vec<(EmergencyLook, bool)>, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let rows = store::waiting(deed.tx(), after, most).await?;
    let asked = Object::Asked("emergency-looks".into());
    deed.enter(Entry::new(Action::EmergencyLooksListed, asked, Purpose::Audit)).await?;
    // What befell a person stands in the officer's words: each who is told of has a record.
    let about = |(look, _): &(EmergencyLook, bool)| Some(read_about(look.id, look.person?));
    // The last row says only that there is a page more.
    let shown = rows.iter().take(usize::try_from(most - 1).unwrap_or_default());
    deed.enter_all(shown.filter_map(about).collect()).await?;
    Ok(rows)
}

/// Returns a look, for its review.
///
/// # Errors
/// [`ExchangeError::EmergencyUnknown`], [`ExchangeError::OtherOffice`]
pub(super) async fn look(deed: &mut Deed<Officer>, id: EmergencyLookId) -> Result<EmergencyLook, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let look = store::one(deed.tx(), id).await?.ok_or(ExchangeError::EmergencyUnknown)?;
    let entry = Entry::new(Action::EmergencyLooksListed, Object::EmergencyLook(id), Purpose::Audit);
    deed.enter(look.person.map_or(entry, |person| read_about(id, person))).await?;
    Ok(look)
}

/// A look as the officer who judges it reads it.
pub(super) struct EmergencyFile {
    /// The look.
    pub look: EmergencyLook,
    /// Who looked, and who judged, by name.
    pub officers: BTreeMap<OfficerId, String>,
}

/// Returns a look with the names of its officers: as [`look`], whose record it leaves.
///
/// # Errors
/// As [`look`].
pub(super) async fn file(deed: &mut Deed<Officer>, id: EmergencyLookId) -> Result<EmergencyFile, ExchangeError> {
    let look = look(deed, id).await?;
    let judged = look.review.as_ref().map(|review| review.by.by);
    let officers = called(deed, [look.officer].into_iter().chain(judged)).await?;
    Ok(EmergencyFile { look, officers })
}

/// Returns the names of officers.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn called(
    deed: &mut Deed<Officer>,
    officers: impl Iterator<Item = OfficerId>,
) -> Result<BTreeMap<OfficerId, String>, StoreError> {
    let mut names = BTreeMap::new();
    for officer in officers.collect::<BTreeSet<_>>() {
        names.insert(officer, access::called(deed.tx(), officer).await?);
    }
    Ok(names)
}

/// Returns how many looks wait for their review, and how many of them longer than they may: counted as far as `most`.
/// Nothing of them is told.
///
/// # Errors
/// [`StoreError`]
pub(super) async fn how_many(tx: &mut Tx, now: OffsetDateTime, most: i64) -> Result<(usize, usize), StoreError> {
    let rows = store::waiting(tx, Id::nil(), most).await?;
    Ok((rows.len(), rows.iter().filter(|(look, _)| look.due <= now).count()))
}

/// So many characters a review says.
pub(super) const MOST_OF_REMARKS: usize = 500;

/// That it was read what an emergency was, of the person whom it befell.
fn read_about(look: EmergencyLookId, person: PersonId) -> Entry {
    Entry::new(Action::EmergencyLooksListed, Object::EmergencyLook(look), Purpose::Audit).about(person)
}

/// Judges a look: another officer than the one who looked.
///
/// # Errors
/// [`ExchangeError::EmergencyUnknown`], [`ExchangeError::State`] for one that is judged already,
/// [`ExchangeError::Access`] for the officer who looked, or who counts as that one
pub(super) async fn review(
    deed: &mut Deed<Officer>,
    id: EmergencyLookId,
    (verdict, remarks): (Justification, String),
) -> Result<EmergencyLook, ExchangeError> {
    deed.actor().may_act_for(&OfficeCode::national())?;
    let look = store::locked(deed.tx(), id).await?.ok_or(ExchangeError::EmergencyUnknown)?;
    if look.review.is_some() {
        return Err(ExchangeError::State);
    }
    if deed.actor().is_one_with(look.officer) {
        return Err(AccessError::SecondAdministrator.into());
    }
    let review = Review { by: deed.decision(), verdict, remarks };
    store::review(deed.tx(), id, &review).await?;
    let entry = Entry::new(Action::EmergencyLookReviewed, Object::EmergencyLook(id), Purpose::Audit);
    let entry = entry.because(verdict.word());
    match look.person {
        Some(person) => deed.enter(entry.about(person)).await?,
        None => deed.enter(entry).await?,
    }
    Ok(EmergencyLook { review: Some(review), ..look })
}

/// What is told aloud of looks in emergencies.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Emergencies {
    /// Those that were opened after a moment, with who opened them.
    pub opened: Vec<(EmergencyLookId, OfficerId)>,
    /// One waits for its review longer than it may.
    pub overdue: bool,
}

/// Returns a look of this moment, before which all others lie.
#[must_use]
pub fn emergency_of(at: OffsetDateTime) -> EmergencyLookId {
    Id::first_at(at)
}

/// Returns the looks in emergencies that were opened after a moment, and whether one waits too long for its review.
///
/// # Errors
/// [`StoreError`]
pub async fn emergencies(tx: &mut Tx, after: OffsetDateTime, now: OffsetDateTime) -> Result<Emergencies, StoreError> {
    let opened = store::opened_after(tx, Id::first_at(after)).await?;
    Ok(Emergencies { opened, overdue: store::is_overdue(tx, now).await? })
}
