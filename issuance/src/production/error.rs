//! Why production does not do what was asked: pure.

use crypto::identity::CardSerial;
use crypto::perso::{LifeCycle, PackageError, ReceiptError, ScriptError};
use crypto::pki::{CrlError, SignatureMismatch, SpkiError};
use crypto::sod::{GroupError, LintError, SodError};
use thiserror::Error;

use super::model::ChipError;
use crate::applications::CounterError;
use crate::applications::model::TransitionError;
use crate::cards::CardError;
use crate::cards::compose::ComposeError;
use crate::deed::DeedError;
use crate::ground::objects::ObjectError;
use crate::ground::{OfficeCode, OtherOffice, SecretsError};
use crate::keys::{CardKeysError, CrlFileError, SignerError};
use crate::store::StoreError;

/// Why production does not do what was asked.
#[derive(Debug, Error)]
pub enum ProductionError {
    /// The chip does not have the key that its ledger entry names, or another chip signed for it.
    #[error("the signature of active authentication is not the chip's")]
    ActiveAuthentication,
    /// The application of a cancellation.
    #[error(transparent)]
    Application(#[from] CounterError),
    /// The chip's application was cancelled.
    #[error("the application of this chip was cancelled")]
    ApplicationCancelled,
    /// The application moved on while this request was under way.
    #[error("the application is no longer in production on this chip")]
    ApplicationGone,
    /// The card of the chip.
    #[error(transparent)]
    Card(#[from] CardError),
    /// No such batch, or it is closed.
    #[error("no such batch is open")]
    BatchUnknown,
    /// The batch of cards is closed.
    #[error("the batch is closed")]
    CardBatchClosed,
    /// No item of the batch of cards is free.
    #[error("no application of the batch is free")]
    CardBatchExhausted,
    /// The batch of cards is paused.
    #[error("the batch is paused")]
    CardBatchPaused,
    /// The batch of cards is in a state in which this is not done.
    #[error("the batch is {0}")]
    CardBatchState(&'static str),
    /// Something of the batch of cards waits for a chip, or for the proof of one.
    #[error("applications of the batch wait for a chip or are being written")]
    CardBatchUnfinished,
    /// No such batch of cards at this office.
    #[error("no such batch of cards")]
    CardBatchUnknown,
    /// What was read from a body is no zone, or there is no code.
    #[error("no machine-readable zone and square code were read: {0}")]
    BodyUnreadable(&'static str),
    /// A box for the office that sends it.
    #[error("a box is for another office than the one that sends it")]
    BoxUnfit,
    /// No such box, or it was received.
    #[error("no such box is on its way")]
    BoxUnknown,
    /// A case of this kind does not end so.
    #[error("a case of this kind does not end so")]
    CaseOutcome,
    /// No such case, or it is settled.
    #[error("no such case waits to be settled")]
    CaseUnknown,
    /// A chip that is missed at one place was counted at another.
    #[error("another case that waits says that the chip was counted elsewhere: settle that one first")]
    CountedElsewhere,
    /// The ledger of the station changed since the count began.
    #[error("chips of this station moved since the count began: begin it again")]
    CountOvertaken,
    /// No such count, or it is ended.
    #[error("no such count is under way")]
    CountUnknown,
    /// A card that was not fetched is kept until this day.
    #[error("the card is kept for the citizen until {0}")]
    Kept(time::Date),
    /// Not the order's challenge.
    #[error("the challenge is not the one of this order")]
    ChallengeUnknown,
    /// A challenge counts once.
    #[error("the challenge of this order was used")]
    ChallengeUsed,
    /// The ledger's state.
    #[error(transparent)]
    Chip(#[from] ChipError),
    /// What the chip says under its MAC is not what the ledger knows of it.
    #[error("the chip holds {0}")]
    ChipDiffers(&'static str),
    /// A public key that another chip has or had, or that has another use.
    #[error("a key of the chip was another chip's before, or has two uses")]
    ChipKeyKnown,
    /// No such chip in the ledger.
    #[error("chip unknown")]
    ChipUnknown,
    /// No card can carry what the register holds.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// One chip of a list of serials.
    #[error("{source}")]
    OfChip {
        /// Which one.
        serial: CardSerial,
        /// Why that one is refused.
        source: Box<ProductionError>,
    },
    /// The file of the CSCA's list.
    #[error(transparent)]
    Crl(#[from] CrlFileError),
    /// The record of a verb.
    #[error(transparent)]
    Deed(#[from] DeedError),
    /// What a document holds cannot be drawn on the faces of a card.
    #[error("the faces of the card: {0}")]
    Face(#[from] ::faces::FaceError),
    /// A delivery without blanks, or without a name.
    #[error("a delivery names manufacturer and batch and has at least one blank")]
    DeliveryEmpty,
    /// An account without its reason.
    #[error("reason and evidence are needed")]
    EvidenceMissing,
    /// The chip is in an open batch of production.
    #[error("the chip is in an open batch")]
    InBatch,
    /// The chip is on its way between two offices.
    #[error("the chip is in a box on its way")]
    InBox,
    /// The lease of the chip's item ran out, and the item went to another chip.
    #[error("the application of this chip went to another chip after the lease ran out")]
    ItemElsewhere,
    /// Another lease of the item was given since.
    #[error("another lease was given for this chip since")]
    LeaseLost,
    /// The chip stands elsewhere than the ledger says.
    #[error("the chip announces {0}")]
    LifeCycle(LifeCycle),
    /// More entries than one request may have.
    #[error("at most {most} serials in one request")]
    ListTooLong {
        /// So many may it have.
        most: usize,
    },
    /// The list of the CSCA.
    #[error(transparent)]
    List(#[from] CrlError),
    /// No such finding, or it was decided.
    #[error("no such finding waits for a decision")]
    FindingUnknown,
    /// No application with the slip that a chip was wanted for waits at this office.
    #[error("no approved application with this slip waits")]
    SlipNotWaiting,
    /// No card that waits to be shipped to that office.
    #[error("the chip is no card that waits to be shipped to that office")]
    NotToShip,
    /// No application waits for a chip at this office.
    #[error("no approved application waits")]
    NothingToPersonalize,
    /// The portrait.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// No such order, or another station's.
    #[error("order unknown")]
    OrderUnknown,
    /// Nothing waits for this officer, or it has run out.
    #[error("no such proposal waits for this officer")]
    ProposalUnknown,
    /// A recall concerns the chip.
    #[error("the chip is recalled")]
    Recalled,
    /// No delivery has what is to be recalled.
    #[error("no delivery has what is to be recalled")]
    RecallUnfit,
    /// It was proposed otherwise since it was read.
    #[error("it is proposed otherwise than it was read: read it again")]
    ProposalChanged,
    /// The officer who proposed it has left, or may not propose it any more.
    #[error("the officer who proposed it has left, or may not propose it any more: propose it again")]
    ProposalStale,
    /// Another office's chip.
    #[error(transparent)]
    OtherOffice(#[from] OtherOffice),
    /// Another station has the chip, or none.
    #[error("the chip is not in the custody of this station")]
    OtherCustody,
    /// The files.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The receipt is not the chip's.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// No order can be made for what the chip announces.
    #[error(transparent)]
    Script(#[from] ScriptError),
    /// A key at rest.
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    /// A blank that is in the ledger already.
    #[error(
        "serial {serial} is in the ledger, at office {office}; if that is a mistake, the national office enters it"
    )]
    SerialKnown {
        /// The blank.
        serial: CardSerial,
        /// The office that has it by the ledger.
        office: OfficeCode,
    },
    /// A serial that a delivery note names twice.
    #[error("serial {0} stands twice in the delivery note")]
    SerialTwice(CardSerial),
    /// An office that is no unit or, where no units are set up, has no stock keeper in service.
    #[error("no office of this code receives boxes")]
    OfficeUnknown,
    /// Both officers are of one of the two offices of a box.
    #[error("an officer of the other office of the box confirms it")]
    OtherSide,
    /// A parcel without the seal that was found, or a box of blanks with one.
    #[error("of a parcel the seal is named, of a box of blanks none")]
    Seal,
    /// A seal closes one parcel.
    #[error("the office closed another parcel with this seal before: a seal is used once")]
    SealUsed,
    /// One officer cannot do both.
    #[error("another officer than the one who proposed it confirms it")]
    SecondOfficer,
    /// The signer gave a signature of something else.
    #[error(transparent)]
    Signature(#[from] SignatureMismatch),
    /// The signer.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A key of the signer.
    #[error(transparent)]
    SignerKey(#[from] SpkiError),
    /// What was just signed does not verify.
    #[error(transparent)]
    Sod(#[from] SodError),
    /// A file that is not the one in the hash table.
    #[error(transparent)]
    SodGroup(#[from] GroupError),
    /// The hash table must not be signed.
    #[error(transparent)]
    SodLint(#[from] LintError),
    /// The application's stage.
    #[error(transparent)]
    Stage(#[from] TransitionError),
    /// No such station.
    #[error("station unknown or revoked")]
    StationUnknown,
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A chip of a batch that is no card, not spoiled, and not among those that are still there.
    #[error("the chip is not accounted for")]
    Unaccounted,
    /// Not another officer in service of the chip's office.
    #[error("the witness is no other officer of the chip's office")]
    Witness,
    /// No write-off waits for this officer.
    #[error("no write-off of the chip waits for this officer")]
    WriteOffUnknown,
    /// No such transport key.
    #[error(transparent)]
    TransportKey(#[from] CardKeysError),
}
