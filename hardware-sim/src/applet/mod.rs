//! What each command does.
//!
//! SELECT and READ BINARY are understood everywhere ([`files`]); the rest belongs to the LDS application ([`emrtd`]; its PACE is
//! also spoken in the master file) or to the issuer domain ([`issuer_domain`]).

use crypto::apdu::{Command, Response, Status, cla};
use crypto::command::{external_authenticate, general_authenticate, get_challenge, internal_authenticate, mse};
use crypto::command::{read_binary, select};
use crypto::suite::Cipher;
use crypto::{bac, chip_auth, pace, scp03};

use crate::chip::Chip;
use crate::filesystem::Application;

pub(crate) mod emrtd;
pub(crate) mod files;
pub(crate) mod issuer_domain;

/// A protocol that has begun and waits for its next command. At most one; any command that is not its own ends it.
#[derive(Default)]
pub(crate) enum Dialogue {
    /// BAC waits for EXTERNAL AUTHENTICATE.
    Bac(Box<bac::chip::Bac>),
    /// Chip authentication waits for GENERAL AUTHENTICATE.
    ChipAuthentication { talk: Box<chip_auth::chip::ChipAuthentication>, cipher: Cipher },
    /// SCP03 waits for EXTERNAL AUTHENTICATE.
    Issuer(scp03::chip::Opening),
    /// None.
    #[default]
    None,
    /// PACE waits for GENERAL AUTHENTICATE.
    Pace(Box<pace::chip::Pace>),
}

impl Dialogue {
    pub(crate) fn awaits_the_issuer(&self) -> bool {
        matches!(self, Self::Issuer(_))
    }
}

/// Does what a plain command asks, for an answer of at most `room` data bytes.
pub(crate) fn act(chip: &mut Chip, command: &Command, room: usize) -> Result<Response, Status> {
    let dialogue = std::mem::take(&mut chip.volatile.dialogue);
    let global_platform = command.cla & cla::GLOBAL_PLATFORM != 0;
    match (command.ins, chip.volatile.application) {
        (select::INS, _) if !global_platform => files::select(chip, command),
        (read_binary::INS | read_binary::INS_ODD, _) if !global_platform => files::read(chip, command, room),
        (_, Application::IssuerDomain) if global_platform => issuer_domain::act(chip, command, dialogue),
        (mse::INS, _) if !global_platform => emrtd::manage_security_environment(chip, command),
        (general_authenticate::INS, _) if !global_platform => emrtd::general_authenticate(chip, command, dialogue),
        (get_challenge::INS, Application::Lds) if !global_platform => emrtd::get_challenge(chip, command),
        (external_authenticate::INS, Application::Lds) if !global_platform => {
            emrtd::external_authenticate(chip, command, dialogue)
        }
        (internal_authenticate::INS, Application::Lds) if !global_platform => {
            emrtd::internal_authenticate(chip, command)
        }
        (_, Application::IssuerDomain) => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        _ if global_platform => Err(Status::CLASS_NOT_SUPPORTED),
        _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
    }
}
