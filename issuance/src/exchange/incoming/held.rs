//! Births that partners reported and that are held: an officer of the register decides, with a reason, whether the
//! child has a number all the same.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::ExchangeError;
use super::super::store::reports::{self, Brought, Report};
use super::births::{Newborn, kept_by_unit, sealed_as};
use crate::access::{AccessError, partners};
use crate::deed::{Action, Deed, Entry, Object, Purpose};
use crate::ground::Officer;
use crate::ground::ids::{PersonId, RequestId};
use crate::numbering::Numbers;
use crate::numbering::births::{self, Birth, BirthError};
use crate::population::Register;
use crate::store::StoreError;

/// Lists the births after this one that are held at the officer's office, the oldest first, each with whether its row
/// is as it was written. The child is not told.
///
/// # Errors
/// [`StoreError`]
pub(in crate::exchange) async fn listed(
    deed: &mut Deed<Officer>,
    after: RequestId,
    most: i64,
) -> Result<Vec<(Report, bool)>, StoreError> {
    let office = deed.actor().office.clone();
    let rows = reports::held(deed.tx(), &office, after, most).await?;
    let asked = Object::Asked("held-births".into());
    deed.enter(Entry::new(Action::ExchangeReportRead, asked, Purpose::Numbering).of(&office)).await?;
    Ok(rows)
}

/// A birth that is held, as the officer who decides reads it.
pub(in crate::exchange) struct HeldFile {
    /// The report.
    pub report: Report,
    /// Who brought it.
    pub brought: Brought,
    /// The message.
    pub birth: Newborn,
    /// Name of the authority.
    pub partner: String,
}

/// Reads a birth that is held with the name of the authority: as [`read`], whose record it leaves.
///
/// # Errors
/// As [`read`].
pub(in crate::exchange) async fn file(deed: &mut Deed<Officer>, id: RequestId) -> Result<HeldFile, ExchangeError> {
    let (report, brought, birth) = read(deed, id).await?;
    let partner = partners::partner(deed.tx(), report.partner).await?;
    let partner = partner.map_or_else(|| report.partner.to_string(), |partner| partner.name);
    Ok(HeldFile { report, brought, birth, partner })
}

/// Why a birth that was held has no number.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(in crate::exchange) enum RefusedAs {
    /// The message is wrong: it is to be reported anew.
    MessageWrong,
    /// The child is in the register, with its number.
    RecordedAlready,
}

impl RefusedAs {
    /// Returns the reason of this word.
    pub(in crate::exchange) fn named(word: &str) -> Option<Self> {
        [Self::MessageWrong, Self::RecordedAlready].into_iter().find(|reason| reason.code() == word)
    }

    const fn code(self) -> &'static str {
        match self {
            Self::MessageWrong => "message-wrong",
            Self::RecordedAlready => "recorded-already",
        }
    }
}

/// Reads a birth that is held, for an officer of the office that decides.
///
/// # Errors
/// [`ExchangeError::ReportUnknown`], [`ExchangeError::OtherOffice`]
pub(in crate::exchange) async fn read(
    deed: &mut Deed<Officer>,
    id: RequestId,
) -> Result<(Report, Brought, Newborn), ExchangeError> {
    let report = waiting(deed, id).await?;
    let (brought, newborn) = opened(deed, &report).await?;
    let entry = Entry::new(Action::ExchangeReportRead, Object::ExchangeRequest(id), Purpose::Numbering);
    deed.enter(entry.of(&report.office)).await?;
    Ok((report, brought, newborn))
}

/// Gives the child of a birth that is held its number: the officer knows what speaks against it, and says why it is
/// right. Returns the child.
///
/// # Errors
/// [`HeldError`]
pub(in crate::exchange) async fn register(
    deed: &mut Deed<Officer>,
    numbers: &Numbers,
    known: &Register,
    id: RequestId,
    because: &str,
) -> Result<PersonId, HeldError> {
    let mut report = waiting(deed, id).await?;
    // As of a death or a change: what a partner reported that has ended since is not done.
    let partner = partners::partner(deed.tx(), report.partner).await?;
    if !partner.is_some_and(|partner| partner.is_joined()) {
        return Err(ExchangeError::Access(AccessError::PartnerState).into());
    }
    let (brought, newborn) = opened(deed, &report).await?;
    let (declaration, kept_by) = (&newborn.declaration(), &kept_by_unit(report.partner, &brought.unit));
    let birth = Birth {
        declaration,
        registration: &newborn.registration,
        kept_by,
        acknowledged: Some(because),
        reported_by: Some(report.partner),
        leased: None,
    };
    let (child, ..) = births::register(deed, numbers, known, &birth).await?;
    report.person = Some(child);
    "numbered".clone_into(&mut report.state);
    decide(deed, report, because).await?;
    Ok(child)
}

/// Refuses a birth that is held: its partner is told the reason as a code.
///
/// # Errors
/// [`ExchangeError::ReportUnknown`], [`ExchangeError::OtherOffice`]
pub(in crate::exchange) async fn refuse(
    deed: &mut Deed<Officer>,
    id: RequestId,
    reason: RefusedAs,
    because: &str,
) -> Result<(), ExchangeError> {
    let mut report = waiting(deed, id).await?;
    report.reason = Some(reason.code().to_owned());
    "refused".clone_into(&mut report.state);
    Ok(decide(deed, report, because).await?)
}

async fn decide(deed: &mut Deed<Officer>, mut report: Report, because: &str) -> Result<(), StoreError> {
    report.decided = Some(deed.decision());
    reports::decide(deed.tx(), &report).await?;
    let entry = Entry::new(Action::ExchangeReportDecided, Object::ExchangeRequest(report.id), Purpose::Numbering);
    let entry = entry.of(&report.office).because(because);
    deed.enter(Entry { person: report.person, ..entry }).await
}

/// Returns a birth that waits for the officer's office, kept from other writers.
async fn waiting(deed: &mut Deed<Officer>, id: RequestId) -> Result<Report, ExchangeError> {
    let report = reports::locked(deed.tx(), id).await?.filter(|report| report.state == "held");
    let report = report.ok_or(ExchangeError::ReportUnknown)?;
    deed.actor().may_act_for(&report.office)?;
    Ok(report)
}

async fn opened(deed: &mut Deed<Officer>, report: &Report) -> Result<(Brought, Newborn), ExchangeError> {
    let unfit = || StoreError::inconsistent("exchange_report", "message", report.id);
    let brought = reports::brought(deed.tx(), report.id).await?.ok_or_else(unfit)?;
    let sealed = report.message.as_deref().ok_or_else(unfit)?;
    let message = deed.secrets().open(&sealed_as(report.id), sealed).map_err(|_| unfit())?;
    let newborn = serde_json::from_slice(&message).map_err(|_| unfit())?;
    Ok((brought, newborn))
}

/// Why a birth that is held does not become a child with a number.
pub(in crate::exchange) enum HeldError {
    /// The report.
    Exchange(ExchangeError),
    /// The birth.
    Birth(BirthError),
}

impl From<ExchangeError> for HeldError {
    fn from(error: ExchangeError) -> Self {
        Self::Exchange(error)
    }
}

impl From<StoreError> for HeldError {
    fn from(error: StoreError) -> Self {
        Self::Exchange(error.into())
    }
}

impl From<crate::deed::DeedError> for HeldError {
    fn from(error: crate::deed::DeedError) -> Self {
        Self::Exchange(error.into())
    }
}

impl From<BirthError> for HeldError {
    fn from(error: BirthError) -> Self {
        Self::Birth(error)
    }
}

impl From<HeldError> for crate::web::Problem {
    fn from(error: HeldError) -> Self {
        match error {
            HeldError::Exchange(source) => source.into(),
            HeldError::Birth(source) => source.into(),
        }
    }
}

impl HeldError {
    /// The person of whom the refusal tells something.
    pub(in crate::exchange) fn tells_of(&self) -> Option<PersonId> {
        match self {
            Self::Birth(source) => source.tells_of(),
            Self::Exchange(_) => None,
        }
    }
}
