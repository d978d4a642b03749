//! A minimal chip that can be taken in and personalized, with what [`crate::scp03::chip`] requires.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

use crate::apdu::{Command, Response, Status};
use crate::command::generate_key_pair::{GenerateKeyPair, KeyUse, encode_public_key};
use crate::command::get_data::{self, GetData};
use crate::command::gp_external_authenticate::ExternalAuthenticate;
use crate::command::initialize_update::InitializeUpdate;
use crate::command::put_key::PutKey;
use crate::command::read_binary;
use crate::command::select::{self, Select};
use crate::command::set_status::SetStatus;
use crate::command::store_data::StoreData;
use crate::conversation::{CardTransport, Fault};
use crate::identity::CardSerial;
use crate::lds::{AtrInfo, File};
use crate::perso::{Collector, Grouping, LifeCycle, Report, digest, tag};
use crate::scp03::chip::{Opening, Request, Session};
use crate::scp03::{ISSUER_SECURITY_DOMAIN, KeySet};
use crate::suite::ec::PrivateKey;
use crate::tlv;

/// A chip: persistent state, and [`Volatile`] state, which a power cut clears.
pub struct TestChip {
    pub serial: CardSerial,
    pub keys: KeySet,
    pub key_version: u8,
    pub counter: u32,
    pub life_cycle: LifeCycle,
    pub files: BTreeMap<File, Vec<u8>>,
    pub can: Option<String>,
    pub mrz_seed: Option<[u8; 20]>,
    pub key_pairs: BTreeMap<bool, PrivateKey>,
    pub lengths: AtrInfo,
    pub lies_about_digest: bool,
    /// The power goes before the command with this number is executed, or after it and before its answer is out.
    pub cut: Option<Cut>,
    volatile: Volatile,
    heard: usize,
    rng: ChaCha20Rng,
}

#[derive(Clone, Copy, Debug)]
pub enum Cut {
    Before(usize),
    After(usize),
}

#[derive(Default)]
enum Volatile {
    #[default]
    Nothing,
    Opening(Opening),
    Open(Box<Session>, Collector),
}

/// Why a transport failed.
#[derive(Debug, Eq, PartialEq)]
pub enum Trouble {
    Fault(Fault),
    PowerCut,
}

impl From<Fault> for Trouble {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl CardTransport for TestChip {
    type Error = Trouble;

    fn transmit(&mut self, command: &Command) -> Result<Response, Trouble> {
        let number = self.heard;
        self.heard += 1;
        if let Some(Cut::Before(at)) = self.cut
            && at == number
        {
            self.power_off();
            return Err(Trouble::PowerCut);
        }
        let response = self.answer(command);
        if let Some(Cut::After(at)) = self.cut
            && at == number
        {
            self.power_off();
            return Err(Trouble::PowerCut);
        }
        Ok(response)
    }
}

impl TestChip {
    pub fn blank(serial: CardSerial, keys: KeySet, key_version: u8, lengths: AtrInfo) -> Self {
        Self {
            serial,
            keys,
            key_version,
            counter: 0,
            life_cycle: LifeCycle::Blank,
            files: BTreeMap::new(),
            can: None,
            mrz_seed: None,
            key_pairs: BTreeMap::new(),
            lengths,
            lies_about_digest: false,
            cut: None,
            volatile: Volatile::Nothing,
            heard: 0,
            rng: ChaCha20Rng::from_seed([serial.0[9]; 32]),
        }
    }

    /// Power off and on again; counting of commands begins anew.
    pub fn power_off(&mut self) {
        self.volatile = Volatile::Nothing;
        self.heard = 0;
        self.cut = None;
    }

    fn answer(&mut self, command: &Command) -> Response {
        match std::mem::take(&mut self.volatile) {
            _ if command.ins == select::INS => Self::select(command).unwrap_or_else(Response::status),
            Volatile::Open(mut session, mut collector) => {
                let response = match session.open(command) {
                    Ok(plain) => {
                        let response = self.act(&plain, &mut collector).unwrap_or_else(Response::status);
                        session.seal(response)
                    }
                    Err(status) => return Response::status(status),
                };
                self.volatile = Volatile::Open(session, collector);
                response
            }
            Volatile::Opening(opening) if command.ins == ExternalAuthenticate::INS => match opening.accept(command) {
                Ok(session) => {
                    self.volatile = Volatile::Open(Box::new(session), Collector::new());
                    Response::success([])
                }
                Err(status) => Response::status(status),
            },
            _ => self.plain(command).unwrap_or_else(Response::status),
        }
    }

    fn select(command: &Command) -> Result<Response, Status> {
        if command.cla != 0 {
            return Err(Status::CLASS_NOT_SUPPORTED);
        }
        match Select::try_from(command)? {
            Select::MasterFile => Ok(Response::success([])),
            Select::Application(name) if name == ISSUER_SECURITY_DOMAIN => Ok(Response::success([])),
            Select::ApplicationWithInformation(name) if name == ISSUER_SECURITY_DOMAIN => {
                Ok(Response::success(tlv::encode(0x6f, &tlv::encode(0x84, &name))))
            }
            _ => Err(Status::FILE_NOT_FOUND),
        }
    }

    /// Answers a command outside a session.
    fn plain(&mut self, command: &Command) -> Result<Response, Status> {
        match command.ins {
            InitializeUpdate::INS if self.life_cycle != LifeCycle::Terminated => {
                let request = Request::read(command, self.key_version, self.counter)?;
                self.counter = request.sequence_counter(); // committed before the answer leaves
                let (opening, answer) = request.answer(&self.keys, &self.serial, &ISSUER_SECURITY_DOMAIN);
                self.volatile = Volatile::Opening(opening);
                Ok(answer)
            }
            read_binary::INS => Ok(Response::success(self.lengths.encode())),
            get_data::INS => {
                let wanted = GetData::try_from(command)?.tag;
                let length = u8::try_from(self.keys.key_length()).unwrap();
                let value = match wanted {
                    tag::SERIAL => self.serial.0.to_vec(),
                    tag::KEY_INFORMATION => {
                        (1..=3).flat_map(|id| tlv::encode(0xc0, &[id, self.key_version, 0x88, length])).collect()
                    }
                    tag::SEQUENCE_COUNTER => self.counter.to_be_bytes()[1..].to_vec(),
                    tag::LIFE_CYCLE => vec![self.life_cycle.byte()],
                    tag::REPORT => return Err(Status::SECURITY_NOT_SATISFIED),
                    _ => return Err(Status::REFERENCED_DATA_NOT_FOUND),
                };
                Ok(Response::success(tlv::encode(u32::from(wanted), &value)))
            }
            PutKey::INS | GenerateKeyPair::INS | SetStatus::INS | StoreData::INS => Err(Status::SECURITY_NOT_SATISFIED),
            _ => Err(Status::INSTRUCTION_NOT_SUPPORTED),
        }
    }

    /// Answers a command inside a session.
    fn act(&mut self, command: &Command, collector: &mut Collector) -> Result<Response, Status> {
        match (command.ins, self.life_cycle) {
            (PutKey::INS, LifeCycle::Blank) => {
                let put_key = PutKey::try_from(command)?;
                if put_key.replaced_version != self.key_version {
                    return Err(Status::REFERENCED_DATA_NOT_FOUND);
                }
                self.keys = put_key.unwrap(&self.keys)?;
                self.key_version = put_key.new_version;
                Ok(Response::success(put_key.confirmation()))
            }
            (GenerateKeyPair::INS, LifeCycle::Blank) => {
                let GenerateKeyPair { key_use, curve } = GenerateKeyPair::try_from(command)?;
                let pair = PrivateKey::generate(curve, &mut self.rng);
                let public = encode_public_key(&pair.public());
                self.key_pairs.insert(key_use == KeyUse::ActiveAuthentication, pair);
                Ok(Response::success(public))
            }
            (StoreData::INS, LifeCycle::Initialised) => {
                let block = StoreData::try_from(command)?;
                let fresh = collector.is_untouched();
                let groupings = collector.take(&block)?;
                if fresh {
                    self.files.clear();
                    (self.can, self.mrz_seed) = (None, None);
                }
                for grouping in groupings {
                    match grouping {
                        Grouping::Can(can) => self.can = Some(can.to_string()),
                        Grouping::File(file, content) => drop(self.files.insert(file, content)),
                        Grouping::MrzSeed(seed) => self.mrz_seed = Some(seed),
                    }
                }
                Ok(Response::success([]))
            }
            (SetStatus::INS, _) => {
                let next = SetStatus::try_from(command)?.life_cycle;
                let ready = match next {
                    LifeCycle::Initialised => self.key_pairs.len() == 2,
                    LifeCycle::Personalized => collector.is_complete() && self.can.is_some() && self.mrz_seed.is_some(),
                    _ => true,
                };
                if !self.life_cycle.may_become(next) || !ready {
                    return Err(Status::CONDITIONS_NOT_SATISFIED);
                }
                self.life_cycle = next;
                Ok(Response::success([]))
            }
            (get_data::INS, _) if GetData::try_from(command)?.tag == tag::REPORT => {
                let key = |active: bool| self.key_pairs.get(&active).map(PrivateKey::public);
                let mut digest = digest(self.files.iter().map(|(file, content)| (*file, &content[..])));
                digest[0] ^= u8::from(self.lies_about_digest);
                let report =
                    Report { life_cycle: self.life_cycle, digest, active_auth: key(true), chip_auth: key(false) };
                Ok(Response::success(report.encode()))
            }
            _ => Err(Status::CONDITIONS_NOT_SATISFIED),
        }
    }
}
