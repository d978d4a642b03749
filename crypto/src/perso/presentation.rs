//! What a chip says of itself in the clear: enough to compose an order for it, without any proof.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::apdu::{SHORT_NE, Status};
use crate::command::get_data::{self, GetData};
use crate::command::read_binary::ReadBinary;
use crate::command::select::{self, Select};
use crate::conversation::{CardTransport, Fault};
use crate::identity::CardSerial;
use crate::lds::{AtrInfo, File};
use crate::scp03::ISSUER_SECURITY_DOMAIN;
use crate::tlv;

/// Life cycle of a chip, coded as GPCS v2.3 §11.1.1 codes that of a card. Forward only.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LifeCycle {
    /// OP_READY: as delivered, under transport keys, without key pairs.
    Blank,
    /// INITIALIZED: issuer keys in, key pairs made and reported.
    Initialised,
    /// SECURED: files in, closed to writing for ever.
    Personalized,
    /// CARD_LOCKED: reads nothing out any more.
    Locked,
    /// TERMINATED.
    Terminated,
}

impl LifeCycle {
    /// All states, in their order.
    pub const ALL: [Self; 5] = [Self::Blank, Self::Initialised, Self::Personalized, Self::Locked, Self::Terminated];

    /// Returns the byte in GET DATA `DF20`, in SET STATUS and in the report.
    pub fn byte(self) -> u8 {
        match self {
            Self::Blank => 0x01,
            Self::Initialised => 0x07,
            Self::Personalized => 0x0f,
            Self::Locked => 0x7f,
            Self::Terminated => 0xff,
        }
    }

    /// Returns the state with this byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.byte() == byte)
    }

    /// Returns whether SET STATUS leads from here to `next`: one step forward, or by Lock and
    /// Terminate from any living state.
    ///
    /// | from | to |
    /// | --- | --- |
    /// | Blank | Initialised, Terminated |
    /// | Initialised | Personalized, Locked, Terminated |
    /// | Personalized | Locked, Terminated |
    /// | Locked | Terminated |
    pub fn may_become(self, next: Self) -> bool {
        use LifeCycle::{Blank, Initialised, Locked, Personalized, Terminated};
        matches!(
            (self, next),
            (Blank, Initialised | Terminated)
                | (Initialised, Personalized | Locked | Terminated)
                | (Personalized, Locked | Terminated)
                | (Locked, Terminated)
        )
    }
}

impl fmt::Display for LifeCycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Blank => "blank",
            Self::Initialised => "initialised",
            Self::Personalized => "personalized",
            Self::Locked => "locked",
            Self::Terminated => "terminated",
        })
    }
}

/// Data objects that GET DATA gives (GPCS v2.3 §11.3): all in the clear but the report. The answer is the whole object,
/// tag and length included.
pub mod tag {
    /// `45`: the chip's serial, ten bytes.
    pub const SERIAL: u16 = 0x0045;
    /// `E0`: key information template, `E0 { C0 { identifier, version, 88, length }… }`.
    pub const KEY_INFORMATION: u16 = 0x00e0;
    /// `C1`: the sequence counter used last, three bytes.
    pub const SEQUENCE_COUNTER: u16 = 0x00c1;
    /// `DF20`: life cycle, one byte.
    pub const LIFE_CYCLE: u16 = 0xdf20;
    /// `DF21`: the report ([`crate::perso::Report`]), only inside SCP03 at the full level.
    pub const REPORT: u16 = 0xdf21;
}

/// What a station reads from a chip before it asks for an order. **Untrusted**: nothing is proved yet. False values
/// yield an order that the chip on the reader cannot open, and nothing else: see [the argument](super).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Presentation {
    /// Serial of the chip.
    pub serial: CardSerial,
    /// Its life cycle.
    pub life_cycle: LifeCycle,
    /// Version of its key set.
    pub key_version: u8,
    /// Sequence counter used last; the next session has one more.
    pub sequence_counter: u32,
    /// Longest command APDU that it takes: bytes, all included.
    pub max_command: usize,
    /// Longest response APDU that it gives: bytes, all included.
    pub max_response: usize,
}

/// Reads the presentation of the chip on the reader. Leaves the issuer security domain selected and opens no session.
///
/// # Errors
/// The transport's error; [`Fault::Refused`] if it is no card of this issuer; [`Fault::Misbehaved`] if
/// what it says is malformed.
pub fn present<C: CardTransport>(card: &mut C) -> Result<Presentation, C::Error> {
    let AtrInfo { max_command, max_response } = lengths(card)?;
    card.transmit(&Select::Application(ISSUER_SECURITY_DOMAIN.to_vec()).into())?.accepted(select::INS)?;
    let serial = datum(card, tag::SERIAL)?;
    let serial = CardSerial::try_from(&serial[..]).map_err(|_| Fault::Misbehaved("a serial that has not ten bytes"))?;
    let keys = datum(card, tag::KEY_INFORMATION)?;
    let key_version = key_version(&keys)?;
    let counter = datum(card, tag::SEQUENCE_COUNTER)?;
    let [high, middle, low] = counter[..] else {
        return Err(Fault::Misbehaved("a sequence counter that has not three bytes").into());
    };
    let life_cycle = match datum(card, tag::LIFE_CYCLE)?[..] {
        [byte] => LifeCycle::from_byte(byte),
        _ => None,
    };
    let life_cycle = life_cycle.ok_or(Fault::Misbehaved("a life cycle that does not exist"))?;
    let sequence_counter = u32::from_be_bytes([0, high, middle, low]);
    Ok(Presentation { serial, life_cycle, key_version, sequence_counter, max_command, max_response })
}

/// Reads the value of one data object.
fn datum<C: CardTransport>(card: &mut C, tag: u16) -> Result<Vec<u8>, C::Error> {
    let data = card.transmit(&GetData::global_platform(tag).into())?.accepted(get_data::INS)?;
    let object =
        tlv::Tlv::expect(u32::from(tag), &data).map_err(|_| Fault::Misbehaved("GET DATA gave another object"))?;
    Ok(object.value.to_vec())
}

/// Returns the version of the key with identifier 1 in the key information template.
fn key_version(template: &[u8]) -> Result<u8, Fault> {
    let mut keys = tlv::Reader::new(template);
    while !keys.is_empty() {
        let key = keys.read().map_err(|_| Fault::Misbehaved("a malformed key information template"))?;
        if let (0xc0, [0x01, version, ..]) = (key.tag.0, key.value) {
            return Ok(*version);
        }
    }
    Err(Fault::Misbehaved("a key information template without key 1"))
}

/// Returns the lengths that EF.ATR/INFO in the master file announces, else those that every card supports. Some cards
/// refuse SELECT of the master file and have it selected anyway, so its answer does not matter.
fn lengths<C: CardTransport>(card: &mut C) -> Result<AtrInfo, C::Error> {
    card.transmit(&Select::MasterFile.into())?;
    let read = ReadBinary::of(File::AtrInfo.short_id(), SHORT_NE);
    let answer = card.transmit(&read.into())?;
    let known = matches!(answer.status, Status::SUCCESS | Status::END_OF_FILE).then(|| AtrInfo::parse(&answer.data));
    Ok(known.and_then(Result::ok).flatten().unwrap_or(AtrInfo::SHORT))
}
