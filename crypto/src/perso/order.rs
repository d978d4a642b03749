//! The [`Order`] for the station, its [`Receipt`], and [`play`], which turns one into the other.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::apdu::{Command, Response, Status};
use crate::conversation::{CardTransport, Conversation, Fault, Turn, converse};
use crate::identity::CardSerial;

/// Purpose of an order.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// Gives a blank its issuer keys and lets it generate its key pairs.
    Intake,
    /// Closes a chip to readers.
    Lock,
    /// Writes the files of an initialised chip.
    Personalize,
    /// Asks a chip for its report under R-MAC.
    Report,
    /// Terminates a chip.
    Terminate,
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Intake => "intake",
            Self::Lock => "lock",
            Self::Personalize => "personalize",
            Self::Report => "report",
            Self::Terminate => "terminate",
        })
    }
}

/// Commands for one chip and one value of its sequence counter, to be played as they are. It holds no key, and of the
/// data it writes only the length is visible.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Order {
    /// Identifier given by the service, without meaning.
    pub id: String,
    /// Purpose of the order.
    pub purpose: Purpose,
    /// Serial of the chip.
    pub serial: CardSerial,
    /// Raw command APDUs: SELECT, INITIALIZE UPDATE, EXTERNAL AUTHENTICATE, then sealed ones. Base64 in serde.
    #[serde(with = "octets")]
    pub commands: Vec<Vec<u8>>,
}

/// Shows purpose, chip and number of commands.
impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Order({}: {} {}, {} commands)", self.id, self.purpose, self.serial, self.commands.len())
    }
}

/// The chip's answers to an order, command by command. It is shorter than the order if the chip was
/// pulled or refused a command.
#[derive(Clone, Deserialize, Eq, PartialEq, Serialize)]
pub struct Receipt {
    /// [`Order::id`].
    pub order: String,
    /// Raw response APDUs, in the order of the commands. Base64 in serde.
    #[serde(with = "octets")]
    pub responses: Vec<Vec<u8>>,
}

impl Receipt {
    /// Returns whether every command of the order was answered with `9000`: for the station's operator, **not** a
    /// proof, which only [`crate::perso::Script::verify`] gives.
    pub fn answers(&self, order: &Order) -> bool {
        self.order == order.id
            && self.responses.len() == order.commands.len()
            && self.responses.iter().all(|response| response.ends_with(&Status::SUCCESS.0.to_be_bytes()))
    }
}

/// Shows the number of responses.
impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receipt({}: {} responses)", self.order, self.responses.len())
    }
}

/// Plays an order on the chip on the reader, and stops after the first answer that is not `9000`. Calls `progress` with
/// the number of commands answered so far.
///
/// Returns the receipt in every case, however short; beside it the transport's error, if that is why it is short.
pub fn play<C: CardTransport>(
    card: &mut C,
    order: &Order,
    progress: &mut dyn FnMut(usize),
) -> (Receipt, Option<C::Error>) {
    let receipt = Receipt { order: order.id.clone(), responses: Vec::with_capacity(order.commands.len()) };
    let mut recorder = Recorder { card, receipt, progress };
    let error = converse(&mut recorder, Playback(order.commands.iter())).err();
    (recorder.receipt, error)
}

/// The commands of an order as a conversation: asks one after the other, and ends after the first that is
/// not answered with `9000`.
struct Playback<'a>(std::slice::Iter<'a, Vec<u8>>);

impl Conversation for Playback<'_> {
    type Output = ();

    fn open(mut self) -> Result<Turn<Self>, Fault> {
        let Some(command) = self.0.next() else { return Ok(Turn::Done(())) };
        let command = Command::parse(command)
            .map_err(|_| Fault::Unsupported("an order that holds something else than commands"))?;
        Ok(Turn::Ask(self, command))
    }

    fn hear(self, answer: Response) -> Result<Turn<Self>, Fault> {
        if answer.status == Status::SUCCESS { self.open() } else { Ok(Turn::Done(())) }
    }
}

/// A card whose answers are recorded, so that they are kept if the dialogue breaks off.
struct Recorder<'a, C> {
    card: &'a mut C,
    receipt: Receipt,
    progress: &'a mut dyn FnMut(usize),
}

impl<C: CardTransport> CardTransport for Recorder<'_, C> {
    type Error = C::Error;

    fn transmit(&mut self, command: &Command) -> Result<Response, C::Error> {
        let response = self.card.transmit(command)?;
        self.receipt.responses.push(response.to_bytes());
        (self.progress)(self.receipt.responses.len());
        Ok(response)
    }
}

/// Serde of lists of byte strings as lists of Base64 strings.
pub(super) mod octets {
    use serde::de::Error;
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Engine, STANDARD};

    pub fn serialize<S: Serializer>(all: &[Vec<u8>], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(all.iter().map(|bytes| STANDARD.encode(bytes)))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Vec<u8>>, D::Error> {
        let all = Vec::<String>::deserialize(deserializer)?;
        all.iter().map(|text| STANDARD.decode(text).map_err(D::Error::custom)).collect()
    }
}
