//! Chip role: ECDSA only.

use crate::apdu::{Command, Response, Status};
use crate::command::internal_authenticate::InternalAuthenticate;
use crate::command::unchained;
use crate::suite::{Hash, PrivateKey};

/// Signs the challenge of an INTERNAL AUTHENTICATE command: `r || s` (§6.1.2.3).
///
/// # Errors
/// The status for any other command.
pub fn sign(key: &PrivateKey, hash: Hash, command: &Command) -> Result<Response, Status> {
    unchained(command)?;
    let asked = InternalAuthenticate::try_from(command)?;
    let signature = key.sign_plain(hash, &asked.challenge);
    if signature.len() > asked.longest { Err(Status::WRONG_LENGTH) } else { Ok(Response::success(signature)) }
}
