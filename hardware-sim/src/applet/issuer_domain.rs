//! The issuer security domain: identification, keys, personalization and life cycle of the chip. GlobalPlatform
//! Card Specification v2.3.

use std::sync::Arc;

use crypto::apdu::{Command, Response, Status};
use crypto::command::generate_key_pair::{GenerateKeyPair, KeyUse, encode_public_key};
use crypto::command::get_data::{self, GetData};
use crypto::command::gp_external_authenticate::ExternalAuthenticate;
use crypto::command::initialize_update::InitializeUpdate;
use crypto::command::put_key::PutKey;
use crypto::command::set_status::SetStatus;
use crypto::command::store_data::StoreData;
use crypto::conversation::{Reply, Respondent as _};
use crypto::kdf::MrzSecret;
use crypto::perso::{Grouping, LifeCycle, Report, digest, tag};
use crypto::suite::ec::PrivateKey;
use crypto::{scp03, tlv};

use crate::access::Operation;
use crate::channel::Channel;
use crate::core::Core;
use crate::dialogue::Dialogue;
use crate::lifecycle;

/// Serves a command of the GlobalPlatform class while the issuer domain is selected.
pub(super) fn act(core: &mut Core, command: &Command, dialogue: Dialogue) -> Result<Response, Status> {
    match command.ins {
        get_data::INS => get_data(core, command),
        InitializeUpdate::INS => {
            core.allow(Operation::OpenIssuerSession)?;
            let (version, counter) = (core.persistent.key_version, core.persistent.sequence_counter);
            let request = scp03::chip::Request::read(command, version, counter)?;
            core.end_session();
            core.open_issuer_session(request)
        }
        ExternalAuthenticate::INS => external_authenticate(core, command, dialogue),
        PutKey::INS => put_key(core, command),
        GenerateKeyPair::INS => generate_key_pair(core, command),
        StoreData::INS => store_data(core, command),
        SetStatus::INS => set_status(core, command),
        _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
    }
}

/// GET DATA: serial, key information, sequence counter and life cycle without a session, the
/// report in one of the issuer.
fn get_data(core: &Core, command: &Command) -> Result<Response, Status> {
    let state = &core.persistent;
    let wanted = GetData::try_from(command)?.tag;
    let operation = if wanted == tag::REPORT { Operation::Report } else { Operation::Present };
    core.allow(operation)?;
    let value = match wanted {
        tag::SERIAL => state.serial.0.to_vec(),
        tag::KEY_INFORMATION => key_information(core),
        tag::SEQUENCE_COUNTER => state.sequence_counter.to_be_bytes()[1..].to_vec(),
        tag::LIFE_CYCLE => vec![state.life_cycle.byte()],
        tag::REPORT => return Ok(Response::success(report(core))),
        _ => return Err(Status::REFERENCED_DATA_NOT_FOUND),
    };
    Ok(Response::success(tlv::encode(u32::from(wanted), &value)))
}

/// Returns `C0 { identifier, version, type AES, length in bytes }` for each of the three keys (GPCS v2.3 §11.3.3.1).
fn key_information(core: &Core) -> Vec<u8> {
    let length = u8::try_from(core.persistent.keys.key_length()).expect("an AES key has at most 32 bytes");
    (1..=3).flat_map(|id| tlv::encode(0xc0, &[id, core.persistent.key_version, 0x88, length])).collect()
}

/// EXTERNAL AUTHENTICATE opens the SCP03 session that INITIALIZE UPDATE began.
fn external_authenticate(core: &mut Core, command: &Command, dialogue: Dialogue) -> Result<Response, Status> {
    let Dialogue::Issuer(opening) = dialogue else { return Err(Status::CONDITIONS_NOT_SATISFIED) };
    match opening.answer(command) {
        Reply::Done(session, response) => {
            core.volatile.next_channel = Some(Channel::Issuer(Box::new(session)));
            Ok(response)
        }
        Reply::More(opening, response) => {
            core.volatile.dialogue = Dialogue::Issuer(opening);
            Ok(response)
        }
        Reply::Refused(status) => Err(status),
    }
}

/// PUT KEY replaces the transport keys by those of the issuer. It is possible once in the life of a chip.
fn put_key(core: &mut Core, command: &Command) -> Result<Response, Status> {
    core.allow(Operation::PutKey)?;
    let put = PutKey::try_from(command)?;
    let state = &mut core.persistent;
    if !state.transport_keys {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    if put.replaced_version != state.key_version {
        return Err(Status::REFERENCED_DATA_NOT_FOUND);
    }
    let confirmation = put.confirmation();
    let new = put.unwrap(&state.keys)?;
    state.keys = new;
    state.key_version = put.new_version;
    state.transport_keys = false;
    core.commit()?;
    Ok(Response::success(confirmation))
}

/// GENERATE ASYMMETRIC KEY PAIR makes a key pair of the chip and returns its public key.
fn generate_key_pair(core: &mut Core, command: &Command) -> Result<Response, Status> {
    core.allow(Operation::GenerateKeyPair)?;
    let wanted = GenerateKeyPair::try_from(command)?;
    let key = PrivateKey::generate(wanted.curve, &mut core.rng);
    let public = encode_public_key(&key.public());
    match wanted.key_use {
        KeyUse::ActiveAuthentication => core.persistent.active_auth = Some(key),
        KeyUse::ChipAuthentication => core.persistent.chip_auth = Some(Arc::new(key)),
    }
    core.commit()?;
    Ok(Response::success(public))
}

/// STORE DATA takes the next block of the package. Each block is committed with the data groupings that it completes.
fn store_data(core: &mut Core, command: &Command) -> Result<Response, Status> {
    core.allow(Operation::StoreData)?;
    let block = StoreData::try_from(command)?;
    let first = core.volatile.loading.is_untouched();
    let groupings = core.volatile.loading.take(&block)?;
    let brought: usize =
        groupings.iter().map(|g| if let Grouping::File(_, content) = g { content.len() } else { 0 }).sum();
    if brought + if first { 0 } else { core.persistent.files.size() } > MEMORY {
        core.volatile.loading.spoil();
        return Err(Status::NOT_ENOUGH_MEMORY);
    }
    let changes = first || !groupings.is_empty();
    let state = &mut core.persistent;
    if first {
        state.discard_package();
    }
    for grouping in groupings {
        match grouping {
            Grouping::Can(can) => state.can = Some(can),
            Grouping::File(file, content) => state.files.put(file, content),
            Grouping::MrzSeed(digest) => state.mrz = Some(MrzSecret::from_digest(digest)),
        }
    }
    if changes {
        core.commit()?;
    }
    Ok(Response::success([]))
}

/// SET STATUS moves the life cycle on. Only the session that brought the whole package can make the chip personalized.
fn set_status(core: &mut Core, command: &Command) -> Result<Response, Status> {
    core.allow(Operation::SetStatus)?;
    let to = SetStatus::try_from(command)?.life_cycle;
    if to == LifeCycle::Personalized && !core.volatile.loading.is_complete() {
        return Err(Status::CONDITIONS_NOT_SATISFIED);
    }
    lifecycle::advance(&mut core.persistent, to)?;
    core.commit()?;
    Ok(Response::success([]))
}

/// Returns the report: life cycle, digest of the files, public keys. Every order of the issuer ends by asking for it.
fn report(core: &Core) -> Vec<u8> {
    let state = &core.persistent;
    Report {
        life_cycle: state.life_cycle,
        digest: digest(state.files.iter()),
        active_auth: state.active_auth.as_ref().map(PrivateKey::public),
        chip_auth: state.chip_auth.as_deref().map(PrivateKey::public),
    }
    .encode()
}

/// Bytes that all files together may have.
const MEMORY: usize = 144 * 1024;
