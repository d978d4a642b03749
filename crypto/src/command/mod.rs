//! Card commands, one file each, in both directions: the terminal encodes the value as a command, the chip decodes it.

pub mod external_authenticate;
pub mod general_authenticate;
pub mod generate_key_pair;
pub mod get_challenge;
pub mod get_data;
pub mod gp_external_authenticate;
pub mod initialize_update;
pub mod internal_authenticate;
pub mod mse;
pub mod put_key;
pub mod read_binary;
pub mod select;
pub mod set_status;
pub mod store_data;

use crate::apdu::{Command, Status, cla};

/// Refuses class bytes of other channels, of other organisations and of secure messaging that is still in place.
pub(crate) fn interindustry(command: &Command) -> Result<(), Status> {
    if command.cla & !cla::CHAINED == cla::PLAIN { Ok(()) } else { Err(Status::CLASS_NOT_SUPPORTED) }
}

/// Refuses what [`interindustry`] refuses, and parts of a chain.
pub(crate) fn unchained(command: &Command) -> Result<(), Status> {
    interindustry(command)?;
    if command.is_chained() { Err(Status::CHAINING_NOT_SUPPORTED) } else { Ok(()) }
}

/// Refuses all but this command of GlobalPlatform's class without its C-MAC.
pub(crate) fn global_platform(command: &Command, ins: u8) -> Result<(), Status> {
    match (command.cla, command.ins) {
        (cla::GLOBAL_PLATFORM, found) if found == ins => Ok(()),
        (cla::GLOBAL_PLATFORM, _) => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        _ => Err(Status::CLASS_NOT_SUPPORTED),
    }
}
