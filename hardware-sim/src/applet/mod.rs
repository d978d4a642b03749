//! What each command does.
//!
//! SELECT and READ BINARY are served in every application ([`files`]). The other commands belong to the LDS application
//! ([`emrtd`]; PACE also to the master file) or to the issuer domain ([`issuer_domain`]).

use crypto::apdu::{Command, Response, Status, cla};
use crypto::command::{
    external_authenticate, general_authenticate, get_challenge, internal_authenticate, mse, read_binary, select,
};

use crate::core::Core;
use crate::filesystem::Application;

pub(crate) mod emrtd;
pub(crate) mod files;
pub(crate) mod issuer_domain;

/// Serves a plain command. Returns an answer of at most `room` data bytes.
///
/// # Errors
/// The status to answer.
pub(crate) fn act(core: &mut Core, command: &Command, room: usize) -> Result<Response, Status> {
    let dialogue = std::mem::take(&mut core.volatile.dialogue);
    let global_platform = command.cla & cla::GLOBAL_PLATFORM != 0;
    match (command.ins, core.volatile.application) {
        (select::INS, _) if !global_platform => files::select(core, command),
        (read_binary::INS | read_binary::INS_ODD, _) if !global_platform => files::read(core, command, room),
        (_, Application::IssuerDomain) if global_platform => issuer_domain::act(core, command, dialogue),
        (mse::INS, _) if !global_platform => emrtd::manage_security_environment(core, command),
        (general_authenticate::INS, _) if !global_platform => emrtd::general_authenticate(core, command, dialogue),
        (get_challenge::INS, Application::Lds) if !global_platform => emrtd::get_challenge(core, command),
        (external_authenticate::INS, Application::Lds) if !global_platform => {
            emrtd::external_authenticate(core, command, dialogue)
        }
        (internal_authenticate::INS, Application::Lds) if !global_platform => {
            emrtd::internal_authenticate(core, command)
        }
        (_, Application::IssuerDomain) => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        _ if global_platform => Err(Status::CLASS_NOT_SUPPORTED),
        _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
    }
}
