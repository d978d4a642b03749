//! Why production does not do what was asked, and what a station or a stock keeper is told.

use axum::http::StatusCode;
use crypto::perso::{LifeCycle, PackageError, ReceiptError, ScriptError};
use crypto::pki::{CrlError, SignatureMismatch, SpkiError};
use crypto::sod::{GroupError, LintError, SodError};
use thiserror::Error;

use super::compose::ComposeError;
use super::model::ChipError;
use crate::access::AccessError;
use crate::applications::model::TransitionError;
use crate::applications::objects::ObjectError;
use crate::cards::steps::CardError;
use crate::http::Problem;
use crate::pki::{CardKeysError, SecretsError, SignerError};
use crate::store::StoreError;

/// Why production does not do what was asked.
#[derive(Debug, Error)]
pub enum ProductionError {
    /// Not the officer's office.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The chip does not have the key that its ledger entry names, or somebody signed for it.
    #[error("the signature of active authentication is not the chip's")]
    ActiveAuthentication,
    /// The chip's application was cancelled.
    #[error("the application of this chip was cancelled")]
    ApplicationCancelled,
    /// The application moved on while this request was under way.
    #[error("the application is no longer in production on this chip")]
    ApplicationGone,
    /// The card of the chip.
    #[error(transparent)]
    Card(#[from] CardError),
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
    /// No such chip in the ledger.
    #[error("chip unknown")]
    ChipUnknown,
    /// No card can carry what the register holds.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// A delivery without blanks, or without a name.
    #[error("a delivery names manufacturer and batch and has at least one blank")]
    DeliveryEmpty,
    /// An account without its reason.
    #[error("reason and evidence are needed")]
    EvidenceMissing,
    /// The chip stands elsewhere than the ledger says.
    #[error("the chip announces {0}")]
    LifeCycle(LifeCycle),
    /// The list of the CSCA.
    #[error(transparent)]
    List(#[from] CrlError),
    /// The list of the CSCA cannot be read.
    #[error("csca.crl cannot be read")]
    ListMalformed,
    /// No application waits for a chip at this office.
    #[error("no approved application waits")]
    NothingToPersonalize,
    /// The portrait.
    #[error(transparent)]
    Object(#[from] ObjectError),
    /// No such order, or another station's.
    #[error("order unknown")]
    OrderUnknown,
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
    #[error("serial {0} is in the ledger")]
    SerialKnown(crypto::identity::CardSerial),
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
    /// No such transport key.
    #[error(transparent)]
    TransportKey(#[from] CardKeysError),
}

impl From<ProductionError> for Problem {
    fn from(error: ProductionError) -> Self {
        use ProductionError as E;
        let (status, code, remedy) = match error {
            E::Access(source) => return source.into(),
            E::Card(source) => return source.into(),
            E::Signer(source) => return source.into(),
            E::Stage(source) => return source.into(),
            E::Store(source) => return source.into(),
            E::Chip(source) => return source.into(),
            E::List(_)
            | E::ListMalformed
            | E::Object(_)
            | E::Package(_)
            | E::Secrets(_)
            | E::Signature(_)
            | E::SignerKey(_)
            | E::Sod(_)
            | E::SodGroup(_)
            | E::SodLint(_) => return Self::internal(&error),
            E::ActiveAuthentication => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "active-authentication-failed",
                "The chip on the reader is not the one of this order. Account for both chips, and report the station.",
            ),
            E::ApplicationCancelled => (
                StatusCode::CONFLICT,
                "application-cancelled",
                "The chip is written off with its application: put it with the spoiled blanks and take the next one.",
            ),
            E::ApplicationGone => (
                StatusCode::CONFLICT,
                "application-moved-on",
                "Present the chip again: its application changed while this request was under way.",
            ),
            E::ChallengeUnknown => {
                (StatusCode::UNPROCESSABLE_ENTITY, "challenge-unknown", "Send the challenge that came with this order.")
            }
            E::ChallengeUsed => {
                (StatusCode::CONFLICT, "challenge-used", "This order is settled. Present the chip again for a new one.")
            }
            E::ChipDiffers(_) => (
                StatusCode::CONFLICT,
                "chip-differs",
                "The chip is genuine and holds something else than the ledger knows: account for it as spoiled.",
            ),
            E::ChipUnknown => (
                StatusCode::NOT_FOUND,
                "chip-unknown",
                "Not in any delivery: keep the chip apart and ask the stock office.",
            ),
            E::Compose(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "card-not-composable",
                "The register holds something that no card can carry: correct it, cancel this application and apply again.",
            ),
            E::DeliveryEmpty => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "delivery-empty",
                "Name manufacturer and batch, and list the serials.",
            ),
            E::EvidenceMissing => {
                (StatusCode::UNPROCESSABLE_ENTITY, "evidence-missing", "Say what happened, and what or who shows it.")
            }
            E::LifeCycle(_) => (
                StatusCode::CONFLICT,
                "chip-life-cycle-unexpected",
                "The chip stands elsewhere than the ledger says: account for it as spoiled and take the next one.",
            ),
            E::NothingToPersonalize => (
                StatusCode::CONFLICT,
                "nothing-to-personalize",
                "No approved application of this office waits for a chip. Keep the blank.",
            ),
            E::OrderUnknown => (StatusCode::NOT_FOUND, "order-unknown", "Present the chip again for a new order."),
            E::OtherCustody => (
                StatusCode::FORBIDDEN,
                "chip-in-other-custody",
                "The stock office must give this chip into the custody of this station first.",
            ),
            E::Receipt(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "receipt-forged",
                "These answers are not the chip's. Present it again; if it happens twice, stop the station and report it.",
            ),
            E::Script(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "presentation-unfit",
                "No order can be made for what this chip announces: account for it as spoiled.",
            ),
            E::SerialKnown(_) => (
                StatusCode::CONFLICT,
                "serial-already-delivered",
                "A chip is delivered once: compare the list with the delivery note.",
            ),
            E::StationUnknown => (StatusCode::NOT_FOUND, "station-not-found", "Check the id of the station."),
            E::TransportKey(_) => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "transport-key-unknown",
                "Take the manufacturer's key in first: `issuance transport-key`.",
            ),
        };
        Self::new(status, code, remedy).detail(error)
    }
}

impl From<ChipError> for Problem {
    fn from(error: ChipError) -> Self {
        let (code, remedy) = match error {
            ChipError::Bound => {
                ("chip-bound", "The chip belongs to an application: finish it at its station, or account for it.")
            }
            ChipError::Initialised => {
                ("chip-already-initialised", "Nothing to do: the chip is ready for personalization.")
            }
            ChipError::NotInitialised => ("chip-not-initialised", "Take the chip in first: `card-agent intake`."),
            ChipError::Personalized => ("chip-already-personalized", "The chip is a card: hand it over."),
            ChipError::Spoiled => ("chip-spoiled", "The chip is written off: put it with the spoiled blanks."),
        };
        Self::new(StatusCode::CONFLICT, code, remedy).detail(error)
    }
}
