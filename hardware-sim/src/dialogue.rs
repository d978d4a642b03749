//! A protocol between two of its commands: what the chip keeps from one step to the next.

use crypto::command::gp_external_authenticate::ExternalAuthenticate;
use crypto::command::{external_authenticate, general_authenticate};
use crypto::suite::Cipher;
use crypto::{bac, chip_auth, pace, scp03};

/// The protocol that has begun and waits for its next command. There is at most one; any command
/// that is not its own ends it.
#[derive(Default)]
pub(crate) enum Dialogue {
    /// BAC waits for EXTERNAL AUTHENTICATE.
    Bac(Box<bac::chip::Bac>),
    /// Chip authentication waits for GENERAL AUTHENTICATE.
    ChipAuthentication { talk: Box<chip_auth::chip::ChipAuthentication>, cipher: Cipher },
    /// SCP03 waits for EXTERNAL AUTHENTICATE.
    Issuer(scp03::chip::Opening),
    /// No protocol has begun.
    #[default]
    None,
    /// PACE waits for GENERAL AUTHENTICATE.
    Pace(Box<pace::chip::Pace>),
}

impl Dialogue {
    /// Returns whether the next step of the dialogue has this instruction byte.
    pub(crate) fn awaits(&self, ins: u8) -> bool {
        match self {
            Self::Bac(_) => ins == external_authenticate::INS,
            Self::ChipAuthentication { .. } | Self::Pace(_) => ins == general_authenticate::INS,
            Self::Issuer(_) => ins == ExternalAuthenticate::INS,
            Self::None => false,
        }
    }

    /// Returns whether SCP03 waits for this instruction byte.
    pub(crate) fn awaits_from_the_issuer(&self, ins: u8) -> bool {
        matches!(self, Self::Issuer(_)) && self.awaits(ins)
    }
}
