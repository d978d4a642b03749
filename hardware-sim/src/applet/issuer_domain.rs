//! The issuer security domain: who the chip is, whose keys it has, what it carries. GlobalPlatform Card Specification v2.3.

use zeroize::Zeroizing;

use crypto::apdu::{Command, Response, Status};
use crypto::command::generate_key_pair::{GenerateKeyPair, KeyUse, encode_public_key};
use crypto::command::get_data::{self, GetData};
use crypto::command::gp_external_authenticate::ExternalAuthenticate;
use crypto::command::initialize_update::InitializeUpdate;
use crypto::command::put_key::PutKey;
use crypto::command::set_status::SetStatus;
use crypto::command::store_data::StoreData;
use crypto::conversation::{Reply, Respondent as _};
use crypto::lds::File;
use crypto::perso::tag;
use crypto::scp03;
use crypto::suite::ec::PrivateKey;
use crypto::tlv;

use super::Dialogue;
use crate::access::Operation;
use crate::channel::Channel;
use crate::chip::Chip;
use crate::lifecycle;

/// The stream of data groupings that STORE DATA is bringing. A grouping may run on from block to block; each is committed when
/// it is complete, so a stream that is cut leaves whole files only.
#[derive(Default)]
pub(crate) struct Loading {
    next_block: u8,
    pending: Zeroizing<Vec<u8>>,
}

pub(super) fn act(chip: &mut Chip, command: &Command, dialogue: Dialogue) -> Result<Response, Status> {
    match command.ins {
        get_data::INS => get_data(chip, command),
        InitializeUpdate::INS => {
            chip.allow(Operation::OpenIssuerSession)?;
            let (version, counter) = (chip.persistent.key_version, chip.persistent.sequence_counter);
            let request = scp03::chip::Request::read(command, version, counter)?;
            chip.end_session();
            chip.open_issuer_session(request)
        }
        ExternalAuthenticate::INS => external_authenticate(chip, command, dialogue),
        PutKey::INS => put_key(chip, command),
        GenerateKeyPair::INS => generate_key_pair(chip, command),
        StoreData::INS => store_data(chip, command),
        SetStatus::INS => {
            chip.allow(Operation::SetStatus)?;
            let to = SetStatus::try_from(command)?.life_cycle;
            lifecycle::advance(&mut chip.persistent, to)?;
            chip.commit()?;
            Ok(Response::success([]))
        }
        _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
    }
}

fn get_data(chip: &Chip, command: &Command) -> Result<Response, Status> {
    let state = &chip.persistent;
    let wanted = GetData::try_from(command)?.tag;
    let operation = if wanted == tag::REPORT { Operation::Report } else { Operation::Present };
    chip.allow(operation)?;
    let value = match wanted {
        tag::SERIAL => state.serial.0.to_vec(),
        tag::KEY_INFORMATION => key_information(chip),
        tag::SEQUENCE_COUNTER => state.sequence_counter.to_be_bytes()[1..].to_vec(),
        tag::LIFE_CYCLE => vec![state.life_cycle.byte()],
        tag::REPORT => return Ok(Response::success(report(chip))),
        _ => return Err(Status::REFERENCED_DATA_NOT_FOUND),
    };
    Ok(Response::success(tlv::encode(u32::from(wanted), &value)))
}

/// `C0 { identifier, version, type AES, length in bytes }` for each of the three keys (GPCS v2.3 §11.3.3.1).
fn key_information(chip: &Chip) -> Vec<u8> {
    let length = chip.persistent.keys.key_length() as u8;
    (1..=3).flat_map(|id| tlv::encode(0xc0, &[id, chip.persistent.key_version, 0x88, length])).collect()
}

fn external_authenticate(chip: &mut Chip, command: &Command, dialogue: Dialogue) -> Result<Response, Status> {
    let Dialogue::Issuer(opening) = dialogue else { return Err(Status::CONDITIONS_NOT_SATISFIED) };
    match opening.answer(command) {
        Reply::Done(session, response) => {
            chip.volatile.next_channel = Some(Channel::Issuer(Box::new(session)));
            Ok(response)
        }
        Reply::More(opening, response) => {
            chip.volatile.dialogue = Dialogue::Issuer(opening);
            Ok(response)
        }
        Reply::Refused(status) => Err(status),
    }
}

/// Transport keys out, the issuer's in: once in a life.
fn put_key(chip: &mut Chip, command: &Command) -> Result<Response, Status> {
    chip.allow(Operation::PutKey)?;
    let put = PutKey::try_from(command)?;
    let state = &mut chip.persistent;
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
    chip.commit()?;
    Ok(Response::success(confirmation))
}

fn generate_key_pair(chip: &mut Chip, command: &Command) -> Result<Response, Status> {
    chip.allow(Operation::GenerateKeyPair)?;
    let wanted = GenerateKeyPair::try_from(command)?;
    let key = PrivateKey::generate(wanted.curve, &mut chip.rng);
    let public = encode_public_key(&key.public());
    match wanted.key_use {
        KeyUse::ActiveAuthentication => chip.persistent.active_auth = Some(key),
        KeyUse::ChipAuthentication => chip.persistent.chip_auth = Some(key),
    }
    chip.commit()?;
    Ok(Response::success(public))
}

fn store_data(chip: &mut Chip, command: &Command) -> Result<Response, Status> {
    chip.allow(Operation::StoreData)?;
    let block = StoreData::try_from(command)?;
    let loading = &mut chip.volatile.loading;
    if block.block == 0 && loading.next_block != 0 && loading.pending.is_empty() {
        *loading = Loading::default(); // a stream from its beginning again
    }
    if block.block != loading.next_block {
        return Err(Status::WRONG_P1P2);
    }
    loading.next_block = loading.next_block.wrapping_add(1);
    loading.pending.extend_from_slice(&block.data);
    if loading.pending.len() > LARGEST_GROUPING {
        *loading = Loading::default();
        return Err(Status::NOT_ENOUGH_MEMORY);
    }
    let stream = std::mem::take(&mut loading.pending);
    let mut rest = &stream[..];
    while let Some((id, value, after)) = grouping(rest) {
        write(chip, id, value)?;
        rest = after;
    }
    if rest.len() < stream.len() {
        chip.commit()?;
    }
    if block.last {
        chip.volatile.loading = Loading::default();
        return if rest.is_empty() { Ok(Response::success([])) } else { Err(Status::WRONG_DATA) };
    }
    chip.volatile.loading.pending = Zeroizing::new(rest.to_vec());
    Ok(Response::success([]))
}

/// The first grouping of the stream, if it is all there, and what follows it: tag (2), length (1, or `FF` and 2), value.
fn grouping(stream: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let [t1, t2, rest @ ..] = stream else { return None };
    let (length, rest) = match rest {
        [0xff, hi, lo, rest @ ..] => (usize::from(u16::from_be_bytes([*hi, *lo])), rest),
        [0xff, ..] | [] => return None,
        [length, rest @ ..] => (usize::from(*length), rest),
    };
    let (value, after) = rest.split_at_checked(length)?;
    Some((u16::from_be_bytes([*t1, *t2]), value, after))
}

/// Puts one grouping where it belongs, in memory; the caller commits.
fn write(chip: &mut Chip, id: u16, value: &[u8]) -> Result<(), Status> {
    let state = &mut chip.persistent;
    match id {
        CAN_GROUPING => {
            let digits = std::str::from_utf8(value).map_err(|_| Status::WRONG_DATA)?;
            state.can = Some(digits.parse().map_err(|_| Status::WRONG_DATA)?);
        }
        MRZ_GROUPING => {
            state.mrz = Some(Zeroizing::new(value.try_into().map_err(|_| Status::WRONG_DATA)?));
        }
        _ => {
            let file = File::in_application(id).or_else(|| File::in_master_file(id)).ok_or(Status::FILE_NOT_FOUND)?;
            let before = state.files.content(file).map_or(0, <[u8]>::len);
            if state.files.size() - before + value.len() > MEMORY {
                return Err(Status::NOT_ENOUGH_MEMORY);
            }
            state.files.put(file, value.to_vec());
        }
    }
    Ok(())
}

/// What the issuer asks for as the last word of every order.
fn report(chip: &Chip) -> Vec<u8> {
    vec![chip.persistent.life_cycle.byte()]
}

/// The longest grouping: header and 65,535 bytes.
const LARGEST_GROUPING: usize = 5 + 0xffff;
/// Bytes for files.
const MEMORY: usize = 144 * 1024;
/// Card access number, six ASCII digits.
const CAN_GROUPING: u16 = 0x8010;
/// SHA-1 of the MRZ information.
const MRZ_GROUPING: u16 = 0x8011;
