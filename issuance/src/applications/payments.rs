//! What a citizen pays for a card, and on which ground nothing is to be paid: entries that are only added, of which the
//! office's takings of a day are the sum (Circular 59/2019/TT-BTC).

use serde::{Deserialize, Serialize};
use thiserror::Error;
use time::{Date, OffsetDateTime};
use utoipa::ToSchema;

use super::Counter;
use super::fees::PayBefore;
use super::model::{Application, TransitionError};
use super::steps::{CounterError, mends_only, of_office};
use super::store::payments as store;
use crate::deed::{Action, Deed, Entry, Object, Occasion, Purpose};
use crate::ground::actor::Actor;
use crate::ground::ids::{ApplicationId, FeeEntryId, OfficerId, PersonId};
use crate::ground::text::tidy;
use crate::ground::{OfficeCode, Officer, words};
use crate::population::{self, PopulationError};
use crate::store::StoreError;

/// How a fee was paid.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PaymentMethod {
    /// At the counter.
    Cash,
    /// To the office's account.
    Transfer,
}

/// Why a fee need not be paid: Circular 59/2019/TT-BTC, Art. 5.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ExemptionGround {
    /// The authority made the error that the card has.
    AuthorityError,
    /// The citizen lives in a border commune.
    BorderCommune,
    /// The State changed the boundaries of units.
    BoundaryChange,
    /// The citizen is of an ethnic minority in a commune of extreme difficulty.
    EthnicMinority,
    /// The citizen lives in an island district.
    IslandDistrict,
    /// The citizen is a child, spouse or parent of a martyr, or of a war invalid.
    MartyrOrInvalidRelative,
    /// The citizen is under 18 and has neither father nor mother.
    #[serde(rename = "orphan-under-18")]
    OrphanUnder18,
    /// The household is poor, as the State counts it.
    PoorHousehold,
}

/// What an entry is.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeeEntryKind {
    /// Nothing is to be paid, on a ground.
    Exemption,
    /// The citizen paid.
    Payment,
    /// The citizen got a payment back.
    Refund,
    /// A payment or an exemption was entered by mistake.
    Void,
}

words! { PaymentMethod { Cash = "cash", Transfer = "transfer", } }

words! {
    ExemptionGround {
        AuthorityError = "authority-error",
        BorderCommune = "border-commune",
        BoundaryChange = "boundary-change",
        EthnicMinority = "ethnic-minority",
        IslandDistrict = "island-district",
        MartyrOrInvalidRelative = "martyr-or-invalid-relative",
        OrphanUnder18 = "orphan-under-18",
        PoorHousehold = "poor-household",
    }
}

words! { FeeEntryKind { Exemption = "exemption", Payment = "payment", Refund = "refund", Void = "void", } }

/// An entry of the fees.
#[derive(Clone, Debug)]
pub struct FeeEntry {
    /// Identifier.
    pub id: FeeEntryId,
    /// What it is for.
    pub application: ApplicationId,
    /// The citizen.
    pub person: PersonId,
    /// The office whose till it is.
    pub office: OfficeCode,
    /// The day of the takings in which it stands: the one on which it was entered, so that those of a day that is over
    /// stay what they are.
    pub day: Date,
    /// The day on which a payment was made; none in entries of before it was kept, which stand in the takings of that
    /// day.
    pub paid_on: Option<Date>,
    /// What it is.
    pub kind: FeeEntryKind,
    /// What it settles of the fee; negative for what undoes another entry.
    pub settles: i64,
    /// What it brings into the till; negative for what undoes a payment.
    pub dong: i64,
    /// How it was paid.
    pub method: Option<PaymentMethod>,
    /// The number of the receipt.
    pub receipt: Option<String>,
    /// Why nothing is to be paid.
    pub ground: Option<ExemptionGround>,
    /// The evidence of an exemption, or why an entry is undone.
    pub words: Option<String>,
    /// The entry that it undoes.
    pub undoes: Option<FeeEntryId>,
    /// The officer.
    pub by: OfficerId,
    /// The moment.
    pub at: OffsetDateTime,
}

/// The fee of an application, and what became of it.
#[derive(Clone, Debug)]
pub struct FeeAccount {
    /// The fee, in đồng.
    pub fee: u32,
    /// The entries, oldest first.
    pub entries: Vec<FeeEntry>,
}

impl FeeAccount {
    /// Returns what is still to be paid, in đồng.
    #[must_use]
    pub fn due(&self) -> u32 {
        let settled: i64 = self.entries.iter().map(|entry| entry.settles).sum();
        u32::try_from(i64::from(self.fee) - settled).unwrap_or(0)
    }

    /// Returns the payment or exemption of this name that was not undone.
    fn standing(&self, id: FeeEntryId) -> Result<&FeeEntry, FeeRefusal> {
        let entry = self
            .entries
            .iter()
            .find(|entry| entry.id == id)
            .ok_or(FeeRefusal::Entry("no entry of this application"))?;
        match entry.kind {
            FeeEntryKind::Refund | FeeEntryKind::Void => Err(FeeRefusal::Entry("what undoes an entry is not undone")),
            _ if self.entries.iter().any(|other| other.undoes == Some(id)) => {
                Err(FeeRefusal::Entry("it was undone before"))
            }
            _ => Ok(entry),
        }
    }
}

/// Why an entry of the fees is refused.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum FeeRefusal {
    /// The amount is not what is due.
    #[error("{0} đồng are due, in one payment")]
    Amount(u32),
    /// The entry that is to be undone.
    #[error("{0}")]
    Entry(&'static str),
    /// The ground is not the citizen's.
    #[error("{0}")]
    Ground(&'static str),
    /// Nothing is due.
    #[error("nothing is due")]
    NothingDue,
    /// The day of a payment.
    #[error("a fee is paid on a day from {0} to today")]
    PaidOn(Date),
    /// The receipt was given before.
    #[error("the office gave this receipt before")]
    Receipt,
    /// The receipt is no number of one.
    #[error("a receipt's number has letters A to Z, digits, and between them spaces and . - /")]
    ReceiptUnfit,
    /// The fee is due before this step.
    #[error("{0} đồng are due before this step")]
    Unpaid(u32),
}

/// A payment, as the officer enters it.
#[derive(Clone, Copy, Debug)]
pub struct Payment<'a> {
    /// The amount, in đồng.
    pub dong: u32,
    /// How it was paid.
    pub method: PaymentMethod,
    /// The number of the receipt: one of the officer's office.
    pub receipt: &'a str,
    /// The day on which it was paid.
    pub on: Date,
}

/// Enters that the citizen paid what is due, all of it. A payment of an earlier day stands in the takings of the day on
/// which it is entered, with the day on which it was made.
///
/// # Errors
/// [`CounterError::Fee`]; [`CounterError`]
pub async fn pay(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    payment: Payment<'_>,
) -> Result<FeeAccount, CounterError> {
    let (application, account) = to_settle(deed, id).await?;
    let Payment { dong, method, receipt, on } = payment;
    if dong != account.due() {
        return Err(FeeRefusal::Amount(account.due()).into());
    }
    let first = deed.day_of(application.registered.at);
    if on < first || on > deed.today() {
        return Err(FeeRefusal::PaidOn(first).into());
    }
    let receipt = tidy(receipt).ok_or(CounterError::ReasonMissing)?;
    let number = receipt_number(&receipt)?;
    let entry = FeeEntry {
        paid_on: Some(on),
        settles: dong.into(),
        dong: dong.into(),
        method: Some(method),
        receipt: Some(receipt.clone()),
        ..draft(deed, &application, FeeEntryKind::Payment)
    };
    if !store::give_receipt(deed.tx(), &entry.office, [&number, &receipt], entry.id).await? {
        return Err(FeeRefusal::Receipt.into());
    }
    let says = format!("{dong} đồng, {}, receipt {receipt}", method.word());
    enter(deed, account, entry, Action::FeePaid, says).await
}

/// Returns what tells one receipt from another, however it is typed: its letters and digits.
fn receipt_number(receipt: &str) -> Result<String, FeeRefusal> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | '/');
    let begins = receipt.chars().next().is_some_and(|c| c.is_ascii_alphanumeric());
    if !begins || !receipt.chars().all(fits) {
        return Err(FeeRefusal::ReceiptUnfit);
    }
    Ok(receipt.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect())
}

/// Enters that nothing is to be paid, on a ground of the law, with the evidence that was shown.
///
/// # Errors
/// [`CounterError::Fee`]; [`CounterError`]
pub async fn exempt(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    ground: ExemptionGround,
    evidence: &str,
) -> Result<FeeAccount, CounterError> {
    let (application, account) = to_settle(deed, id).await?;
    let evidence = tidy(evidence).ok_or(CounterError::ReasonMissing)?;
    if ground == ExemptionGround::OrphanUnder18 {
        let person = population::store::person(deed, application.person).await?.ok_or(PopulationError::Unknown)?;
        if crypto::identity::validity::age(person.person.birth, deed.today()) >= 18 {
            return Err(FeeRefusal::Ground("the register says that the citizen is 18 or more").into());
        }
    }
    let entry = FeeEntry {
        settles: account.due().into(),
        ground: Some(ground),
        words: Some(evidence),
        ..draft(deed, &application, FeeEntryKind::Exemption)
    };
    enter(deed, account, entry, Action::FeeExempted, ground.word().to_owned()).await
}

/// How an entry is undone.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FeeUndoing {
    /// The citizen gets the payment back.
    Refund,
    /// It was entered by mistake.
    Void,
}

/// Undoes a payment or an exemption: by another officer than the one who entered it, and also after the application
/// ended.
///
/// # Errors
/// [`CounterError::Fee`]; [`CounterError`]
pub async fn undo(
    deed: &mut Deed<Officer>,
    id: ApplicationId,
    entry: FeeEntryId,
    how: FeeUndoing,
    reason: &str,
) -> Result<FeeAccount, CounterError> {
    let application = of_office(deed, id).await?;
    let account = account_of(deed, &application).await?;
    let reason = tidy(reason).ok_or(CounterError::ReasonMissing)?;
    let undone = account.standing(entry)?;
    deed.actor().may_act_for(&undone.office)?;
    if deed.actor().is_one_with(undone.by) {
        return Err(TransitionError::SameOfficer.into());
    }
    let kind = match (how, undone.kind) {
        (FeeUndoing::Void, _) => FeeEntryKind::Void,
        (FeeUndoing::Refund, FeeEntryKind::Payment) => FeeEntryKind::Refund,
        (FeeUndoing::Refund, _) => return Err(FeeRefusal::Entry("only a payment is given back").into()),
    };
    let undoing = FeeEntry {
        // What left the till leaves the one that it came into.
        office: undone.office.clone(),
        settles: -undone.settles,
        dong: -undone.dong,
        method: undone.method,
        receipt: undone.receipt.clone(),
        paid_on: undone.paid_on,
        ground: undone.ground,
        words: Some(reason),
        undoes: Some(entry),
        ..draft(deed, &application, kind)
    };
    if kind == FeeEntryKind::Void {
        // The paper belongs to another application, or is typed anew.
        store::free_receipt(deed.tx(), undone).await?;
    }
    let says = format!("{} of {}: {} đồng", kind.word(), undone.kind.word(), undone.settles);
    enter(deed, account, undoing, Action::FeeUndone, says).await
}

/// Returns the fee of an application with what became of it, and records that it was read: an exemption tells of the
/// citizen's life.
///
/// # Errors
/// [`CounterError::NotHeld`] for an officer who only mends; [`CounterError`]
pub async fn read(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<FeeAccount, CounterError> {
    let application = of_office(deed, id).await?;
    if mends_only(deed.actor()) {
        return Err(CounterError::NotHeld);
    }
    let account = account_of(deed, &application).await?;
    let occasion = Occasion { case: Some(id), ..Occasion::default() };
    let object = Object::Application(id);
    deed.record_reading(Action::FeeRead, object, application.person, &application.office, occasion).await?;
    Ok(account)
}

/// Refuses a step before which the fee must be settled, if the rule of the house names this step.
///
/// # Errors
/// [`FeeRefusal::Unpaid`] with what is due.
pub(super) async fn must_be_settled<A: Actor>(
    deed: &mut Deed<A>,
    counter: &Counter,
    step: PayBefore,
    application: &Application,
) -> Result<(), CounterError> {
    if counter.settings.fees.pay_before != step {
        return Ok(());
    }
    match account_of(deed, application).await?.due() {
        0 => Ok(()),
        due => Err(FeeRefusal::Unpaid(due).into()),
    }
}

async fn account_of<A: Actor>(deed: &mut Deed<A>, application: &Application) -> Result<FeeAccount, StoreError> {
    let entries = store::of_application(deed.tx(), application.person, application.id).await?;
    Ok(FeeAccount { fee: application.fee, entries })
}

/// Returns an application that is under way and its account, if something is due.
async fn to_settle(deed: &mut Deed<Officer>, id: ApplicationId) -> Result<(Application, FeeAccount), CounterError> {
    let application = of_office(deed, id).await?;
    if !application.stage.is_open() {
        return Err(TransitionError::NotFrom(application.stage.name()).into());
    }
    let account = account_of(deed, &application).await?;
    if account.due() == 0 { Err(FeeRefusal::NothingDue.into()) } else { Ok((application, account)) }
}

/// An entry of today, without what its kind has.
fn draft(deed: &Deed<Officer>, application: &Application, kind: FeeEntryKind) -> FeeEntry {
    FeeEntry {
        id: deed.id(),
        application: application.id,
        person: application.person,
        office: deed.actor().office.clone(),
        day: deed.today(),
        paid_on: None,
        kind,
        settles: 0,
        dong: 0,
        method: None,
        receipt: None,
        ground: None,
        words: None,
        undoes: None,
        by: deed.actor().id,
        at: deed.at(),
    }
}

async fn enter(
    deed: &mut Deed<Officer>,
    mut account: FeeAccount,
    entry: FeeEntry,
    action: Action,
    says: String,
) -> Result<FeeAccount, CounterError> {
    store::insert(deed.tx(), &entry).await?;
    let record = Entry::new(action, Object::Application(entry.application), Purpose::Registration).about(entry.person);
    deed.enter(record.of(&entry.office).because(says)).await?;
    account.entries.push(entry);
    Ok(account)
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;
    use crate::ground::Id;

    fn entry(number: u128, kind: FeeEntryKind, settles: i64, undoes: Option<u128>) -> FeeEntry {
        let id = |number| Id::from_uuid(uuid::Uuid::from_u128(number));
        FeeEntry {
            id: id(number),
            application: Id::nil(),
            person: Id::nil(),
            office: OfficeCode::national(),
            day: date!(2026 - 11 - 26),
            paid_on: None,
            kind,
            settles,
            dong: settles,
            method: None,
            receipt: None,
            ground: None,
            words: None,
            undoes: undoes.map(id),
            by: Id::nil(),
            at: datetime!(2026-11-26 02:00 UTC),
        }
    }

    #[test]
    fn what_is_due_is_the_fee_less_what_settles_it() {
        use FeeEntryKind as K;
        let mut account = FeeAccount { fee: 50_000, entries: vec![] };
        assert_eq!(account.due(), 50_000);
        account.entries.push(entry(1, K::Payment, 50_000, None));
        assert_eq!(account.due(), 0);
        account.entries.push(entry(2, K::Refund, -50_000, Some(1)));
        assert_eq!(account.due(), 50_000);
        account.entries.push(entry(3, K::Exemption, 50_000, None));
        assert_eq!(account.due(), 0);
        let standing = |number| account.standing(Id::from_uuid(uuid::Uuid::from_u128(number))).map(|entry| entry.kind);
        assert_eq!(standing(3), Ok(K::Exemption));
        for (number, why) in [(1, "undone before"), (2, "is not undone"), (4, "no entry")] {
            assert!(standing(number).unwrap_err().to_string().contains(why), "{number}");
        }
    }

    #[test]
    fn the_words_are_those_of_serde() {
        for ground in ExemptionGround::ALL {
            assert_eq!(serde_json::to_value(ground).unwrap(), ground.word());
        }
        for kind in FeeEntryKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        for method in PaymentMethod::ALL {
            assert_eq!(serde_json::to_value(method).unwrap(), method.word());
        }
    }
}
