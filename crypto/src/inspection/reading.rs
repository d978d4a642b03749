//! The reading procedure of Doc 9303-11 (8th ed.) §4.2, as a list of steps over any card.
//!
//! It uses the fewest commands that the standard allows: files by short identifier, no SELECT of a file, no probe of a
//! length. The first READ BINARY of a file asks for as much as one response can carry, and the answer tells the length
//! of the file. So a chip is read in exactly [`super::minimum_reads`] commands.

use std::collections::BTreeSet;
use std::fmt;

use rand_core::CryptoRng;

use super::{
    Access, AccessProtocol, ActiveAuthenticated, ChipAuthenticated, Evidence, FileReading, Password, Protocol,
    SecureLine, most_plaintext,
};
use crate::apdu::{Command, SHORT_NE, Status};
use crate::chip_auth::terminal::ChipAuthentication;
use crate::command::internal_authenticate;
use crate::command::read_binary::ReadBinary;
use crate::command::select::{self, Select};
use crate::conversation::{CardTransport, Fault};
use crate::kdf::MrzSecret;
use crate::lds::{AtrInfo, CardAccess, Com, DataGroup, Dg14, File};
use crate::pki::spki;
use crate::sod::Sod;
use crate::suite::{Cipher, VerifyingKey};
use crate::{active_auth, bac, pace, tlv};

/// A step of the procedure.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Step {
    /// EF.ATR/INFO, for the longest response.
    AtrInfo,
    /// EF.CardAccess, for the announcement of PACE.
    CardAccess,
    /// PACE, while the master file is selected.
    Pace,
    /// SELECT of the LDS1 application.
    Select,
    /// Basic access control, if PACE was not run.
    Bac,
    /// EF.COM, which is merely compared.
    Com,
    /// EF.SOD.
    Sod,
    /// DG14 and chip authentication: what is read after it comes from the chip that has the key.
    ChipAuthentication,
    /// DG15 and active authentication.
    ActiveAuthentication,
    /// The other data groups.
    DataGroups,
}

impl Step {
    /// The steps of the procedure, in their order.
    pub const PROCEDURE: [Self; 10] = [
        Self::AtrInfo,
        Self::CardAccess,
        Self::Pace,
        Self::Select,
        Self::Bac,
        Self::Com,
        Self::Sod,
        Self::ChipAuthentication,
        Self::ActiveAuthentication,
        Self::DataGroups,
    ];

    /// Returns the name in logs.
    pub fn name(self) -> &'static str {
        match self {
            Self::AtrInfo => "atr-info",
            Self::CardAccess => "card-access",
            Self::Pace => "pace",
            Self::Select => "select",
            Self::Bac => "bac",
            Self::Com => "com",
            Self::Sod => "sod",
            Self::ChipAuthentication => "chip-authentication",
            Self::ActiveAuthentication => "active-authentication",
            Self::DataGroups => "data-groups",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What to read, with which password and challenge.
#[derive(Clone, Debug)]
pub struct Request {
    /// Opens the chip. With an MRZ, basic access control can stand in for PACE.
    pub password: Password,
    /// Eight bytes for the chip to sign, never used before.
    pub challenge: [u8; 8],
    /// Data groups wanted besides DG14 and DG15; `None` for all that the document has. DG3 and DG4 are never tried.
    pub groups: Option<BTreeSet<DataGroup>>,
}

/// Reads a chip whose master file is selected, as it is after a reset. Calls `watch` with each step before it begins.
///
/// What the chip refuses or does wrong is part of the evidence.
///
/// # Errors
/// The transport's error: without a card there is no evidence.
pub fn read<T: CardTransport>(
    card: &mut T,
    request: &Request,
    rng: &mut (impl CryptoRng + ?Sized),
    watch: &mut dyn FnMut(Step),
) -> Result<Evidence, T::Error> {
    let mut reading = Reading {
        line: SecureLine::new(card),
        request,
        max_response: AtrInfo::SHORT.max_response,
        step: Step::AtrInfo,
        lost_in: None,
        evidence: Evidence { password: Some(request.password.clone()), ..Evidence::default() },
    };
    for step in Step::PROCEDURE {
        watch(step);
        reading.step = step;
        let before = reading.line.commands();
        reading.take(step, rng)?;
        let count = reading.line.commands() - before;
        if count > 0 {
            reading.evidence.commands.push((step, count));
        }
    }
    Ok(reading.evidence)
}

struct Reading<'a, T: CardTransport> {
    line: SecureLine<'a, T>,
    request: &'a Request,
    max_response: usize,
    step: Step,
    /// The step in which the secure channel ended.
    lost_in: Option<Step>,
    evidence: Evidence,
}

impl<T: CardTransport> Reading<'_, T> {
    fn take(&mut self, step: Step, rng: &mut (impl CryptoRng + ?Sized)) -> Result<(), T::Error> {
        let open = self.evidence.access.way.is_some();
        match step {
            Step::AtrInfo => self.atr_info(),
            Step::CardAccess => self.card_access(),
            Step::Pace => self.pace(rng),
            Step::Select => self.select(),
            Step::Bac if !open => self.bac(rng),
            Step::Com if open => self.file(File::Com),
            Step::Sod if open => self.file(File::Sod),
            Step::ChipAuthentication if open => self.chip_authentication(rng),
            Step::ActiveAuthentication if open => self.active_authentication(),
            Step::DataGroups if open => self.data_groups(),
            _ => Ok(()),
        }
    }

    /// Reads the longest response. A chip that does not announce one is read with short APDUs.
    fn atr_info(&mut self) -> Result<(), T::Error> {
        self.file(File::AtrInfo)?;
        if let Some(Ok(Some(info))) = self.evidence.file(File::AtrInfo).map(AtrInfo::parse) {
            self.max_response = info.max_response.max(AtrInfo::SHORT.max_response);
        }
        Ok(())
    }

    /// Reads EF.CardAccess. Chips that were not reset, or that select an application by themselves, need the master
    /// file selected first; others need not support that command. So it is tried only if the file is not found.
    fn card_access(&mut self) -> Result<(), T::Error> {
        self.file(File::CardAccess)?;
        // A chip that gave EF.ATR/INFO has the master file selected, and has no EF.CardAccess.
        let in_master_file = matches!(self.evidence.file(File::AtrInfo).map(AtrInfo::parse), Some(Ok(Some(_))));
        if self.evidence.file(File::CardAccess).is_none()
            && !in_master_file
            && matches!(self.line.exchange(&Select::MasterFile.into())?, Ok(answer) if answer.status == Status::SUCCESS)
        {
            self.file(File::CardAccess)?;
        }
        Ok(())
    }

    fn pace(&mut self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<(), T::Error> {
        let Some(Ok(access)) = self.evidence.file(File::CardAccess).map(CardAccess::parse) else { return Ok(()) };
        if access.0.pace().next().is_none() {
            return Ok(());
        }
        self.evidence.access.pace_announced = true;
        let (way, password) = match &self.request.password {
            Password::Can(can) => (AccessProtocol::PaceCan, pace::Password::from(*can)),
            Password::Mrz(key) => (AccessProtocol::PaceMrz, pace::Password::from(key)),
            Password::Zone(zone) => (AccessProtocol::PaceMrz, pace::Password::from(zone.key())),
        };
        let talk = pace::choose(&access.0).and_then(|choice| {
            let random = pace::terminal::Random::generate(choice.suite.curve, rng);
            pace::terminal::Pace::new(choice, password, random)
        });
        let result = match talk {
            Ok(talk) => self.line.hold(talk)?,
            Err(fault) => Err(fault),
        };
        match result {
            Ok(established) => {
                self.line.protect(established.channel);
                self.evidence.access.way = Some(way);
            }
            Err(fault) => self.evidence.access.failed.push((way, fault)),
        }
        Ok(())
    }

    fn select(&mut self) -> Result<(), T::Error> {
        let answer = self.line.exchange(&Select::lds1().into())?;
        if let Err(fault) = answer.and_then(|answer| answer.accepted(select::INS)) {
            // Without the application nothing can be read, so the chip counts as not opened.
            let Access { way, failed, .. } = &mut self.evidence.access;
            failed.push((way.take().unwrap_or(AccessProtocol::Bac), fault));
        }
        Ok(())
    }

    /// Runs basic access control, but not after a wrong password, which would fail again.
    fn bac(&mut self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<(), T::Error> {
        let Some(key) = self.request.password.mrz() else { return Ok(()) };
        let hopeless = |(way, fault): &(AccessProtocol, Fault)| {
            *way == AccessProtocol::Bac || matches!(fault, Fault::WrongPassword { .. })
        };
        if self.evidence.access.failed.iter().any(hopeless) {
            return Ok(());
        }
        let keys = bac::AccessKeys::new(&MrzSecret::from(key));
        match self.line.hold(bac::terminal::Bac::new(keys, bac::Random::generate(rng)))? {
            Ok(channel) => {
                self.line.protect(channel);
                self.evidence.access.way = Some(AccessProtocol::Bac);
            }
            Err(fault) => self.evidence.access.failed.push((AccessProtocol::Bac, fault)),
        }
        Ok(())
    }

    fn chip_authentication(&mut self, rng: &mut (impl CryptoRng + ?Sized)) -> Result<(), T::Error> {
        if !self.listed().contains(&DataGroup::DG14) {
            return Ok(());
        }
        self.file(File::DataGroup(DataGroup::DG14))?;
        let Some(Ok(dg14)) = self.evidence.group(DataGroup::DG14).map(Dg14::parse) else { return Ok(()) };
        let Some((spki, talk)) = chip_authentication_of(&dg14, rng) else { return Ok(()) };
        let result = match talk {
            Ok(talk) => self.line.hold(talk)?,
            Err(fault) => Err(fault),
        };
        self.note_loss();
        self.evidence.chip_authentication = match result {
            Ok(channel) => {
                self.line.protect(channel);
                // Not yet proved: the first answer under the new channel proves it.
                self.prove(ChipAuthenticated { spki })?
            }
            Err(fault) => Protocol::Failed(fault),
        };
        Ok(())
    }

    /// Reads the next file that will be needed anyway, so that the proof costs no command of its own.
    fn prove(&mut self, done: ChipAuthenticated) -> Result<Protocol<ChipAuthenticated>, T::Error> {
        let Some(next) = self.wanted().into_iter().find(|group| self.evidence.group(*group).is_none()) else {
            return Ok(Protocol::Failed(Fault::Unsupported("nothing is left to be read under the new channel")));
        };
        self.file(File::DataGroup(next))?;
        Ok(match self.evidence.files.get(&File::DataGroup(next)) {
            Some(FileReading::Read(_)) => Protocol::Done(done),
            Some(FileReading::Refused(fault)) => Protocol::Failed(fault.clone()),
            Some(FileReading::NotAsked(..)) | None => Protocol::NotTried,
        })
    }

    fn active_authentication(&mut self) -> Result<(), T::Error> {
        if !self.listed().contains(&DataGroup::DG15) {
            return Ok(());
        }
        self.file(File::DataGroup(DataGroup::DG15))?;
        if self.evidence.group(DataGroup::DG15).is_none() {
            return Ok(());
        }
        let challenge = self.request.challenge;
        let answer = self.line.exchange(&active_auth::terminal::command(challenge))?;
        self.note_loss();
        self.evidence.active_authentication =
            match answer.and_then(|answer| answer.accepted(internal_authenticate::INS)) {
                Ok(signature) => Protocol::Done(ActiveAuthenticated { challenge, signature }),
                Err(fault) => Protocol::Failed(fault),
            };
        Ok(())
    }

    fn data_groups(&mut self) -> Result<(), T::Error> {
        for group in self.wanted() {
            self.file(File::DataGroup(group))?;
        }
        Ok(())
    }

    /// Remembers the step in which the channel ended.
    fn note_loss(&mut self) {
        if self.line.ended().is_some() {
            self.lost_in.get_or_insert(self.step);
        }
    }

    /// Returns the groups to try to read: those of the hash table, still unverified (judging verifies
    /// it), else those of EF.COM.
    fn listed(&self) -> Vec<DataGroup> {
        let sod = self.evidence.file(File::Sod).and_then(|raw| Sod::parse(raw).ok());
        let com = || self.evidence.file(File::Com).and_then(|raw| Com::parse(raw).ok());
        sod.map(|sod| sod.unverified_groups()).or_else(|| com().map(|com| com.groups)).unwrap_or_default()
    }

    /// Returns the groups to read, DG15 first: it is short, and needed next.
    fn wanted(&self) -> Vec<DataGroup> {
        let asked = |group: &DataGroup| match &self.request.groups {
            Some(groups) => groups.contains(group) || PROOFS.contains(group),
            None => true,
        };
        let mut groups: Vec<_> =
            self.listed().into_iter().filter(|group| !BIOMETRICS.contains(group)).filter(asked).collect();
        groups.sort_by_key(|group| (*group != DataGroup::DG15, *group));
        groups
    }

    /// Reads a file once.
    fn file(&mut self, file: File) -> Result<(), T::Error> {
        if self.evidence.file(file).is_some() {
            return Ok(());
        }
        // A chip that cannot be asked has refused nothing; what it refused before stays so.
        if let Some(fault) = self.line.ended().cloned() {
            let step = *self.lost_in.get_or_insert(self.step);
            self.evidence.files.entry(file).or_insert(FileReading::NotAsked(step, fault));
            return Ok(());
        }
        let reading = self.read_file(file)?;
        self.evidence.files.insert(file, reading);
        self.note_loss();
        Ok(())
    }

    fn read_file(&mut self, file: File) -> Result<FileReading, T::Error> {
        let mut most = most_plaintext(self.line.cipher(), self.max_response);
        let mut first = self.read_binary(ReadBinary::of(file.short_id(), most))?;
        // The chip announces more than it supports: short from now on.
        if matches!(first, Err(Fault::Refused { status: Status::WRONG_LENGTH, .. })) && most > SHORT_NE {
            self.max_response = AtrInfo::SHORT.max_response;
            most = most_plaintext(self.line.cipher(), self.max_response);
            first = self.read_binary(ReadBinary::of(file.short_id(), most))?;
        }
        let mut bytes = match first {
            Ok(bytes) => bytes,
            Err(fault) => return Ok(FileReading::Refused(fault)),
        };
        // EF.ATR/INFO is several objects, and never longer than one answer.
        let whole = match file.tag() {
            None => bytes.len(),
            Some(_) => match tlv::announced_length(&bytes) {
                Ok(length) if length <= LONGEST_FILE => length,
                Ok(_) => {
                    return Ok(FileReading::Refused(Fault::Misbehaved("a file that announces more than a mebibyte")));
                }
                Err(_) => {
                    return Ok(FileReading::Refused(Fault::Misbehaved(
                        "a file that does not begin with a data object",
                    )));
                }
            },
        };
        while bytes.len() < whole {
            if self.line.commands() >= MOST_COMMANDS {
                return Ok(FileReading::Refused(Fault::Misbehaved(
                    "files in pieces so small that reading them has no end",
                )));
            }
            let offset = u32::try_from(bytes.len()).expect("less than a mebibyte");
            match self.read_binary(ReadBinary::current(offset, most.min(whole - bytes.len())))? {
                Ok(more) if more.is_empty() => {
                    return Ok(FileReading::Refused(Fault::Misbehaved("a file that ends before its announced length")));
                }
                Ok(more) => bytes.extend(more),
                Err(fault) => return Ok(FileReading::Refused(fault)),
            }
        }
        bytes.truncate(whole);
        Ok(FileReading::Read(bytes))
    }

    /// Sends one READ BINARY. `6282` is no fault: the file is shorter than what was asked for.
    fn read_binary(&mut self, mut read: ReadBinary) -> Result<Result<Vec<u8>, Fault>, T::Error> {
        if read.odd {
            // The object around the content takes up to four bytes of the response.
            read.length = read.length.saturating_sub(4).max(1);
        }
        let command = Command::from(read);
        let ins = command.ins;
        Ok(self.line.exchange(&command)?.and_then(|answer| match answer.status {
            Status::SUCCESS | Status::END_OF_FILE => read.content(answer.data),
            status => Err(Fault::Refused { ins, status }),
        }))
    }
}

/// Returns the first announced protocol whose key we can use, triple DES last, with the key's SubjectPublicKeyInfo;
/// none if none is announced.
fn chip_authentication_of(
    dg14: &Dg14,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Option<(Vec<u8>, Result<ChipAuthentication, Fault>)> {
    let infos = &dg14.0;
    let several = infos.chip_authentication_keys().count() > 1;
    let mut unusable = None;
    // A key without a ChipAuthenticationInfo is for triple DES (Doc 9303-11 §9.2.5).
    let announced = infos.chip_authentication().filter_map(|info| Some((info.protocol.cipher, infos.key_of(info)?)));
    let bare = infos.chip_authentication_keys().map(|key| (Cipher::TripleDes, key));
    let mut offers: Vec<_> = announced.collect();
    offers.sort_by_key(|(cipher, _)| *cipher == Cipher::TripleDes);
    let offers = if offers.is_empty() { bare.collect() } else { offers };
    for (cipher, key) in offers {
        match spki::parse(&key.spki) {
            Ok(VerifyingKey::Ec(point)) => {
                let key_id = if several { key.key_id } else { None };
                return Some((key.spki.clone(), Ok(ChipAuthentication::new(cipher, point, key_id, rng))));
            }
            _ => unusable = Some(key.spki.clone()),
        }
    }
    let unsupported = Fault::Unsupported("the chip's key for chip authentication is of an unsupported kind");
    unusable.map(|spki| (spki, Err(unsupported)))
}

/// Readable after terminal authentication only.
const BIOMETRICS: [DataGroup; 2] = [DataGroup::DG3, DataGroup::DG4];
/// Always read: they hold the keys by which the chip proves itself.
const PROOFS: [DataGroup; 2] = [DataGroup::DG14, DataGroup::DG15];
/// Longest file that is read: no file of a travel document comes near a mebibyte.
const LONGEST_FILE: usize = 1 << 20;
/// Most commands of one reading: enough for 900 KB in short APDUs. Without a limit a chip that gives a byte at
/// a time is read for hours.
const MOST_COMMANDS: usize = 4_096;

#[cfg(test)]
mod tests;
