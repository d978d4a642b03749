//! The commands that select and read files: SELECT and READ BINARY.

use std::borrow::Cow;

use crypto::apdu::{Command, EXTENDED_NE, Response, SHORT_NE, Status};
use crypto::command::read_binary::ReadBinary;
use crypto::command::select::{LDS1_APPLICATION, Select};
use crypto::lds::File;
use crypto::scp03::ISSUER_SECURITY_DOMAIN;
use crypto::tlv;

use crate::access::{Authority, Operation};
use crate::atr;
use crate::core::Core;
use crate::filesystem::{self, Application};

/// SELECT of the master file, an application by its whole name, or a file by its identifier.
pub(super) fn select(core: &mut Core, command: &Command) -> Result<Response, Status> {
    core.volatile.current = None;
    let information = command.p[1] != 0x0c;
    match Select::try_from(command)? {
        Select::MasterFile if !core.persistent.profile.selects_master_file => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        Select::MasterFile => {
            core.allow(Operation::SelectOther)?;
            core.volatile.application = Application::MasterFile;
            Ok(control_information(command, information.then_some(&[0x3f, 0x00]), 0x83))
        }
        Select::Application(name) | Select::ApplicationWithInformation(name) => {
            let (application, operation) = match &name[..] {
                n if n == ISSUER_SECURITY_DOMAIN => (Application::IssuerDomain, Operation::SelectOther),
                n if n == LDS1_APPLICATION => (Application::Lds, Operation::SelectLds),
                _ => return Err(Status::FILE_NOT_FOUND),
            };
            core.allow(operation)?;
            core.volatile.application = application;
            Ok(control_information(command, information.then_some(&name), 0x84))
        }
        Select::File(id) => {
            let file = allowed(core, core.volatile.application.file(id))?;
            core.volatile.current = Some(file);
            Ok(control_information(command, information.then_some(&id.to_be_bytes()), 0x83))
        }
    }
}

/// READ BINARY of the current file or of one named by its short identifier, which becomes current.
pub(super) fn read(core: &mut Core, command: &Command, room: usize) -> Result<Response, Status> {
    let read = ReadBinary::try_from(command)?;
    let file = match read.short_id {
        Some(short_id) => {
            core.volatile.current = None;
            let file = allowed(core, core.volatile.application.file_by_short_id(short_id))?;
            core.volatile.current = Some(file);
            file
        }
        None => match core.volatile.current {
            Some(file) => allowed(core, Some(file))?,
            // Where files are hidden, no current file and a forbidden current file get the same answer.
            None if hides(core) => return Err(Status::SECURITY_NOT_SATISFIED),
            None => return Err(Status::NO_CURRENT_FILE),
        },
    };
    let room = if read.odd { room.saturating_sub(5) } else { room };
    let content = content(core, file).ok_or(Status::FILE_NOT_FOUND)?;
    let offset = usize::try_from(read.offset).map_err(|_| Status::OFFSET_OUTSIDE_FILE)?;
    let all = matches!(command.ne, Some(SHORT_NE | EXTENDED_NE));
    let mut response = filesystem::read(&content, offset, read.length, all, room);
    if read.odd && !response.data.is_empty() {
        response.data = read.answer(&response.data);
    }
    Ok(response)
}

/// Returns the file if it exists and may be read now.
///
/// # Errors
/// The status to answer. Before authentication it is the same for all files of the LDS application, existing or not:
/// which data groups a card has is personal already.
fn allowed(core: &Core, file: Option<File>) -> Result<File, Status> {
    let Some(file) = file else {
        return Err(if hides(core) { Status::SECURITY_NOT_SATISFIED } else { Status::FILE_NOT_FOUND });
    };
    core.allow(Operation::reading(file))?;
    content(core, file).map(|_| file).ok_or(Status::FILE_NOT_FOUND)
}

/// Returns whether the terminal must not learn which files exist.
fn hides(core: &Core) -> bool {
    core.volatile.application == Application::Lds && core.authority() == Authority::None
}

/// Returns the content of the file: what was written, or what every chip announces about itself.
fn content(core: &Core, file: File) -> Option<Cow<'_, [u8]>> {
    let profile = &core.persistent.profile;
    match (core.persistent.files.content(file), file) {
        (Some(content), _) => Some(Cow::Borrowed(content)),
        (None, File::AtrInfo) => Some(Cow::Owned(atr::info(profile))),
        (None, File::Dir) if profile.directory => Some(Cow::Owned(atr::directory())),
        (None, _) => None,
    }
}

/// Returns the answer to SELECT: the template that P2 asks for (ISO/IEC 7816-4:2013 §7.4) with the name or identifier
/// in it, or nothing if the terminal wants no data.
fn control_information(command: &Command, name: Option<&[u8]>, tag: u32) -> Response {
    let Some(name) = name.filter(|_| command.ne.is_some()) else { return Response::success([]) };
    let template = if command.p[1] == 0x04 { 0x62 } else { 0x6f };
    let information = tlv::encode(template, &tlv::encode(tag, name));
    debug_assert!(information.len() <= SHORT_NE);
    Response::success(information)
}
