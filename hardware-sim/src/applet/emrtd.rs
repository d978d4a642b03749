//! The protocols of the LDS1 eMRTD application: PACE and BAC, which open the files of the holder, and chip and active
//! authentication, by which the chip proves that it is genuine. Doc 9303-11 (8th ed.).

use std::sync::Arc;

use crypto::apdu::{Command, Response, Status};
use crypto::command::mse::{self, SetInternal};
use crypto::conversation::{Reply, Respondent};
use crypto::kdf::MrzSecret;
use crypto::lds::security_infos::{ChipAuthenticationProtocol, KeyAgreement, SecurityInfos};
use crypto::lds::{DataGroup, File};
use crypto::pace::{self, Password, Suite};
use crypto::suite::Cipher;
use crypto::{active_auth, bac, chip_auth};

use crate::access::{Authority, Operation};
use crate::channel::Channel;
use crate::core::Core;
use crate::dialogue::Dialogue;

/// MANAGE SECURITY ENVIRONMENT. Set AT begins PACE, or in a session chip authentication; Set KAT is the whole of chip
/// authentication with triple DES.
pub(super) fn manage_security_environment(core: &mut Core, command: &Command) -> Result<Response, Status> {
    match command.p {
        mse::MUTUAL => begin_pace(core, command),
        mse::INTERNAL => {
            let talk = chip_authentication(core)?;
            let protocol = SetInternal::try_from(command)?.protocol;
            let cipher = ChipAuthenticationProtocol::from_oid(&protocol).ok_or(Status::WRONG_DATA)?.cipher;
            go_on_with_chip_authentication(core, talk, cipher, command)
        }
        mse::KEY_AGREEMENT => {
            let talk = chip_authentication(core)?;
            go_on_with_chip_authentication(core, talk, Cipher::TripleDes, command)
        }
        _ => Err(Status::WRONG_P1P2),
    }
}

/// GENERAL AUTHENTICATE: the next step of PACE or chip authentication.
pub(super) fn general_authenticate(core: &mut Core, command: &Command, dialogue: Dialogue) -> Result<Response, Status> {
    match dialogue {
        Dialogue::ChipAuthentication { talk, cipher } => go_on_with_chip_authentication(core, *talk, cipher, command),
        Dialogue::Pace(talk) => go_on_with_pace(core, *talk, command),
        Dialogue::Bac(_) | Dialogue::Issuer(_) | Dialogue::None => Err(Status::CONDITIONS_NOT_SATISFIED),
    }
}

/// GET CHALLENGE begins BAC. Each challenge can be used once.
pub(super) fn get_challenge(core: &mut Core, command: &Command) -> Result<Response, Status> {
    if !core.persistent.profile.basic_access_control {
        return Err(Status::INSTRUCTION_NOT_SUPPORTED);
    }
    opens(core, Operation::BasicAccessControl)?;
    let mrz = core.persistent.mrz.as_ref().ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
    let talk = bac::chip::Bac::new(bac::AccessKeys::new(mrz), bac::Random::generate(&mut core.rng));
    match talk.answer(command) {
        Reply::More(talk, response) => {
            core.volatile.dialogue = Dialogue::Bac(Box::new(talk));
            Ok(response)
        }
        Reply::Done(..) => Err(Status::NO_DIAGNOSIS),
        Reply::Refused(status) => Err(status),
    }
}

/// EXTERNAL AUTHENTICATE ends BAC: with a session, or with a refusal that spends the challenge.
pub(super) fn external_authenticate(
    core: &mut Core,
    command: &Command,
    dialogue: Dialogue,
) -> Result<Response, Status> {
    let Dialogue::Bac(talk) = dialogue else { return Err(Status::CONDITIONS_NOT_SATISFIED) };
    opens(core, Operation::BasicAccessControl)?;
    slow_down(core);
    match talk.answer(command) {
        Reply::Done(session, response) => {
            succeed(core)?;
            open(core, session, Cipher::TripleDes);
            Ok(response)
        }
        Reply::More(..) => Err(Status::NO_DIAGNOSIS),
        Reply::Refused(status) => Err(failed(core, status)),
    }
}

/// INTERNAL AUTHENTICATE: the chip signs with the key of DG15.
pub(super) fn internal_authenticate(core: &mut Core, command: &Command) -> Result<Response, Status> {
    core.allow(Operation::ActiveAuthentication)?;
    let key = core.persistent.active_auth.as_ref().ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
    let announced = security_infos(core, DataGroup::DG14.into()).active_authentication().and_then(active_auth::hash_of);
    active_auth::chip::sign(key, announced.unwrap_or(key.curve().usual_hash()), command)
}

fn begin_pace(core: &mut Core, command: &Command) -> Result<Response, Status> {
    if !core.persistent.profile.pace {
        return Err(Status::INSTRUCTION_NOT_SUPPORTED);
    }
    opens(core, Operation::Pace)?;
    slow_down(core);
    let infos = security_infos(core, File::CardAccess);
    let offered: Vec<Suite> = infos.pace().filter_map(|info| Suite::try_from(info).ok()).collect();
    let state = &core.persistent;
    let can = state.can.map(Password::from);
    let mrz = state.mrz.as_ref().map(|mrz: &MrzSecret| Password::Mrz(mrz.clone()));
    let random = pace::chip::Random::generate(&offered, &mut core.rng);
    let talk = pace::chip::Pace::new(&offered, mrz.into_iter().chain(can).collect(), random);
    go_on_with_pace(core, talk, command)
}

fn go_on_with_pace(core: &mut Core, talk: pace::chip::Pace, command: &Command) -> Result<Response, Status> {
    opens(core, Operation::Pace)?;
    match talk.answer(command) {
        Reply::Done(established, response) => {
            succeed(core)?;
            open(core, established.channel, established.suite.cipher);
            Ok(response)
        }
        Reply::More(talk, response) => {
            core.volatile.dialogue = Dialogue::Pace(Box::new(talk));
            Ok(response)
        }
        Reply::Refused(status) => Err(failed(core, status)),
    }
}

/// Returns chip authentication with the one static key of this chip, for the ciphers that DG14 announces.
fn chip_authentication(core: &Core) -> Result<chip_auth::chip::ChipAuthentication, Status> {
    core.allow(Operation::ChipAuthentication)?;
    let private = core.persistent.chip_auth.as_ref().ok_or(Status::CONDITIONS_NOT_SATISFIED)?;
    let infos = security_infos(core, DataGroup::DG14.into());
    let spoken = |a: KeyAgreement| a == KeyAgreement::Ecdh;
    let ciphers: Vec<Cipher> = infos
        .chip_authentication()
        .map(|info| info.protocol)
        .filter(|p| spoken(p.agreement))
        .map(|p| p.cipher)
        .collect();
    let key_id = infos.chip_authentication_keys().find(|key| spoken(key.agreement)).and_then(|key| key.key_id);
    let key = chip_auth::chip::Key { private: Arc::clone(private), key_id, ciphers };
    Ok(chip_auth::chip::ChipAuthentication::new(vec![key]))
}

fn go_on_with_chip_authentication(
    core: &mut Core,
    talk: chip_auth::chip::ChipAuthentication,
    cipher: Cipher,
    command: &Command,
) -> Result<Response, Status> {
    core.allow(Operation::ChipAuthentication)?;
    match talk.answer(command) {
        Reply::Done(session, response) => {
            open(core, session, cipher);
            Ok(response)
        }
        Reply::More(talk, response) => {
            core.volatile.dialogue = Dialogue::ChipAuthentication { talk: Box::new(talk), cipher };
            Ok(response)
        }
        Reply::Refused(status) => Err(status),
    }
}

/// Opens the session for the next command; the answer to this one is still under the old protection.
fn open(core: &mut Core, session: crypto::sm::Chip, cipher: Cipher) {
    core.volatile.next_channel = Some(Channel::Bearer { session: Box::new(session), cipher });
}

/// Checks that BAC or PACE may be run now. Both open a first session; neither is allowed inside one.
fn opens(core: &Core, operation: Operation) -> Result<(), Status> {
    core.allow(operation)?;
    if core.authority() == Authority::None { Ok(()) } else { Err(Status::CONDITIONS_NOT_SATISFIED) }
}

/// Delays the answer after too many wrong passwords, even if the next one is right: see [`crate::profile::Throttle`].
fn slow_down(core: &mut Core) {
    core.delay += core.persistent.profile.throttle.delay(core.persistent.failures);
}

/// Counts a wrong password, if `status` says that it was one. Returns the status to answer.
///
/// The count is committed before the answer leaves, so that an attacker cannot undo it by cutting the power.
fn failed(core: &mut Core, status: Status) -> Status {
    if status != Status::AUTHENTICATION_FAILED {
        return status;
    }
    core.persistent.failures = core.persistent.failures.saturating_add(1);
    match core.commit() {
        Ok(()) => status,
        Err(memory) => memory,
    }
}

/// Clears the count of wrong passwords.
fn succeed(core: &mut Core) -> Result<(), Status> {
    if core.persistent.failures == 0 {
        return Ok(()); // spares the memory one write per inspection
    }
    core.persistent.failures = 0;
    core.commit()
}

/// Returns the SecurityInfos in `file`; none if the file does not exist or holds something else.
fn security_infos(core: &Core, file: File) -> SecurityInfos {
    core.persistent.files.content(file).and_then(|content| announced(file, content)).unwrap_or_default()
}

fn announced(file: File, content: &[u8]) -> Option<SecurityInfos> {
    let set = match file {
        File::CardAccess => content,
        _ => crypto::tlv::Tlv::expect(file.tag()?, content).ok()?.value,
    };
    SecurityInfos::parse(set).ok()
}
