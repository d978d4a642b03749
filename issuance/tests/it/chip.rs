//! The least chip that can be personalized: counter, keys, files, in memory.

use std::sync::Arc;

use crypto::apdu::{Command, Response, Status};
use crypto::command::generate_key_pair::{GenerateKeyPair, KeyUse, encode_public_key};
use crypto::command::put_key::PutKey;
use crypto::command::set_status::SetStatus;
use crypto::command::store_data::StoreData;
use crypto::conversation::{CardTransport, Fault};
use crypto::identity::CardSerial;
use crypto::lds::File;
use crypto::perso::{Collector, Grouping, LifeCycle, Presentation, Report, digest};
use crypto::scp03::chip::{Opening, Request, Session};
use crypto::scp03::{ISSUER_SECURITY_DOMAIN, KeySet};
use crypto::suite::{Hash, PrivateKey};
use rand::SeedableRng;
use rand::rngs::ChaCha20Rng;

/// A chip with transport keys.
pub struct Chip {
    pub serial: CardSerial,
    pub life_cycle: LifeCycle,
    keys: KeySet,
    key_version: u8,
    counter: u32,
    rng: ChaCha20Rng,
    active_auth: Option<PrivateKey>,
    pub chip_auth: Option<Arc<PrivateKey>>,
    stream: Collector,
    pub files: Vec<(File, Vec<u8>)>,
    opening: Option<Opening>,
    session: Option<Session>,
    /// The power fails after so many commands.
    pub dies_after: Option<usize>,
}

impl Chip {
    pub fn blank(serial: CardSerial, keys: KeySet) -> Self {
        Self {
            serial,
            life_cycle: LifeCycle::Blank,
            keys,
            key_version: 0xff,
            counter: 0,
            rng: ChaCha20Rng::seed_from_u64(u64::from_be_bytes(serial.0[2..].try_into().expect("eight bytes"))),
            active_auth: None,
            chip_auth: None,
            stream: Collector::new(),
            files: vec![],
            opening: None,
            session: None,
            dies_after: None,
        }
    }

    pub fn presentation(&self) -> Presentation {
        Presentation {
            serial: self.serial,
            life_cycle: self.life_cycle,
            key_version: self.key_version,
            sequence_counter: self.counter,
            max_command: 4096,
            max_response: 4096,
        }
    }

    /// Active authentication: a signature over the challenge.
    pub fn signs(&self, challenge: &[u8]) -> Vec<u8> {
        self.active_auth.as_ref().unwrap().sign_plain(Hash::Sha256, challenge)
    }

    pub fn file(&self, file: File) -> &[u8] {
        &self.files.iter().find(|(known, _)| *known == file).unwrap().1
    }

    fn answer(&mut self, command: &Command) -> Response {
        match command.ins {
            0xa4 => {
                (self.opening, self.session) = (None, None);
                Response::success([])
            }
            0x50 => {
                let request = Request::read(command, self.key_version, self.counter).unwrap();
                self.counter = request.sequence_counter();
                let (opening, answer) = request.answer(&self.keys, &self.serial, &ISSUER_SECURITY_DOMAIN);
                self.opening = Some(opening);
                answer
            }
            0x82 => match self.opening.take().map(|opening| opening.accept(command)) {
                Some(Ok(session)) => {
                    (self.session, self.stream) = (Some(session), Collector::new());
                    Response::success([])
                }
                Some(Err(status)) => Response::status(status),
                None => Response::status(Status::SECURITY_NOT_SATISFIED),
            },
            _ => {
                let Some(mut session) = self.session.take() else {
                    return Response::status(Status::SECURITY_NOT_SATISFIED);
                };
                let answer = match session.open(command) {
                    Ok(plain) => session.seal(self.act(&plain)),
                    Err(status) => Response::status(status),
                };
                self.session = Some(session);
                answer
            }
        }
    }

    fn act(&mut self, command: &Command) -> Response {
        match command.ins {
            PutKey::INS => {
                let put = PutKey::try_from(command).unwrap();
                self.keys = put.unwrap(&self.keys).unwrap();
                self.key_version = put.new_version;
                Response::success(put.confirmation())
            }
            GenerateKeyPair::INS => {
                let asked = GenerateKeyPair::try_from(command).unwrap();
                let key = PrivateKey::generate(asked.curve, &mut self.rng);
                let public = encode_public_key(&key.public());
                match asked.key_use {
                    KeyUse::ActiveAuthentication => self.active_auth = Some(key),
                    KeyUse::ChipAuthentication => self.chip_auth = Some(Arc::new(key)),
                }
                Response::success(public)
            }
            StoreData::INS => {
                let block = StoreData::try_from(command).unwrap();
                if self.stream.is_untouched() {
                    self.files.clear();
                }
                for grouping in self.stream.take(&block).unwrap() {
                    if let Grouping::File(file, content) = grouping {
                        self.files.push((file, content));
                    }
                }
                Response::success([])
            }
            SetStatus::INS => {
                self.life_cycle = SetStatus::try_from(command).unwrap().life_cycle;
                Response::success([])
            }
            _ => Response::success(self.report().encode()),
        }
    }

    fn report(&self) -> Report {
        Report {
            life_cycle: self.life_cycle,
            digest: digest(self.files.iter().map(|(file, content)| (*file, &content[..]))),
            active_auth: self.active_auth.as_ref().map(PrivateKey::public),
            chip_auth: self.chip_auth.as_ref().map(|key| key.public()),
        }
    }
}

impl CardTransport for Chip {
    type Error = Fault;

    fn transmit(&mut self, command: &Command) -> Result<Response, Fault> {
        match &mut self.dies_after {
            Some(0) => return Err(Fault::Misbehaved("the power failed")),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(self.answer(command))
    }
}
