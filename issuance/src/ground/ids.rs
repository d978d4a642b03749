//! Identifiers, one type per kind of thing: a person's id cannot be passed where an application's is wanted.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;
use time::OffsetDateTime;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::store::{Argument, Field, Record, StoreError};

/// Identifier of a `T`: a UUID (version 7 when made here), as text in lower case with hyphens.
pub struct Id<T>(Uuid, PhantomData<fn() -> T>);

/// The kinds of things that have identifiers. Types without values.
pub mod of {
    macro_rules! kinds {
        ($($(#[$doc:meta])* $kind:ident;)*) => { $($(#[$doc])* #[derive(Debug)] pub enum $kind {})* };
    }
    kinds! {
        /// What a partner may ask, and for what.
        Agreement;
        /// An application for a card.
        Application;
        /// A question to an archive of papers.
        ArchiveRequest;
        /// A file of declarations that is imported.
        Batch;
        /// An application in a batch of cards.
        BatchItem;
        /// A citizen's place and time for the capture.
        Booking;
        /// A trust bundle.
        Bundle;
        /// A card.
        Card;
        /// Applications that are made cards together.
        CardBatch;
        /// A client certificate of an officer.
        Certificate;
        /// A change of the register that is proposed.
        Change;
        /// A judge's order that looks are told later.
        Delay;
        /// A delivery of blank chips.
        Delivery;
        /// An officer's standing in for another.
        Deputy;
        /// Spoiled chips that are destroyed together.
        Destruction;
        /// A look in an emergency.
        EmergencyLook;
        /// A citizen's objection.
        Objection;
        /// The end of an office.
        Dissolution;
        /// A document in the making: the files of one card.
        Document;
        /// A row of the audit trail.
        Entry;
        /// A payment of a fee, an exemption, or what undoes one.
        FeeEntry;
        /// A document that a restored database does not know.
        Finding;
        /// A paper form DC01 on its way into the register.
        Form;
        /// A legal hold.
        Hold;
        /// A lease of numbers for life.
        Lease;
        /// A list of persons that a partner confirms.
        List;
        /// A merge or a split of persons.
        Merge;
        /// A log-in with a card.
        LogIn;
        /// A notice to a citizen.
        Notice;
        /// An officer.
        Officer;
        /// An order for a chip.
        Order;
        /// An authority that asks the register under agreements.
        Partner;
        /// An address of a partner's system, to which notifications go.
        PartnerAddress;
        /// A computer of a partner, with a client certificate.
        PartnerSystem;
        /// A person of the register.
        Person;
        /// A movement of chips from one account of the ledger to another.
        Posting;
        /// What is to be printed on the body of a card.
        PrintJob;
        /// Blanks that a station makes cards of together.
        ProductionBatch;
        /// A proposal about an officer.
        Proposal;
        /// A row of a file that waits for an officer.
        Quarantined;
        /// A recall of chips.
        Recall;
        /// A request to this service.
        Request;
        /// An officer's session.
        Session;
        /// A station.
        Station;
        /// A state of the register for statistics.
        StatisticsState;
        /// A box of blanks on its way between two offices.
        StockBox;
        /// A difference in the stock that two officers settle.
        StockCase;
        /// A count of what a station holds.
        StockCount;
        /// A part of a count of chips.
        StockCountPart;
        /// What a partner's system wants to be told at one of its addresses.
        Subscription;
        /// What an officer said of two persons.
        Verdict;
    }
}

/// Identifier of an agreement with a partner.
pub type AgreementId = Id<of::Agreement>;
/// Identifier of an application.
pub type ApplicationId = Id<of::Application>;
/// Identifier of a question to an archive of papers.
pub type ArchiveRequestId = Id<of::ArchiveRequest>;
/// Identifier of a file of declarations that is imported.
pub type BatchId = Id<of::Batch>;
/// Identifier of an application in a batch of cards.
pub type BatchItemId = Id<of::BatchItem>;
/// Identifier of a booking.
pub type BookingId = Id<of::Booking>;
/// Identifier of a trust bundle.
pub type BundleId = Id<of::Bundle>;
/// Identifier of a change of the register that is proposed.
pub type ChangeId = Id<of::Change>;
/// Identifier of a batch of cards.
pub type CardBatchId = Id<of::CardBatch>;
/// Identifier of a card.
pub type CardId = Id<of::Card>;
/// Identifier of an officer's client certificate.
pub type CertificateId = Id<of::Certificate>;
/// Identifier of a judge's order that looks are told later.
pub type DelayId = Id<of::Delay>;
/// Identifier of a delivery.
pub type DeliveryId = Id<of::Delivery>;
/// Identifier of a citizen's objection.
pub type ObjectionId = Id<of::Objection>;
/// Identifier of a look in an emergency.
pub type EmergencyLookId = Id<of::EmergencyLook>;
/// Identifier of an officer's standing in for another.
pub type DeputyId = Id<of::Deputy>;
/// Identifier of spoiled chips that are destroyed together.
pub type DestructionId = Id<of::Destruction>;
/// Identifier of the end of an office.
pub type DissolutionId = Id<of::Dissolution>;
/// Identifier of a document.
pub type DocumentId = Id<of::Document>;
/// Identifier of a row of the audit trail.
pub type EntryId = Id<of::Entry>;
/// Identifier of a payment of a fee, an exemption, or what undoes one.
pub type FeeEntryId = Id<of::FeeEntry>;
/// Identifier of what a reconciliation found.
pub type FindingId = Id<of::Finding>;
/// Identifier of a paper form DC01 on its way into the register.
pub type FormId = Id<of::Form>;
/// Identifier of a legal hold.
pub type HoldId = Id<of::Hold>;
/// Identifier of a lease of numbers.
pub type LeaseId = Id<of::Lease>;
/// Identifier of a list of persons that a partner confirms.
pub type ListId = Id<of::List>;
/// Identifier of a merge or a split of persons.
pub type MergeId = Id<of::Merge>;
/// Identifier of a notice to a citizen.
pub type NoticeId = Id<of::Notice>;
/// Identifier of an officer.
pub type OfficerId = Id<of::Officer>;
/// Identifier of an order.
pub type OrderId = Id<of::Order>;
/// Identifier of a partner.
pub type PartnerId = Id<of::Partner>;
/// Identifier of an address of a partner's system.
pub type PartnerAddressId = Id<of::PartnerAddress>;
/// Identifier of a system of a partner.
pub type PartnerSystemId = Id<of::PartnerSystem>;
/// Identifier of a person in the register; shown on no card.
pub type PersonId = Id<of::Person>;
/// Identifier of a movement of chips in the ledger.
pub type PostingId = Id<of::Posting>;
/// Identifier of what is to be printed on the body of a card.
pub type PrintJobId = Id<of::PrintJob>;
/// Identifier of a batch of production.
pub type ProductionBatchId = Id<of::ProductionBatch>;
/// Identifier of a proposal about an officer.
pub type ProposalId = Id<of::Proposal>;
/// Identifier of a row of a file that waits for an officer.
pub type QuarantinedId = Id<of::Quarantined>;
/// Identifier of a recall of chips.
pub type RecallId = Id<of::Recall>;
/// Identifier of a request.
pub type RequestId = Id<of::Request>;
/// Identifier of a log-in with a card.
pub type LogInId = Id<of::LogIn>;
/// Identifier of a session.
pub type SessionId = Id<of::Session>;
/// Identifier of a station.
pub type StationId = Id<of::Station>;
/// Identifier of a state of the register for statistics.
pub type StatisticsStateId = Id<of::StatisticsState>;
/// Identifier of a partner's subscription.
pub type SubscriptionId = Id<of::Subscription>;
/// Identifier of a box of blanks on its way.
pub type BoxId = Id<of::StockBox>;
/// Identifier of a difference in the stock.
pub type CaseId = Id<of::StockCase>;
/// Identifier of a count of what a station holds.
pub type CountId = Id<of::StockCount>;
/// Names a part of a count of chips.
pub type CountPartId = Id<of::StockCountPart>;
/// Identifier of what an officer said of two persons.
pub type VerdictId = Id<of::Verdict>;

/// A text that is no identifier.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
#[error("an identifier is a UUID: 32 hexadecimal digits in groups of 8, 4, 4, 4 and 12")]
pub struct IdMalformed;

impl<T> Id<T> {
    /// From a UUID.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }

    /// The identifier before all others: where a list begins.
    #[must_use]
    pub const fn nil() -> Self {
        Self(Uuid::nil(), PhantomData)
    }

    /// The first identifier that can have been made at this moment or later (UUID version 7): where a list begins or
    /// ends that is ordered by identifiers and asked for by time.
    #[must_use]
    pub fn first_at(at: OffsetDateTime) -> Self {
        let milliseconds = u64::try_from(at.unix_timestamp_nanos() / 1_000_000).unwrap_or(0);
        Self::from_uuid(uuid::Builder::from_unix_timestamp_millis(milliseconds, &[0; 10]).into_uuid())
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }

    /// Reads the column that holds the identifier.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn of(record: &Record, column: &str) -> Result<Self, StoreError> {
        record.get(column).map(Self::from_uuid)
    }

    /// Reads a column that may hold an identifier.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`]
    pub fn of_optional(record: &Record, column: &str) -> Result<Option<Self>, StoreError> {
        Ok(record.get::<Option<Uuid>>(column)?.map(Self::from_uuid))
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<T> fmt::Display for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<T> FromStr for Id<T> {
    type Err = IdMalformed;

    fn from_str(text: &str) -> Result<Self, IdMalformed> {
        // One spelling only: the store and the audit compare text.
        let uuid: Uuid = text.parse().map_err(|_| IdMalformed)?;
        if uuid.to_string() == text { Ok(Self::from_uuid(uuid)) } else { Err(IdMalformed) }
    }
}

impl<T> Serialize for Id<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de, T> Deserialize<'de> for Id<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl<T> PartialSchema for Id<T> {
    fn schema() -> RefOr<Schema> {
        let format = SchemaFormat::KnownFormat(KnownFormat::Uuid);
        ObjectBuilder::new().schema_type(Type::String).format(Some(format)).into()
    }
}

impl<T> ToSchema for Id<T> {
    fn name() -> std::borrow::Cow<'static, str> {
        "Id".into()
    }
}

impl<T> From<Id<T>> for Argument {
    fn from(id: Id<T>) -> Self {
        Self::Uuid(Some(id.0))
    }
}

impl<T> From<Id<T>> for Field<'_> {
    fn from(id: Id<T>) -> Self {
        Self::Uuid(id.0)
    }
}

impl<T> From<Option<Id<T>>> for Argument {
    fn from(id: Option<Id<T>>) -> Self {
        Self::Uuid(id.map(|id| id.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_has_one_spelling() {
        let text = "0197a3f0-1234-7abc-8def-0123456789ab";
        let id: PersonId = text.parse().unwrap();
        assert_eq!(id.to_string(), text);
        assert_eq!(serde_json::to_string(&id).unwrap(), format!("\"{text}\""));
        for other in ["", "0", "0197A3F0-1234-7ABC-8DEF-0123456789AB", "0197a3f012347abc8def0123456789ab"] {
            assert_eq!(other.parse::<PersonId>(), Err(IdMalformed), "{other}");
        }
    }
}
