//! Log-in of a citizen with the card. **The service is the terminal**: the [`agent`] at the reader opens the chip with
//! the CAN and then carries what it cannot read; chip authentication and the channel after it end in the [`service`],
//! which reads EF.SOD and DG1 itself (Doc 9303-11 (8th ed.) §6.2, §9.8).
//!
//! | who | what |
//! | --- | --- |
//! | agent | PACE with the CAN; reads EF.CardAccess, EF.SOD and DG14 |
//! | service | [`Files::verify`]: signed by this State, DG14 in the signed table, EF.CardAccess confirmed by it |
//! | service | [`Document::begin`]: a fresh key; its two commands travel under the agent's channel |
//! | service | reads EF.SOD and DG1 under the new channel, of which the agent has no key |
//! | service | [`Presence`]: one byte, again and again; without an answer the card is gone |
//!
//! A copy of the files has no private key of DG14, so it answers nothing under the new channel; a transcript of before
//! is of another ephemeral key; a relay can keep answers back, and change none.

pub mod agent;
pub mod protocol;
pub mod service;

mod read_file;

#[cfg(test)]
mod tests;

use thiserror::Error;
use time::OffsetDateTime;

pub use self::service::{LogIn, LoggedIn, Presence};
use crate::conversation::Fault;
use crate::lds::{CardAccess, DataGroup, Dg14};
use crate::pki::TrustStore;
use crate::sod::{Sod, VerifiedSod};

/// What an agent read of a card and the service needs to begin. Nothing of it is believed yet.
#[derive(Clone, Eq, PartialEq)]
pub struct Files {
    /// EF.CardAccess, as read in the clear.
    pub card_access: Vec<u8>,
    /// EF.SOD.
    pub sod: Vec<u8>,
    /// DG14.
    pub dg14: Vec<u8>,
    /// The longest response APDU that chip and reader can carry, in bytes.
    pub longest_response: usize,
}

/// Shows lengths only.
impl std::fmt::Debug for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Files(EF.SOD {} bytes, DG14 {} bytes)", self.sod.len(), self.dg14.len())
    }
}

/// Why a card opens nothing. None of it tells anything of the holder.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum Refusal {
    /// A file is not what was signed: DG14 or EF.CardAccess was exchanged, or EF.SOD is no signed table.
    #[error("what was read of the card is not what was signed: {0}")]
    Altered(String),
    /// It is not signed by a document signer of this State that is trusted now.
    #[error("the card is not signed by this State: {0}")]
    Foreign(String),
    /// The chip did not prove that it is the one that was issued.
    #[error("the chip did not prove itself: {0}")]
    Unproved(#[from] Fault),
}

/// The files of a card whose signature, chain and table hold. The chip itself has proved nothing yet.
#[derive(Clone, Debug)]
pub struct Document {
    files: Files,
    sod: VerifiedSod,
    dg14: Dg14,
}

impl Files {
    /// Judges the files against the signers of this State, at this moment.
    ///
    /// # Errors
    /// [`Refusal::Foreign`], [`Refusal::Altered`]
    pub fn verify(self, trust: &TrustStore, at: OffsetDateTime) -> Result<Document, Refusal> {
        let altered = |what: &dyn std::fmt::Display| Refusal::Altered(what.to_string());
        let sod = Sod::parse(&self.sod).map_err(|error| altered(&error))?;
        let sod = sod.verify(trust, at).map_err(|error| match error {
            crate::sod::SodError::Chain(_) => Refusal::Foreign(error.to_string()),
            _ => altered(&error),
        })?;
        sod.check(DataGroup::DG14, &self.dg14).map_err(|error| altered(&error))?;
        let dg14 = Dg14::parse(&self.dg14).map_err(|error| altered(&error))?;
        let open = CardAccess::parse(&self.card_access).map_err(|error| altered(&error))?.0;
        // As in an inspection: what was announced in the clear is what is signed, and no PACE is hidden.
        if open.0.iter().any(|info| !dg14.0.0.contains(info)) {
            return Err(Refusal::Altered("EF.CardAccess has an entry that the signed DG14 does not have".to_owned()));
        }
        if dg14.0.pace().any(|info| open.pace().all(|announced| announced != info)) {
            return Err(Refusal::Altered("EF.CardAccess hides PACE that the signed DG14 announces".to_owned()));
        }
        Ok(Document { files: self, sod, dg14 })
    }
}

impl Document {
    /// Returns the fingerprint by which the registry of cards knows the document.
    pub fn fingerprint(&self) -> &[u8; 32] {
        self.sod.fingerprint()
    }
}
